//! The pipeline of GitLab CI, from the template `wheels.yml`. It contains the matrix, because GitLab reads it
//! before the first job runs.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;
use wheel_audit::UserError;

use super::{RUST, Tool};
use crate::assets;
use crate::config::{Config, LayerCache, Platform, Runner, Target};

/// Path of the pipeline in the repository.
pub(crate) const PATH: &str = ".gitlab/wheels.yml";

const TEMPLATE: &str = include_str!("wheels.yml");
const PUBLISH: &str = include_str!("publish.yml");
/// Layer cache of a job, in the project's registry.
const CACHE: &str = "type=registry,ref=$CI_REGISTRY_IMAGE/cache";
const LOGIN: &str = "    - echo \"$CI_REGISTRY_PASSWORD\" | docker login \"$CI_REGISTRY\" --username \"$CI_REGISTRY_USER\" \
                     --password-stdin\n";
const EMULATE: &str = "    - if [ -n \"$EMULATED\" ]; then target/machines/$MACHINE/xtask binfmt install \"$PLATFORM\"; fi\n";

/// An image (`images.toml`).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    image: String,
    digest: String,
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn images() -> &'static BTreeMap<String, Image> {
    static IMAGES: LazyLock<BTreeMap<String, Image>> = LazyLock::new(|| {
        toml::from_str(include_str!("images.toml")).expect("images.toml is well-formed")
    });
    &IMAGES
}

/// A job of the matrix.
struct Build<'a> {
    target: &'a Target,
    platform: &'a Platform,
    runner: Runner,
}

impl Build<'_> {
    /// Architecture of the machine.
    fn machine(&self) -> &str {
        if self.runner.emulated { "amd64" } else { self.platform.engine_arch() }
    }

    fn variables(&self) -> String {
        let mut variables = vec![
            ("NAME", self.target.folder(self.platform)),
            ("TARGET", self.target.name.clone()),
            ("PLATFORM", self.platform.to_string()),
            ("MACHINE", self.machine().to_owned()),
            ("RUNNER", self.runner.label.clone()),
        ];
        variables.extend(self.runner.emulated.then(|| ("EMULATED", "1".to_owned())));
        entry(&variables)
    }
}

/// An entry of a matrix.
fn entry(variables: &[(&str, String)]) -> String {
    let line = |(at, (name, value)): (usize, &(&str, String))| {
        let start = if at == 0 { "- " } else { "  " };
        // JSON strings are YAML strings.
        format!("      {start}{name}: {}\n", Value::from(value.as_str()))
    };
    variables.iter().enumerate().map(line).collect()
}

fn no_runner(platform: &Platform) -> UserError {
    UserError::new(format!("no known GitLab machine runs {platform} natively")).hint(format!(
        "name one in wheels.toml, `[ci] gitlab-runners = {{ \"{platform}\" = \"TAG\" }}`, or \
             emulate it with `[ci] emulate = [\"{platform}\"]`, which takes several times as long"
    ))
}

/// The requirement of uv with its hashes, in one line.
fn uv() -> String {
    let text = assets::text("docker/toolchain-requirements.txt").replace("\\\n", " ");
    let line = text.lines().find(|line| line.starts_with("uv=="));
    line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The pipeline for `config` in a repository that uses `tool`.
///
/// # Errors
/// If a platform has no native machine.
pub(crate) fn pipeline(config: &Config, tool: &Tool) -> Result<String, UserError> {
    let runner_of =
        |platform: &Platform| config.ci.gitlab_runner(platform).ok_or_else(|| no_runner(platform));
    let mut builds = Vec::new();
    for target in config.ci_targets() {
        for platform in &target.platforms {
            builds.push(Build { target, platform, runner: runner_of(platform)? });
        }
    }
    // Jobs that build nothing run on the machine of the first wheel.
    let machines: BTreeMap<&str, &str> =
        builds.iter().map(|build| (build.machine(), build.runner.label.as_str())).collect();
    let (machine, runner) = machines
        .get_key_value("amd64")
        .or_else(|| machines.first_key_value())
        .ok_or_else(|| {
            UserError::new("`[ci]` of wheels.toml selects no target")
                .hint("name targets in `targets` of `[ci]`, or remove the key to build all")
        })?;
    let of_machine = |(machine, runner): (&&str, &&str)| {
        entry(&[("MACHINE", (*machine).to_owned()), ("RUNNER", (*runner).to_owned())])
    };
    let branch = config.ci.branch.as_ref().map_or("main", |branch| branch.0.as_str());
    let has_cache = config.ci.cache != LayerCache::None;
    let when =
        |condition: bool, text: &str| if condition { text.to_owned() } else { String::new() };
    let cache_to = format!("      variables:\n        CACHE_TO: {CACHE}\n");
    let options = format!(" --cache-from \"{CACHE}\" --cache-to \"${{CACHE_TO:-none}}\"");
    let publish = config.publish.environment.as_ref();
    let publish = publish
        .map(|name| PUBLISH.replace("<environment>", &Value::from(name.0.as_str()).to_string()));
    let emulates = builds.iter().any(|build| build.runner.emulated);
    let mut text = TEMPLATE
        .replace("<publish>\n", &publish.unwrap_or_default())
        .replace("<machines>\n", &machines.iter().map(of_machine).collect::<String>())
        .replace("<wheels>\n", &builds.iter().map(Build::variables).collect::<String>())
        .replace("<cache-to>\n", &when(has_cache, &cache_to))
        .replace("<wheels-locked>", tool.wheels_locked())
        .replace("<cache-options>", &when(has_cache, &options))
        .replace("<login>\n", &when(has_cache, LOGIN))
        .replace("<emulate>\n", &when(emulates, EMULATE))
        .replace("<lock>", tool.lock())
        .replace("<locked>", tool.locked())
        .replace("<rust-version>", RUST.trim())
        .replace("<uv>", &uv())
        .replace("<branch>", branch)
        .replace("<machine>", machine)
        .replace("<runner>", &Value::from(*runner).to_string());
    for (name, Image { image, digest }) in images() {
        text = text.replace(&format!("<{name}>"), &format!("{image}@{digest}"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use camino::Utf8Path;

    use super::*;
    use crate::config;

    fn with(more: &str) -> Result<String, UserError> {
        let text = format!(
            "[source]\npath = \".\"\n[build]\npythons = [\"cp311\"]\n[[target]]\nname = \"d\"\n\
             image = \"debian:12\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n{more}"
        );
        let config = config::parse_text(Utf8Path::new("wheels.toml"), &text).unwrap();
        pipeline(&config, &Tool::of(Utf8Path::new("/none")))
    }

    #[test]
    fn every_placeholder_is_filled() {
        let all = "[ci]\nemulate = [\"linux/arm64\"]\n[publish]\nenvironment = \"index\"";
        for more in ["", all, "[ci]\ncache = \"none\""] {
            let text = with(more).unwrap();
            assert!(!text.contains('<'), "{text}");
            assert!(text.ends_with('\n') && !text.contains("\n\n\n"), "{text}");
        }
    }

    #[test]
    fn the_configuration_selects_the_parts() {
        let plain = with("").unwrap();
        assert_eq!(plain.matches("- NAME: ").count(), 2);
        assert_eq!(plain.matches("- MACHINE: ").count(), 2, "a program for each architecture");
        assert!(plain.contains("RUNNER: \"saas-linux-small-arm64\""), "{plain}");
        assert!(!plain.contains("id_tokens") && !plain.contains("binfmt"), "{plain}");
        // Only the default branch writes layers.
        assert_eq!(plain.matches("CACHE_TO: ").count(), 1);
        assert!(plain.contains("== \"main\"\n      variables:\n        CACHE_TO: "), "{plain}");
        let none = with("[ci]\ncache = \"none\"").unwrap();
        assert!(!none.contains("--cache-") && !none.contains("docker login"), "{none}");
        let more = "[ci]\nbranch = \"trunk\"\nemulate = [\"linux/arm64\"]\n\
                    gitlab-runners = { \"linux/amd64\" = \"big\" }\n[publish]\nenvironment = \"index\"";
        let whole = with(more).unwrap();
        assert_eq!(whole.matches("- MACHINE: ").count(), 1);
        assert!(whole.contains("binfmt install") && whole.contains("EMULATED: \"1\""), "{whole}");
        assert!(!whole.contains("saas-") && whole.contains("== \"trunk\""), "{whole}");
        assert!(whole.contains("name: \"index\"") && whole.contains("aud: pypi"), "{whole}");
    }

    #[test]
    fn a_platform_without_a_machine_is_rejected() {
        let odd =
            "[[target]]\nname = \"odd\"\nimage = \"debian:13\"\nplatforms = [\"linux/s390x\"]";
        let error = with(odd).unwrap_err().to_string();
        assert!(error.contains("linux/s390x"), "{error}");
    }

    #[test]
    fn images_are_pinned_and_have_the_rust_of_the_other_workflow() {
        for (name, Image { digest, .. }) in images() {
            assert!(digest.starts_with("sha256:") && digest.len() == 71, "{name}");
        }
        let rust = format!("rust:{}-", RUST.trim());
        assert!(images()["rust"].image.starts_with(&rust), "{rust}");
        assert!(uv().starts_with("uv==") && uv().matches(" --hash=sha256:").count() > 1);
    }
}
