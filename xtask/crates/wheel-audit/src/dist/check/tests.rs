#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use serde_json::json;

use super::*;
use crate::digest;
use crate::dist::{Reproduced, Smoke, Tests, WheelBuild};
use crate::made_dist;

pub(super) struct Dist {
    _dir: tempfile::TempDir,
    pub(super) root: Utf8PathBuf,
}

pub(super) const WHEEL: &str = "debian12-amd64/a-1-py3-none-any.whl";

/// A `dist/` with one wheel.
pub(super) fn dist() -> Dist {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    let builds = vec![WheelBuild {
        interpreter: "cp311".into(),
        built_by: None,
        job: "k".into(),
        base: None,
        smoke: Smoke::Passed,
        tests: Tests::None,
        reproduced: Reproduced::Unknown,
        claimed: false,
    }];
    let (target, platform) = ("debian12".to_owned(), "linux/amd64".to_owned());
    let info = json!({"schema_version": 1, "target": target, "platform": platform});
    let kind = Kind::Wheel {
        target,
        platform,
        verdict: "pass".into(),
        builds,
        floor: "none".into(),
        grafted: Vec::new(),
    };
    let audit = json!({"schema_version": 1, "wheels": [{"file": "a-1-py3-none-any.whl",
        "sha256": digest::of_bytes(b"bytes"), "verdict": "pass"}]});
    made_dist::add(
        &root.join("dist"),
        "debian12-amd64",
        &[
            ("a-1-py3-none-any.whl", b"bytes", kind),
            ("audit.json", audit.to_string().as_bytes(), Kind::Metadata),
            ("build-info.json", info.to_string().as_bytes(), Kind::Metadata),
        ],
    );
    Dist { root: root.join("dist"), _dir: dir }
}

impl Dist {
    pub(super) fn write(&self, path: &str, text: &str) {
        fs_err::write(self.root.join(path), text).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.root.join(path)).unwrap()
    }

    pub(super) fn remove(&self, path: &str) {
        fs_err::remove_file(self.root.join(path)).unwrap();
    }

    fn replace(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{from}");
        self.write(path, &text.replace(from, to));
    }

    /// Fault and path of each problem.
    pub(super) fn problems(&self) -> Vec<(DistFault, String)> {
        let problems = check(&self.root, &Known::new());
        let mut found: Vec<_> = problems.into_iter().map(|each| (each.fault, each.path)).collect();
        found.sort();
        found
    }

    pub(super) fn faults(&self) -> Vec<DistFault> {
        self.problems().into_iter().map(|(fault, _)| fault).collect()
    }
}

#[test]
fn an_unchanged_dist_has_no_problems() {
    let dist = dist();
    assert_eq!(dist.problems(), []);
    assert_eq!(check(&dist.root.join("debian12-amd64"), &Known::new()), []);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(check(Utf8Path::from_path(empty.path()).unwrap(), &Known::new()), []);
}

#[test]
fn missing_changed_and_grown_files_are_distinguished() {
    let lost = dist();
    lost.remove(WHEEL);
    assert_eq!(lost.problems(), [(DistFault::Missing, WHEEL.to_owned())]);
    let changed = dist();
    changed.write(WHEEL, "BYTES");
    assert_eq!(changed.problems(), [(DistFault::Hash, WHEEL.to_owned())]);
    let grown = dist();
    grown.write(WHEEL, "bytes and more");
    assert_eq!(grown.problems(), [(DistFault::Size, WHEEL.to_owned())]);
}

#[test]
fn known_files_are_not_read_again() {
    let dist = dist();
    let known = Known::from([(dist.root.join(WHEEL), "0".repeat(64))]);
    let faults: Vec<_> = check(&dist.root, &known).into_iter().map(|each| each.fault).collect();
    assert_eq!(faults, [DistFault::Hash]);
}

#[test]
fn an_unlisted_wheel_is_reported() {
    let dist = dist();
    dist.write("debian12-amd64/b-1-py3-none-any.whl", "b");
    dist.write("b-2-py3-none-any.WHL", "b");
    dist.write("notes.txt", "not a wheel");
    assert_eq!(dist.faults(), [DistFault::Unlisted, DistFault::Unlisted]);
}

#[test]
fn a_damaged_manifest_is_reported_and_the_checksums_still_count() {
    for text in [
        "",
        "{",
        "[]",
        "{}",
        "{\"schema_version\": 2, \"files\": []}",
        &"[".repeat(100_000),
        "\u{0}",
    ] {
        let dist = dist();
        dist.write(MANIFEST, text);
        dist.write(WHEEL, "BYTES");
        let expected =
            [(DistFault::Manifest, MANIFEST.to_owned()), (DistFault::Hash, WHEEL.to_owned())];
        assert_eq!(dist.problems(), expected, "{text:.20}");
    }
    let gone = dist();
    gone.remove(MANIFEST);
    assert_eq!(gone.faults(), [DistFault::Manifest]);
    let large = dist();
    fs_err::File::create(large.root.join(MANIFEST)).unwrap().set_len(1 << 34).unwrap();
    assert_eq!(large.faults(), [DistFault::Manifest]);
    let folder = dist();
    folder.remove(MANIFEST);
    fs_err::create_dir(folder.root.join(MANIFEST)).unwrap();
    assert_eq!(folder.faults(), [DistFault::Manifest]);
}

#[test]
fn paths_outside_of_the_folder_are_not_followed() {
    for path in
        ["../secret", "/etc/hostname", "debian12-amd64/../../secret", "a\\\\b", "./x", "nul\\u0000"]
    {
        let dist = dist();
        fs_err::write(dist.root.parent().unwrap().join("secret"), "s").unwrap();
        dist.replace(MANIFEST, WHEEL, path);
        let faults = dist.faults();
        assert!(faults.contains(&DistFault::Unsafe), "{path}: {faults:?}");
        assert!(!faults.contains(&DistFault::Hash) && !faults.contains(&DistFault::Size), "{path}");
    }
    let linked = dist();
    let secret = linked.root.parent().unwrap().join("secret");
    fs_err::write(&secret, "bytes").unwrap();
    linked.remove(WHEEL);
    std::os::unix::fs::symlink(&secret, linked.root.join(WHEEL)).unwrap();
    assert_eq!(
        linked.problems(),
        [(DistFault::Unsafe, WHEEL.to_owned())],
        "a link to the same bytes"
    );
    let moved = dist();
    let outside = moved.root.parent().unwrap().join("outside");
    fs_err::rename(moved.root.join("debian12-amd64"), &outside).unwrap();
    std::os::unix::fs::symlink(&outside, moved.root.join("debian12-amd64")).unwrap();
    assert!(moved.faults().iter().all(|fault| *fault == DistFault::Unsafe));
}

#[test]
fn unsafe_paths_in_checksums_are_not_followed() {
    let dist = dist();
    dist.remove(MANIFEST);
    let line = format!("{}  ", digest::of_bytes(b"bytes"));
    for name in ["/etc/hostname", "../../secret", "a/../../../secret"] {
        dist.write("debian12-amd64/SHA256SUMS", &format!("{line}{name}\n"));
        assert!(dist.faults().contains(&DistFault::Unsafe), "{name}");
    }
}

#[test]
fn checksums_are_read_strictly_and_compared_with_the_manifest() {
    let sums = "debian12-amd64/SHA256SUMS";
    let torn = dist();
    torn.write(sums, "no checksum\n");
    let faults = torn.faults();
    assert!(faults.contains(&DistFault::Sums) && faults.contains(&DistFault::SumsDisagree));
    let other = dist();
    other.replace(sums, &digest::of_bytes(b"bytes"), &"0".repeat(64));
    assert_eq!(other.faults(), [DistFault::Hash, DistFault::SumsDisagree]);
    let extra = dist();
    let text = extra.read(sums);
    extra.write(sums, &format!("{text}{}  gone.whl\n", "0".repeat(64)));
    assert_eq!(extra.faults(), [DistFault::Missing, DistFault::Size, DistFault::SumsDisagree]);
    let twice = dist();
    let text = twice.read(sums);
    twice.write(sums, &format!("{} *a-1-py3-none-any.whl\n{text}", "1".repeat(64)));
    assert!(twice.faults().contains(&DistFault::Sums));
    let lost = dist();
    lost.remove(sums);
    assert_eq!(lost.problems(), [(DistFault::Missing, sums.to_owned())]);
}

#[test]
fn checksums_of_other_tools_may_cover_missing_files() {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(dir.path()).unwrap();
    let text = format!("{} *a.whl\n{}  b.tar.gz\n", digest::of_bytes(b"a"), "0".repeat(64));
    for (name, text) in [("a.whl", "a"), ("c.whl", "c"), (SUMS, &text)] {
        fs_err::write(root.join(name), text).unwrap();
    }
    let found = check(root, &Known::new());
    let faults: Vec<_> = found.iter().map(|each| (each.fault, each.path.as_str())).collect();
    assert_eq!(faults, [(DistFault::Absent, "b.tar.gz"), (DistFault::Unproved, "c.whl")]);
    fs_err::write(root.join("a.whl"), "A").unwrap();
    assert_eq!(check(root, &Known::new()).first().map(|each| each.fault), Some(DistFault::Hash));
}

#[test]
fn proofs_exist_and_agree() {
    let (audit, info) = ("debian12-amd64/audit.json", "debian12-amd64/build-info.json");
    for path in [audit, info] {
        let lost = dist();
        lost.remove(path);
        assert_eq!(lost.faults(), [DistFault::Missing, DistFault::ProofMissing], "{path}");
        let torn = dist();
        torn.write(path, "{\"wheels\": 3");
        assert!(torn.faults().contains(&DistFault::ProofUnreadable), "{path}");
    }
    for (path, from, to) in [
        (audit, "\"pass\"", "\"fail\""),
        (audit, "a-1-py3", "a-2-py3"),
        (audit, "\"sha256\":\"", "\"sha256\":\"0"),
        (info, "debian12", "debian13"),
        (info, "amd64", "arm64"),
    ] {
        let dist = dist();
        dist.replace(path, from, to);
        assert!(dist.faults().contains(&DistFault::ProofDisagrees), "{path}: {to}");
    }
    let versioned = dist();
    versioned.replace(audit, "\"schema_version\":1", "\"schema_version\":9");
    assert!(versioned.faults().contains(&DistFault::ProofUnreadable));
    let failed = dist();
    failed.replace(MANIFEST, "\"pass\"", "\"fail\"");
    assert_eq!(failed.problems(), [(DistFault::ProofDisagrees, WHEEL.to_owned())]);
}

#[test]
fn the_number_of_problems_is_limited() {
    let dist = dist();
    let entry = json!({"path": "gone", "sha256": "", "size": 0, "kind": "metadata"});
    let files: Vec<_> = (0..5000)
        .map(|index| {
            let mut entry = entry.clone();
            entry["path"] = format!("gone/{index}").into();
            entry
        })
        .collect();
    dist.write(MANIFEST, &json!({"schema_version": 1, "files": files}).to_string());
    assert_eq!(dist.faults().len(), MAX_PROBLEMS);
    let twice = json!({"schema_version": 1, "files": [entry, entry]});
    dist.write(MANIFEST, &twice.to_string());
    assert!(dist.faults().contains(&DistFault::ListedTwice));
}
