//! Scripts whose module or function is missing.

use super::*;

const PURE: &str = "pk-1.0-py3-none-any.whl";
const GOOD: [(&str, Severity); 0] = [];

/// The codes and severities for a wheel with these scripts, requirements and files.
fn scripts(scripts: &str, requires: &str, files: &[(&str, &str)]) -> Vec<(&'static str, Severity)> {
    let metadata = format!("Metadata-Version: 2.1\nName: pk\nVersion: 1.0\n{requires}");
    let points = format!("[console_scripts]\n{scripts}\n");
    let mut wheel = Fixture::new(PURE)
        .with("pk-1.0.dist-info/METADATA", metadata)
        .with("pk-1.0.dist-info/entry_points.txt", points);
    for (path, text) in files {
        wheel.set(path, *text);
    }
    let findings = audit(&wheel, &Expectations::default()).findings;
    findings.iter().map(|finding| (finding.code, finding.severity)).collect()
}

const INIT: (&str, &str) = ("pk/__init__.py", "def helloworld():\n    pass\n");

#[test]
fn a_function_that_the_module_never_names_is_an_error() {
    let absent = [("MET053", Severity::Error)];
    assert_eq!(scripts("hello = pk:hello_world", "", &[INIT]), absent);
    assert_eq!(scripts("hello = pk:hello_world.run", "", &[INIT]), absent);
    assert_eq!(scripts("hello = pk:helloworld", "", &[INIT]), GOOD);
    for text in ["def __getattr__(name): ...", "from x import *", "hello_world = None"] {
        assert_eq!(scripts("hello = pk:hello_world", "", &[("pk/__init__.py", text)]), GOOD);
    }
    assert_eq!(scripts("hello = pk:cli.main", "", &[INIT, ("pk/cli.py", "")]), GOOD);
    // Either may be imported, and the names in the extension module are unknown.
    let native = ("pk/__init__.cpython-311-x86_64-linux-gnu.so", "");
    let found = scripts("hello = pk:hello_world", "", &[INIT, native]);
    assert!(found.iter().all(|(code, _)| *code != "MET053"), "{found:?}");
    let long = format!("{}\n", "x = 1\n".repeat(1 << 18));
    assert_eq!(scripts("hello = pk:main", "", &[("pk/__init__.py", &long)]), GOOD);
}

#[test]
fn a_module_that_no_other_project_can_provide_is_an_error() {
    let (error, warning) = ([("MET025", Severity::Error)], [("MET025", Severity::Warning)]);
    assert_eq!(scripts("run = pk.cli:main", "", &[INIT]), error);
    let extended =
        ("pk/__init__.py", "__path__ = __import__('pkgutil').extend_path(__path__, 'pk')\n");
    assert_eq!(scripts("run = pk.cli:main", "", &[extended]), warning);
    // A package without `__init__.py` may have parts in other projects.
    assert_eq!(scripts("run = pk.cli:main", "", &[("pk/other.py", "")]), warning);
    let compiled = ("pk/cli.pyc", "");
    assert!(!scripts("run = pk.cli:main", "", &[INIT, compiled]).contains(&error[0]));
}

#[test]
fn a_requirement_may_provide_a_module_of_another_package() {
    let check = "check = scripts.tooling:check";
    assert_eq!(scripts(check, "", &[INIT]), [("MET025", Severity::Error)]);
    assert_eq!(scripts(check, "Requires-Dist: x\n", &[INIT]), [("MET025", Severity::Warning)]);
    assert_eq!(scripts("a = other.cli:main", "Requires-Dist: x\n", &[INIT]), GOOD);
    assert_eq!(scripts("a = json.tool:main", "", &[INIT]), GOOD);
    assert_eq!(scripts(check, "", &[("__editable__.pk.pth", "/src\n")]), GOOD);
}
