//! Compares the table in docs/interpreters.md with wheels.toml, uv's own list and the pinned archives.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../crates/wheel-build/tests/common/skip.rs"]
mod skip;

use std::collections::BTreeSet;
use std::process::Command;

use skip::unless_skipped;

/// The output of `fixtures/uv_pythons.py`: the version of uv, then lines `TAG ARCH LIBC VERSION`.
const MANAGED: &str = include_str!("fixtures/uv-pythons.txt");
const ARCHES: [&str; 2] = ["aarch64", "x86_64"];

fn text(name: &str) -> String {
    fs_err::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn words(value: &toml::Value) -> impl Iterator<Item = &str> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap())
}

/// The rows of the table with this head of three columns.
fn rows(head: &str) -> Vec<[String; 3]> {
    let document = text("docs/interpreters.md");
    let (_, table) = document.split_once(head).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let cells: Vec<_> =
            row.trim_matches('|').split('|').map(|it| it.trim().to_owned()).collect();
        cells.try_into().unwrap()
    };
    rows.map(cells).collect()
}

/// Returns whether uv installs the interpreter on all architectures.
fn is_managed(python: &str, libc: &str) -> bool {
    let line = |arch: &str| format!("{python} {arch} {libc} ");
    ARCHES.iter().all(|arch| MANAGED.lines().any(|it| it.starts_with(&line(arch))))
}

/// Returns whether an upstream archive is pinned for all architectures.
fn is_pinned(python: &str, libc: &str) -> bool {
    let pins: serde_json::Value =
        serde_json::from_str(&text("docker/python-sources.json")).unwrap();
    let series = format!("3.{}", python[3..].trim_end_matches('t'));
    match &python[..2] {
        "cp" => pins["sources"][&series].is_array(),
        "pp" => libc == "gnu" && ARCHES.iter().all(|arch| pins["pypy"][&series][arch].is_object()),
        _ => false,
    }
}

#[test]
fn each_entry_of_the_matrix_has_a_line_with_its_provider() {
    let config: toml::Table = toml::from_str(&text("wheels.toml")).unwrap();
    let rows = rows("| Target | Interpreter | Providers |");
    let listed: BTreeSet<_> =
        rows.iter().map(|[target, python, _]| (&**target, &**python)).collect();
    let pythons: Vec<_> = words(&config["build"]["pythons"]).collect();
    let targets = words(&config["ci"]["targets"]);
    let shipped = targets.flat_map(|target| pythons.iter().map(move |python| (target, *python)));
    assert_eq!(listed, shipped.collect());

    let order: Vec<_> = words(&config["build"]["providers"]).collect();
    for [target, python, providers] in &rows {
        let names: Vec<_> = providers.split(", ").map(|it| it.split(' ').next().unwrap()).collect();
        let place = |name: &&str| order.iter().position(|it| it == name).unwrap();
        assert!(names.is_sorted_by_key(place), "{target} {python}: {names:?}");
        assert_eq!(names.contains(&"managed"), is_managed(python, "gnu"), "{target} {python}");
        assert_eq!(names.contains(&"source"), is_pinned(python, "gnu"), "{target} {python}");
        assert!(names.len() > 1, "{python} of {target} has one provider alone");
    }
}

#[test]
fn the_documented_providers_match_the_sources() {
    for [python, glibc, musl] in rows("| Interpreter | glibc | musl |") {
        for (libc, listed) in [("gnu", glibc), ("musl", musl)] {
            let has =
                [("managed", is_managed(&python, libc)), ("source", is_pinned(&python, libc))];
            let has: Vec<_> = has.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
            let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
            assert_eq!(listed, has, "{python} on {libc}");
        }
    }
}

#[test]
fn the_list_of_managed_interpreters_matches_the_pinned_uv() {
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
