//! `lock` and `wheels --locked`, with a fake engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Ran, Workspace, wheel};
use serde_json::{Value, json};

const LOCK: [&str; 3] = ["lock", "debian:12", "linux/amd64"];
const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];
const LOCKED: [&str; 4] = ["wheels", "debian:12", "linux/amd64", "--locked"];

/// The report of a build for `id` with gcc-12 of `version`.
fn info(id: &str, version: &str) -> Value {
    json!({
        "schema_version": 1, "target": "debian12", "platform": "linux/amd64",
        "libc": {"family": "glibc", "version": "2.36"}, "source": {"sha256": "6c69"},
        "image": {"reference": "debian:12", "digest": "sha256:2", "origin": "local"},
        "packages": {"gcc-12": version},
        "interpreters": [{"id": id, "provider": "distro", "version": "3.11.2"}]
    })
}

/// Installs gcc-12 of `version` in the engine's containers, each with its job's interpreter.
fn gcc(w: &Workspace, version: &str) {
    let text = info("@id@", version).to_string();
    fs_err::write(w.fake.join("info"), text).unwrap();
    let item = json!({"name": "setuptools", "version": "80.9.0", "file": "s.whl", "sha256": "1".repeat(64)});
    fs_err::write(w.fake.join("requirements"), json!([item]).to_string()).unwrap();
    let answer = r#"python=; for arg; do case $arg in *PYTHONS=*) python=${arg#*PYTHONS=} ;; esac; done
        mkdir -p "$dest"
        case $target in
        smoke) smoke_passed ;;
        *) sed "s/@id@/$python/g" "$FAKE/info" >"$dest/build-info.json" ;;
        esac
        if [ $target = wheel-builder ]; then
            cp "$FAKE"/export/*.whl "$dest/"
            cp "$FAKE/requirements" "$dest/requirements-build.json"
        fi"#;
    w.on("bake", answer);
}

fn edit(w: &Workspace, from: &str, to: &str) {
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    assert!(toml.contains(from));
    fs_err::write(path, toml.replace(from, to)).unwrap();
}

fn workspace() -> Workspace {
    let w = Workspace::new();
    gcc(&w, "12.2.0-14");
    w
}

fn lock(w: &Workspace) -> String {
    fs_err::read_to_string(w.root.join("wheels.lock")).unwrap()
}

/// The report of `lock`.
fn locked(w: &Workspace, words: &[&str]) -> Value {
    let ran = w.run(&[&LOCK[..], &["--json"], words].concat()).code(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn outcome(w: &Workspace, words: &[&str]) -> Vec<String> {
    let ran = w.run(&[words, &["--json"]].concat()).code(0);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let jobs = report["jobs"].as_array().unwrap().iter();
    jobs.map(|job| job["outcome"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_lock_is_written_beside_the_configuration() {
    let w = workspace();
    let report = locked(&w, &[]);
    assert_eq!(report["recorded"], json!(["debian12 linux/amd64 cp311"]));
    assert!(
        lock(&w).contains("gcc-12 = \"12.2.0-14\"")
            && lock(&w).contains("setuptools==80.9.0 --hash")
    );
    assert_eq!(w.dist(), Vec::<String>::new());
    let first = lock(&w);
    assert_eq!(locked(&w, &[])["changes"], json!([]));
    assert_eq!(lock(&w), first);
}

#[test]
fn wheels_get_the_locked_versions_and_differences_are_reported() {
    let w = workspace();
    w.run(&LOCK).code(0);
    fs_err::remove_file(w.fake.join("log")).unwrap();
    assert_eq!(outcome(&w, &WHEELS), ["built"]);
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    let line = format!("setuptools==80.9.0 --hash=sha256:{}", "1".repeat(64));
    for part in ["args.LOCKED_PACKAGES=gcc-12=12.2.0-14", &format!("args.LOCKED_BUILD={line}")] {
        assert!(log.contains(part), "{part} is not in:\n{log}");
    }
    assert_eq!(outcome(&w, &LOCKED), ["unchanged"]);
    gcc(&w, "12.2.0-14+deb12u1");
    let ran = w.run(&[&WHEELS[..], &["--force"]].concat()).code(0);
    ran.reports(&["gcc-12 12.2.0-14 → 12.2.0-14+deb12u1"]);
    // The wheel in dist/ differs from the lock: with `--locked`, it is built again.
    assert_eq!(outcome(&w, &WHEELS), ["unchanged"]);
    w.run(&LOCKED).code(1);
}

/// Codes and paths of the findings of `verify`.
fn verified(w: &Workspace, words: &[&str], status: i32) -> Vec<(String, String)> {
    let ran = w.run(&[&["verify", "--json"], words].concat()).code(status);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = findings.map(|it| (text(&it["code"]), text(&it["message"]))).collect();
    all.retain(|(code, _)| code.starts_with("DST"));
    all
}

#[test]
fn verify_compares_the_inputs_of_wheels_with_the_lock() {
    let w = workspace();
    w.run(&LOCK).code(0);
    w.run(&WHEELS).code(0);
    assert_eq!(verified(&w, &[], 0), []);
    let good = lock(&w);
    let found = |from: &str, to: &str| {
        assert!(good.contains(from));
        fs_err::write(w.root.join("wheels.lock"), good.replace(from, to)).unwrap();
        let found = verified(&w, &[], 1);
        assert_eq!(verified(&w, &["--only", "debian12-amd64"], 1), found);
        assert_eq!((found.len(), found[0].0.as_str()), (1, "DST015"), "{found:?}");
        found[0].1.clone()
    };
    let message = found("\"12.2.0-14\"", "\"12.2.0-15\"");
    assert!(message.contains("gcc-12 12.2.0-15 → 12.2.0-14"), "{message}");
    assert!(found("setuptools==80.9.0", "setuptools==80.8.0").contains("80.8.0 → 80.9.0"));
    assert!(found("version = \"3.11.2\"", "version = \"3.11.3\"").contains("cp311"));
    fs_err::write(w.root.join("wheels.lock"), &good).unwrap();
    assert_eq!(verified(&w, &[], 0), []);
    // Built with other packages than the lock has: `wheels` reports that.
    gcc(&w, "13");
    w.run(&[&WHEELS[..], &["--force"]].concat()).code(0);
    assert_eq!(verified(&w, &[], 1).len(), 1);
    fs_err::remove_file(w.root.join("wheels.lock")).unwrap();
    assert_eq!(verified(&w, &[], 0), []);
}

#[test]
fn a_provenance_names_the_lock_entry_of_its_target() {
    let w = workspace();
    let hash = || {
        let names = w.dist();
        let name = names.iter().find(|name| name.ends_with(".provenance.json")).unwrap();
        let text = fs_err::read(w.root.join("dist").join(name)).unwrap();
        let statement: Value = serde_json::from_slice(&text).unwrap();
        let all = &statement["predicate"]["buildDefinition"]["resolvedDependencies"];
        let mut all = all.as_array().unwrap().iter();
        let lock = all.find(|it| it["annotations"]["role"] == "lock")?.clone();
        assert_eq!(lock["name"], "wheels.lock");
        assert_eq!(lock["annotations"]["origin"], "debian12 linux/amd64 cp311");
        Some(lock["digest"]["sha256"].as_str().unwrap().to_owned())
    };
    w.run(&WHEELS).code(0);
    assert_eq!(hash(), None);
    w.run(&LOCK).code(0);
    w.run(&WHEELS).code(0);
    let first = hash().unwrap();
    let text = lock(&w);
    let (head, target) = text.split_once("[[target]]").unwrap();
    let other = target.replace("name = \"debian12\"", "name = \"debian11\"");
    let text = format!("{head}[[target]]{other}\n[[target]]{target}");
    fs_err::write(w.root.join("wheels.lock"), &text).unwrap();
    assert_eq!(outcome(&w, &WHEELS), ["unchanged"]);
    w.run(&[&WHEELS[..], &["--force"]].concat()).code(0);
    assert_eq!(hash().unwrap(), first);
    let target = target.replace("setuptools==80.9.0", "setuptools==80.8.0");
    fs_err::write(w.root.join("wheels.lock"), format!("{head}[[target]]{target}")).unwrap();
    w.run(&WHEELS).code(0);
    assert_ne!(hash().unwrap(), first);
}

#[test]
fn locked_fails_before_the_compile_if_an_input_differs() {
    let w = workspace();
    w.run(&LOCK).code(0);
    let built = w.bakes("wheel-builder");
    gcc(&w, "12.2.0-14+deb12u1");
    w.run(&LOCKED).code(1).reports(&["gcc-12 12.2.0-14 → 12.2.0-14+deb12u1", "cargo xtask lock"]);
    assert_eq!((w.bakes("build-info"), w.bakes("wheel-builder")), (1, built));
    assert_eq!(w.dist(), Vec::<String>::new());
}

#[test]
fn locked_fails_after_the_build_if_only_it_shows_a_difference() {
    let w = workspace();
    w.run(&LOCK).code(0);
    let text = lock(&w).replace("setuptools==80.9.0", "setuptools==80.8.0");
    fs_err::write(w.root.join("wheels.lock"), text).unwrap();
    w.run(&LOCKED).code(1).reports(&["setuptools 80.8.0 → 80.9.0"]);
    assert_eq!(w.dist(), Vec::<String>::new());
}

#[test]
fn locked_requires_a_readable_lock_of_every_job() {
    let w = workspace();
    let refused = |ran: Ran| ran.code(2).reports(&["cargo xtask lock"]);
    refused(w.run(&LOCKED));
    w.run(&LOCK).code(0);
    refused(w.run(&[&LOCKED[..], &["--python", "cp311,cp312"]].concat()))
        .reports(&["debian12-amd64 cp312"]);
    w.run(&[&WHEELS[..], &["--python", "cp312"]].concat())
        .code(0)
        .reports(&["no entry for debian12-amd64 cp312"]);
    for text in ["", "version = 2\n", "version = 1\n[[target]]\n", "\0"] {
        fs_err::write(w.root.join("wheels.lock"), text).unwrap();
        refused(w.run(&LOCKED));
        refused(w.run(&WHEELS));
    }
}

#[test]
fn one_command_locks_every_missing_job() {
    let w = workspace();
    let hint = |words: &[&str]| {
        let ran = w.run(&[&["wheels", "--locked"], words].concat()).code(2);
        let command = ran.stderr.split("`cargo xtask lock ").nth(1).unwrap();
        command.split('`').next().unwrap().to_owned()
    };
    let follow = |command: &str| {
        let words: Vec<&str> = command.split(' ').collect();
        w.run(&[&["lock"], &words[..]].concat()).code(0);
    };
    w.run(&LOCK).code(0);
    edit(&w, "pythons = [\"cp311\"]", "pythons = [\"cp311\", \"cp312\", \"cp313\"]");
    let missing = hint(&["debian12", "linux/amd64"]);
    assert_eq!(missing, "--only cp312-debian12_x86_64,cp313-debian12_x86_64");
    follow(&missing);
    w.run(&[&LOCKED[..], &["--dry-run"]].concat()).code(0);
    // wheels.toml does not list these interpreters.
    let missing = hint(&["debian12", "linux/amd64", "--python", "cp311,cp39,cp310"]);
    let only = "--only cp39-debian12_x86_64,cp310-debian12_x86_64";
    assert_eq!(missing, format!("debian12 linux/amd64 --python cp310,cp39 {only}"));
    follow(&missing);
    w.run(&[&LOCKED[..], &["--dry-run", "--python", "cp311,cp39,cp310"]].concat()).code(0);
}

#[test]
fn locking_one_job_keeps_the_entries_of_the_others() {
    let w = workspace();
    edit(&w, "pythons = [\"cp311\"]", "pythons = [\"cp311\", \"cp312\"]");
    w.run(&LOCK).code(0);
    let both = lock(&w);
    gcc(&w, "13");
    let report = locked(&w, &["--python", "cp312"]);
    assert_eq!(report["changes"][0]["found"], "13");
    assert!(lock(&w).contains("gcc-12 = \"12.2.0-14\"") && lock(&w).contains("gcc-12 = \"13\""));
    w.run(&["lock", "--check"]).code(0);
    edit(&w, "pythons = [\"cp311\", \"cp312\"]", "pythons = [\"cp311\"]");
    w.run(&["lock", "--check"]).code(1);
    gcc(&w, "12.2.0-14");
    assert_eq!(locked(&w, &[])["removed"], json!(["debian12 linux/amd64 cp312"]));
    assert_ne!(lock(&w), both);
    edit(&w, "pythons = [\"cp311\"]", "pythons = [\"cp311\", \"cp313\"]");
    w.run(&["lock", "--check"]).code(1);
}

#[test]
fn an_upgrade_resolves_only_the_named_packages() {
    let w = workspace();
    w.run(&LOCK).code(0);
    let argument = |words: &[&str]| {
        fs_err::remove_file(w.fake.join("log")).unwrap();
        locked(&w, words);
        fs_err::read_to_string(w.fake.join("log")).unwrap()
    };
    assert!(argument(&[]).contains("LOCKED_PACKAGES=gcc-12=12.2.0-14"));
    let all = argument(&["--upgrade"]);
    assert!(all.contains("LOCKED_PACKAGES=# 2") && !all.contains("gcc-12="), "{all}");
    let one = argument(&["--upgrade=gcc-12"]);
    assert!(
        !one.contains("gcc-12=") && one.contains("LOCKED_BUILD=setuptools==80.9.0 --set")
            || one.contains("LOCKED_BUILD=setuptools==80.9.0\n"),
        "{one}"
    );
    let one = argument(&["--upgrade=setuptools"]);
    assert!(one.contains("gcc-12=12.2.0-14") && !one.contains("LOCKED_BUILD=setuptools"), "{one}");
    w.run(&[&LOCK[..], &["--upgrade=nothing"]].concat()).code(2);
}

#[test]
fn a_pulled_base_image_is_pinned_by_the_lock() {
    let w = workspace();
    w.run(&LOCK).code(0);
    let digest = format!("sha256:{}", "7".repeat(64));
    let text = lock(&w)
        .replace("\"sha256:2\"", &format!("\"{digest}\""))
        .replace("\"local\"", "\"pulled\"");
    fs_err::write(w.root.join("wheels.lock"), text).unwrap();
    let ran = w.run(&[&WHEELS[..], &["--dry-run"]].concat()).code(0);
    assert!(ran.stdout.contains(&format!("debian@{digest}")), "{}", ran.stdout);
}

#[test]
fn a_second_configuration_has_its_own_lock() {
    let w = workspace();
    fs_err::copy(w.root.join("wheels.toml"), w.root.join("wheels-two.toml")).unwrap();
    w.run(&[&LOCK[..], &["--config", "wheels-two.toml"]].concat()).code(0);
    assert!(w.root.join("wheels-two.lock").is_file() && !w.root.join("wheels.lock").exists());
}

#[test]
fn a_snapshot_reaches_the_build_and_the_lock() {
    let w = workspace();
    let url = "http://snapshots.example/{archive}/{time}/";
    edit(
        &w,
        "family = \"apt\"",
        &format!("family = \"apt\"\nsnapshot = \"2026-11-01\"\nsnapshot-url = \"{url}\""),
    );
    w.run(&LOCK).code(0);
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    assert!(
        log.contains("SNAPSHOT=20261101T000000Z") && log.contains(&format!("SNAPSHOT_URL={url}")),
        "{log}"
    );
    assert!(lock(&w).contains("snapshot = \"2026-11-01\""));
    edit(&w, "2026-11-01", "2026-11-02");
    w.run(&LOCKED).code(1).reports(&["snapshot 2026-11-01 → 2026-11-02"]);
    edit(&w, "snapshot = \"2026-11-02\"\n", "");
    w.run(&WHEELS).code(2);
}

#[test]
fn a_workflow_that_builds_locked_warns_of_jobs_without_an_entry() {
    let w = workspace();
    w.run(&LOCK).code(0);
    let written = w.run(&["workflow", "write"]).code(0);
    assert!(!written.stderr.contains("warning: "), "{}", written.stderr);
    edit(&w, "pythons = [\"cp311\"]", "pythons = [\"cp311\", \"cp312\"]");
    let other = "[[target]]\nname = \"other\"\nimage = \"debian:13\"\nglibc = \"2.41\"\n\
        platforms = [\"linux/amd64\"]\n[ci]\ntargets = [\"debian12\"]\n";
    edit(&w, "[[target]]", &format!("{other}[[target]]"));
    for words in [&["workflow", "write"][..], &["workflow", "write", "--dry-run"]] {
        let ran = w.run(words).code(0).reports(&["warning: ", "debian12 linux/amd64 cp312"]);
        let command = ["lock", "--only", "cp312-debian12_x86_64"];
        assert!(ran.stderr.contains(&command.join(" ")), "{}", ran.stderr);
        assert!(!ran.stderr.contains("other") && !ran.stderr.contains("cp311"), "{}", ran.stderr);
    }
    w.run(&["workflow", "check"]).code(0).reports(&["warning: ", "cp312-debian12_x86_64"]);
    let command = ["lock", "--only", "cp312-debian12_x86_64"];
    w.run(&command).code(0);
    let ran = w.run(&["workflow", "check"]).code(0);
    assert!(!ran.stderr.contains("warning: "), "{}", ran.stderr);
    fs_err::remove_file(w.root.join("wheels.lock")).unwrap();
    let ran = w.run(&["workflow", "write"]).code(0);
    assert!(!ran.stderr.contains("warning: "), "{}", ran.stderr);
}

#[test]
fn each_interpreter_that_shares_a_wheel_has_an_entry() {
    for name in ["demo-1.0-py3-none-any.whl", "demo-1.0-cp311-abi3-linux_x86_64.whl"] {
        let w = workspace();
        fs_err::remove_dir_all(w.fake.join("export")).unwrap();
        fs_err::create_dir(w.fake.join("export")).unwrap();
        w.export(&wheel(name, name.contains("none"), &[("demo/__init__.py", b"")]));
        // The smoke test of the fake engine reports version 3.0, and each container has a package of its own.
        let mut info = info("@id@", "12.2.0-14");
        info["interpreters"][0]["version"] = json!("3.0");
        info["packages"]["libpython"] = json!("@id@");
        fs_err::write(w.fake.join("info"), info.to_string()).unwrap();
        edit(&w, "pythons = [\"cp311\"]", "pythons = [\"cp311\", \"cp313\", \"cp314\"]");
        w.run(&LOCK).code(0);
        w.run(&["lock", "--check"]).code(0);
        let command = [&LOCKED[..], &["--json", "--jobs", "2"]].concat();
        let report: Value = serde_json::from_str(&w.run(&command).code(0).stdout).unwrap();
        let by = |job: &Value| {
            let mut builds = job["wheel"]["builds"].as_array().unwrap().iter();
            builds.find(|it| it["interpreter"] == job["interpreter"]).unwrap()["built_by"].clone()
        };
        let by: Vec<Value> = report["jobs"].as_array().unwrap().iter().map(by).collect();
        assert_eq!(by, [Value::Null, json!("cp311"), json!("cp311")], "{name}");
        assert_eq!(outcome(&w, &LOCKED), ["unchanged"; 3], "{name}");
        assert_eq!(verified(&w, &[], 0), [], "{name}");
    }
}

#[test]
fn a_container_that_does_not_report_its_interpreter_locks_nothing_and_fails() {
    let w = workspace();
    w.run(&LOCK).code(0);
    let before = lock(&w);
    let text = info("cp39", "12.2.0-14").to_string();
    fs_err::write(w.fake.join("info"), text).unwrap();
    w.run(&LOCK).code(1).reports(&["build-info.json", "cp311"]);
    assert_eq!(lock(&w), before);
    w.run(&LOCKED).code(1).reports(&["build-info.json", "cp311"]);
}

#[test]
fn jobs_with_the_same_difference_share_a_line() {
    let w = workspace();
    let absent = w.run(&["lock", "--check"]).code(1).stdout;
    assert!(absent.contains("`wheels.lock`") && absent.contains("1 job"), "{absent}");
    w.run(&LOCK).code(0);
    edit(&w, "pythons = [\"cp311\"]", "pythons = [\"cp311\", \"cp312\", \"cp313\"]");
    let lines = |words: &[&str], status: i32| -> Vec<String> {
        let ran = w.run(words).code(status);
        let all = ran.stdout.lines().filter(|line| line.contains("cp31"));
        all.map(str::to_owned).collect()
    };
    let all = "debian12 linux/amd64 cp311, cp312, cp313";
    let missing = lines(&["lock", "--check"], 1);
    // It compares all jobs.
    w.run(&["lock", "--check", "debian:12"]).code(2);
    let added = "debian12 linux/amd64 cp312, cp313";
    assert!(matches!(&missing[..], [line] if line.contains(added)), "{missing:?}");
    w.run(&LOCK).code(0);
    gcc(&w, "13");
    let changed = lines(&LOCK, 0);
    assert!(matches!(&changed[..], [line] if line.starts_with(all)), "{changed:?}");
    edit(&w, "\"cp311\", \"cp312\", ", "");
    let unused = lines(&["lock", "--check"], 1);
    assert!(matches!(&unused[..], [line] if line.contains("cp311, cp312")), "{unused:?}");
}
