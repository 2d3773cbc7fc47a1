//! Trees with misleading content.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::symlink;

use super::selection_tests::{expect, notes, problem};
use super::testing::*;
use super::*;

#[test]
fn a_link_that_is_checked_out_as_a_text_is_an_error() {
    let (_dir, tree) = committed(&["a.py"]);
    symlink("a.py", tree.join("b.py")).unwrap();
    commit(&tree);
    git(&tree, &["config", "core.symlinks", "false"]);
    fs_err::remove_file(tree.join("b.py")).unwrap();
    git(&tree, &["checkout", "--", "b.py"]);
    let found = problem(&tree, &local()).unwrap();
    assert!(found.message.contains("b.py") && !found.message.contains("a.py"), "{found}");
    let source = LocalSource { exclude: patterns(&["b.py"]), ..local() };
    assert_eq!(problem(&tree, &source), None);
}

#[test]
fn a_file_that_the_next_commit_lacks_is_excluded() {
    let (_dir, tree) = committed(&["a.py", "generated.c", "kept.c", "lost.py"]);
    git(&tree, &["rm", "--quiet", "--cached", "generated.c", "kept.c"]);
    write(&tree, ".gitignore", "generated.c\n");
    fs_err::remove_file(tree.join("lost.py")).unwrap();
    let found = reasons(&tree);
    let expected = [("generated.c", Reason::Deleted), ("kept.c", Reason::Untracked)];
    expect(&found, &expected);
    assert_eq!(notes(&tree), [(false, vec!["generated.c".to_owned(), "lost.py".to_owned()])]);
}

#[test]
fn compiled_files_are_detected_by_content_and_versioned_name() {
    let (_dir, tree) = committed(&["a.py", "tracked.so.1"]);
    let compiled = ["libz.so.1", "libz.so.1.2.13", "libz.a", "bin/flatc"];
    write_all(&tree, &compiled, "\x7fELF");
    write_all(&tree, &["libz.so.py", "x.a1", "my.so.1.py"], "text");
    let found = reasons(&tree);
    expect(&found, &compiled.map(|name| (name, Reason::BuildOutput)));
    expect(&found, &["libz.so.py", "x.a1", "my.so.1.py"].map(|name| (name, Reason::Untracked)));
    assert_eq!(found["tracked.so.1"], Reason::Tracked);
}

#[test]
fn an_empty_folder_named_git_is_not_a_submodule() {
    let (_dir, library) = committed(&["b.h"]);
    let (_dir, tree) = committed(&["a.py"]);
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add"];
    git(&tree, &[&add[..], &[library.as_str(), "sub"]].concat());
    commit(&tree);
    fs_err::remove_file(tree.join("sub/.git")).unwrap();
    fs_err::create_dir(tree.join("sub/.git")).unwrap();
    assert_eq!(reasons(&tree)["sub"], Reason::Submodule);
}

#[test]
fn a_folder_of_the_package_may_resemble_the_tools_output() {
    let names = ["target/debug/a.py", "target/release/a.py", "pkg/a.py", "conda/a.py"];
    let (_dir, tree) = plain_folder(&names);
    write(&tree, "pkg/manifest.json", "{\"schema_version\": 1, \"files\": [{\"url\": \"a\"}]}");
    assert!(reasons(&tree).values().all(|reason| reason.is_in()));
    write(&tree, "target/debug/.fingerprint/a", "");
    write(&tree, "conda/conda-meta/history", "");
    let found = reasons(&tree);
    expect(&found, &[("target/debug/a.py", Reason::Tool), ("conda", Reason::Environment)]);
    assert!(found["target/release/a.py"].is_in());
}

#[test]
fn a_pattern_through_a_link_is_reported() {
    let (_dir, tree) = committed(&["a.py", "out/x.c"]);
    symlink("out", tree.join("linked")).unwrap();
    let source = LocalSource { include: patterns(&["linked/*.c"]), ..local() };
    let found = select(&Exec::real(), &tree, &source).unwrap().files;
    assert_eq!(found.unmatched, [("include", "linked/*.c".to_owned())]);
}

#[test]
fn a_file_that_git_does_not_compare_counts_as_changed() {
    let (_dir, tree) = committed(&["a.py", "assumed.py", "skipped.py"]);
    git(&tree, &["update-index", "--assume-unchanged", "assumed.py"]);
    git(&tree, &["update-index", "--skip-worktree", "skipped.py"]);
    write_all(&tree, &["assumed.py", "skipped.py"], "changed");
    let found = reasons(&tree);
    expect(&found, &["assumed.py", "skipped.py"].map(|name| (name, Reason::Changed)));
    assert_eq!(found["a.py"], Reason::Tracked);
}

#[test]
fn the_version_of_a_package_comes_from_its_submodule() {
    let (_dir, library) = committed(&["b.py"]);
    let pyproject = "[build-system]\nrequires = [\"setuptools-scm\"]\n";
    write(&library, "pyproject.toml", pyproject);
    commit(&library);
    let (_dir, tree) = committed(&["a.py"]);
    git(&tree, &["tag", "v1.0"]);
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--depth=1"];
    git(&tree, &[&add[..], &[&format!("file://{library}"), "sub"]].concat());
    commit(&tree);
    let source = LocalSource { package: "sub".into(), ..local() };
    let files = select(&Exec::real(), &tree, &source).unwrap().files;
    let packed = || pack(&Exec::real(), &tree, &source, &files, &tree.join("target/xtask"));
    let error = packed().unwrap_err().to_string();
    assert!(error.contains("shallow"), "{error}");
    git(&tree.join("sub"), &["tag", "v2.0"]);
    packed().unwrap();
}
