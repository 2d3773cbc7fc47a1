#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const HASH: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const OTHER: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn item(name: &str, version: &str, sha256: &str) -> Value {
    json!({"name": name, "version": version, "file": "x.whl", "sha256": sha256})
}

/// The record of a build with `id`.
fn info(id: &str) -> Value {
    json!({
        "target": "debian12", "platform": "linux/amd64",
        "image": {"reference": "debian:12", "digest": "sha256:1", "origin": "pulled"},
        "tools": {"uv": "0.9.1"}, "tool_hashes": {"uv": HASH},
        "packages": {"gcc-12": "12.2.0-14", "zlib1g": "1:1.2.13", "bad name": "1"},
        "interpreters": [{"id": id, "provider": "distro", "version": "3.11.2", "sha256": HASH,
            "requirements": {
                "build": [item("wheel", "0.45", HASH), item("setuptools", "80.9.0", HASH), item("x y", "1", HASH)],
                "smoke": [item("cffi", "2.0", HASH)],
                "crates": [{"name": "serde", "version": "1.0", "sha256": HASH}]}}]
    })
}

fn entry(info: &Value) -> Environment {
    let id = info["interpreters"][0]["id"].as_str().unwrap();
    Environment::of_build(info, id, None).unwrap()
}

fn of(infos: &[Value]) -> LockFile {
    let mut file = LockFile::default();
    for info in infos {
        file.record(entry(info));
    }
    file
}

/// `info` with `value` at `pointer`.
fn with(mut info: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    info.pointer_mut(parent).unwrap()[name] = value;
    info
}

#[test]
fn a_lock_contains_the_records_sorted_and_parses_again() {
    let cp312 = with(info("cp312"), "/packages/python3.12", json!("3.12.1"));
    let arm = with(info("cp311"), "/platform", json!("linux/arm64"));
    let file = of(&[arm, cp312, info("cp311")]);
    let text = file.text();
    insta::assert_snapshot!(text);
    assert_eq!(LockFile::parse("wheels.lock", &text).unwrap().text(), text);
    let order = of(&[
        info("cp311"),
        with(info("cp312"), "/packages/python3.12", json!("3.12.1")),
        with(info("cp311"), "/platform", json!("linux/arm64")),
    ]);
    assert_eq!(order.text(), text, "independent of the order of the jobs");
}

#[test]
fn recording_a_job_keeps_the_entries_of_other_jobs() {
    let mut file = of(&[info("cp311"), with(info("cp311"), "/platform", json!("linux/arm64"))]);
    let changed = with(info("cp312"), "/packages/gcc-12", json!("12.3"));
    file.record(entry(&changed));
    let version = |file: &LockFile, platform: &str, id: &str| {
        file.locked("debian12", platform, id).entry.unwrap().packages["gcc-12"].clone()
    };
    assert_eq!(version(&file, "linux/amd64", "cp311"), "12.2.0-14");
    assert_eq!(version(&file, "linux/amd64", "cp312"), "12.3");
    assert_eq!(version(&file, "linux/arm64", "cp311"), "12.2.0-14");
    // A run without a smoke test reports no list for it, so the earlier one stays.
    let mut without = info("cp311");
    without["interpreters"][0]["requirements"].as_object_mut().unwrap().remove("smoke");
    assert_eq!(file.record(entry(&without)), []);
    let smoke = file.locked("debian12", "linux/amd64", "cp311").requirement_arguments();
    assert_eq!(smoke[1], ("LOCKED_SMOKE", format!("cffi==2.0 --hash=sha256:{HASH}")));
}

#[test]
fn packages_of_all_interpreters_are_one_argument() {
    let cp312 = with(info("cp312"), "/packages/python3.12", json!("3.12.1"));
    let cp312 = with(cp312, "/packages/gcc-12", json!("12.3"));
    let file = of(&[info("cp311"), cp312]);
    let argument = |id: &str| file.locked("debian12", "linux/amd64", id).packages_argument();
    assert_eq!(argument("cp311"), "gcc-12=12.2.0-14\npython3.12=3.12.1\nzlib1g=1:1.2.13");
    assert_eq!(argument("cp312"), "gcc-12=12.3\npython3.12=3.12.1\nzlib1g=1:1.2.13");
    // An interpreter without an entry shares the layers below.
    assert!(argument("cp313").contains("zlib1g=1:1.2.13"));
    assert_eq!(file.locked("debian12", "linux/amd64", "cp313").entry, None);
    assert_eq!(file.locked("rocky9", "linux/amd64", "cp311"), Locked::default());
}

#[test]
fn every_kind_of_difference_is_found_and_named() {
    let locked = entry(&info("cp311"));
    let reqs = "/interpreters/0/requirements";
    let build = |items: Value| with(info("cp311"), &format!("{reqs}/build"), items);
    let cases = [
        (
            "image",
            with(info("cp311"), "/image/digest", json!("sha256:2")),
            "debian:12 sha256:1 → sha256:2",
        ),
        (
            "package",
            with(info("cp311"), "/packages/gcc-12", json!("12.2.0-14+deb12u1")),
            "gcc-12 12.2.0-14 → 12.2.0-14+deb12u1",
        ),
        ("package", with(info("cp311"), "/packages/new", json!("1")), "new (none) → 1"),
        (
            "package",
            with(info("cp311"), "/packages/zlib1g", Value::Null),
            "zlib1g 1:1.2.13 → (none)",
        ),
        (
            "interpreter",
            with(info("cp311"), "/interpreters/0/provider", json!("managed")),
            &format!("cp311 distro 3.11.2 sha256:{HASH} → managed 3.11.2 sha256:{HASH}"),
        ),
        (
            "interpreter",
            with(info("cp311"), "/interpreters/0/sha256", json!(OTHER)),
            &format!("cp311 distro 3.11.2 sha256:{HASH} → distro 3.11.2 sha256:{OTHER}"),
        ),
        (
            "tool",
            with(info("cp311"), "/tool_hashes/uv", json!(OTHER)),
            &format!("uv 0.9.1 sha256:{HASH} → 0.9.1 sha256:{OTHER}"),
        ),
        (
            "build",
            build(json!([item("wheel", "0.45", HASH), item("setuptools", "81.0", HASH)])),
            "setuptools 80.9.0 → 81.0",
        ),
        ("build", build(json!([item("setuptools", "80.9.0", HASH)])), "wheel 0.45 → (none)"),
        (
            "build",
            build(json!([item("wheel", "0.45", OTHER), item("setuptools", "80.9.0", HASH)])),
            &format!("wheel 0.45 sha256:{HASH} → 0.45 sha256:{OTHER}"),
        ),
        ("smoke", with(info("cp311"), &format!("{reqs}/smoke"), json!([])), "cffi 2.0 → (none)"),
    ];
    for (kind, info, text) in cases {
        let found = differences(&locked, &entry(&info));
        let found: Vec<_> = found.iter().map(|it| (it.kind, it.to_string())).collect();
        assert_eq!(found, [(kind, text.to_owned())]);
    }
    let crates = with(info("cp311"), &format!("{reqs}/crates/0/version"), json!("1.1"));
    assert_eq!(differences(&locked, &entry(&crates))[0].kind, "crates");
    let of_time = Environment::of_build(&info("cp311"), "cp311", Some("2026-11-01")).unwrap();
    assert_eq!(differences(&locked, &of_time)[0].to_string(), "snapshot (none) → 2026-11-01");
    assert_eq!(differences(&locked, &locked), []);
}

/// The provenance of a wheel built by `id`, by the report `info` and the entry of `lock`.
fn provenance(info: &Value, id: &str, lock: &LockFile) -> Value {
    let hash = lock.locked("debian12", "linux/amd64", id).build_hash();
    let facts = crate::proof::Facts {
        file: "demo-1.0-py3-none-any.whl",
        sha256: HASH,
        grafted: &[],
        members: BTreeMap::new(),
        needed: Vec::new(),
        target: "debian12",
        platform: "linux/amd64",
        builder: id,
        info,
        settings: json!({}),
        snapshot: info["snapshot"].as_str(),
        lock: hash.map(|hash| ("wheels.lock", hash)),
    };
    let documents = crate::proof::documents(&facts).unwrap();
    serde_json::from_slice(&documents[1].1).unwrap()
}

#[test]
fn a_provenance_is_compared_with_the_lock_like_its_build() {
    // A lock contains valid words only.
    let info = with(info("cp311"), "/packages", json!({"gcc-12": "12.2.0-14"}));
    let lock = of(&[info.clone(), with(self::info("cp312"), "/packages/gcc-12", json!("13"))]);
    let kinds = |info: &Value| -> Vec<&str> {
        let found = build_differences(&lock, &provenance(info, "cp311", &lock)).unwrap();
        found.iter().map(|it| it.kind).collect()
    };
    assert_eq!(kinds(&info), Vec::<&str>::new());
    let requirements = "/interpreters/0/requirements";
    let other_tool = json!({"uv": OTHER});
    for (kind, pointer, value) in [
        ("image", "/image/digest".to_owned(), json!("sha256:2")),
        ("snapshot", "/snapshot".to_owned(), json!("2026-11-01")),
        ("package", "/packages".to_owned(), json!({"gcc-12": "12.2.0-14+deb12u1"})),
        ("tool", "/tool_hashes".to_owned(), other_tool),
        ("interpreter", "/interpreters/0/version".to_owned(), json!("3.11.9")),
        ("interpreter", "/interpreters/0/sha256".to_owned(), json!(OTHER)),
        ("crates", format!("{requirements}/crates/0/sha256"), json!(OTHER)),
        ("build", format!("{requirements}/build/0/sha256"), json!(OTHER)),
    ] {
        assert_eq!(kinds(&with(info.clone(), &pointer, value)), [kind], "{pointer}");
    }
    // Another entry with the same values, and no entry.
    let mut other = lock.clone();
    other.record(entry(&with(info.clone(), "/packages/more", json!("1"))));
    for lock_then in [other, LockFile::default()] {
        let made = provenance(&info, "cp311", &lock_then);
        let found = build_differences(&lock, &made).unwrap();
        assert_eq!(found.iter().map(|it| it.kind).collect::<Vec<_>>(), ["lock"]);
    }
    assert_eq!(build_differences(&LockFile::default(), &provenance(&info, "cp311", &lock)), None);
    assert_eq!(build_differences(&lock, &json!({})), None);
}

#[test]
fn a_test_with_another_interpreter_is_compared_by_its_report() {
    let lock = of(&[info("cp311")]);
    let kinds = |info: Value| -> Vec<&str> {
        test_differences(&lock, &info, "cp311").iter().map(|it| it.kind).collect()
    };
    assert_eq!(kinds(with(info("cp311"), "/packages/gcc-12", json!("13"))), Vec::<&str>::new());
    let smoke = "/interpreters/0/requirements/smoke";
    assert_eq!(kinds(with(info("cp311"), smoke, json!([item("cffi", "2.1", HASH)]))), ["smoke"]);
    let version = with(info("cp311"), "/interpreters/0/version", json!("3.11.9"));
    assert_eq!(kinds(version), ["interpreter"]);
}

#[test]
fn one_package_is_released_and_requirements_become_constraints() {
    let mut file = of(&[info("cp311")]);
    assert!(!file.clone().release("nothing"));
    assert!(file.clone().release("gcc-12") && file.release("SetupTools"));
    let arguments = |file: &LockFile| {
        let locked = file.locked("debian12", "linux/amd64", "cp311");
        (locked.packages.contains_key("gcc-12"), locked.requirement_arguments().map(|it| it.1))
    };
    let (has_gcc, [build, smoke, test]) = arguments(&file);
    assert!(has_gcc && !build.contains("setuptools") && build.contains("wheel==0.45 --hash"));
    assert!(smoke.contains("--hash") && test.is_empty());
    file.loosen();
    file.release("gcc-12");
    let (has_gcc, [build, smoke, _]) = arguments(&file);
    assert!(!has_gcc);
    assert_eq!((build.as_str(), smoke.as_str()), ("wheel==0.45", "cffi==2.0"));
}

#[test]
fn unwanted_entries_are_removed_and_named() {
    let mut file =
        of(&[info("cp311"), info("cp312"), with(info("cp311"), "/target", json!("old"))]);
    let gone = file.retain(|target, _, id| target == "debian12" && id == "cp312");
    assert_eq!(gone, ["debian12 linux/amd64 cp311", "old linux/amd64 cp311"]);
    let left: Vec<_> = file.entries().collect();
    assert_eq!(left, [("debian12", "linux/amd64", "cp312")]);
}

#[test]
fn a_key_changes_only_with_the_inputs_of_its_job() {
    let file = of(&[info("cp311")]);
    let hashes = |file: &LockFile| {
        let locked = file.locked("debian12", "linux/amd64", "cp311");
        (locked.build_hash(), locked.hash())
    };
    let mut more = file.clone();
    more.record(entry(&with(info("cp312"), "/packages/python3.12", json!("3.12.1"))));
    assert_eq!(hashes(&file), hashes(&more), "another interpreter");
    let smoke = with(info("cp311"), "/interpreters/0/requirements/smoke", json!([]));
    let smoke = hashes(&of(&[smoke]));
    assert_eq!(smoke.0, hashes(&file).0);
    assert_ne!(smoke.1, hashes(&file).1);
    let build = with(info("cp311"), "/packages/gcc-12", json!("13"));
    assert_ne!(hashes(&of(&[build])).0, hashes(&file).0);
}

#[test]
fn a_lock_with_values_that_are_not_words_is_rejected() {
    let good = of(&[info("cp311")]).text();
    assert!(LockFile::parse("wheels.lock", &good).is_ok());
    let long: Vec<_> = (0..6000).map(|n| format!("\"package-{n}\" = \"1.0.0.0.0.0\"\n")).collect();
    let long = long.concat();
    for (from, to) in [
        ("version = 1", "version = 2"),
        ("gcc-12 = \"12.2.0-14\"", "gcc-12 = \"12 --trusted\""),
        ("gcc-12 = \"12.2.0-14\"", "gcc-12 = \"12\\nevil=1\""),
        ("gcc-12 = \"12.2.0-14\"", "\"gcc-12\\n\" = \"12\""),
        ("gcc-12 = \"12.2.0-14\"", "\"-o\" = \"12\""),
        ("gcc-12 = \"12.2.0-14\"", long.as_str()),
        ("id = \"cp311\"", "id = \"\""),
        ("name = \"debian12\"", "name = \"debian 12\""),
        ("setuptools==80.9.0 ", "setuptools==80.9.0 --index-url=http://x.example "),
        ("setuptools==80.9.0 --hash=sha256:1", "setuptools==80.9.0 --hash=sha256:X"),
        ("setuptools==80.9.0", "--pre==80.9.0"),
        ("setuptools==80.9.0", "setuptools @ http://x.example"),
        ("provider = ", "unknown = 1\nprovider = "),
    ] {
        assert!(good.contains(from), "{from}");
        let text = good.replacen(from, to, 1);
        let error = LockFile::parse("wheels.lock", &text).unwrap_err();
        assert!(error.hint.is_some() && error.message.contains("wheels.lock"), "{to}: {error}");
    }
    let twice = good.clone()
        + good
            .split_once("[[target]]")
            .map(|(_, rest)| format!("\n[[target]]{rest}"))
            .unwrap()
            .as_str();
    assert!(LockFile::parse("wheels.lock", &twice).is_err());
}

proptest! {
    #[test]
    fn arbitrary_text_does_not_panic_and_accepted_text_round_trips(
        text in "(version = 1\n)?(\\[\\[target\\]\\]\n)?([a-z]{1,8} = (\"[ -~]{0,12}\"|[0-9]{1,3}|\\[\\]|\\{\\})\n){0,8}"
    ) {
        if let Ok(file) = LockFile::parse("wheels.lock", &text) {
            prop_assert_eq!(LockFile::parse("wheels.lock", &file.text()).map(|it| it.text()).ok(), Some(file.text()));
        }
    }

    #[test]
    fn a_damaged_lock_is_parsed_or_rejected(at in 0usize..2000, byte in any::<u8>()) {
        let mut bytes = of(&[info("cp311"), info("cp312")]).text().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(file) = LockFile::parse("wheels.lock", &String::from_utf8_lossy(&bytes)) {
            for (name, version) in file.locked("debian12", "linux/amd64", "cp311").packages {
                prop_assert!(!name.contains(['\n', ' ', '=']));
                prop_assert!(!version.contains(['\n', ' ']));
            }
        }
    }
}
