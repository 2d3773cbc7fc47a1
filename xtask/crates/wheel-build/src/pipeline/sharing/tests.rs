#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::config;
use crate::plan::{self, Inputs, parse_words};
use wheel_audit::dist::{Kind, Reproduced, Smoke, Tests, WheelBuild};

const CONFIG: &str = r#"
[source]
path = "."
[build]
pythons = ["cp311"]
[[target]]
name = "debian12"
image = "debian:12"
family = "apt"
glibc = "2.36"
platforms = ["linux/amd64", "linux/arm64"]
"#;

fn plan(more: &str, pythons: &[&str]) -> Plan {
    let config = config::parse_text("wheels.toml".into(), &format!("{CONFIG}{more}")).unwrap();
    let pythons: Vec<_> = pythons.iter().map(|&python| python.to_owned()).collect();
    let words = ["debian:12", "linux/amd64", "linux/arm64"].map(str::to_owned);
    let native = "linux/amd64".parse().unwrap();
    let request = parse_words(&config, &words, false, &pythons, &native).unwrap();
    plan::plan(&config, &request, &Inputs::default())
}

/// Interpreters of each job's leads on linux/amd64.
fn leads(more: &str, pythons: &[&str]) -> Vec<Vec<String>> {
    let plan = plan(more, pythons);
    let name = |&at: &usize| {
        let job = &plan.jobs[at];
        assert_eq!(job.platform.to_string(), "linux/amd64");
        job.interpreter.to_string()
    };
    let sharing = Sharing::of(&plan);
    let jobs = sharing.jobs.iter().take(pythons.len());
    jobs.map(|peers| peers.leads.iter().map(name).collect()).collect()
}

#[test]
fn a_job_waits_for_the_lowest_interpreter_and_for_cpython() {
    assert_eq!(leads("", &["cp314", "cp311", "cp313"]), [vec!["cp311"], vec![], vec!["cp311"]]);
    assert_eq!(
        leads("", &["cp316t", "cp315t", "cp315", "pp310", "pp311"]),
        [vec!["cp315t", "cp315"], vec!["cp315"], vec![], vec!["cp315"], vec!["pp310", "cp315"]]
    );
    assert_eq!(leads("", &["cp314t", "cp315t"]), [vec![], vec!["cp314t"]]);
}

#[test]
fn jobs_with_different_build_settings_do_not_share() {
    let pythons = ["cp311", "cp313", "cp314"];
    for other in ["build.env = { A = \"1\" }", "repair.mode = \"off\""] {
        let other = format!("[[override]]\nselect = \"cp311-*\"\n{other}\n");
        assert_eq!(leads(&other, &pythons), [vec![], vec![], vec!["cp313"]], "{other}");
    }
    let tests = "[[override]]\nselect = \"cp311-*\"\ntest.env = { A = \"1\" }\n";
    assert_eq!(leads(tests, &pythons), [vec![], vec!["cp311"], vec!["cp311"]]);
}

fn manifest(job: &Job, file: &str) -> Manifest {
    let build = WheelBuild {
        interpreter: job.interpreter.to_string(),
        built_by: None,
        job: String::new(),
        base: None,
        smoke: Smoke::Passed,
        tests: Tests::None,
        reproduced: Reproduced::Unknown,
        claimed: false,
    };
    let kind = Kind::Wheel {
        target: job.target.name.clone(),
        platform: job.platform.to_string(),
        verdict: "pass".to_owned(),
        builds: vec![build],
        floor: "none".to_owned(),
        grafted: Vec::new(),
    };
    let path = format!("debian12-amd64/{file}");
    Manifest {
        files: vec![Entry { path, sha256: String::new(), size: 1, kind }],
        ..Manifest::default()
    }
}

#[test]
fn a_stable_wheel_is_expected_if_the_source_selects_it() {
    let plan = plan("", &["cp311", "cp313", "cp314t", "cp315t", "cp316t", "pp311"]);
    let [cp311, cp313, cp314t, cp315t, cp316t, pp311] = &plan.jobs[..6] else { unreachable!() };
    let none = Manifest::default();
    let expects = |is_stable| Forecast { manifest: &none, is_stable };
    assert!(expects(true).expects(cp311, cp313) && expects(true).expects(cp315t, cp316t));
    assert!(!expects(false).expects(cp311, cp313));
    for (lead, job) in [(cp311, cp314t), (cp314t, cp315t), (cp311, pp311)] {
        assert!(!expects(true).expects(lead, job), "{} {}", lead.title(), job.title());
    }
    // The wheel of the last run decides.
    for (file, is_stable, served) in [
        ("demo-1.0-cp311-cp311-linux_x86_64.whl", true, [false, false]),
        ("demo-1.0-cp311-abi3-linux_x86_64.whl", false, [true, false]),
        ("demo-1.0-py3-none-any.whl", false, [true, true]),
    ] {
        let manifest = manifest(cp311, file);
        let forecast = Forecast { manifest: &manifest, is_stable };
        assert_eq!([cp313, pp311].map(|job| forecast.expects(cp311, job)), served, "{file}");
    }
}

#[test]
fn settings_and_files_of_the_package_select_the_stable_abi() {
    let expects = |settings: &str| {
        let plan = plan(settings, &["cp311", "cp313"]);
        let manifest = Manifest::default();
        Forecast { manifest: &manifest, is_stable: false }.expects(&plan.jobs[0], &plan.jobs[1])
    };
    assert!(expects(
        "[[override]]\nselect = \"*\"\nbuild.config-settings = { \"wheel.py-api\" = \"cp311\" }\n"
    ));
    assert!(expects(
        "[[override]]\nselect = \"*\"\nbuild.env = { CFLAGS = \"-DPy_LIMITED_API=3\" }\n"
    ));
    assert!(!expects(""));
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(dir.path()).unwrap();
    let config = config::parse_text("wheels.toml".into(), CONFIG).unwrap();
    assert!(!is_stable(&config, root));
    for (file, text) in [
        ("setup.py", "Extension('a', py_limited_api=True)"),
        ("Cargo.toml", "pyo3 = { features = [\"abi3-py311\"] }"),
        ("pyproject.toml", "[tool.meson-python]\nlimited-api = true"),
    ] {
        fs_err::write(root.join(file), text).unwrap();
        assert!(is_stable(&config, root), "{file}");
        fs_err::write(root.join(file), "").unwrap();
    }
    assert!(!is_stable(&config, root));
}
