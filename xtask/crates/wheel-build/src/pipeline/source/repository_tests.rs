//! Compares git's output in the user's clone and in the container's repository. Runs the container's script with
//! this machine's git.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use wheel_audit::files::remove_folder;

use super::history::{Extent, History, history};
use super::pack::pack;
use super::testing::local;
use super::{PreparedSource, select, versions};
use crate::config::{LocalSource, PathPattern};
use crate::exec::Exec;

/// Commands of build backends (`setuptools_scm`, versioningit, PDM, dunamai).
const QUERIES: [&str; 15] = [
    "describe --dirty --tags --long --match *[0-9]*",
    "describe --dirty --always",
    "describe --tags --long --always --first-parent",
    "status --porcelain --untracked-files=no",
    "rev-parse HEAD",
    "rev-parse --short HEAD",
    "rev-parse --show-prefix",
    "log -n 1 HEAD --format=%H%n%cI%n%at%n%an%n%B",
    "--no-pager show -s --format=%H%n%at%n%ct",
    "rev-list --count HEAD",
    "--no-replace-objects ls-tree -r -t HEAD",
    "tag --points-at HEAD",
    "ls-files -z",
    "ls-files -z --others",
    "diff --name-status HEAD",
];

/// A tracked file that is not sent.
const LEFT_OUT: &str = "tool.toml";

/// A user's clone, and a folder in place of the container.
struct Pair {
    dir: tempfile::TempDir,
    clone: Utf8PathBuf,
}

fn run(folder: &Utf8Path, program: &str, args: &[&OsStr]) -> (bool, Vec<u8>) {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder);
    for (name, value) in [
        ("HOME", "/nonexistent"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@example.org"),
        ("GIT_COMMITTER_NAME", "C"),
        ("GIT_COMMITTER_EMAIL", "c@example.org"),
        ("GIT_AUTHOR_DATE", "2024-01-02T03:04:05+02:00"),
        ("GIT_COMMITTER_DATE", "2024-01-02T03:04:05+02:00"),
    ] {
        command.env(name, value);
    }
    let output = command.output().unwrap();
    (output.status.success(), output.stdout)
}

/// Output of `git` with the words of `args`.
fn git(folder: &Utf8Path, args: &str) -> Vec<u8> {
    let words: Vec<&OsStr> = args.split(' ').map(OsStr::new).collect();
    let (success, stdout) = run(folder, "git", &words);
    assert!(success, "git {args} in {folder}");
    stdout
}

fn write(folder: &Utf8Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, text).unwrap();
}

impl Pair {
    /// A repository with two commits; the first one is tagged.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clone = Utf8Path::from_path(dir.path()).unwrap().join("clone");
        fs_err::create_dir_all(&clone).unwrap();
        git(&clone, "init --quiet --initial-branch=main");
        write(&clone, "pkg/__init__.py", "");
        write(&clone, "tool.toml", "a tool's own file");
        write(&clone, "pkg/crlf.txt", "a\r\nb\r\n");
        write(&clone, ".gitattributes", "*.txt text=auto eol=crlf\n");
        write(&clone, "run.sh", "#!/bin/sh\n");
        run(&clone, "chmod", &["+x".as_ref(), "run.sh".as_ref()]);
        std::os::unix::fs::symlink("run.sh", clone.join("link")).unwrap();
        fs_err::write(clone.as_std_path().join(OsStr::from_bytes(b"caf\xe9")), "bytes").unwrap();
        git(&clone, "add --all");
        git(&clone, "commit --quiet --message first");
        git(&clone, "tag --annotate --message one v1.0");
        git(&clone, "checkout --quiet -b other");
        git(&clone, "commit --quiet --allow-empty --message elsewhere");
        git(&clone, "tag v9.9");
        git(&clone, "checkout --quiet main");
        write(&clone, "pkg/two.py", "2");
        git(&clone, "add --all");
        git(&clone, "commit --quiet --message second");
        Self { dir, clone }
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join(name)
    }

    /// The packed folder of `tree`, with `git.json`.
    fn packed(&self, tree: &Utf8Path) -> Utf8PathBuf {
        let exclude = PathPattern::try_from(LEFT_OUT.to_owned()).unwrap();
        let source = LocalSource { exclude: vec![exclude], ..local() };
        let (exec, work) = (Exec::real(), self.path("work"));
        let selected = select(&exec, tree, &source).unwrap();
        let prepared = pack(&exec, tree, &source, &selected.files, &work).unwrap();
        let PreparedSource::Packed { folder, .. } = prepared else { unreachable!() };
        folder
    }

    /// `SOURCE_DATE_EPOCH` of a build of `tree`.
    fn date(&self, tree: &Utf8Path) -> u64 {
        let text = fs_err::read(self.packed(tree).join("source.json")).unwrap();
        let described: serde_json::Value = serde_json::from_slice(&text).unwrap();
        described["date"].as_u64().unwrap()
    }

    fn json(&self, tree: &Utf8Path) -> String {
        fs_err::read_to_string(self.packed(tree).join("git.json")).unwrap()
    }

    /// The source in the container: unpacked, and copied for an interpreter.
    fn container(&self, tree: &Utf8Path) -> Utf8PathBuf {
        let (unpacked, store, copy) =
            (self.path("unpacked"), self.path("store"), self.path("copy"));
        for folder in [&unpacked, &store, &copy] {
            remove_folder(folder).unwrap();
        }
        let context = self.packed(tree);
        let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/");
        let (unpack, make) = (format!("{scripts}unpack.py"), format!("{scripts}git-repository.py"));
        let steps = [
            vec!["python3", &unpack, context.as_str(), unpacked.as_str()],
            vec!["python3", &make, context.as_str(), unpacked.as_str(), store.as_str()],
            vec!["cp", "-a", unpacked.as_str(), copy.as_str()],
        ];
        for step in steps {
            let args: Vec<&OsStr> = step[1..].iter().map(OsStr::new).collect();
            assert!(run(tree, step[0], &args).0, "{step:?}");
        }
        copy
    }

    /// Compares the answers in `tree` with those in the container.
    fn assert_equal(&self, tree: &Utf8Path) -> Utf8PathBuf {
        let copy = self.container(tree);
        let hidden = |name: &&[u8]| *name == LEFT_OUT.as_bytes();
        for question in QUERIES {
            let kept = |folder| {
                let answer = git(folder, question);
                let lines = answer.split(|byte| *byte == 0).filter(|name| !hidden(name));
                lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>()
            };
            assert_eq!(kept(tree), kept(&copy), "git {question}");
        }
        assert_eq!(Self::archived(tree), Self::archived(&copy), "git archive HEAD");
        copy
    }

    /// The names in `git archive HEAD`, which `setuptools_scm` uses as the list of files.
    fn archived(folder: &Utf8Path) -> Vec<Vec<u8>> {
        let archive = git(folder, "archive HEAD");
        let mut archive = tar::Archive::new(&archive[..]);
        let entries = archive.entries().unwrap().map(Result::unwrap);
        let mut names: Vec<_> = entries.map(|entry| entry.path_bytes().into_owned()).collect();
        names.retain(|name| name != LEFT_OUT.as_bytes());
        names.sort();
        names
    }
}

#[test]
fn git_prints_the_same_in_the_clone_and_its_copy() {
    let pair = Pair::new();
    let copy = pair.assert_equal(&pair.clone);
    assert!(git(&copy, "describe --dirty").starts_with(b"v1.0-1-g"));
    assert_eq!(git(&copy, "for-each-ref refs/heads refs/remotes"), b"");
    assert_eq!(git(&copy, "tag --list"), b"v1.0\n", "no tag of another branch");
    let pair = Pair::new();
    git(&pair.clone, "checkout --quiet v1.0");
    let copy = pair.assert_equal(&pair.clone);
    assert_eq!(git(&copy, "describe --dirty"), b"v1.0\n");
}

#[test]
fn only_changes_of_the_user_are_reported() {
    let pair = Pair::new();
    let clone = &pair.clone;
    write(clone, "pkg/__init__.py", "changed");
    fs_err::remove_file(clone.join("pkg/two.py")).unwrap();
    write(clone, "pkg/staged.py", "staged");
    git(clone, "add pkg/staged.py");
    git(clone, "rm --quiet --cached run.sh");
    write(clone, "pkg/untracked.py", "untracked");
    let copy = pair.assert_equal(clone);
    assert!(git(&copy, "describe --dirty").ends_with(b"-dirty\n"));
    assert_eq!(git(&copy, "show HEAD:pkg/__init__.py"), b"", "HEAD has the committed file");
}

#[test]
fn a_change_of_an_excluded_file_has_no_effect() {
    let pair = Pair::new();
    let before = pair.json(&pair.clone);
    write(&pair.clone, "tool.toml", "changed");
    assert_eq!(pair.json(&pair.clone), before);
    let copy = pair.container(&pair.clone);
    assert_eq!(git(&copy, "status --porcelain"), b"");
}

#[test]
fn a_merge_and_the_branch_match_the_clone() {
    let pair = Pair::new();
    let clone = &pair.clone;
    write(clone, "pyproject.toml", "version_scheme = 'release-branch-semver'\n");
    git(clone, "add pyproject.toml");
    git(clone, "commit --quiet --message settings");
    git(clone, "merge --quiet --message merge other");
    let copy = pair.assert_equal(clone);
    assert_eq!(git(&copy, "describe --tags --abbrev=0"), b"v9.9\n");
    assert_eq!(git(&copy, "rev-parse --abbrev-ref HEAD"), b"main\n");
}

#[test]
fn settings_that_count_changes_of_a_folder_include_its_history() {
    let pair = Pair::new();
    let clone = &pair.clone;
    for name in ["src/a.py", "pkg/three.py", "src/b.py", "pyproject.toml"] {
        write(clone, name, "scm.git.distance_scope = ['src']\n");
        git(clone, &format!("add {name}"));
        git(clone, &format!("commit --quiet --message {name}"));
    }
    let copy = pair.assert_equal(clone);
    assert_eq!(git(&copy, "rev-list --count --full-history v1.0..HEAD -- src"), b"2\n");
}

#[test]
fn a_tag_of_a_tag_and_a_tag_in_a_folder_are_tags() {
    let pair = Pair::new();
    git(&pair.clone, "tag --annotate --message again v2.0 v1.0");
    git(&pair.clone, "tag --annotate --message deep release/v3.0 v2.0");
    let copy = pair.assert_equal(&pair.clone);
    assert_eq!(git(&copy, "rev-parse release/v3.0^{commit}"), git(&copy, "rev-parse HEAD~1"));
}

#[test]
fn a_work_tree_a_clone_and_the_repository_produce_the_same_bytes() {
    let pair = Pair::new();
    let (tree, second) = (pair.path("tree"), pair.path("second"));
    git(&pair.clone, &format!("worktree add --quiet --detach {tree}"));
    git(&pair.clone, &format!("clone --quiet --no-local {} {second}", pair.clone));
    git(&second, "config core.abbrev 12");
    let json = |tree| pair.json(tree);
    assert_eq!(json(&pair.clone), json(&tree));
    assert_eq!(json(&pair.clone), json(&second));
    assert!(!json(&second).contains(pair.dir.path().to_str().unwrap()), "no path of this machine");
    pair.assert_equal(&tree);
    assert_eq!(pair.date(&tree), 1_704_157_445, "the date of the commit");
}

#[test]
fn a_package_below_the_top_has_the_tags_and_its_own_files() {
    let pair = Pair::new();
    let copy = pair.container(&pair.clone.join("pkg"));
    assert!(git(&copy, "describe").starts_with(b"v1.0-1-g"));
    assert_eq!(git(&copy, "ls-files"), b"__init__.py\ncrlf.txt\ntwo.py\n");
    assert_eq!(git(&copy, "status --porcelain"), b"");
}

#[test]
fn submodules_keep_their_commits_and_missing_ones_stay_missing() {
    let pair = Pair::new();
    let library = Pair::new();
    for name in ["vendor/library", "missing"] {
        let add = "-c protocol.file.allow=always submodule --quiet add";
        git(&pair.clone, &format!("{add} {} {name}", library.clone));
    }
    git(&pair.clone, "commit --quiet --message submodules");
    git(&pair.clone, "submodule --quiet deinit --force missing");
    let copy = pair.assert_equal(&pair.clone);
    let inner = copy.join("vendor/library");
    assert!(git(&inner, "describe --dirty").starts_with(b"v1.0-1-g"));
    assert_eq!(git(&inner, "rev-parse HEAD"), git(&library.clone, "rev-parse HEAD"));
    assert_eq!(git(&copy, "status --porcelain"), b"");
    // A build hook that requests an existing submodule needs no network.
    git(&copy, "submodule --quiet update --init vendor/library");
    write(&pair.clone, "vendor/library/pkg/two.py", "changed");
    let copy = pair.assert_equal(&pair.clone);
    assert!(git(&copy, "describe --dirty").ends_with(b"-dirty\n"), "as in the clone");
}

#[test]
fn conversions_and_filters_do_not_change_the_source() {
    let pair = Pair::new();
    // Neither conversion is possible: the text is not UTF-16, and the filter does not exist.
    let attributes = "*.txt text=auto eol=crlf\n*.wide working-tree-encoding=UTF-16\n\
                      *.py filter=lfs ident\n";
    for (name, text) in [("a.wide", "a\r\n"), (".gitattributes", attributes)] {
        write(&pair.clone, name, text);
        git(&pair.clone, &format!("add {name}"));
        git(&pair.clone, "commit --quiet --message attributes");
    }
    let copy = pair.container(&pair.clone);
    run(&copy, "touch", &["a.wide".as_ref(), "pkg/two.py".as_ref()]);
    git(&copy, "config filter.lfs.clean rev");
    assert_eq!(git(&copy, "status --porcelain"), b"", "contents decide after a new time, too");
    assert_eq!(git(&copy, "show HEAD:a.wide"), b"a\r\n");
}

#[test]
fn a_sha256_repository_keeps_its_object_format() {
    let pair = Pair::new();
    let tree = pair.path("sha256");
    fs_err::create_dir_all(&tree).unwrap();
    git(&tree, "init --quiet --object-format=sha256");
    write(&tree, "a.py", "");
    git(&tree, "add --all");
    git(&tree, "commit --quiet --message one");
    git(&tree, "tag v1.0");
    let copy = pair.assert_equal(&tree);
    assert_eq!(git(&copy, "describe --tags"), b"v1.0\n");
}

#[test]
fn without_a_commit_or_with_git_disabled_there_is_no_repository() {
    let pair = Pair::new();
    let tree = pair.path("empty");
    git(&pair.clone, &format!("init --quiet {tree}"));
    write(&tree, "a.py", "");
    assert!(!pair.packed(&tree).join("git.json").exists());
    let source = LocalSource { git: false, ..local() };
    let (exec, work) = (Exec::real(), pair.path("work"));
    let files = select(&exec, &pair.clone, &source).unwrap().files;
    let prepared = pack(&exec, &pair.clone, &source, &files, &work).unwrap();
    let PreparedSource::Packed { folder, .. } = prepared else { unreachable!() };
    assert!(!folder.join("git.json").exists());
}

/// The history of a clone of `pair` with `depth` commits.
fn shallow(pair: &Pair, depth: u32) -> (Utf8PathBuf, History) {
    let tree = pair.path(&format!("depth-{depth}"));
    let from = &pair.clone;
    git(from, &format!("clone --quiet --depth {depth} file://{from} {tree}"));
    let (history, _) =
        history(&Exec::real(), &tree, Extent::Commits, &pair.path("cache")).unwrap().unwrap();
    (tree, history)
}

#[test]
fn a_shallow_clone_that_lacks_the_version_is_rejected() {
    let pair = Pair::new();
    let pyproject = "[build-system]\nrequires = [\"Setuptools_SCM[toml]>=8\"]\n";
    let dynamic = "[project]\nname = \"x\"\ndynamic = [\"version\"]\n";
    write(&pair.clone, "pyproject.toml", &format!("{pyproject}{dynamic}"));
    git(&pair.clone, "add --all");
    git(&pair.clone, "commit --quiet --message third");
    let (tree, history) = shallow(&pair, 1);
    let error = versions::check_depth(&tree, &history).unwrap_err();
    assert!(error.hint.unwrap().contains("--unshallow"));
    write(&tree, "pyproject.toml", &format!("{pyproject}[project]\nversion = \"1\"\n"));
    versions::check_depth(&tree, &history).unwrap();
    git(&pair.clone, "tag v3.0");
    let (tree, history) = {
        fs_err::remove_dir_all(tree).unwrap();
        shallow(&pair, 1)
    };
    versions::check_depth(&tree, &history).unwrap();
    let copy = pair.assert_equal(&tree);
    assert_eq!(git(&copy, "describe --tags --dirty"), b"v3.0\n");
}

#[test]
fn a_history_without_a_required_tag_is_a_warning() {
    let pair = Pair::new();
    write(&pair.clone, "setup.py", "setup(use_scm_version=True)\n");
    let warnings = || {
        let (exec, work) = (Exec::real(), pair.path("work"));
        let files = select(&exec, &pair.clone, &local()).unwrap().files;
        let prepared = pack(&exec, &pair.clone, &local(), &files, &work).unwrap();
        prepared.summary().unwrap().notes.iter().filter(|note| note.is_warning).count()
    };
    assert_eq!(warnings(), 0);
    git(&pair.clone, "tag --delete v1.0");
    assert_eq!(warnings(), 1);
}

#[test]
fn tools_that_read_the_version_from_git_are_detected() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(dir.path()).unwrap();
    let of = |name: &str, text: &str| {
        write(folder, name, text);
        let found = versions::tool(folder);
        fs_err::remove_file(folder.join(name)).unwrap();
        found
    };
    for requirement in ["hatch-vcs", "versioningit~=3.1", "vcs_versioning", "pdm-backend"] {
        let text = format!("[build-system]\nrequires = [\"{requirement}\"]\n");
        let version = "[tool.pdm.version]\nsource = \"scm\"\n";
        assert!(of("pyproject.toml", &format!("{text}{version}")).is_some(), "{requirement}");
    }
    assert!(of("setup.py", "setup(use_scm_version=True)").is_some());
    assert!(of("setup.cfg", "[options]\nsetup_requires = setuptools-scm>=6\n").is_some());
    assert!(of("setup.py", "import versioneer\n").is_some());
    assert!(of("setup.py", "setup(version='1.0')").is_none());
    assert!(of("pyproject.toml", "[build-system]\nrequires = [\"pdm-backend\"]\n").is_none());
}
