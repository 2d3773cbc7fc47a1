//! Versions and file lists from git: a build of the tool's source produces the same as one in the user's clone.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

#[cfg(feature = "e2e-full")]
use crate::workspace::repository;
use crate::workspace::{Workspace, ran, sh};

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];
const CHECK: &str = "imports = [\"versioned._native\"]";
const SOURCE_DATE_EPOCH: &str = "1580601600";

/// A backend: its name, the requirements of its build system, the backend, and its settings.
type Backend = (&'static str, &'static str, &'static str, &'static str);
const SETUPTOOLS_SCM: Backend = (
    "setuptools_scm",
    "\"setuptools>=77\", \"setuptools_scm>=8\"",
    "setuptools.build_meta",
    "[tool.setuptools_scm]\nversion_file = \"src/versioned/_version.py\"\n\
     [tool.setuptools]\next-modules = [{ name = \"versioned._native\", sources = [\"native.c\"] }]\n",
);
#[cfg(feature = "e2e-full")]
const BACKENDS: [Backend; 5] = [
    SETUPTOOLS_SCM,
    (
        "hatch-vcs",
        "\"hatchling\", \"hatch-vcs\"",
        "hatchling.build",
        "[tool.hatch.version]\nsource = \"vcs\"\n\
         [tool.hatch.build.hooks.vcs]\nversion-file = \"src/versioned/_version.py\"\n",
    ),
    (
        "versioningit",
        "\"setuptools>=77\", \"versioningit>=3\"",
        "setuptools.build_meta",
        "[tool.versioningit.format]\ndistance = \"{base_version}.post{distance}+g{rev}\"\n\
         dirty = \"{base_version}+dirty\"\n\
         distance-dirty = \"{base_version}.post{distance}+g{rev}.dirty\"\n",
    ),
    (
        "pdm",
        "\"pdm-backend\"",
        "pdm.backend",
        "[tool.pdm.version]\nsource = \"scm\"\nwrite_to = \"versioned/_version.py\"\n",
    ),
    (
        "vcs-versioning",
        "\"setuptools>=77\", \"setuptools_scm>=10\", \"vcs-versioning\"",
        "setuptools.build_meta",
        "[tool.setuptools_scm]\nlocal_scheme = \"node-and-timestamp\"\n",
    ),
];

/// Runs git in `folder` with a fixed user, on the day of the build's `SOURCE_DATE_EPOCH`.
fn git(folder: &Utf8Path, args: &[&str]) -> String {
    let date = format!("GIT_COMMITTER_DATE={SOURCE_DATE_EPOCH} +0000");
    let user =
        ["git", "-C", folder.as_str(), "-c", "user.name=A", "-c", "user.email=a@example.org"];
    sh("env", &[&[date.as_str()], &user[..], args].concat())
}

/// The package: tracked data files that no setting names, an untracked one, and files of the tool.
fn lay_out((_, requires, backend, settings): Backend) -> Workspace {
    let w = Workspace::of_package("path = \".\"", CHECK);
    let write = |name: &str, text: &str| {
        fs_err::create_dir_all(w.root.join(name).parent().unwrap()).unwrap();
        fs_err::write(w.root.join(name), text).unwrap();
    };
    let pyproject = format!(
        "[build-system]\nrequires = [{requires}]\nbuild-backend = \"{backend}\"\n\
         [project]\nname = \"versioned\"\ndynamic = [\"version\"]\n{settings}"
    );
    write("pyproject.toml", &pyproject);
    write("src/versioned/__init__.py", "");
    write("src/versioned/data/table.txt", "1\r\n2\r\n");
    write("src/versioned/data/\u{e9}.txt", "accent");
    write(".gitattributes", "table.txt text=auto eol=crlf\n");
    write(".gitignore", "/target/\n/dist/\n/build/\n*.egg-info\n_version.py\n");
    write(
        "native.c",
        "#include <Python.h>\nstatic PyModuleDef module = {PyModuleDef_HEAD_INIT, \"_native\", 0, -1, 0};\n\
         PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&module); }\n",
    );
    git(&w.root, &["init", "--quiet"]);
    git(&w.root, &["add", "--all"]);
    git(&w.root, &["commit", "--quiet", "--message", "first"]);
    git(&w.root, &["tag", "v1.2.0"]);
    w
}

fn commit_another(root: &Utf8Path) {
    fs_err::write(root.join("src/versioned/more.py"), "more = 1\n").unwrap();
    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "--message", "second"]);
}

/// A Python with all backends.
fn python(folder: &Utf8Path, requirements: &[&str]) -> Utf8PathBuf {
    let environment = folder.join("environment");
    sh("python3", &["-m", "venv", environment.as_str()]);
    let python = environment.join("bin/python");
    let pip = ["-m", "pip", "--quiet", "install", "pip", "wheel", "setuptools>=77"];
    sh(python.as_str(), &[&pip[..], requirements].concat());
    python
}

/// Builds `tree` without isolation; returns the wheel's name, its members, and the files that contain the version.
fn build(python: &Utf8Path, tree: &Utf8Path) -> (String, Vec<String>) {
    let out = tree.parent().unwrap().join("out");
    let _ = fs_err::remove_dir_all(&out);
    let output = Command::new(python)
        .args(["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir"])
        .args([&out, tree])
        .env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH)
        .output();
    ran(&output.unwrap(), 0);
    let wheel = fs_err::read_dir(&out).unwrap().next().unwrap().unwrap();
    contents(&Utf8PathBuf::try_from(wheel.path()).unwrap())
}

/// A wheel's name and members, with the text of those that contain a version or a commit.
fn contents(wheel: &Utf8Path) -> (String, Vec<String>) {
    let mut archive = zip::ZipArchive::new(fs_err::File::open(wheel).unwrap()).unwrap();
    let mut members: Vec<String> =
        archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    for member in &mut members {
        if member.ends_with("METADATA") || member.ends_with("_version.py") {
            let text = std::io::read_to_string(archive.by_name(member).unwrap()).unwrap();
            *member = format!("{member}: {text}");
        }
    }
    members.sort();
    (wheel.file_name().unwrap().to_owned(), members)
}

/// A copy of the user's clone, with the times of a build's source.
fn copy_of(root: &Utf8Path, dir: &Utf8Path) -> Utf8PathBuf {
    let copy = dir.join("clone");
    let _ = fs_err::remove_dir_all(&copy);
    sh("cp", &["-a", root.as_str(), copy.as_str()]);
    let date = format!("@{SOURCE_DATE_EPOCH}");
    sh(
        "find",
        &[
            copy.as_str(),
            "-path",
            "*/.git",
            "-prune",
            "-o",
            "-type",
            "f",
            "-exec",
            "touch",
            "-d",
            &date,
            "{}",
            "+",
        ],
    );
    copy
}

/// The source that the tool sends for `w`, unpacked like in the container.
#[cfg(feature = "e2e-full")]
fn sent(w: &Workspace, dir: &Utf8Path) -> Utf8PathBuf {
    w.run(&["wheels", "debian:12", "linux/amd64", "--dry-run"], 0);
    let mut folders =
        fs_err::read_dir(w.root.join("target/xtask/source")).unwrap().map(Result::unwrap);
    let context = folders.find(|it| it.path().join("source.json").exists()).unwrap().path();
    let context = context.to_str().unwrap().to_owned();
    let (tree, store, copy) = (dir.join("unpacked"), dir.join("git"), dir.join("copy"));
    for folder in [&tree, &store, &copy] {
        let _ = fs_err::remove_dir_all(folder);
    }
    let script = |name: &str| repository().join("scripts").join(name).to_string();
    sh("python3", &[&script("unpack.py"), &context, tree.as_str()]);
    sh("python3", &[&script("git-repository.py"), &context, tree.as_str(), store.as_str()]);
    sh("cp", &["-a", tree.as_str(), copy.as_str()]);
    copy
}

#[test]
fn the_version_from_git_and_the_files_match_the_clone() {
    let w = lay_out(SETUPTOOLS_SCM);
    commit_another(&w.root);
    let dir = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(dir.path()).unwrap();
    let python = python(dir, &["setuptools_scm>=8"]);
    w.run(&WHEELS, 0);
    let built = |w: &Workspace| {
        let names = w.wheels("debian12-amd64");
        contents(&w.dist().join("debian12-amd64").join(&names[0])).1
    };
    let first = built(&w);
    let own = build(&python, &copy_of(&w.root, dir)).1;
    let version = own.iter().find(|it| it.contains("/METADATA: ")).unwrap();
    assert!(version.contains("Version: 1.2.1.dev1+g"), "{version}");
    let text = |members: &[String]| {
        let files = members.iter().filter(|it| !it.contains("_native.") && !it.contains("WHEEL"));
        files.filter(|it| !it.contains("sboms/")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(text(&first), text(&own));
    assert!(first.iter().any(|it| it.ends_with("data/table.txt")), "{first:?}");
    fs_err::write(w.root.join("src/versioned/__init__.py"), "changed = 1\n").unwrap();
    w.run(&WHEELS, 0);
    let changed = text(&built(&w));
    assert!(
        changed.iter().any(|it| it.contains("dev1+g") && it.contains(".d20200202")),
        "{changed:?}"
    );
}

#[cfg(feature = "e2e-full")]
#[test]
fn every_backend_finds_the_version_and_files_of_the_clone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(dir.path()).unwrap();
    let requirements =
        ["setuptools_scm>=10", "hatchling", "hatch-vcs", "versioningit>=3", "pdm-backend"];
    let python = python(dir, &requirements);
    for backend in BACKENDS {
        let name = backend.0;
        let w = lay_out(backend);
        let compare = |state: &str| {
            let own = build(&python, &copy_of(&w.root, dir));
            let ours = build(&python, &sent(&w, dir));
            assert_eq!(ours, own, "{name}, {state}");
            ours.0
        };
        let on_tag = compare("on a tag");
        assert!(on_tag.starts_with("versioned-1.2.0-"), "{name}: {on_tag}");
        commit_another(&w.root);
        let after = compare("after a tag");
        assert!(!after.starts_with("versioned-1.2.0-"), "{name}: {after}");
        fs_err::write(w.root.join("src/versioned/__init__.py"), "changed = 1\n").unwrap();
        fs_err::write(w.root.join("src/versioned/data/untracked.txt"), "").unwrap();
        assert_ne!(compare("with changes"), after, "{name}");
    }
}

#[cfg(feature = "e2e-full")]
#[test]
fn a_work_tree_and_a_shallow_clone_have_the_version_of_the_clone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(dir.path()).unwrap();
    let python = python(dir, &["setuptools_scm>=10"]);
    let w = lay_out(SETUPTOOLS_SCM);
    commit_another(&w.root);
    let (first, other) = (sent_hash(&w), Workspace::of_package("path = \".\"", CHECK));
    let tree = |args: &[&str]| {
        fs_err::remove_dir_all(&other.root).unwrap();
        git(&w.root, &[args, &[other.root.as_str()]].concat());
    };
    tree(&["worktree", "add", "--quiet", "--detach"]);
    let own = build(&python, &copy_of(&w.root, dir));
    assert_eq!(build(&python, &sent(&other, dir)), own);
    assert_eq!(sent_hash(&other), first, "the same commit, the same source");
    let url = format!("file://{}", w.root);
    tree(&["clone", "--quiet", "--depth=1", &url]);
    let (_, stderr) = other.run(&["wheels", "debian:12", "linux/amd64", "--dry-run"], 2);
    assert!(stderr.contains("git fetch --unshallow --tags"), "{stderr}");
    git(&w.root, &["tag", "v2.0"]);
    tree(&["clone", "--quiet", "--depth=1", &url]);
    assert!(build(&python, &sent(&other, dir)).0.starts_with("versioned-2.0-"));
}

/// The hash of the source that the tool sends for `w`.
#[cfg(feature = "e2e-full")]
fn sent_hash(w: &Workspace) -> String {
    w.run(&["wheels", "debian:12", "linux/amd64", "--dry-run"], 0);
    let folders = fs_err::read_dir(w.root.join("target/xtask/source")).unwrap();
    let names = folders.map(|it| it.unwrap().file_name().into_string().unwrap());
    names.collect::<Vec<_>>().join(" ")
}
