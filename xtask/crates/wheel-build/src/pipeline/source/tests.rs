#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::python::project;
use super::testing::*;
use super::*;
use crate::exec::{Captured, Step};
use wheel_audit::UserError;

#[test]
fn defect_15_and_20_the_archive_contains_the_tree_once() {
    let (_dir, tree) = repository(&[b"src/a.py", b"pyproject.toml", b"xtask/Cargo.toml"]);
    let work = tree.join("target/xtask");
    fs_err::write(tree.join("xtask/Cargo.toml"), "[dependencies]\nwheel-build = \"1\"\n").unwrap();
    let pack = || {
        let selected = select(&Exec::real(), &tree, &local()).unwrap();
        pack(&Exec::real(), &tree, &local(), &selected.files, &work).unwrap()
    };
    let first = pack();
    fs_err::write(work.join("other.txt"), "changed").unwrap();
    assert_eq!(pack(), first);
    let PreparedSource::Packed { folder, .. } = &first else { unreachable!() };
    assert!(first.scope().starts_with("path-"), "{}", first.scope());
    let names: Vec<_> = entries(folder).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [b"pyproject.toml".to_vec(), b"src/a.py".to_vec()]);
    fs_err::write(tree.join("src/a.py"), "changed").unwrap();
    assert_ne!(pack(), first);
    assert!(!folder.exists(), "archives of earlier states are removed");
}

#[test]
fn caches_are_named_after_the_project() {
    let dir = tempfile::tempdir().unwrap();
    let tree = Utf8PathBuf::try_from(dir.path().join("My.Folder")).unwrap();
    fs_err::create_dir_all(&tree).unwrap();
    assert!(project(&tree).ends_with("/My.Folder"));
    fs_err::write(tree.join("pyproject.toml"), "[project]\nname = \"Own_Name\"\n").unwrap();
    let (folder, sha256) = (tree.clone(), String::new());
    let summary = Box::new(Summary::of(&Selection::default()));
    let packed = PreparedSource::Packed { folder, sha256, project: project(&tree), summary };
    assert!(packed.scope().starts_with("path-own-name-"), "{}", packed.scope());
    let sdist = |name: &str| {
        let (spec, sha256) = (format!("{name}==1"), String::new());
        PreparedSource::Sdist { spec, sha256 }.scope()
    };
    assert!(sdist("own-name").starts_with("sdist-own-name-"));
    assert_ne!(sdist("日本"), sdist("中国"));
    assert!(sdist(&"x".repeat(100_000)).len() < 64);
    fs_err::remove_file(tree.join("pyproject.toml")).unwrap();
    symlink("/dev/zero", tree.join("pyproject.toml")).unwrap();
    assert!(project(&tree).ends_with("/My.Folder"), "a link is not followed");
}

#[test]
fn a_git_that_fails_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let tree = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    fs_err::create_dir_all(tree.join(".git")).unwrap();
    let exec = Exec::fake(|_| Ok(Captured::failed("fatal: detected dubious ownership")));
    let error = UserError::explain(&select(&exec, &tree, &local()).unwrap_err());
    assert!(error.contains("dubious ownership") && error.contains("safe.directory"), "{error}");
}

fn packed(tree: &Utf8Path) -> io::Result<Vec<Vec<u8>>> {
    let work = tempfile::tempdir().unwrap();
    let work = Utf8PathBuf::try_from(work.path().to_owned()).unwrap();
    let selected = select(&Exec::real(), tree, &local())?;
    let PreparedSource::Packed { folder, .. } =
        pack(&Exec::real(), tree, &local(), &selected.files, &work)?
    else {
        unreachable!()
    };
    Ok(entries(&folder).into_iter().map(|(name, _)| name).collect())
}

#[test]
fn names_are_bytes_and_only_a_deleted_file_is_excluded() {
    let (_dir, tree) = repository(&[b"a.py", b"caf\xe9.txt", b"gone.py", b"was/folder.py"]);
    fs_err::remove_file(tree.join("gone.py")).unwrap();
    fs_err::remove_dir_all(tree.join("was")).unwrap();
    fs_err::write(tree.join("was"), "a file now").unwrap();
    let names = packed(&tree).unwrap();
    assert_eq!(names, [b"a.py".to_vec(), b"caf\xe9.txt".to_vec(), b"was".to_vec()]);
}

#[test]
fn an_error_other_than_not_found_is_not_a_deletion() {
    // A name that is too long fails for root as well.
    let name = PathBuf::from("x".repeat(300));
    let error = Disk::new(Path::new("/")).kind(&name).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidFilename, "{error}");
}

#[test]
fn no_file_is_read_through_a_linked_folder() {
    let (_dir, tree) = repository(&[b"a/secret.py", b"b.py"]);
    fs_err::remove_dir_all(tree.join("a")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs_err::write(elsewhere.path().join("secret.py"), "secret").unwrap();
    symlink(elsewhere.path(), tree.join("a")).unwrap();
    assert_eq!(packed(&tree).unwrap(), [b"b.py".to_vec()]);
}

#[test]
fn a_fifo_in_the_tree_does_not_block() {
    let (_dir, tree) = repository(&[b"a.py", b"pipe"]);
    fs_err::remove_file(tree.join("pipe")).unwrap();
    Exec::real()
        .read(&Step::new("mkfifo", [tree.join("pipe"), tree.join("pyproject.toml")]))
        .unwrap();
    assert_eq!(packed(&tree).unwrap(), [b"a.py".to_vec()]);
    assert!(project(&tree).starts_with('/'));
    fs_err::remove_dir_all(tree.join(".git")).unwrap();
    assert_eq!(packed(&tree).unwrap(), [b"a.py".to_vec()]);
}

#[test]
fn an_interpreter_that_requires_python_excludes_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(dir.path()).unwrap();
    let config = crate::config::parse_text(
        "wheels.toml".into(),
        "[source]\npath = \".\"\n[build]\npythons = [\"cp311\"]\n[[target]]\nname = \"a\"\n\
         image = \"debian:12\"\nplatforms = [\"linux/amd64\"]\n",
    )
    .unwrap();
    let check = |ids: &[&str]| {
        check_requires_python(&config, root, ids.iter().map(|id| id.parse().unwrap()))
    };
    check(&["cp38"]).unwrap();
    let text = "[project]\nname = \"a\"\nrequires-python = \">=3.10.2,<3.14\"\n";
    fs_err::write(root.join("pyproject.toml"), text).unwrap();
    check(&["cp310", "cp313t", "pp311"]).unwrap();
    for id in ["cp39", "cp314"] {
        let error = check(&["cp311", id]).unwrap_err();
        assert!(error.message.contains(&format!("`{id}`")), "{error}");
        assert!(error.message.contains(">=3.10.2,<3.14") && error.hint.is_some(), "{error}");
    }
    for requires in ["<=3.11", "==3.11", "<3.11.1"] {
        let text = format!("[project]\nname = \"a\"\nrequires-python = \"{requires}\"\n");
        fs_err::write(root.join("pyproject.toml"), text).unwrap();
        let error = check(&["cp311"]).unwrap_err();
        assert!(error.message.contains("only 3.11.0"), "{error}");
        assert!(error.hint.unwrap().contains("`<3.12`"));
    }
    for requires in ["<=3.11.9", "==3.11.*", "~=3.11", "!=3.11.0", "===3.11.2"] {
        let text = format!("[project]\nname = \"a\"\nrequires-python = \"{requires}\"\n");
        fs_err::write(root.join("pyproject.toml"), text).unwrap();
        check(&["cp311"]).unwrap();
    }
    fs_err::remove_file(root.join("pyproject.toml")).unwrap();
    let options = "[metadata]\npython_requires = >=3.99\n[options]\npython_requires = >=3.12\n";
    fs_err::write(root.join("setup.cfg"), options).unwrap();
    let error = check(&["cp311"]).unwrap_err().to_string();
    for part in ["`python_requires`", "setup.cfg", "`>=3.12`"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    check(&["cp312"]).unwrap();
    // Only setuptools reads it, and only without `[project]`.
    for other in
        ["[build-system]\nbuild-backend = \"flit_core.buildapi\"\n", "[project]\nname = \"a\"\n"]
    {
        fs_err::write(root.join("pyproject.toml"), other).unwrap();
        check(&["cp311"]).unwrap();
    }
}

#[test]
fn no_program_of_a_repository_runs() {
    let (_dir, tree) = repository(&[b"a.py", b".gitignore"]);
    // If the file is gone, git reads the list of ignored files from its own store, and fetches it if the store
    // lacks it.
    git(&tree, &["add", "--force", ".gitignore"]);
    git(&tree, &["update-index", "--skip-worktree", ".gitignore"]);
    fs_err::remove_file(tree.join(".gitignore")).unwrap();
    for entry in fs_err::read_dir(tree.join(".git/objects")).unwrap() {
        fs_err::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    fs_err::create_dir(tree.join(".git/objects/pack")).unwrap();
    fs_err::write(tree.join("b.py"), "untracked").unwrap();
    let settings = [
        ("core.fsmonitor", "touch ran; false"),
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", tree.as_str()),
        ("remote.origin.fetch", "+refs/*:refs/*"),
        ("remote.origin.uploadPack", "touch ran; false"),
        ("protocol.file.allow", "always"),
    ];
    for (name, value) in settings {
        git(&tree, &["config", name, value]);
    }
    assert_eq!(packed(&tree).unwrap(), [b"a.py".to_vec(), b"b.py".to_vec()]);
    assert!(!tree.join("ran").exists());
}

#[test]
fn a_link_to_a_source_outside_of_the_repository_is_rejected() {
    let (_dir, root) = repository(&[b"inside/a.py"]);
    let (_other, elsewhere) = repository(&[b"secret.py"]);
    symlink(&elsewhere, root.join("outside")).unwrap();
    symlink("inside", root.join("link")).unwrap();
    let work = root.join("target/xtask");
    for (path, good) in [("inside", true), ("link", true), ("outside", false)] {
        let text = format!(
            "[source]\npath = \"{path}\"\n[build]\npythons = [\"cp311\"]\n[[target]]\nname = \"a\"\n\
             image = \"debian:12\"\nplatforms = [\"linux/amd64\"]\n"
        );
        let config = crate::config::parse_text("wheels.toml".into(), &text).unwrap();
        let prepared = prepare(&config, &Exec::real(), &root, &work);
        assert_eq!(prepared.is_ok(), good, "{path}: {prepared:?}");
    }
}

#[test]
fn the_container_unpacks_everything_that_is_packed() {
    let deep = format!("{}/long.py", "folder/".repeat(40));
    let names =
        [&b"a.py"[..], b"caf\xe9/\xef.py", b"new\nline", b"sub/run", deep.as_bytes(), b"z.whl"];
    let (_dir, tree) = repository(&names);
    // The end of a zip archive, which Python's `is_zipfile` also finds at the end of the tar file.
    fs_err::write(tree.join("z.whl"), [&b"PK\x05\x06"[..], &[0; 18]].concat()).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o775);
    fs_err::set_permissions(tree.join("sub/run"), mode).unwrap();
    let targets =
        [&b"../a.py"[..], b"../caf\xe9/./\xef.py", b"..//sub", b"lost", b"../../a", b"/a"];
    for (index, target) in targets.into_iter().enumerate() {
        symlink(OsStr::from_bytes(target), tree.join(format!("sub/{index}"))).unwrap();
    }
    let selected = select(&Exec::real(), &tree, &local()).unwrap().files;
    assert_eq!(selected.packed().count(), names.len() + targets.len() - 2);
    let (_work, work) = plain_folder(&[]);
    let PreparedSource::Packed { folder, .. } =
        pack(&Exec::real(), &tree, &local(), &selected, &work).unwrap()
    else {
        unreachable!()
    };
    let (script, copy) =
        (concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/unpack.py"), work.join("a copy"));
    let unpack = Step::new("python3", ["-B", script, folder.as_str(), copy.as_str()]);
    Exec::real().read(&unpack).unwrap();
    for file in selected.packed() {
        let (from, to) = (tree.as_std_path().join(&file.path), copy.as_std_path().join(&file.path));
        assert_eq!(fs_err::read_link(&to).ok(), fs_err::read_link(&from).ok());
        assert_eq!(fs_err::read(&to).ok(), fs_err::read(&from).ok(), "{}", to.display());
    }
    let is_executable =
        |name: &str| wheel_audit::sys::is_executable(&fs_err::metadata(copy.join(name)).unwrap());
    assert!(is_executable("sub/run") && !is_executable("a.py"));
}

#[test]
fn the_commit_determines_modes_if_the_file_system_has_none() {
    let (_dir, tree) = committed(&["a.py", "run"]);
    git(&tree, &["update-index", "--chmod=+x", "run"]);
    git(&tree, &["-c", "user.name=a", "-c", "user.email=a", "commit", "--quiet", "--message=a"]);
    git(&tree, &["config", "core.fileMode", "false"]);
    let work = tree.join("target/xtask");
    let selected = select(&Exec::real(), &tree, &local()).unwrap().files;
    let packed = pack(&Exec::real(), &tree, &local(), &selected, &work).unwrap();
    let PreparedSource::Packed { folder, .. } = packed else { unreachable!() };
    let mut archive = tar::Archive::new(fs_err::File::open(folder.join("source.tar")).unwrap());
    let modes = archive.entries().unwrap().map(|it| it.unwrap().header().mode().unwrap());
    assert_eq!(modes.collect::<Vec<_>>(), [0o644, 0o755]);
}

#[test]
fn a_filter_of_the_repository_does_not_run() {
    let (_dir, tree) = committed(&["a.py", ".gitattributes", "b.py"]);
    write(&tree, ".gitattributes", "*.py filter=custom\n");
    commit(&tree);
    for (name, value) in
        [("clean", "touch ran; cat"), ("process", "touch ran"), ("required", "true")]
    {
        git(&tree, &["config", &format!("filter.custom.{name}"), value]);
    }
    write(&tree, "a.py", "b.py");
    assert_eq!(reasons(&tree)["a.py"], Reason::Changed);
    assert!(!tree.join("ran").exists());
    git(&tree, &["config", "filter.a=b.clean", "touch ran"]);
    assert!(select(&Exec::real(), &tree, &local()).is_err());
}

#[test]
fn variables_that_env_pass_withholds_have_a_reason() {
    let text = "[source]\npath = \".\"\n[build]\npythons = [\"cp311\"]\nenv-pass = [\"OWN_*\"]\n\
        [[target]]\nname = \"a\"\nimage = \"debian:12\"\nfamily = \"apt\"\nplatforms = [\"linux/amd64\"]\n";
    let config = crate::config::parse_text("wheels.toml".into(), text).unwrap();
    let variables = [("OWN_A", "1"), ("OWN_B", "1\n2"), ("OWN_TOKEN", "s"), ("OTHER", "1\n2")];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let withheld = withheld(&config, variables.into_iter());
    assert!(
        withheld.keys().eq(["OWN_B", "OWN_TOKEN"]) && withheld["OWN_B"] != withheld["OWN_TOKEN"]
    );
}
