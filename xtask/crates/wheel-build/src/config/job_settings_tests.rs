#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::*;
use crate::config::parse_text;

const TARGETS: &str = r#"
[[target]]
name = "debian12"
image = "debian:12"
family = "apt"
platforms = ["linux/amd64", "linux/arm64"]
[[target]]
name = "rocky9"
image = "rockylinux:9"
family = "dnf"
platforms = ["linux/amd64"]
"#;

fn config(tables: &str) -> Result<Config, String> {
    let text = format!("[source]\npath = \".\"\n{tables}\n{TARGETS}");
    parse_text(Utf8Path::new("wheels.toml"), &text).map_err(|error| error.to_string())
}

/// The settings of the job with this build identifier if the machine has the variables `passed`.
fn of(config: &Config, identifier: &str, passed: &[(&str, &str)]) -> JobSettings {
    let target = config.targets.iter().find(|target| identifier.contains(&target.name)).unwrap();
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let passed: BTreeMap<_, _> = passed.iter().map(own).collect();
    config.settings(identifier, target.family, &passed)
}

#[test]
fn later_overrides_win_maps_are_merged_and_other_values_replaced() {
    let config = config(
        r#"
        [build]
        pythons = ["cp311"]
        env = { A = "1", B = "1" }
        before = ["one", "two"]
        system_packages = { apt = ["libffi-dev"], dnf = ["libffi-devel"] }
        config-settings = { a = "1", list = ["x", "y"] }
        [test]
        requires = ["pytest", "hypothesis"]
        system_packages = { apt = ["libgl1"], dnf = ["libglvnd-glx"] }
        [[override]]
        select = "cp311-*"
        build = { env = { B = "2", C = "2" }, config-settings = { a = "2" } }
        test = { requires = ["pytest"], skip = true }
        repair.exclude = ["libcuda.so.*"]
        [[override]]
        select = ["nothing-*", "*-debian12_aarch64 *-rocky9_*"]
        build.env.C = "3"
        build.before = "three"
        build.build-frontend = "build"
        build.system_packages.apt = []
        test.skip = false
        test.system_packages.apt = ["libgl1", "libxrender1"]
        toolchain.rust = "distro"
        "#,
    )
    .unwrap();
    let native = of(&config, "cp311-debian12_x86_64", &[]);
    let env = |settings: &JobSettings| settings.build.env.0.values().cloned().collect::<Vec<_>>();
    assert_eq!(env(&native), ["1", "2", "2"]);
    assert_eq!(
        native.build.before.as_ref().unwrap().0,
        "one && two",
        "joined as cibuildwheel does"
    );
    assert_eq!(native.build.system_packages, ["libffi-dev"]);
    assert_eq!(native.build.config_settings.lines(), "a=2\nlist=x\nlist=y");
    assert_eq!((native.test.requires.len(), native.test.skip), (1, true));
    assert_eq!(native.test.system_packages[&Family::Apt], ["libgl1"]);
    assert_eq!(native.repair.exclude, ["libcuda.so.*"]);
    assert_eq!((native.build.build_frontend, native.rust), (BuildFrontend::Uv, Rust::None));

    let emulated = of(&config, "cp311-debian12_aarch64", &[]);
    assert_eq!(env(&emulated), ["1", "2", "3"], "the later one wins");
    assert_eq!(emulated.build.before.as_ref().unwrap().0, "three");
    assert!(emulated.build.system_packages.is_empty() && !emulated.test.skip);
    assert_eq!(emulated.test.system_packages[&Family::Apt], ["libgl1", "libxrender1"]);
    assert_eq!(
        (emulated.build.build_frontend, emulated.rust),
        (BuildFrontend::Build, Rust::Distro)
    );

    let other = of(&config, "cp312-rocky9_x86_64", &[]);
    assert_eq!(other.build.system_packages, ["libffi-devel"], "family by family");
    assert_eq!(env(&other), ["1", "1", "3"]);
    assert!(other.test.requires.len() == 2 && other.repair.exclude.is_empty());
}

#[test]
fn interpreter_overrides_do_not_change_the_environment() {
    let config = config(
        r#"
        [build]
        pythons = ["cp311"]
        [[override]]
        select = "*-debian12_*"
        build.system_packages.apt = ["cmake"]
        [[override]]
        select = "cp311-*"
        build.system_packages.apt = ["swig"]
        "#,
    )
    .unwrap();
    let target = &config.targets[0];
    let settings = config.environment_settings(target, &target.platforms[0]);
    assert_eq!(settings.build.system_packages, ["cmake"]);
}

#[test]
fn variables_pass_by_name_and_secrets_never_do() {
    let build = "[build]\npythons = [\"cp311\"]\nenv = { OWN_A = \"file\" }";
    let config = config(&format!(
        "{build}\nenv-pass = [\"OWN_*\"]\n[[override]]\nselect = \"*-rocky9_*\"\nbuild.env-pass = []"
    ))
    .unwrap();
    let machine =
        [("OWN_A", "machine"), ("OWN_B", "b"), ("OWN_TOKEN", "s"), ("OWN_AUTH", "s"), ("C", "c")];
    let passed = of(&config, "cp311-debian12_x86_64", &machine).build.env.0;
    let passed: Vec<_> = passed.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(passed, ["OWN_A=file", "OWN_B=b"]);
    assert_eq!(of(&config, "cp311-rocky9_x86_64", &machine).build.env.0.len(), 1);
    let pattern = config.env_pass().next().unwrap();
    assert!(pattern.withholds("OWN_TOKEN") && !pattern.withholds("OWN_B"));
}

#[test]
fn an_invalid_value_is_reported_with_its_key() {
    let build = |line: &str| format!("[build]\npythons = [\"cp311\"]\n{line}");
    for (tables, key) in [
        (build("env-pass = [\"*\"]"), "build.env-pass"),
        (build("env-pass = [\"PYPI_TOKEN\"]"), "build.env-pass"),
        (build("before = []"), "build.before"),
        (build("before-build = [\"make\", \" \"]"), "build.before-build"),
        (build("build-frontend = \"pip\""), "build.build-frontend"),
        (build("config-settings = { \"a=b\" = \"1\" }"), "build.config-settings"),
        (build("config-settings = { a = 1 }"), "build.config-settings"),
        (build("[[override]]\nselect = \"{cp311,cp312}-*\""), "override"),
        (build("[[override]]\nselect = \"\""), "override"),
        (build("[[override]]\nselect = \"*\"\nbuild.pythons = []"), "override"),
        (build("[repair]\nmode = \"on\""), "repair.mode"),
        (build("[repair]\nexclude = [\"a b\"]"), "repair.exclude"),
        (build("[test]\ncommand = 1"), "test.command"),
        (build("[test]\nrequires = [\" -r /etc/passwd\"]"), "test.requires"),
        (build("[test]\nsources = [\"/etc\"]"), "test.sources"),
        (build("[test]\nsources = [\"tests/../../a\"]"), "test.sources"),
        (
            build("[[override]]\nselect = \"*\"\ntest.sources = [\"..\"]"),
            "override[0].test.sources",
        ),
    ] {
        let error = config(&tables).unwrap_err();
        assert!(error.contains(&format!("`{key}")), "{tables}\n{error}");
    }
}

#[test]
fn a_list_of_commands_runs_each_and_stops_at_the_first_failure() {
    let output = |commands: &[&str]| {
        let list = OneOrMany::Many(commands.iter().map(ToString::to_string).collect());
        let script = Script::try_from(list).unwrap().0;
        let done = std::process::Command::new("sh").args(["-ec", &script]).output().unwrap();
        (String::from_utf8(done.stdout).unwrap(), done.status.code())
    };
    let expected = |text: &str, status| (text.to_owned(), Some(status));
    assert_eq!(output(&["echo a # first", "echo b"]), expected("a\nb\n", 0));
    assert_eq!(output(&["(exit 3) # first", "echo b"]), expected("", 3));
    assert_eq!(output(&["false && echo a # first", "echo b"]), expected("", 1));
    assert_eq!(output(&["(exit 4)\necho a", "echo b"]), expected("", 4));
    assert_eq!(output(&["cat <<E\na\nE", "echo b"]), expected("a\nb\n", 0));
}

#[test]
fn commas_and_spaces_separate_patterns() {
    let select = Select::parse(["cp311-*,cp312-*", "pp311-* , "]).unwrap();
    for identifier in ["cp311-a", "cp312-a", "pp311-a"] {
        assert!(select.matches(identifier), "{identifier}");
    }
    assert!(!select.matches("cp313-a") && Select::parse([","]).is_err());
}

#[test]
fn a_build_identifier_has_cibuildwheels_form() {
    let config = config("[build]\npythons = [\"cp314t\"]").unwrap();
    let target = &config.targets[0];
    let identifier = |python: &str, at: usize| {
        build_identifier(python.parse().unwrap(), target, &target.platforms[at])
    };
    assert_eq!(identifier("cp314t", 0), "cp314t-debian12_x86_64");
    assert_eq!(identifier("pp311", 1), "pp311-debian12_aarch64");
}
