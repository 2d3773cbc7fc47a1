#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camino::Utf8Path;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::config::{Config, Family};
use crate::init::texts::wheels_toml;

/// The text of `wheels.toml` for a `pyproject.toml`, and its translation.
fn written(pyproject: &str) -> (String, Translation) {
    let project = Project::parse(pyproject).unwrap();
    let new = Translation::of(pyproject, &project).unwrap();
    (wheels_toml(&project, Utf8Path::new("a b\"c"), Some(&new)).unwrap(), new)
}

/// `wheels.toml` for options of cibuildwheel, and the options that need a decision.
fn translated(options: &str) -> (Config, Vec<String>) {
    let (text, new) = written(&format!("[project]\nname = 'a'\n[tool.cibuildwheel]\n{options}"));
    let open: Vec<_> = new.remarks.into_values().flatten().collect();
    for name in &open {
        assert!(
            text.lines().any(|line| line.starts_with("# - `") && line.contains(name)),
            "{text}"
        );
    }
    (config::parse_text(Utf8Path::new("wheels.toml"), &text).unwrap(), open)
}

fn pythons(config: &Config) -> String {
    let pythons: Vec<_> = config.build.pythons.iter().map(ToString::to_string).collect();
    pythons.join(" ")
}

const ALL: &str = r#"
build = "cp{311,312}-* cp314t-*"
skip = "*-musllinux_*"
build-frontend = "build"
before-build = "pip install cython~=3.0 && cython -3 src/a.pyx"
config-settings = { setup-args = ["-Dblas=openblas"] }
environment-pass = ["DEMO_CHANNEL"]
test-command = ["pytest {project}/tests", "demo --version"]
test-requires = "pytest 'mock<6'"
test-environment = "DEMO='a b'"
test-extras = "fast,slow"
test-groups = ["test"]
test-skip = "*_aarch64"
test-sources = ["tests"]
[tool.cibuildwheel.linux]
archs = ["aarch64"]
before-all = ["yum -y install libffi-devel libxyz-devel", "apt-get update", "apt-get install libffi-dev"]
repair-wheel-command = "auditwheel repair --exclude libcuda.so.1 --strip -w {dest_dir} {wheel}"
"#;

#[test]
fn options_become_keys() {
    let (config, open) = translated(ALL);
    assert_eq!(open, [""; 0]);
    assert_eq!(pythons(&config), "cp311 cp312 cp314t");
    let build = &config.build;
    assert_eq!(build.requires, ["cython~=3.0"]);
    assert!(build.before_build.is_some() && build.before.is_none());
    assert_eq!(build.system_packages[&Family::Dnf], ["libffi-devel", "libxyz-devel"]);
    assert_eq!(build.system_packages[&Family::Apt], ["libffi-dev"]);
    assert_eq!(build.config_settings.lines(), "setup-args=-Dblas=openblas");
    assert_eq!((build.env_pass.len(), build.build_frontend), (1, config::BuildFrontend::Build));
    assert_eq!(
        (&*config.repair.exclude, config.repair.strip),
        (&["libcuda.so.1".to_owned()][..], true)
    );
    let test = &config.test;
    assert_eq!(test.command.as_ref().unwrap().0, "pytest {project}/tests && demo --version");
    assert_eq!(
        (test.requires.join(" "), test.extras.join(" ")),
        ("pytest mock<6".into(), "fast slow".into())
    );
    assert_eq!((test.groups.len(), test.sources.len(), &*test.env.0["DEMO"]), (1, 1, "a b"));
    for target in &config.targets {
        let platforms: Vec<_> = target.platforms.iter().map(ToString::to_string).collect();
        assert_eq!(platforms, ["linux/arm64"], "{}", target.name);
    }
    assert_eq!(config.targets.len(), 3);
    let skip = &config.job_overrides[0];
    assert!(skip.select.matches("cp311-rocky9_aarch64") && skip.test.skip == Some(true));
}

#[test]
fn patterns_select_interpreters() {
    for (options, expected, open) in [
        ("skip = 'cp31[0-3]* *t-* *-win32 pp*'", "cp314 cp315", 0),
        ("build = 'cp31[45]*-*'", "cp314 cp314t cp315 cp315t", 0),
        ("skip = 'cp315* *t-*'", "cp310 cp311 cp312 cp313 cp314", 0),
        ("build = ['cp39-* cp315-*', 'cp310-*']", "cp39 cp310 cp315", 0),
        ("test-command = 'pytest'", "cp310 cp311 cp312 cp313 cp314 cp314t cp315 cp315t", 0),
        ("build = 'cp311-* pp311-*'", "cp311", 1),
        ("build = 'cp311-*'\ntest-skip = 'pp* *_ppc64le *_aarch64'", "cp311", 1),
        ("build = 'cp311-*'\narchs = 'aarch64 armv7l s390x'", "cp311", 1),
        ("build = 'cp311-manylinux_x86_64'", "cp311", 1),
        ("build = 'cp31{1,2}-*'\nskip = 'cp311-*_aarch64 cp312-*'", "cp311", 1),
        ("build = 'cp31{1,2}-*'\narchs = 'x86_64'\nskip = 'cp311-*_x86_64'", "cp312", 0),
        ("build = 'cp310-win*'", "cp310 cp311 cp312 cp313 cp314 cp315", 2),
        ("skip = '*'", "cp310 cp311 cp312 cp313 cp314 cp315", 1),
        ("skip = 'cp{310'", "cp310 cp311 cp312 cp313 cp314 cp314t cp315 cp315t", 1),
    ] {
        let (pyproject, names) = (format!("[tool.cibuildwheel]\n{options}"), translated(options));
        assert_eq!(pythons(&names.0), expected, "{options}");
        assert_eq!(written(&pyproject).1.remarks.len(), open, "{options}");
    }
    let limited =
        "[project]\nrequires-python = '>=3.13'\n[tool.cibuildwheel]\nbuild = 'cp312-* cp313-*'";
    assert_eq!(written(limited).1.keys["build.pythons"].to_string(), "[\"cp313\"]");
}

#[test]
fn what_has_no_counterpart_is_listed() {
    for (option, name) in [
        ("before-test = 'make'", "before-test"),
        ("new-option = 1", "new-option"),
        ("macos.archs = 'x86_64'", "macos"),
        ("linux = 3", "linux"),
        ("overrides = 3", "overrides"),
        ("inherit = 'environment'", "inherit"),
        ("linux.inherit = { environment = 'append' }", "linux.inherit"),
        ("skip = 3", "skip"),
        ("enable = 'pypy'", "enable"),
        ("linux.archs = 'auto'", "linux.archs"),
        ("archs = 'x86_64,i686'", "archs"),
        ("test-skip = 'cp310-manylinux_*'", "test-skip"),
        ("test-skip = 'pp*'", "test-skip"),
        ("test-command = 'a'\nlinux.test-command = 'b'", "test-command"),
        ("before-all = 'yum install a'", "before-all"),
        ("before-all = 'apt-get update'", "before-all"),
        ("before-all = ['apk update', 'yum makecache && yum clean all']", "before-all"),
        (
            "repair-wheel-command = 'auditwheel repair -w {dest_dir} {wheel}'",
            "repair-wheel-command",
        ),
        ("before-all = 'yum install --enablerepo=x a'", "before-all"),
        ("before-all = 'yum install a || true'", "before-all"),
        ("before-build = '[[ -e a ]] && make'", "before-build"),
        ("before-build = 'pip install -r build.txt'", "before-build"),
        ("before-build = \"pip install 'cython>3'\"", "before-build"),
        ("environment = { DEMO = '1' }\ntest-command = 'pytest'", "environment"),
        ("environment.PATH = '$PATH:/opt'", "environment"),
        ("environment = 'A=1 A=2'", "environment"),
        ("environment.PIP_CONSTRAINT = 'a.txt'", "environment"),
        ("environment-pass = 'PYPI_TOKEN'", "environment-pass"),
        ("test-requires = '-r tests.txt'", "test-requires"),
        ("test-command = 3", "test-command"),
        ("test-extras = 'fast'", "test-extras"),
        ("test-sources = [\"'\", 3]", "test-sources"),
        ("config-settings.a = '{project}/a'", "config-settings"),
        ("repair-wheel-command = 'mv {wheel} {dest_dir}'", "repair-wheel-command"),
        ("repair-wheel-command = 'auditwheel repair --plat x {wheel}'", "repair-wheel-command"),
        ("build-frontend = { name = 'build', args = ['-x'] }", "build-frontend"),
        ("build-frontend = 'pip'", "build-frontend"),
        ("manylinux-x86_64-image = 'manylinux2014'", "manylinux-x86_64-image"),
    ] {
        assert!(translated(option).1.iter().all(|open| open == name), "{option}");
        assert!(!translated(option).1.is_empty(), "{option}");
    }
    let off = translated("repair-wheel-command = ''\ntest-command = ''");
    assert_eq!((off.0.repair.mode, off.1.len()), (config::RepairMode::Off, 0));
    let untested = translated("test-extras = 'fast'").0;
    assert!(untested.test.extras.is_empty());
    let env = translated("environment = { PIP_CONSTRAINT = 'a.txt', DEMO = '1' }").0.build.env;
    assert_eq!(env.0.keys().collect::<Vec<_>>(), ["DEMO"]);
    let before = translated("before-all = './autogen.sh'").0.build.before.unwrap();
    assert_eq!(before.0, "./autogen.sh");
}

#[test]
fn each_option_has_keys_or_a_reason() {
    let rows: BTreeMap<String, Row> = toml::from_str(OPTIONS).unwrap();
    assert_eq!(rows.len(), ROWS.len());
    for (name, row) in rows {
        let is_translated = row.form != Form::None;
        assert_eq!(
            (row.to.is_empty(), row.not.is_empty()),
            (!is_translated, is_translated),
            "{name}"
        );
    }
}

fn value() -> impl Strategy<Value = Value> {
    let words = "[ -~\n\r\u{0}\u{e9}]{0,20}|(cp3(10|11|13t)?|\\*|pp|\\{[a-z,]{0,4}\\}?)-?\\*?((many|musl)?linux_?)?(x86_64|i686|\\*)?|(yum|apk|pip|auditwheel) (install|add|repair) [a-z$&;'\"{}-]{0,9}|[A-Z]{1,3}=[a-z'$]{0,3}|build|x86_64";
    let leaf = prop_oneof![
        6 => words.prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from)
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map("[a-zA-Z_ .\n]{0,6}", inner, 0..4)
                .prop_map(|map| Value::Table(map.into_iter().collect())),
        ]
    })
}

/// A table of options. Sometimes `linux` and `overrides` contain others.
fn options(depth: u32) -> BoxedStrategy<Value> {
    let names: Vec<String> = ROWS.keys().map(|name| name.replace('*', "aarch64")).collect();
    let name = prop_oneof![9 => prop::sample::select(names), 1 => "[a-z\n`]{1,5}"];
    let options = btree_map(name, value(), 0..10);
    let options = options.prop_map(|map| map.into_iter().collect::<Table>());
    if depth == 0 {
        return options.prop_map(Value::Table).boxed();
    }
    let inner = || prop::option::of(self::options(depth - 1));
    let all = (options, inner(), inner()).prop_map(|(mut all, linux, each)| {
        all.extend(linux.map(|it| ("linux".to_owned(), it)));
        all.extend(each.map(|it| ("overrides".to_owned(), Value::Array(vec![it]))));
        Value::Table(all)
    });
    all.boxed()
}

/// Returns whether one of the keys that belong to an option is in `wheels.toml`.
fn is_translated(name: &str, new: &Translation) -> bool {
    row(name).is_some_and(|row| {
        row.to.iter().any(|key| match key.as_str() {
            "target.platforms" => new.platforms.len() == 1,
            "test.skip" => !new.untested.is_empty(),
            key => new.keys.contains_key(key),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_table_produces_a_valid_file_and_loses_nothing(table in options(1)) {
        let tool = Table::from_iter([("cibuildwheel".to_owned(), table.clone())]);
        let pyproject = Table::from_iter([("tool".to_owned(), tool.into())]).to_string();
        let (text, new) = written(&pyproject);
        let parsed = config::parse_text(Utf8Path::new("wheels.toml"), &text);
        prop_assert!(parsed.is_ok(), "{}\n{pyproject}\n{text}", parsed.unwrap_err());

        let open: BTreeSet<&String> = new.remarks.values().flatten().collect();
        let linux = table.get("linux").and_then(Value::as_table);
        let common = table.as_table().unwrap().iter().map(|(name, value)| (name.clone(), name, value));
        let linux_options = linux.into_iter().flatten();
        let linux_options = linux_options.map(|(name, value)| (format!("linux.{name}"), name, value));
        for (label, name, value) in common.chain(linux_options) {
            if (linux.is_some() && label == "linux") || is_blank(value) {
                continue;
            }
            prop_assert!(open.contains(&label) || is_translated(name, &new), "{label}\n{text}");
            // A variable can be left out alone.
            let variables = value.as_table().filter(|_| name.ends_with("environment"));
            let is_replaced = label == *name && linux.is_some_and(|it| it.contains_key(name));
            for variable in variables.into_iter().flatten().map(|(name, _)| name).filter(|_| !is_replaced) {
                let why = new.remarks.iter().any(|((_, why), of)| of.contains(&label) && (why.contains(variable) || !is_translated(name, &new)));
                let key = &row(name).unwrap().to[0];
                prop_assert!(why || new.keys[key].get(variable).is_some(), "{label}: {variable}\n{text}");
            }
        }
    }
}
