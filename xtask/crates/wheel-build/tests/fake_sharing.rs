//! One wheel for several interpreters, with a fake engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Workspace, wheel};
use serde_json::Value;

const ABI3: &str = "demo-1.0-cp311-abi3-linux_x86_64.whl";
const TAGGED: &str = "debian12-amd64/demo-1.0-cp311-abi3-manylinux_2_36_x86_64.whl";

/// Answers a bake call; `$python` is its interpreter. Wheels of `PyPy` are separate.
const ANSWER: &str = r#"mkdir -p "$dest"
    if [ $target = smoke ]; then
        smoke_passed
        exit 0
    fi
    cp "$FAKE/export/build-info.json" "$dest/"
    case $python in
    pp*) cp "$FAKE/pypy.whl" "$dest/demo-1.0-pp311-pypy311_pp73-linux_x86_64.whl" ;;
    *) wheel=$FAKE/$python.whl; [ -e "$wheel" ] || wheel=$FAKE/abi3.whl
       cp "$wheel" "$dest/demo-1.0-cp311-abi3-linux_x86_64.whl" ;;
    esac"#;
const PYTHON: &str =
    "python=; for arg; do case $arg in *PYTHONS=*) python=${arg#*PYTHONS=} ;; esac; done\n";
/// A build that takes long enough for others to begin.
const SLOW: &str = "[ $target = smoke ] || sleep 0.5\n";

fn bytes(name: &str, text: &str) -> Vec<u8> {
    wheel(name, false, &[("demo/__init__.py", text.as_bytes())]).1
}

/// A workspace whose wheels are abi3; the settings request that if `is_requested`.
fn workspace(is_requested: bool, before: &str) -> Workspace {
    let w = Workspace::new();
    fs_err::write(w.fake.join("abi3.whl"), bytes(ABI3, "")).unwrap();
    let pypy = bytes("demo-1.0-pp311-pypy311_pp73-linux_x86_64.whl", "");
    fs_err::write(w.fake.join("pypy.whl"), pypy).unwrap();
    w.on("bake", &format!("{PYTHON}{before}{ANSWER}"));
    let settings = "config-settings = { \"--build-option\" = \"--py-limited-api=cp311\" }\n";
    let pythons = "pythons = [\"cp313\", \"cp311\", \"cp314\", \"pp311\"]\n";
    let text = [if is_requested { settings } else { "" }, pythons].concat();
    edit(&w, "pythons = [\"cp311\"]\n", &text);
    w
}

fn edit(w: &Workspace, from: &str, to: &str) {
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    assert!(toml.contains(from));
    fs_err::write(path, toml.replace(from, to)).unwrap();
}

/// The outcome of each interpreter's job, and the interpreter that built its wheel.
fn run(w: &Workspace, words: &[&str], code: i32) -> Vec<(String, String, String)> {
    let words = [&["wheels", "debian:12", "linux/amd64", "--json"], words].concat();
    let ran = w.run(&words).code(code);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let jobs = report["jobs"].as_array().unwrap().iter().map(|job| {
        let builds = job["wheel"]["builds"].as_array();
        let of_it = builds.into_iter().flatten().find(|b| b["interpreter"] == job["interpreter"]);
        let by = of_it.map_or("-".to_owned(), |build| text(&build["built_by"]));
        (text(&job["interpreter"]), text(&job["outcome"]), by)
    });
    jobs.collect()
}

fn expected(jobs: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    jobs.iter().map(|&(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())).collect()
}

/// The numbers of builds and of smoke tests since the last call.
fn calls(w: &Workspace) -> (usize, usize) {
    let calls = (w.bakes("wheel-builder"), w.bakes("smoke"));
    fs_err::remove_file(w.fake.join("log")).unwrap();
    calls
}

#[test]
fn the_lowest_interpreter_builds_and_the_others_test() {
    // The smoke test of the lowest interpreter ends only after another one has begun.
    let meets = "if [ $target = smoke ]; then touch \"$FAKE/at-$python\"; n=0
        [ $python != cp311 ] || until [ -e \"$FAKE/at-cp313\" ]; do
            n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 0.05
        done; fi\n";
    let w = workspace(true, &format!("{SLOW}{meets}"));
    let built = expected(&[
        ("cp313", "built", "cp311"),
        ("cp311", "built", "-"),
        ("cp314", "built", "cp311"),
        ("pp311", "built", "-"),
    ]);
    assert_eq!(run(&w, &["--jobs", "4"], 0), built);
    assert_eq!(calls(&w), (2, 4));
    let manifest = fs_err::read_to_string(w.root.join("dist/manifest.json")).unwrap();
    assert_eq!(manifest.matches(&format!("{TAGGED}\"")).count(), 1, "{manifest}");
    let info = fs_err::read_to_string(w.root.join("dist/debian12-amd64/build-info.json")).unwrap();
    let info: Value = serde_json::from_str(&info).unwrap();
    let pythons = info["interpreters"].as_array().unwrap().iter();
    let ids: Vec<_> = pythons.map(|each| each["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["cp311", "cp313", "cp314"]);
    let again = run(&w, &[], 0);
    assert!(again.iter().all(|(_, outcome, _)| outcome == "unchanged"), "{again:?}");
    let forced = run(&w, &["--force"], 0);
    assert_eq!(forced.iter().filter(|(_, _, by)| by == "cp311").count(), 2, "{forced:?}");
    assert_eq!(calls(&w), (2, 4), "one more build, and no smoke test of the previous wheel");
}

#[test]
fn a_dry_run_names_the_interpreter_whose_wheel_is_tested() {
    let w = workspace(true, "");
    let ran = w.run(&["wheels", "debian:12", "linux/amd64", "--dry-run"]).code(0);
    let lines = ran.stdout.lines().filter(|line| line.contains("if the wheel of cp311"));
    assert_eq!(lines.count(), 3, "all but cp311 itself:\n{}", ran.stdout);
}

#[test]
fn a_build_that_others_wait_for_uses_all_cores() {
    let all = std::thread::available_parallelism().unwrap().get();
    let note = "[ $target = smoke ] || printf '%s' \"$XTASK_HOST_CORES\" >\"$FAKE/cores\"\n";
    for (is_requested, cores) in [(true, all), (false, (all / 2).max(1))] {
        let w = workspace(is_requested, note);
        run(&w, &["--python", "cp311,cp313", "--jobs", "2"], 0);
        let noted = fs_err::read_to_string(w.fake.join("cores")).unwrap();
        assert_eq!(noted, cores.to_string());
    }
}

#[test]
fn an_added_interpreter_reuses_the_existing_wheel() {
    let w = workspace(true, "");
    run(&w, &["--python", "cp311"], 0);
    assert_eq!(calls(&w), (1, 1));
    let more = expected(&[("cp311", "unchanged", "-"), ("cp313", "built", "cp311")]);
    assert_eq!(run(&w, &["--python", "cp311,cp313"], 0), more);
    assert_eq!(calls(&w), (0, 1));
    // The wheel in `dist/` suffices.
    fs_err::remove_dir_all(w.root.join("target/xtask/jobs")).unwrap();
    let more = run(&w, &["--python", "cp311,cp313,cp314"], 0);
    assert_eq!(more[2], ("cp314".to_owned(), "built".to_owned(), "cp311".to_owned()));
    assert_eq!(calls(&w), (0, 1));
    // The only requested interpreter builds, unless it has its wheel already.
    assert_eq!(run(&w, &["--python", "cp314"], 0), expected(&[("cp314", "unchanged", "cp311")]));
}

#[test]
fn after_the_lowest_interpreter_fails_the_others_build() {
    let w = workspace(true, "[ $target$python != wheel-buildercp311 ] || exit 1\n");
    let jobs = run(&w, &["--python", "cp311,cp313", "--jobs", "2"], 1);
    assert_eq!(jobs, expected(&[("cp311", "failed", "-"), ("cp313", "built", "-")]));
}

#[test]
fn after_the_lowest_interpreter_fails_the_next_one_is_shared() {
    let meets = "case $target$python in
        wheel-buildercp311) exit 1 ;;
        wheel-builder*) touch \"$FAKE/at-$python\"; n=0
            until [ -e \"$FAKE/at-cp313\" ] && [ -e \"$FAKE/at-cp314\" ]; do
                n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 0.05
            done; [ $python != cp313 ] || sleep 0.5 ;; esac\n";
    let w = workspace(false, meets);
    fs_err::write(w.fake.join("cp313.whl"), bytes(ABI3, "# other")).unwrap();
    let jobs = run(&w, &["--python", "cp311,cp313,cp314", "--jobs", "3"], 1);
    let built = [("cp311", "failed", "-"), ("cp313", "built", "-"), ("cp314", "built", "cp313")];
    assert_eq!(jobs, expected(&built));
}

#[test]
fn of_equal_wheels_the_one_of_the_lowest_interpreter_is_kept() {
    let meets = "case $target in wheel-builder) touch \"$FAKE/at-$python\"; n=0
        until [ -e \"$FAKE/at-cp311\" ] && [ -e \"$FAKE/at-cp313\" ]; do
            n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 0.05
        done; [ $python != cp311 ] || sleep 0.5 ;; esac\n";
    let w = workspace(false, meets);
    fs_err::write(w.fake.join("cp313.whl"), bytes(ABI3, "# other")).unwrap();
    let jobs = run(&w, &["--python", "cp311,cp313", "--jobs", "2"], 0);
    assert_eq!(jobs, expected(&[("cp311", "built", "-"), ("cp313", "built", "cp311")]));
    assert_eq!(calls(&w), (2, 2));
    // Now it is known: only one of them builds again.
    w.on("bake", &format!("{PYTHON}{SLOW}{ANSWER}"));
    assert_eq!(run(&w, &["--python", "cp311,cp313", "--jobs", "2", "--force"], 0), jobs);
    assert_eq!(calls(&w), (1, 2));
}

#[test]
fn a_shared_wheel_rebuilt_by_another_interpreter_is_reused() {
    let w = workspace(true, "");
    let both = ["--python", "cp311,cp313"];
    run(&w, &both, 0);
    fs_err::write(w.fake.join("cp313.whl"), bytes(ABI3, "# other")).unwrap();
    run(&w, &["--python", "cp313", "--force"], 0);
    calls(&w);
    let jobs = expected(&[("cp311", "built", "cp313"), ("cp313", "unchanged", "-")]);
    assert_eq!(run(&w, &both, 0), jobs);
    assert_eq!(calls(&w), (0, 1));
}

#[test]
fn different_build_settings_cause_another_build() {
    let w = workspace(true, "");
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let other = "[[override]]\nselect = \"cp313-*\"\nbuild.env = { DEMO = \"1\" }\n";
    fs_err::write(w.root.join("wheels.toml"), format!("{toml}{other}")).unwrap();
    let jobs = run(&w, &["--python", "cp311,cp313,cp314"], 0);
    let by: Vec<_> = jobs.iter().map(|(_, _, by)| by.as_str()).collect();
    assert_eq!((by, calls(&w)), (vec!["-", "-", "cp311"], (2, 3)));
    fs_err::write(w.fake.join("cp313.whl"), bytes(ABI3, "# other")).unwrap();
    let args = ["wheels", "debian:12", "linux/amd64", "--python", "cp311,cp313", "--jobs", "1"];
    w.run(&[&args[..], &["--force"]].concat()).code(1).reports(&["cp311 and cp313"]);
}

#[test]
fn collect_keeps_the_builder_of_a_shared_wheel() {
    let w = workspace(true, "");
    run(&w, &[], 0);
    fs_err::rename(w.root.join("dist"), w.root.join("incoming")).unwrap();
    w.run(&["verify", "incoming"]).code(0);
    w.run(&["collect", "incoming"]).code(0);
    let manifest = fs_err::read_to_string(w.root.join("dist/manifest.json")).unwrap();
    assert_eq!(manifest.matches("\"built_by\": \"cp311\"").count(), 2, "{manifest}");
    let path = w.root.join("incoming/manifest.json");
    let forged = fs_err::read_to_string(&path)
        .unwrap()
        .replace("\"built_by\": \"cp311\"", "\"built_by\": \"x\"");
    fs_err::write(path, forged).unwrap();
    w.run(&["collect", "incoming"]).code(1).reports(&["demo-1.0-cp311-abi3", "`x`"]);
}
