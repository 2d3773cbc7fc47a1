#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use super::*;

/// `count` wheels of one folder, each for its own interpreter.
fn many(count: usize, version: &str) -> Manifest {
    let file = |i: usize| {
        serde_json::json!({
            "path": format!("debian12-amd64/demo-{version}.{i}-py3-none-any.whl"),
            "sha256": "0".repeat(64), "size": 1, "kind": "wheel", "target": "debian12",
            "platform": "linux/amd64", "verdict": "pass", "floor": "none",
            "builds": [{"interpreter": format!("cp{i}"), "job": "j", "smoke": "passed"}],
        })
    };
    let files: Vec<_> = (0..count).map(file).collect();
    serde_json::from_value(serde_json::json!({"schema_version": 1, "files": files})).unwrap()
}

/// Time to merge `count` wheels and compare them with as many of this machine.
fn merging(count: usize) -> Duration {
    let (incoming, own) = (many(count, "2"), many(count, "1"));
    let sources = [Source { folder: Utf8Path::new("a"), manifest: &incoming }];
    let mut conflicts = Vec::new();
    let start = Instant::now();
    let mut folder = Folder::default();
    for entry in &incoming.files {
        let (_, name) = entry.path.split_once('/').unwrap();
        take(&mut folder, name, entry, 0, &sources, &mut conflicts);
    }
    assert!(conflicts.is_empty());
    let mut folders = BTreeMap::from([("debian12-amd64".to_owned(), folder)]);
    against_own(&mut folders, &own, true).unwrap();
    assert!(one_name(&folders, &own, &BTreeSet::new()).is_empty());
    let took = start.elapsed();
    assert_eq!(folders["debian12-amd64"].replaced.len(), count);
    assert!(folders["debian12-amd64"].wheels.values().all(|wheel| wheel.state == State::Replaced));
    took
}

#[test]
fn ten_times_the_wheels_cost_about_ten_times_the_time() {
    // Another process may delay a run, but not every run.
    let is_linear = |_| merging(20_000) < merging(2_000) * 40;
    assert!((0..10).any(is_linear));
}

#[test]
fn an_interpreter_is_listed_once_for_a_wheel() {
    let mut entry = many(1, "1").files.remove(0);
    assert!(placed(&entry).is_ok());
    let Kind::Wheel { builds, .. } = &mut entry.kind else { unreachable!() };
    builds.push(builds[0].clone());
    assert!(placed(&entry).is_err());
}

/// A wheel of one folder for these interpreters.
fn wheel(name: &str, sha256: &str, interpreters: &[&str]) -> Entry {
    let mut entry = many(1, "1").files.remove(0);
    entry.path = format!("debian12-amd64/{name}");
    sha256.clone_into(&mut entry.sha256);
    let Kind::Wheel { builds, .. } = &mut entry.kind else { unreachable!() };
    let build = builds.remove(0);
    builds.extend(
        interpreters.iter().map(|it| WheelBuild { interpreter: (*it).to_owned(), ..build.clone() }),
    );
    entry
}

/// Merges `entries`, each from its own machine.
fn taken(entries: &[Entry]) -> (Folder, Vec<Conflict>) {
    let manifest = Manifest::default();
    let sources =
        ["a", "b", "c"].map(|at| Source { folder: Utf8Path::new(at), manifest: &manifest });
    let (mut folder, mut conflicts) = (Folder::default(), Vec::new());
    for (index, entry) in entries.iter().enumerate() {
        let (_, name) = entry.path.split_once('/').unwrap();
        take(&mut folder, name, entry, index, &sources, &mut conflicts);
    }
    (folder, conflicts)
}

const STABLE: &str = "demo-1.0-cp311-abi3-linux_x86_64.whl";
const OTHER: &str = "demo-1.0-cp312-cp312-linux_x86_64.whl";

#[test]
fn a_known_wheel_takes_no_interpreter_from_another_wheel() {
    let both = wheel(STABLE, "1", &["cp311", "cp312"]);
    let one = [wheel(STABLE, "1", &["cp311"]), wheel(OTHER, "2", &["cp312"])];
    assert!(taken(&one).1.is_empty());
    let (_, conflicts) = taken(&[&one[..], std::slice::from_ref(&both)].concat());
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");

    // The same applies to a wheel of this machine.
    let own = Manifest { files: vec![both], ..Manifest::default() };
    for (replace, state) in [(false, None), (true, Some(State::Replaced))] {
        let mut folders = BTreeMap::from([("debian12-amd64".to_owned(), taken(&one).0)]);
        let result = against_own(&mut folders, &own, replace);
        assert_eq!(result.is_ok(), replace);
        let wheels = &folders["debian12-amd64"].wheels;
        if let Some(state) = state {
            assert_eq!(wheels[OTHER].state, state);
            assert_eq!(wheels[STABLE].state, State::Same);
            assert!(wheels[STABLE].entry.build("cp312").is_none());
        }
    }
}
