//! The bill of materials and the provenance of each wheel, with a fake engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Workspace, pure_wheel};
use wheel_audit::dist::{Entry, MANIFEST, Manifest, documented, documents_of};

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];
const WHEEL: &str = "debian12-amd64/demo-1.0-py3-none-any.whl";

fn manifest(w: &Workspace) -> Manifest {
    Manifest::parse(&fs_err::read(w.root.join("dist").join(MANIFEST)).unwrap()).unwrap()
}

/// The documents in `dist/`, by path.
fn documents(w: &Workspace) -> Vec<(String, String)> {
    let names = w.dist().into_iter().filter(|name| documented(name).is_some());
    let read = |name: &String| fs_err::read_to_string(w.root.join("dist").join(name)).unwrap();
    names.map(|name| (name.clone(), read(&name))).collect()
}

#[test]
fn two_builds_of_one_wheel_have_the_same_documents() {
    let made = || {
        let w = Workspace::new();
        w.run(&WHEELS).code(0);
        w.run(&["verify"]).code(0);
        documents(&w)
    };
    let first = made();
    let names: Vec<_> = first.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, documents_of(WHEEL));
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(made(), first, "another second, another folder");
}

#[test]
fn a_dist_without_documents_is_completed_without_a_build() {
    let w = Workspace::new();
    w.run(&WHEELS).code(0);
    let whole = documents(&w);
    let mut old = manifest(&w);
    old.files.retain(|entry| documented(&entry.path).is_none());
    for (name, _) in &whole {
        fs_err::remove_file(w.root.join("dist").join(name)).unwrap();
    }
    fs_err::write(w.root.join("dist").join(MANIFEST), serde_json::to_string(&old).unwrap())
        .unwrap();
    let ran = w.run(&["verify", "--json"]).code(1);
    assert_eq!(ran.stdout.matches("\"DST009\"").count(), 2, "{}", ran.stdout);
    w.run(&WHEELS).code(0);
    assert_eq!((documents(&w), w.bakes("wheel-builder")), (whole, 1));
    w.run(&["verify"]).code(0);
}

#[test]
fn a_lost_or_changed_document_is_restored_for_its_wheel() {
    let w = Workspace::new();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let toml = toml.replace("[\"cp311\"]", "[\"cp311\", \"cp313\"]");
    fs_err::write(w.root.join("wheels.toml"), toml).unwrap();
    let tagged = |python: &str| pure_wheel(&format!("demo-1.0-{python}-none-any.whl"));
    w.export(&tagged("cp311"));
    w.export(&tagged("cp313"));
    fs_err::remove_file(w.fake.join("export/demo-1.0-py3-none-any.whl")).unwrap();
    w.run(&WHEELS).code(0);
    let whole = documents(&w);
    assert_eq!(whole.len(), 4);
    for (name, text) in &whole {
        for damage in [None, Some(format!("{text} "))] {
            let path = w.root.join("dist").join(name);
            match damage {
                Some(text) => fs_err::write(path, text).unwrap(),
                None => fs_err::remove_file(path).unwrap(),
            }
            let ran = w.run(&WHEELS).code(0);
            assert_eq!(ran.stdout.matches("unchanged").count(), 1, "{name}: {}", ran.stdout);
            w.run(&["verify", "--only", "debian12-amd64"]).code(0);
            let wheel = documented(name);
            let same = |all: Vec<(String, String)>| {
                all.into_iter().filter(|(name, _)| documented(name) != wheel).collect::<Vec<_>>()
            };
            assert!(same(documents(&w)) == same(whole.clone()), "{name}");
        }
    }
}

#[test]
fn a_replaced_wheel_loses_its_documents() {
    let w = Workspace::new();
    w.run(&WHEELS).code(0);
    fs_err::remove_file(w.fake.join("export/demo-1.0-py3-none-any.whl")).unwrap();
    w.export(&pure_wheel("demo-1.1-py3-none-any.whl"));
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    fs_err::write(w.root.join("wheels.toml"), toml.replace("demo==1.0", "demo==1.1")).unwrap();
    w.run(&WHEELS).code(0);
    let names: Vec<_> = documents(&w).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, documents_of("debian12-amd64/demo-1.1-py3-none-any.whl"));
    w.run(&["verify"]).code(0);
}

#[test]
fn a_shared_wheel_keeps_the_documents_of_its_builder() {
    let w = Workspace::new();
    let both = [&WHEELS[..], &["--python", "cp311,cp313", "--jobs", "1"]].concat();
    w.run(&both).code(0);
    w.run(&["verify"]).code(0);
    let provenance = &documents(&w)[1].1;
    let json: serde_json::Value = serde_json::from_str(provenance).unwrap();
    let parameters = &json["predicate"]["buildDefinition"]["externalParameters"];
    assert_eq!(parameters["interpreter"], "cp311");
    assert_eq!(manifest(&w).files.iter().flat_map(Entry::builds).count(), 2);
}

#[test]
fn documents_omit_variables_passed_from_this_machine() {
    let w = Workspace::new();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let build = "[build]\nenv = { KEPT = \"kept-word\" }\nenv-pass = [\"PASSED_*\"]\n";
    fs_err::write(w.root.join("wheels.toml"), toml.replace("[build]\n", build)).unwrap();
    let mut command = w.command(&WHEELS);
    command.env("PASSED_TOKEN", "passed-word");
    common::Ran::of(command.output().unwrap()).code(0);
    let texts: String = documents(&w).into_iter().map(|(_, text)| text).collect();
    assert!(texts.contains("kept-word") && !texts.contains("passed-word"), "{texts}");
}
