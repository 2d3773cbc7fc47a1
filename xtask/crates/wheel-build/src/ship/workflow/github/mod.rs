//! The workflow of GitHub Actions, from the template `wheels.yml`. It contains the machines but not the targets: a
//! job runs `cargo xtask matrix`.

mod layers;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;
use wheel_audit::UserError;

use super::{RUST, Tool, tool, yaml};
use crate::config::{Config, Platform, Source};

/// Path of the workflow in the repository.
pub(crate) const PATH: &str = ".github/workflows/wheels-docker.yml";

const TEMPLATE: &str = include_str!("wheels.yml");
const DOWNLOAD_TOOL: &str = include_str!("download-tool.yml");
const EMULATE: &str = include_str!("emulate.yml");
const PUBLISH: &str = include_str!("publish.yml");
const CODE_SCANNING: &str = include_str!("sarif.yml");
const SARIF_ARTIFACT: &str = include_str!("sarif-artifact.yml");

/// The version and commit of an action (`actions.toml`).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    version: String,
    commit: String,
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn pins() -> &'static BTreeMap<String, Pin> {
    static PINS: LazyLock<BTreeMap<String, Pin>> = LazyLock::new(|| {
        toml::from_str(include_str!("actions.toml")).expect("actions.toml is well-formed")
    });
    &PINS
}

/// Files of the repository that determine the wheels of a source archive.
fn paths(config: &Config, tool: &Tool) -> Vec<String> {
    let mut paths: Vec<_> = tool.wheels_files().collect();
    paths.extend(tool.files());
    let requirements = config.build.requirements.as_ref().map(|path| path.as_str());
    let covered =
        |path: &&str| paths.iter().any(|each| path.starts_with(each.trim_end_matches("**")));
    let requirements: Vec<_> = requirements.into_iter().filter(|path| !covered(path)).collect();
    paths.extend(requirements);
    paths.push(PATH);
    // JSON strings are YAML strings.
    paths.into_iter().map(|path| Value::from(path).to_string()).collect()
}

/// The workflow for `config` in a repository that uses `tool`.
///
/// # Errors
/// If a platform has no native machine.
pub(crate) fn workflow(config: &Config, tool: &Tool) -> Result<String, UserError> {
    let runner = "linux/amd64".parse::<Platform>().ok().and_then(|it| config.ci.runner(&it));
    let runner = runner.map_or_else(|| "ubuntu-24.04".to_owned(), |runner| runner.label);
    let branch = config.ci.branch.as_ref().map_or("main", |branch| branch.0.as_str());
    let publish = config.publish.environment.as_ref();
    let publish = publish.map(|name| PUBLISH.replace("<environment>", &yaml(&name.0)));
    // A package of the repository could depend on any file.
    let paths = match config.source {
        Source::Sdist { .. } => format!("    paths: [{}]\n", paths(config, tool).join(", ")),
        Source::Path { .. } => String::new(),
    };
    let schedule = config.ci.schedule.as_ref();
    let schedule = schedule.map(|cron| format!("  schedule:\n    - cron: \"{cron}\"\n"));
    let emulate = if config.ci.emulate.is_empty() { "" } else { EMULATE };
    let layers = layers::Layers::of(&config.ci, branch);
    let download = |label: &str| DOWNLOAD_TOOL.replace("<label>", label);
    let sarif = |text: &'static str| if config.ci.sarif { text } else { "" };
    let mut text = TEMPLATE
        .replace("<sarif> ", sarif("--sarif target/wheels.sarif "))
        .replace("<sarif-artifact>\n", sarif(SARIF_ARTIFACT))
        .replace("<code-scanning>\n", sarif(CODE_SCANNING))
        .replace("<paths>\n", &paths)
        .replace("<schedule>\n", &schedule.unwrap_or_default())
        .replace("<emulate>\n", emulate)
        .replace("<publish>\n", &publish.unwrap_or_default())
        .replace("<cache-permissions>\n", layers.permissions)
        .replace("<cache-steps>\n", &layers.steps)
        .replace("<cache-options>", layers.options)
        .replace("<cache-env>\n", &layers.env)
        .replace("<labels>", &tool::labels(config, &runner)?)
        .replace("<rust>", RUST.trim())
        .replace("<tool-files>", &tool.hashed())
        .replace("<locked>", tool.locked())
        .replace("<wheels-locked>", tool.wheels_locked())
        .replace("<download-tool ${{ matrix.runner }}>\n", &download("${{ matrix.runner }}"))
        .replace("<download-tool <runner>>\n", &download(&runner))
        .replace("<branch>", &yaml(branch))
        .replace("<runner>", &yaml(&runner));
    for (name, pin) in pins() {
        let whole = format!("{name}@{} # {}", pin.commit, pin.version);
        text = text.replace(&format!("<{name}>"), &whole);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use camino::Utf8Path;

    use super::*;
    use crate::config;

    fn with(source: &str, more: &str) -> String {
        within(Utf8Path::new("/none"), source, more)
    }

    fn within(root: &Utf8Path, source: &str, more: &str) -> String {
        let text = format!(
            "[source]\n{source}\n[build]\npythons = [\"cp311\"]\n[[target]]\nname = \"d\"\n\
             image = \"debian:12\"\nplatforms = [\"linux/amd64\"]\n{more}"
        );
        let config = config::parse_text(Utf8Path::new("wheels.toml"), &text).unwrap();
        workflow(&config, &Tool::of(root)).unwrap()
    }

    #[test]
    fn every_placeholder_is_filled() {
        let all =
            "[ci]\nsarif = true\nemulate = [\"linux/s390x\"]\n[publish]\nenvironment = \"index\"";
        let registry = "[ci]\ncache = \"registry\"\ncache-repository = \"r.example/c\"";
        let none = "[ci]\ncache = \"none\"";
        for more in ["", all, registry, none] {
            let text = with("path = \".\"", more);
            assert!(!text.contains('<') && text.ends_with('\n'), "{text}");
        }
    }

    #[test]
    fn the_configuration_selects_the_parts() {
        let plain = with("path = \".\"", "");
        assert!(!plain.contains("paths:") && !plain.contains("binfmt"), "{plain}");
        assert!(!plain.contains("sarif") && !plain.contains("security-events"), "{plain}");
        assert!(!plain.contains("pypi-publish") && plain.contains("branches: [main]"), "{plain}");
        let sdist = format!("sdist = \"a==1\"\nsha256 = \"{}\"", "0".repeat(64));
        let more = "[ci]\nsarif = true\nbranch = \"trunk\"\nemulate = [\"linux/s390x\"]\n\
                    runners = { \"linux/amd64\" = \"big\" }\n[publish]\nenvironment = \"index\"";
        let whole = with(&sdist, more);
        for part in [
            "paths: [\"wheels.toml\"",
            "target/tool/xtask binfmt install \"$PLATFORM\"",
            "[trunk]",
            "verify --publish --sarif target/wheels.sarif --markdown",
            "path: target/wheels.sarif\n",
            "github/codeql-action/upload-sarif@",
        ] {
            assert!(whole.contains(part), "{part}\n{whole}");
        }
        let scheduled = with(&sdist, "[ci]\nschedule = \"17 3 * * 1\"");
        assert!(scheduled.contains("  schedule:\n    - cron: \"17 3 * * 1\"\n"), "{scheduled}");
        assert!(!whole.contains("schedule:"), "{whole}");
        assert!(whole.contains("environment: index") && whole.contains("runs-on: big"), "{whole}");
    }

    #[test]
    fn builds_are_locked_if_a_lock_file_exists() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let sdist = format!("sdist = \"a==1\"\nsha256 = \"{}\"", "0".repeat(64));
        let held = |text: &str| {
            (text.contains("\"$PLATFORM\" --locked"), text.contains("\"wheels.lock\""))
        };
        assert_eq!(held(&within(root, &sdist, "")), (false, false));
        fs_err::write(root.join("wheels.lock"), "").unwrap();
        assert_eq!(held(&within(root, &sdist, "")), (true, true));
    }

    #[test]
    fn path_filters_are_relative_to_the_repository() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let paths = |more: &str| -> Vec<String> {
            let sdist = format!("sdist = \"a==1\"\nsha256 = \"{}\"", "0".repeat(64));
            let text = within(root, &format!("{sdist}\n{more}"), "");
            let line = text.lines().find_map(|line| line.trim().strip_prefix("paths: ")).unwrap();
            serde_json::from_str(line).unwrap()
        };
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        write("xtask/Cargo.toml", "[workspace]");
        let adopted = ["wheels.toml", ".cargo/**", "xtask/**", PATH];
        assert_eq!(paths(""), adopted);
        write("xtask/Cargo.toml", "");
        assert!(paths("").contains(&"Cargo.lock".to_owned()));
        assert!(!paths("").contains(&"docker/**".to_owned()));
        write(&format!("{}/Cargo.toml", crate::clone::CRATE), "");
        assert!(paths("").contains(&"docker/**".to_owned()));
    }

    #[test]
    fn words_are_strings_in_yaml() {
        for (word, expected) in
            [("big", "big"), ("on", "\"on\""), ("42", "\"42\""), ("Null", "\"Null\"")]
        {
            assert_eq!(yaml(word), expected);
        }
    }

    #[test]
    fn pins_are_commits() {
        for (name, pin) in pins() {
            let is_commit =
                pin.commit.len() == 40 && pin.commit.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(is_commit && pin.version.starts_with('v'), "{name}");
        }
    }
}
