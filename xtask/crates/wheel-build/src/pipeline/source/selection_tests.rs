#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::testing::*;
use super::*;
use crate::exec::Step;

const ARCHIVE_TIME: u64 = FIXED_TIME;

/// The problem that prevents a build from the folder.
pub(super) fn problem(tree: &Utf8Path, source: &LocalSource) -> Option<UserError> {
    select(&Exec::real(), tree, source).unwrap().problem
}

pub(super) fn notes(tree: &Utf8Path) -> Vec<(bool, Vec<String>)> {
    let files = select(&Exec::real(), tree, &local()).unwrap().files;
    Summary::of(&files).notes.into_iter().map(|note| (note.is_warning, note.paths)).collect()
}

pub(super) fn expect(found: &BTreeMap<String, Reason>, expected: &[(&str, Reason)]) {
    for (path, reason) in expected {
        assert_eq!(found.get(*path), Some(reason), "{path} in {found:?}");
    }
}

#[test]
fn each_file_has_its_git_status_and_time() {
    let (_dir, tree) =
        committed(&["a.py", "b.py", "gone.py", "removed.py", ".gitignore", "old.py"]);
    write(&tree, ".gitignore", "*.log\n_gen.c\n");
    commit(&tree);
    write(&tree, "b.py", "changed");
    write(&tree, "staged.py", "new");
    git(&tree, &["add", "staged.py"]);
    fs_err::remove_file(tree.join("gone.py")).unwrap();
    git(&tree, &["rm", "--quiet", "removed.py"]);
    git(&tree, &["rm", "--quiet", "--cached", "old.py"]);
    write(&tree, "new.py", "");
    write(&tree, "x.log", "");
    write(&tree, "src/_gen.c", "");
    // A new time alone is not a change.
    fs_err::OpenOptions::new()
        .write(true)
        .open(tree.join("a.py"))
        .unwrap()
        .file()
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    let source = LocalSource { include: patterns(&["src/*.c"]), ..local() };
    let found = reasons_with(&tree, &source);
    expect(
        &found,
        &[
            ("a.py", Reason::Tracked),
            ("b.py", Reason::Changed),
            ("staged.py", Reason::Changed),
            ("gone.py", Reason::Deleted),
            ("removed.py", Reason::Deleted),
            ("old.py", Reason::Untracked),
            ("new.py", Reason::Untracked),
            ("src/_gen.c", Reason::Included),
        ],
    );
    assert!(!found.contains_key("x.log"), "{found:?}");
    let selected = select(&Exec::real(), &tree, &source).unwrap();
    let ignored = ignored(&Exec::real(), &tree, &source, &selected.files).unwrap();
    assert!(ignored.contains(&PathBuf::from("x.log")), "{ignored:?}");
    let summary = Summary::of(&selected.files);
    let counts = (summary.files, summary.changed, summary.untracked, summary.included);
    assert_eq!(counts, (7, 4, 2, 1));
    assert!(summary.line().starts_with("source: 7 files, "), "{}", summary.line());
    let work = tree.join("target/xtask");
    let PreparedSource::Packed { folder, .. } =
        pack(&Exec::real(), &tree, &source, &selected.files, &work).unwrap()
    else {
        unreachable!()
    };
    let times: BTreeMap<_, _> = entries(&folder).into_iter().collect();
    let time = |name: &str| times[name.as_bytes()];
    assert_eq!(time("a.py"), ARCHIVE_TIME);
    assert!(time("b.py") > ARCHIVE_TIME && time("staged.py") > ARCHIVE_TIME);
    assert!(time("new.py") < ARCHIVE_TIME && time("src/_gen.c") < ARCHIVE_TIME);
}

#[test]
fn a_file_is_not_excluded_by_its_name_alone() {
    let names = ["build", "dist", "target", "venv", "node_modules", ".hg", "xtask", "wheelhouse"];
    let paths = names.map(|name| format!("src/pkg/{name}/__init__.py"));
    let top_level_names = names.map(|name| format!("{name}/__init__.py"));
    let paths: Vec<&str> = paths.iter().chain(&top_level_names).map(String::as_str).collect();
    let (_dir, tree) = plain_folder(&paths);
    assert!(reasons(&tree).values().all(|reason| *reason == Reason::Unversioned));
    let (_dir, tree) = committed(&paths);
    fs_err::create_dir_all(tree.join("target/xtask")).unwrap();
    assert_eq!(reasons(&tree).len(), paths.len());
    assert!(reasons(&tree).values().all(|reason| *reason == Reason::Tracked));
}

#[test]
fn content_identifies_caches_environments_and_repositories() {
    let cached =
        ["a.py", "env/pyvenv.cfg", "env/lib/x.py", "c/CACHEDIR.TAG", "c/x", "d/CACHEDIR.TAG"];
    for (_dir, tree) in [plain_folder(&cached), committed(&["a.py"])] {
        write_all(&tree, &cached, "text\n");
        write(&tree, "c/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# a\n");
        let selected = select(&Exec::real(), &tree, &local()).unwrap().files;
        assert_eq!(selected.of(Reason::Environment).next().unwrap().folder, Some("env".into()));
        assert_eq!(selected.of(Reason::Cache).next().unwrap().folder, Some("c".into()));
        let packed: Vec<_> = selected.packed().map(|file| file.path.to_str().unwrap()).collect();
        assert_eq!(packed, ["a.py", "d/CACHEDIR.TAG"]);
        let both = [(false, vec!["env/".to_owned()]), (false, vec!["c/".to_owned()])];
        assert_eq!(notes(&tree), both);
    }
    let (_dir, tree) = plain_folder(&["a.py", "sub/.git/config", "sub/b.py"]);
    expect(&reasons(&tree), &[("sub/.git", Reason::Git), ("sub/b.py", Reason::Unversioned)]);
}

#[test]
fn build_output_is_excluded_unless_it_is_included() {
    let made = [
        "build/lib.linux-x86_64-cpython-311/a.py",
        "build/temp.linux-x86_64-cpython-311/a.o",
        "build/bdist.linux-x86_64/a.py",
        "a.egg-info/SOURCES.txt",
        "src/a.so",
        "src/a.o",
        "src/a.pyc",
        "out/CMakeCache.txt",
        "out/x/Makefile",
        "src/gen.c",
        "CMakeCache.txt",
        "CMakeFiles/a.txt",
        "lib/CMakeCache.txt",
        "lib/CMakeFiles/a.txt",
        "mes/meson-private/coredata.dat",
    ];
    let kept = [
        "lib/CMakeLists.txt",
        "lib/a.c",
        "src/gen.pyx",
        "src/own.c",
        "src/own.pyx",
        "CMakeLists.txt",
        "src/a.py",
    ];
    for (_dir, tree) in [plain_folder(&kept), committed(&kept)] {
        write_all(&tree, &made, "text\n");
        write(&tree, "src/gen.c", "/* Generated by Cython 3.0.0 */\n");
        let found = reasons(&tree);
        for name in made {
            // Without git, a folder represents its files.
            let reason = Path::new(name).ancestors().find_map(|it| found.get(it.to_str().unwrap()));
            assert_eq!(reason, Some(&Reason::BuildOutput), "{name} in {found:?}");
        }
        assert!(kept.iter().all(|name| found[*name].is_in()), "{found:?}");
        assert_eq!(notes(&tree).len(), 1, "one line for all of it");
        let include = patterns(&["build/lib.*", "src/*.so", "a.egg-info/**"]);
        let found = reasons_with(&tree, &LocalSource { include, ..local() });
        for name in [made[0], "src/a.so", "a.egg-info/SOURCES.txt"] {
            assert_eq!(found[name], Reason::Included, "{name}");
        }
    }
    // Tracked files belong to the package, except those that setuptools would reuse.
    let (_dir, tree) = committed(&made);
    let found = reasons(&tree);
    let of_setuptools = ["build/lib.linux-x86_64-cpython-311/a.py", made[1]];
    expect(&found, &of_setuptools.map(|name| (name, Reason::BuildOutput)));
    assert_eq!(found.values().filter(|reason| reason.is_in()).count(), made.len() - 2);
}

#[test]
fn an_unpacked_source_archive_keeps_its_generated_files() {
    let (_dir, tree) = plain_folder(&["PKG-INFO", "a.egg-info/SOURCES.txt", "a.pyx", "a.c", "a.o"]);
    write(&tree, "a.c", "/* Generated by Cython 3.0.0 */\n");
    let found = reasons(&tree);
    expect(
        &found,
        &[("a.egg-info/SOURCES.txt", Reason::Unversioned), ("a.c", Reason::Unversioned)],
    );
    assert_eq!(found["a.o"], Reason::BuildOutput);
}

#[test]
fn a_tracked_extension_module_is_included_and_reported() {
    let (_dir, tree) = committed(&["a.py", "a.cpython-311-x86_64-linux-gnu.so", "data.so"]);
    assert!(reasons(&tree).values().all(|reason| *reason == Reason::Tracked));
    let paths = vec!["a.cpython-311-x86_64-linux-gnu.so".to_owned()];
    assert_eq!(notes(&tree), [(false, paths)]);
}

#[test]
fn the_tools_own_files_are_excluded() {
    let tools = [
        "wheels.toml",
        "wheels.local.toml",
        "wheels.lock",
        "wheels-core.toml",
        "wheels-core.local.toml",
        "wheels-core.lock",
        "xtask/src/main.rs",
        ".cargo/config.toml",
        ".github/workflows/wheels-docker.yml",
    ];
    let own = ["wheels-data.toml", "docker/Dockerfile.wheels", "scripts/build.sh", "Cargo.toml"];
    let set = |tree: &Utf8Path| {
        write_all(tree, &[&tools[..], &own[..]].concat(), "a = 1\n");
        write(tree, "wheels-core.toml", "[source]\npath = \".\"\n[build]\npythons = []\n");
        write(tree, "xtask/Cargo.toml", "[dependencies]\nwheel-build = { path = \"x\" }\n");
        write(tree, ".cargo/config.toml", "[alias]\nxtask = \"run\"\n");
    };
    let (_dir, tree) = plain_folder(&[]);
    set(&tree);
    let output =
        ["dist/manifest.json", "dist-core/manifest.json", "target/xtask/x", "target/debug/x"];
    let entry = serde_json::json!({"path": "a", "sha256": "", "size": 1, "kind": "metadata"});
    let manifest = serde_json::json!({"schema_version": 1, "files": [entry]});
    write_all(&tree, &output, &manifest.to_string());
    fs_err::create_dir(tree.join("target/debug/.fingerprint")).unwrap();
    let found = reasons(&tree);
    expect(&found, &tools.map(|name| (name, Reason::Tool)));
    expect(&found, &output.map(|name| (name, Reason::Tool)));
    expect(&found, &own.map(|name| (name, Reason::Unversioned)));
    assert!(notes(&tree).is_empty(), "they need no note");
    let (_dir, tree) = committed(&output);
    set(&tree);
    commit(&tree);
    let found = reasons(&tree);
    expect(&found, &tools.map(|name| (name, Reason::Tool)));
    expect(&found, &output.map(|name| (name, Reason::Tracked)));
    // The package's own crate and cargo configuration.
    write(&tree, "xtask/Cargo.toml", "[package]\nname = \"xtask\"\n");
    write(&tree, ".cargo/config.toml", "[alias]\nxtask = \"run\"\n[build]\njobs = 1\n");
    let found = reasons(&tree);
    expect(&found, &["xtask/src/main.rs", ".cargo/config.toml"].map(|name| (name, found[name])));
    assert!(found["xtask/src/main.rs"].is_in() && found[".cargo/config.toml"].is_in());
}

#[test]
fn a_clone_of_the_tool_excludes_its_build_files() {
    let tools = ["docker/Dockerfile.wheels", "scripts/build.sh", "Cargo.toml", "Cargo.lock"];
    let own = ["docker/own", "scripts/own.py", "README.md", "clippy.toml.in"];
    let (_dir, tree) = plain_folder(&[&tools[..], &own[..]].concat());
    write(&tree, "xtask/crates/wheel-build/Cargo.toml", "");
    write(&tree, "Cargo.toml", "[workspace]\nmembers = [\"xtask\", \"xtask/crates/*\"]\n");
    let found = reasons(&tree);
    expect(&found, &tools.map(|name| (name, Reason::Tool)));
    assert!(own.iter().all(|name| found[*name].is_in()), "{found:?}");
    // A workspace that the package shares.
    write(&tree, "Cargo.toml", "[workspace]\nmembers = [\"xtask\", \"core\"]\n");
    assert!(reasons(&tree)["Cargo.toml"].is_in());
}

#[test]
fn a_git_lfs_pointer_is_an_error_with_its_name() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid \
                   sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    for (_dir, tree) in [plain_folder(&["a.py"]), committed(&["a.py"])] {
        write(&tree, "data/model.bin", pointer);
        if tree.join(".git").exists() {
            commit(&tree);
        }
        let found = problem(&tree, &local()).unwrap();
        assert!(found.message.contains("data/model.bin") && found.hint.is_some(), "{found}");
        let source = LocalSource { exclude: patterns(&["data"]), ..local() };
        assert_eq!(problem(&tree, &source), None);
        // No configuration and no other form of a pointer includes it as data.
        for text in
            [pointer.replace('\n', "\r\n"), pointer.replace("\noid", "\next-0-a sha256:b\noid")]
        {
            write(&tree, "data/model.bin", &text);
            assert!(problem(&tree, &local()).is_some(), "{text}");
        }
        write(&tree, "new.bin", pointer);
        assert!(problem(&tree, &source).unwrap().message.contains("new.bin"));
        let source = LocalSource { include: patterns(&["*.bin"]), ..source };
        write(&tree, ".gitignore", "*.bin");
        assert!(problem(&tree, &source).unwrap().message.contains("new.bin"));
    }
}

#[test]
fn files_that_a_sparse_checkout_excludes_are_an_error() {
    let (_dir, tree) = committed(&["a.py", "docs/a.md", "docs/b.md", "src/a.py"]);
    git(&tree, &["sparse-checkout", "set", "src"]);
    let found = problem(&tree, &local()).unwrap();
    assert!(found.message.contains("docs/a.md") && !found.message.contains("src"), "{found}");
    let source = LocalSource { exclude: patterns(&["docs/**"]), ..local() };
    assert_eq!(problem(&tree, &source), None);
}

#[test]
fn submodules_are_part_of_the_tree_and_optional_unless_required() {
    let (_dir, library) = committed(&["b.h", "c.h"]);
    let (_dir, tree) = committed(&["a.py"]);
    for name in ["deps/one", "deps/two"] {
        git(
            &tree,
            &[
                "-c",
                "protocol.file.allow=always",
                "submodule",
                "--quiet",
                "add",
                library.as_str(),
                name,
            ],
        );
    }
    commit(&tree);
    git(&tree, &["submodule", "--quiet", "deinit", "--force", "deps/two"]);
    write(&tree, "deps/one/b.h", "changed");
    write(&tree, "deps/one/new.h", "new");
    let expected = [
        ("deps/one/b.h", Reason::Changed),
        ("deps/one/c.h", Reason::Tracked),
        ("deps/one/new.h", Reason::Untracked),
        ("deps/two", Reason::Submodule),
    ];
    expect(&reasons(&tree), &expected);
    assert_eq!(notes(&tree), [(true, vec!["deps/two".to_owned()])]);
    assert_eq!(problem(&tree, &local()), None);
    let one = tree.join("deps/one");
    git(
        &one,
        &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--all", "-m", "b"],
    );
    assert!(
        notes(&tree).contains(&(false, vec!["deps/one".to_owned()])),
        "it is at another commit"
    );
    for (required, is_good) in [("deps/one", true), ("deps/two", false), ("*", false)] {
        let source = LocalSource { submodules: patterns(&[required]), ..local() };
        assert_eq!(problem(&tree, &source).is_none(), is_good, "{required}");
    }
}

#[test]
fn a_clone_in_the_tree_is_excluded_with_a_warning() {
    let (_dir, tree) = committed(&["a.py"]);
    git(&tree, &["init", "--quiet", "other"]);
    write(&tree, "other/b.py", "");
    expect(&reasons(&tree), &[("other", Reason::Clone)]);
    assert_eq!(notes(&tree), [(true, vec!["other/".to_owned()])]);
    let source = LocalSource { include: patterns(&["other"]), ..local() };
    let found = reasons_with(&tree, &source);
    assert_eq!(found["other/b.py"], Reason::Included);
    assert!(!found.contains_key("other/.git/config"), "{found:?}");
}

#[test]
fn special_files_are_excluded() {
    let (_dir, tree) = plain_folder(&["a.py"]);
    Exec::real().read(&Step::new("mkfifo", [tree.join("pipe")])).unwrap();
    let _socket = UnixListener::bind(tree.join("socket")).unwrap();
    let special = [("pipe", Reason::Special), ("socket", Reason::Special)];
    expect(&reasons(&tree), &special);
    assert_eq!(notes(&tree), [(false, vec!["pipe".to_owned(), "socket".to_owned()])]);
}

#[test]
fn links_stay_in_the_packed_folder() {
    for is_git in [false, true] {
        let (_dir, root) = committed(&["python/a.py", "python/sub/b.py", "LICENSE"]);
        let tree = root.join("python");
        let links = [
            ("sub/up", "../a.py", true),
            ("folder", "sub", true),
            ("lost", "missing/x", true),
            ("LICENSE", "../LICENSE", false),
            ("sub/far", "../../LICENSE", false),
            ("sub/back", "../../python/a.py", false),
            ("hosts", "/etc/hosts", false),
        ];
        for (name, target, _) in links {
            symlink(target, tree.join(name)).unwrap();
        }
        if is_git {
            commit(&root);
        } else {
            fs_err::remove_dir_all(root.join(".git")).unwrap();
        }
        let source = LocalSource { path: "python".into(), ..local() };
        let found = reasons_with(&root, &source);
        for (name, target, is_in) in links {
            assert_eq!(found[name].is_in(), is_in, "{name} -> {target}");
            assert!(is_in || found[name] == Reason::LinkOut, "{name}");
        }
        assert!(!found.contains_key("folder/b.py"), "a link to a folder stays a link");
    }
}

#[test]
fn names_that_are_not_utf_8_are_packed_and_a_backslash_is_not() {
    for is_git in [false, true] {
        let (_dir, tree) = repository(&[b"caf\xe9/na\xefve.py", b"a\\b", b"new\nline"]);
        if !is_git {
            fs_err::remove_dir_all(tree.join(".git")).unwrap();
        }
        let selected = select(&Exec::real(), &tree, &local()).unwrap().files;
        let packed: Vec<_> = selected.packed().map(|file| file.path.as_os_str()).collect();
        assert_eq!(packed, [&b"caf\xe9/na\xefve.py"[..], b"new\nline"].map(OsStr::from_bytes));
        assert_eq!(selected.of(Reason::Name).count(), 1);
    }
}

#[test]
fn an_empty_source_is_an_error_with_its_reason() {
    let (_dir, tree) = plain_folder(&[]);
    assert!(problem(&tree, &local()).unwrap().hint.is_some());
    let (_dir, root) = committed(&["a.py", ".gitignore"]);
    write(&root, ".gitignore", "/pkg/\n");
    write(&root, "pkg/pyproject.toml", "");
    let source = LocalSource { path: "pkg".into(), ..local() };
    assert!(problem(&root, &source).unwrap().message.contains("git ignores"));
    let source = LocalSource { package: "pkg".into(), ..local() };
    assert!(problem(&root, &source).unwrap().message.contains("git ignores"));
    let source = LocalSource { include: patterns(&["pkg/**"]), ..source };
    assert_eq!(problem(&root, &source), None);
}

#[test]
fn a_pattern_that_matches_nothing_is_reported() {
    let (_dir, tree) = committed(&["a.py", "b.py"]);
    let source = LocalSource {
        include: patterns(&["c.py"]),
        exclude: patterns(&["b.*", "d"]),
        submodules: patterns(&["*", "a.py"]),
        ..local()
    };
    let selected = select(&Exec::real(), &tree, &source).unwrap().files;
    assert_eq!(selected.of(Reason::Excluded).count(), 1);
    let unmatched = [
        ("include", "c.py".to_owned()),
        ("exclude", "d".to_owned()),
        ("submodules", "a.py".to_owned()),
    ];
    assert_eq!(selected.unmatched, unmatched);
    assert!(Summary::of(&selected).notes.iter().all(|note| note.is_warning));
}

#[test]
fn a_folder_below_the_top_of_a_repository_is_packed_alone() {
    let (_dir, root) = committed(&["a.py", "python/b.py", "python/c.py"]);
    write(&root, "python/b.py", "changed");
    write(&root, "python/new.py", "");
    write(&root, "a.py", "changed");
    let source = LocalSource { path: "python".into(), ..local() };
    let found = reasons_with(&root, &source);
    let expected =
        [("b.py", Reason::Changed), ("c.py", Reason::Tracked), ("new.py", Reason::Untracked)];
    expect(&found, &expected);
    assert_eq!(found.len(), 3);
}
