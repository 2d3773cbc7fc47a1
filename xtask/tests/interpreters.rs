//! The table of docs/interpreters.md against wheels.toml, uv's own list and the pinned archives.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../crates/wheel-build/tests/common/skip.rs"]
mod skip;

use std::collections::BTreeSet;
use std::process::Command;

use skip::unless_skipped;

/// What `fixtures/uv_pythons.py` prints: the version of uv, then `TAG ARCH LIBC VERSION` lines.
const MANAGED: &str = include_str!("fixtures/uv-pythons.txt");
const ARCHES: [&str; 2] = ["aarch64", "x86_64"];

fn text(name: &str) -> String {
    fs_err::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn words(value: &toml::Value) -> impl Iterator<Item = &str> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap())
}

/// The rows of the table: target, interpreter, providers.
fn rows(document: &str) -> Vec<[String; 3]> {
    let (_, table) = document.split_once("<!-- providers:").unwrap();
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| {
        let cells: Vec<_> =
            row.trim_matches('|').split('|').map(|it| it.trim().to_owned()).collect();
        cells.try_into().unwrap()
    };
    rows.map(cells).collect()
}

#[test]
fn each_entry_of_the_matrix_has_a_line_that_names_who_provides_it() {
    let config: toml::Table = toml::from_str(&text("wheels.toml")).unwrap();
    let rows = rows(&text("docs/interpreters.md"));
    let listed: BTreeSet<_> =
        rows.iter().map(|[target, python, _]| (&**target, &**python)).collect();
    let pythons: Vec<_> = words(&config["build"]["pythons"]).collect();
    let targets = words(&config["ci"]["targets"]);
    let shipped = targets.flat_map(|target| pythons.iter().map(move |python| (target, *python)));
    assert_eq!(listed, shipped.collect());

    let managed = |python: &str| {
        ARCHES
            .iter()
            .all(|arch| MANAGED.lines().any(|it| it.starts_with(&format!("{python} {arch} gnu "))))
    };
    let pinned: serde_json::Value =
        serde_json::from_str(&text("docker/python-sources.json")).unwrap();
    let source = |python: &str| {
        let series = python.trim_end_matches('t').replacen("cp3", "3.", 1).replacen("pp3", "3.", 1);
        match python.starts_with("pp") {
            true => ARCHES.iter().all(|arch| pinned["pypy"][&series][arch].is_object()),
            false => pinned["sources"][&series].is_array(),
        }
    };
    let order: Vec<_> = words(&config["build"]["providers"]).collect();
    for [target, python, providers] in &rows {
        let names: Vec<_> = providers.split(", ").map(|it| it.split(' ').next().unwrap()).collect();
        let place = |name: &&str| order.iter().position(|it| it == name).unwrap();
        assert!(names.is_sorted_by_key(place), "{target} {python}: {names:?}");
        assert_eq!(names.contains(&"managed"), managed(python), "{target} {python}");
        assert_eq!(names.contains(&"source"), source(python), "{target} {python}");
        assert!(names.len() > 1, "{python} of {target} has one provider alone");
    }
}

#[test]
fn the_list_of_managed_interpreters_is_that_of_the_pinned_uv() {
    let pinned = text("docker/toolchain-requirements.txt");
    let pinned = pinned.lines().find_map(|line| line.strip_prefix("uv==")).unwrap();
    let version = pinned.trim_end_matches(['\\', ' ']);
    assert_eq!(MANAGED.lines().next(), Some(&*format!("uv {version}")));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/uv_pythons.py");
    let ran = Command::new("python3").args(["-B", script]).output();
    let ran = ran.ok().filter(|ran| ran.status.success());
    if !unless_skipped(ran.is_some(), "there is no uv on PATH and none of python3's") {
        return;
    }
    let live = String::from_utf8(ran.unwrap().stdout).unwrap();
    let other = format!("the list is of {version}, another uv is installed");
    if unless_skipped(live.lines().next() == MANAGED.lines().next(), &other) {
        assert_eq!(live, MANAGED);
    }
}
