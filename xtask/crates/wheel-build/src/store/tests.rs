#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camino::{Utf8Path, Utf8PathBuf};

use super::*;
use wheel_audit::dist::{Kind, MANIFEST, Manifest, Reproduced, Smoke, Tests, WheelBuild};

struct Fixture {
    _dir: tempfile::TempDir,
    root: Utf8PathBuf,
    store: Store,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    let work = root.join("target/xtask");
    fs_err::create_dir_all(&work).unwrap();
    Fixture { store: Store::new(&root.join("dist"), &work), root, _dir: dir }
}

fn wheel(root: &Utf8Path, name: &str, contents: &str) -> Utf8PathBuf {
    let path = root.join(name);
    fs_err::write(&path, contents).unwrap();
    path
}

fn kind(job: &str) -> Kind {
    Kind::Wheel {
        target: "debian12".into(),
        platform: "linux/amd64".into(),
        verdict: "pass".into(),
        builds: vec![WheelBuild {
            interpreter: "cp311".into(),
            built_by: None,
            job: job.into(),
            base: None,
            smoke: Smoke::Passed,
            tests: Tests::None,
            reproduced: Reproduced::Unknown,
            claimed: false,
        }],
        floor: "2.4".into(),
        grafted: Vec::new(),
    }
}

fn change(f: &Fixture, name: &str, contents: &str, replaced: &[&str]) -> Change {
    Change {
        files: vec![(wheel(&f.root, name, contents), kind("key"))],
        metadata: vec![("build-info.txt".into(), b"info\n".to_vec())],
        audited: std::collections::BTreeMap::new(),
        replaced: replaced.iter().map(|&name| name.to_owned()).collect(),
    }
}

fn names(folder: &Utf8Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn defect_12_the_manifest_lists_every_file_once_with_its_sum() {
    let f = fixture();
    f.store.commit("debian12-amd64", &change(&f, "a.whl", "A", &[])).unwrap();
    f.store.commit("debian13-amd64", &change(&f, "a.whl", "B", &[])).unwrap();
    let manifest = f.store.manifest().unwrap();
    let paths: Vec<_> = manifest.files.iter().map(|entry| entry.path.as_str()).collect();
    let all = ["SHA256SUMS", "a.whl", "build-info.txt"];
    let expected: Vec<_> = ["debian12-amd64", "debian13-amd64"]
        .iter()
        .flat_map(|folder| all.iter().map(move |name| format!("{folder}/{name}")))
        .collect();
    assert_eq!(paths, expected);
    assert!(manifest.files.iter().all(|entry| f.store.holds(entry)));
    let folder = f.store.dist().join("debian12-amd64");
    let status = std::process::Command::new("sha256sum")
        .args(["-c", "--strict", "SHA256SUMS"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
}

#[test]
fn a_new_wheel_replaces_the_old_one() {
    let f = fixture();
    f.store.commit("t", &change(&f, "a-1.whl", "A", &[])).unwrap();
    f.store.commit("t", &change(&f, "a-2.whl", "B", &["a-1.whl"])).unwrap();
    assert_eq!(names(&f.store.dist().join("t")), ["SHA256SUMS", "a-2.whl", "build-info.txt"]);
    f.store.commit("t", &change(&f, "a-2.whl", "C", &["a-2.whl"])).unwrap();
    let manifest = f.store.manifest().unwrap();
    assert_eq!(manifest.files.len(), 3);
    assert!(manifest.files.iter().all(|entry| f.store.holds(entry)));
}

#[test]
fn an_interrupted_change_is_finished_or_undone() {
    let whole = fixture();
    whole.store.commit("t", &change(&whole, "a.whl", "A", &[])).unwrap();
    let expected = names(&whole.store.dist().join("t"));
    // Interrupt it after each number of moves: stage the whole change, then apply a part of it.
    for moved in 0..=4 {
        let f = fixture();
        let staging = f.root.join("target/xtask/commit");
        let result = {
            // A file in place of the folder stops the commit right after the journal is written.
            fs_err::create_dir_all(f.store.dist()).unwrap();
            fs_err::write(f.store.dist().join("t"), "").unwrap();
            f.store.commit("t", &change(&f, "a.whl", "A", &[]))
        };
        assert!(result.is_err());
        fs_err::remove_file(f.store.dist().join("t")).unwrap();
        fs_err::create_dir_all(f.store.dist().join("t")).unwrap();
        for name in ["a.whl", "build-info.txt", "SHA256SUMS"].iter().take(moved) {
            fs_err::rename(staging.join("t").join(name), f.store.dist().join("t").join(name))
                .unwrap();
        }
        assert!(f.store.recover().unwrap());
        assert_eq!(names(&f.store.dist().join("t")), expected, "interrupted after {moved} moves");
        let manifest = f.store.manifest().unwrap();
        assert!(manifest.files.iter().all(|entry| f.store.holds(entry)));
        assert!(!staging.exists() && !f.store.recover().unwrap());
    }
}

#[test]
fn changes_of_several_folders_are_applied_together_or_not_at_all() {
    let f = fixture();
    let (one, two) = (change(&f, "a.whl", "A", &[]), change(&f, "a.whl", "A", &[]));
    // The second folder cannot be created, so the first one's files wait in staging.
    fs_err::create_dir_all(f.store.dist()).unwrap();
    fs_err::write(f.store.dist().join("u"), "").unwrap();
    assert!(f.store.commit_all(&[("t", &one), ("u", &two)]).is_err());
    assert_eq!(f.store.manifest().unwrap(), Manifest::default(), "the manifest is unchanged");
    fs_err::remove_file(f.store.dist().join("u")).unwrap();
    assert!(f.store.recover().unwrap());
    let manifest = f.store.manifest().unwrap();
    assert_eq!(manifest.files.len(), 6, "{manifest:?}");
    assert!(manifest.files.iter().all(|entry| f.store.holds(entry)));
}

#[test]
fn a_failed_change_is_finished_before_the_next_one() {
    let f = fixture();
    // A folder in place of the second file stops the first commit after its wheel has moved.
    let obstacle = f.store.dist().join("t/build-info.txt");
    fs_err::create_dir_all(&obstacle).unwrap();
    fs_err::write(obstacle.join("x"), "").unwrap();
    assert!(f.store.commit("t", &change(&f, "a.whl", "A", &[])).is_err());
    assert!(f.store.commit("u", &change(&f, "b.whl", "B", &[])).is_err(), "nothing is lost");
    fs_err::remove_dir_all(&obstacle).unwrap();
    f.store.commit("u", &change(&f, "b.whl", "B", &[])).unwrap();
    let manifest = f.store.manifest().unwrap();
    assert_eq!(manifest.files.len(), 6, "both changes are applied: {manifest:?}");
    assert!(manifest.files.iter().all(|entry| f.store.holds(entry)));
}

#[test]
fn files_removed_from_dist_leave_the_manifest() {
    let f = fixture();
    f.store.commit("t", &change(&f, "a.whl", "A", &[])).unwrap();
    f.store.commit("t", &change(&f, "b.whl", "B", &[])).unwrap();
    fs_err::remove_file(f.store.dist().join("t/a.whl")).unwrap();
    f.store.commit("t", &change(&f, "b.whl", "B", &[])).unwrap();
    let sums = fs_err::read_to_string(f.store.dist().join("t/SHA256SUMS")).unwrap();
    assert!(!sums.contains("a.whl") && sums.contains("b.whl"), "{sums}");
}

#[test]
fn staging_without_a_journal_is_discarded() {
    let f = fixture();
    let staging = f.root.join("target/xtask/commit");
    fs_err::create_dir_all(&staging).unwrap();
    fs_err::write(staging.join("a.whl"), "half").unwrap();
    assert!(!f.store.recover().unwrap());
    assert!(!staging.exists() && !f.store.dist().exists());
}

#[test]
fn an_invalid_manifest_is_rejected_and_kept() {
    let f = fixture();
    fs_err::create_dir_all(f.store.dist()).unwrap();
    let path = f.store.dist().join(MANIFEST);
    for text in ["[]", "{\"schema_version\":99,\"files\":[]}", "{"] {
        fs_err::write(&path, text).unwrap();
        let error = f.store.commit("t", &change(&f, "a.whl", "A", &[])).unwrap_err();
        assert!(matches!(error, StoreError::Manifest(_)), "{error:?}");
        assert!(error.to_string().contains("manifest.json"), "{error}");
        assert_eq!(fs_err::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_held_lock_names_its_holder() {
    let f = fixture();
    let folder = f.root.join("target/xtask");
    let held = Lock::take(&folder, false, |_| {}).unwrap();
    let error = Lock::take(&folder, false, |_| {}).unwrap_err().to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    drop(held);
    Lock::take(&folder, false, |_| {}).unwrap();
}

#[test]
fn a_journal_moves_and_removes_nothing_outside_of_dist() {
    for path in ["../own.txt", "/tmp/own.txt", "t/../../own.txt", "link/own.txt", ".."] {
        let f = fixture();
        fs_err::create_dir_all(f.store.dist()).unwrap();
        fs_err::write(f.root.join("own.txt"), "own").unwrap();
        std::os::unix::fs::symlink(&f.root, f.store.dist().join("link")).unwrap();
        let journal = serde_json::json!({ "moves": [], "removes": [path] });
        fs_err::write(f.root.join("target/xtask/journal.json"), journal.to_string()).unwrap();
        let error = f.store.recover().unwrap_err();
        assert!(matches!(error, StoreError::Unsafe(_)), "{path}: {error}");
        assert_eq!(fs_err::read_to_string(f.root.join("own.txt")).unwrap(), "own");
    }
}

#[test]
fn an_unreadable_journal_keeps_its_files() {
    let f = fixture();
    let staged = f.root.join("target/xtask/commit/a.whl");
    fs_err::create_dir_all(staged.parent().unwrap()).unwrap();
    fs_err::write(&staged, "A").unwrap();
    let journal = f.root.join("target/xtask/journal.json");
    for text in ["", "{\"moves\":[\"a.whl\"", "{\"version\":2,\"steps\":[]}"] {
        fs_err::write(&journal, text).unwrap();
        assert!(f.store.recover().is_err(), "{text}");
        assert!(staged.exists() && journal.exists(), "{text}");
    }
    fs_err::remove_file(&journal).unwrap();
    // Reading a folder is an error other than NotFound, also for root.
    fs_err::create_dir_all(&journal).unwrap();
    assert!(f.store.recover().is_err());
    assert!(staged.exists());
}

#[test]
fn files_in_dist_have_a_plain_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    let f = fixture();
    let change = change(&f, "a.whl", "A", &[]);
    let mode = std::fs::Permissions::from_mode(0o4777);
    fs_err::set_permissions(f.root.join("a.whl"), mode).unwrap();
    f.store.commit("t", &change).unwrap();
    let mode = fs_err::metadata(f.store.dist().join("t/a.whl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);
}

#[test]
fn a_folder_without_permissions_is_removed() {
    use std::os::unix::fs::PermissionsExt as _;
    let f = fixture();
    let folder = f.root.join("export");
    fs_err::create_dir_all(folder.join("shut/deep")).unwrap();
    let shut = std::fs::Permissions::from_mode(0o0);
    fs_err::set_permissions(folder.join("shut"), shut).unwrap();
    wheel_audit::files::remove_folder(&folder).unwrap();
    assert!(!folder.exists());
}

#[test]
fn a_file_that_differs_from_the_audited_one_is_rejected() {
    let f = fixture();
    let mut change = change(&f, "a.whl", "other bytes", &[]);
    change.audited.insert("a.whl".to_owned(), wheel_audit::digest::of_bytes(b"audited"));
    let error = f.store.commit("t", &change).unwrap_err();
    assert!(matches!(error, StoreError::Changed(_)), "{error}");
    assert_eq!(f.store.manifest().unwrap(), Manifest::default());
}
