//! Folders and repositories for tests.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::*;
use crate::config::PathPattern;
use crate::exec::Step;

/// Only `path = "."`.
pub(super) fn local() -> LocalSource {
    let none = Vec::new;
    let (path, package) = (".".into(), Utf8PathBuf::new());
    LocalSource { path, package, include: none(), exclude: none(), submodules: none(), git: true }
}

/// A repository with tracked files of these names.
pub(super) fn repository(names: &[&[u8]]) -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let tree = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    git(&tree, &["init", "--quiet"]);
    for name in names {
        let path = tree.as_std_path().join(OsStr::from_bytes(name));
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, name).unwrap();
    }
    git(&tree, &["add", "--all"]);
    (dir, tree)
}

pub(super) fn git(tree: &Utf8Path, args: &[&str]) {
    Exec::real().read(&Step::new("git", args.iter().copied()).cwd(tree)).unwrap();
}

/// Name and time of each file of the archive in `folder`.
pub(super) fn entries(folder: &Utf8Path) -> Vec<(Vec<u8>, u64)> {
    let mut archive = tar::Archive::new(fs_err::File::open(folder.join("source.tar")).unwrap());
    let entries = archive.entries().unwrap().map(Result::unwrap);
    entries.map(|it| (it.path_bytes().into_owned(), it.header().mtime().unwrap())).collect()
}

pub(super) fn write(tree: &Utf8Path, path: &str, text: &str) {
    let path = tree.join(path);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, text).unwrap();
}

pub(super) fn write_all(tree: &Utf8Path, paths: &[&str], text: &str) {
    for path in paths {
        write(tree, path, text);
    }
}

/// A folder with these files that is not in a repository.
pub(super) fn plain_folder(names: &[&str]) -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let tree = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    write_all(&tree, names, "text\n");
    (dir, tree)
}

pub(super) fn commit(tree: &Utf8Path) {
    git(tree, &["add", "--all"]);
    let (name, mail) = ("user.name=a", "user.email=a@example.com");
    git(tree, &["-c", name, "-c", mail, "commit", "--quiet", "--message=a"]);
}

/// A repository with these files in a commit.
pub(super) fn committed(names: &[&str]) -> (tempfile::TempDir, Utf8PathBuf) {
    let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    let (dir, tree) = repository(&names);
    commit(&tree);
    (dir, tree)
}

pub(super) fn patterns(texts: &[&str]) -> Vec<PathPattern> {
    texts.iter().map(|text| text.to_string().try_into().unwrap()).collect()
}

pub(super) fn reasons_with(tree: &Utf8Path, source: &LocalSource) -> BTreeMap<String, Reason> {
    let files = select(&Exec::real(), tree, source).unwrap().files.files;
    files.into_iter().map(|it| (it.path.to_string_lossy().into_owned(), it.reason)).collect()
}

pub(super) fn reasons(tree: &Utf8Path) -> BTreeMap<String, Reason> {
    reasons_with(tree, &local())
}
