//! The build's isolation, with a fake engine: second fetch, network, compiler cache.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

mod common;

use common::{Ran, Workspace};

const WHEELS: [&str; 4] = ["wheels", "debian:12", "linux/amd64", "--json"];

/// A build without a wheel until `$1` is among its requirements.
const EXTRA_REQUIREMENT: &str = r#"mkdir -p "$dest"; case $target in
smoke) smoke_passed ;;
*) cp "$FAKE"/export/* "$dest/"
   case "$*" in *EXTRA_REQUIRES=ninja*) ;; *) rm "$dest"/*.whl; echo ninja >"$dest/extra-requires.txt" ;; esac ;;
esac"#;

fn set(w: &Workspace, build: &str) {
    let path = w.root.join("wheels.toml");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(path, text.replace("[build]\n", &format!("[build]\n{build}\n"))).unwrap();
}

fn run(w: &Workspace, args: &[&str], code: i32) -> serde_json::Value {
    let mut command = w.command(&[&WHEELS[..], args].concat());
    let ran = Ran::of(command.output().unwrap()).code(code);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The values of an argument in the calls that build.
fn values(w: &Workspace, name: &str) -> Vec<String> {
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let start = format!("wheel-builder.args.{name}=");
    let found = log.split(&start).skip(1).filter_map(|rest| rest.split(" --set").next());
    found.map(str::to_owned).collect()
}

#[test]
fn extra_requirements_of_the_backend_are_fetched_once() {
    let w = Workspace::new();
    w.on("bake", EXTRA_REQUIREMENT);
    run(&w, &[], 0);
    assert_eq!(
        (w.bakes("wheel-builder"), values(&w, "EXTRA_REQUIRES")),
        (2, vec!["ninja".to_owned()])
    );
    run(&w, &["--force"], 0);
    assert_eq!(w.bakes("wheel-builder"), 3, "fetched in the first build");
}

#[test]
fn requirements_of_an_earlier_build_that_cannot_be_fetched_are_dropped() {
    let w = Workspace::new();
    w.on("bake", EXTRA_REQUIREMENT);
    run(&w, &[], 0);
    let fails = "case \"$*\" in *EXTRA_REQUIRES=ninja*) s='[fetch-build 1/1] RUN sh'
        emit \"$s\" 'error: no version fits'; progress \"$s\" 'exit code: 1'; exit 1 ;; esac\n";
    w.on("bake", &format!("{fails}{}", EXTRA_REQUIREMENT.replace("*EXTRA_REQUIRES=ninja*", "*")));
    run(&w, &["--force"], 0);
    run(&w, &["--force"], 0);
    assert_eq!(values(&w, "EXTRA_REQUIRES").len(), 2, "the list is dropped for good");
    // A list of this build is not dropped.
    let w = Workspace::new();
    w.on("bake", &format!("{fails}{EXTRA_REQUIREMENT}"));
    run(&w, &[], 1);
    assert_eq!(w.bakes("wheel-builder"), 2);
}

#[test]
fn a_backend_that_repeats_its_requirements_fails_the_build() {
    let w = Workspace::new();
    w.on("bake", &EXTRA_REQUIREMENT.replace("*EXTRA_REQUIRES=ninja*", "*never*"));
    let report = run(&w, &[], 1);
    assert_eq!(
        (w.bakes("wheel-builder"), report["jobs"][0]["outcome"].as_str()),
        (2, Some("failed"))
    );
    // An option of the installer is not a requirement.
    let w = Workspace::new();
    w.on("bake", &EXTRA_REQUIREMENT.replace("echo ninja", "echo --index-url=https://evil.example"));
    run(&w, &[], 1);
    assert_eq!(w.bakes("wheel-builder"), 1);
}

#[test]
fn a_build_with_the_network_is_reported_as_not_isolated() {
    let w = Workspace::new();
    let report = run(&w, &[], 0);
    assert_eq!(
        (report["jobs"][0]["isolated"].as_bool(), values(&w, "BUILDER").len()),
        (Some(true), 0)
    );
    set(&w, "network = true");
    let report = run(&w, &[], 0);
    assert_eq!(report["jobs"][0]["isolated"], false);
    assert_eq!(values(&w, "BUILDER"), ["wheel-builder-online"]);
    let info = fs_err::read(w.root.join("dist/debian12-amd64/build-info.json")).unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
    assert_eq!(info["interpreters"][0]["isolated"], false);
}

#[test]
fn a_build_without_network_is_not_a_network_failure() {
    let w = Workspace::new();
    let fails = "s='[wheel-builder 1/1] RUN --network=none sh'; \
        emit \"$s\" 'fatal: Could not resolve host: code.example'; progress \"$s\" 'exit code: 1'; exit 1";
    w.on("bake", fails);
    let report = run(&w, &[], 1);
    assert_eq!(report["jobs"][0]["reason"], "step");
    assert!(report["jobs"][0]["hint"].as_str().unwrap().contains("network = true"), "{report}");
    let w = Workspace::new();
    w.on("bake", &fails.replace("wheel-builder 1/1", "fetch-build 1/1"));
    assert_eq!(run(&w, &[], 1)["jobs"][0]["reason"], "network");
}

#[test]
fn only_builds_with_the_same_inputs_share_caches() {
    let w = Workspace::new();
    run(&w, &["--python", "cp312"], 0);
    run(&w, &["--python", "cp311", "--force"], 0);
    set(&w, "env = { CFLAGS = \"-O1\" }");
    run(&w, &[], 0);
    let caches = values(&w, "COMPILER_CACHE");
    assert_eq!(caches.len(), 3);
    assert!(caches[0] == caches[1] && caches[1] != caches[2], "{caches:?}");
    let scopes = values(&w, "PACKAGE_SCOPE");
    assert_eq!(scopes[0], scopes[2]);
    let w = Workspace::new();
    set(&w, "env = { UV_INDEX_URL = \"https://evil.example\" }");
    run(&w, &[], 0);
    assert_ne!(values(&w, "PACKAGE_SCOPE")[0], scopes[0]);
}
