#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use super::*;
use crate::engine::client::Client;
use crate::engine::host::HostSettings;
use crate::exec::{Captured, Exec};
use wheel_audit::UserError;

const TOML: &str = r#"
[source]
sdist = "a==1"
sha256 = "6c69fca89106567060941c5568e67a5369738813d883db4e3d62b76f0a2c497e"
[build]
pythons = ["cp311"]
[[target]]
name = "debian12"
image = "debian:12"
digest."linux/arm64" = "sha256:1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d"
family = "apt"
glibc = "2.36"
platforms = ["linux/amd64", "linux/arm64"]
bootstrap = { tool = "mmdebstrap", suite = "bookworm" }
"#;

/// A machine without images: how its registry answers a request and a pull, and whether an earlier run made an
/// image from packages.
#[derive(Clone, Copy, Default)]
struct Machine {
    registry: Option<Result<&'static str, &'static str>>,
    pulled: Option<&'static str>,
    /// The architecture of the pulled image.
    is_for: Option<&'static str>,
    made: bool,
}

/// Resolves `debian:12` on `machine`; returns the pulled references as well.
fn resolved(machine: Machine, platform: &str) -> (Result<BaseImage, EngineError>, Vec<String>) {
    resolved_of(TOML, BasePolicy::Auto, machine, platform)
}

/// Like [`resolved`], for the first target of `toml`.
fn resolved_of(
    toml: &str,
    base_policy: BasePolicy,
    machine: Machine,
    platform: &str,
) -> (Result<BaseImage, EngineError>, Vec<String>) {
    let pulls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&pulls);
    let exec = Exec::fake(move |step| {
        let last = step.args.last().cloned().unwrap_or_default();
        let answer = |text: Option<&str>| text.map_or_else(|| Captured::ok(""), Captured::failed);
        let text = step.to_string();
        Ok(if step.program != "docker" {
            return Err(ExecError::NotFound { program: step.program.clone() });
        } else if text.contains("imagetools") {
            match machine.registry.unwrap() {
                Ok(text) => Captured::ok(text),
                Err(text) => Captured::failed(text),
            }
        } else if text.contains(" pull ") {
            seen.lock().unwrap().push(last);
            answer(machine.pulled)
        } else if text.contains("buildx inspect") {
            Captured::ok("Name: default\nDriver: docker\nPlatforms: linux/amd64")
        } else if let Some(arch) = machine.is_for.filter(|_| seen.lock().unwrap().contains(&last)) {
            Captured::ok(&format!(r#"{{"Architecture": "{arch}", "Id": "sha256:id"}}"#))
        } else if machine.made && last.contains("xtask-wheels/os") {
            Captured::ok("sha256:made")
        } else {
            Captured::failed("Error: No such image")
        })
    });
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    let engine = Engine {
        assets: "a".into(),
        exec,
        root: root.to_owned(),
        host: HostSettings::default(),
        client: Client::default(),
        cache: crate::config::Cache::default(),
    };
    let config = crate::config::parse_text("wheels.toml".into(), toml).unwrap();
    let platform = platform.parse().unwrap();
    let target = &config.targets[0];
    let image = resolve(&engine, target, &platform, base_policy, root, &mut |_| {});
    let pulls = pulls.lock().unwrap().clone();
    (image, pulls)
}

const INDEX: &str = r#"{"digest": "sha256:1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d", "manifests": [
    {"digest": "sha256:aa", "platform": {"os": "linux", "architecture": "amd64"}},
    {"digest": "sha256:bb", "platform": {"os": "linux", "architecture": "arm64"}}]}"#;

#[test]
fn the_platforms_image_has_the_digest_of_its_index() {
    for (platform, manifest) in [("linux/amd64", "sha256:aa"), ("linux/arm64", "sha256:bb")] {
        let machine = Machine { registry: Some(Ok(INDEX)), ..Machine::default() };
        let (image, pulls) = resolved(machine, platform);
        let image = image.unwrap();
        assert_eq!(pulls, [format!("debian@{manifest}")]);
        assert_eq!(
            (image.reference, image.digest),
            (
                pulls[0].clone(),
                "sha256:1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d"
                    .to_owned()
            )
        );
    }
}

#[test]
fn a_missing_credential_helper_is_not_a_missing_image() {
    let helper = "ERROR: error getting credentials - err: exec: \"docker-credential-desktop\": \
                  executable file not found in $PATH, out: ``";
    for platform in ["linux/amd64", "linux/arm64"] {
        let machine = Machine { registry: Some(Err(helper)), made: true, ..Machine::default() };
        let image = resolved(machine, platform).0.unwrap();
        assert_eq!((image.origin, &*image.digest), (Origin::Bootstrapped, "sha256:made"));
    }
    let absent = "ERROR: docker.io/library/debian@sha256:1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d: not found";
    let machine = Machine { registry: Some(Err(absent)), made: true, ..Machine::default() };
    assert!(matches!(resolved(machine, "linux/arm64").0, Err(EngineError::Base(_))));
}

#[test]
fn the_error_names_each_source_with_its_reason() {
    let limit = "429 Too Many Requests";
    let rejecting = Machine { registry: Some(Err(limit)), ..Machine::default() };
    let pulled = Machine { registry: Some(Ok(INDEX)), pulled: Some(limit), ..Machine::default() };
    for machine in [rejecting, pulled] {
        let error = resolved(machine, "linux/amd64").0.unwrap_err();
        let text = UserError::explain(&error);
        assert!(matches!(error, EngineError::Base(_)), "{text}");
        for part in [limit, "mmdebstrap", "cargo xtask setup"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(text.matches("hint: ").count(), 1, "{text}");
    }
    let again = Machine {
        registry: Some(Ok(INDEX)),
        pulled: Some(limit),
        made: true,
        ..Machine::default()
    };
    assert_eq!(resolved(again, "linux/amd64").0.map(|it| it.origin).unwrap(), Origin::Bootstrapped);
}

#[test]
fn an_image_for_another_platform_is_an_error_and_not_replaced() {
    let only_amd64 = r#"{"digest": "sha256:1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d", "manifests": [
        {"digest": "sha256:aa", "platform": {"os": "linux", "architecture": "amd64"}}]}"#;
    let only_windows = r#"{"digest": "sha256:1d", "manifests": [
        {"digest": "sha256:aa", "platform": {"os": "windows", "architecture": "amd64"}}]}"#;
    let one = r#"{"digest": "sha256:1d"}"#;
    let no_match = "Error response from daemon: no matching manifest for linux/arm64 in the manifest \
                    list entries";
    let of =
        |index, pulled, is_for| Machine { registry: Some(Ok(index)), pulled, is_for, made: true };
    for (machine, pulls) in [
        (of(only_amd64, None, None), 0),
        (of(only_windows, Some(no_match), None), 1),
        (of(one, Some(no_match), None), 1),
        (of(one, None, Some("amd64")), 1),
    ] {
        let (image, pulled) = resolved(machine, "linux/arm64");
        let error = image.map(|image| image.origin).unwrap_err();
        assert!(matches!(error, EngineError::Base(_)), "{error}");
        assert_eq!(pulled.len(), pulls, "{error}");
    }
    let image = resolved(of(one, None, Some("arm64")), "linux/arm64").0.unwrap();
    assert_eq!((image.origin, &*image.digest), (Origin::Pulled, "sha256:1d"));
}

#[test]
fn the_hint_names_only_the_option_or_key_that_helps() {
    let silent = Machine { registry: Some(Err("429 Too Many Requests")), ..Machine::default() };
    let without = TOML.lines().filter(|line| !line.starts_with("bootstrap"));
    let without = without.collect::<Vec<_>>().join("\n");
    for (toml, base_policy, has, has_not) in [
        (TOML, BasePolicy::Pull, "`--base pull` out", "`bootstrap` entry"),
        (&*without, BasePolicy::Pull, "`bootstrap` entry", "`--base"),
        (&*without, BasePolicy::Auto, "`bootstrap` entry", "`--base"),
        (&*without, BasePolicy::Bootstrap, "`--base bootstrap` out", "docker pull"),
    ] {
        let error = resolved_of(toml, base_policy, silent, "linux/amd64").0.unwrap_err();
        let hint = error.hint().unwrap();
        assert!(hint.contains(has) && !hint.contains(has_not), "{base_policy:?}: {hint}");
    }
}
