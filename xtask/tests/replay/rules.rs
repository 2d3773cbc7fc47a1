//! GitHub's rules that the runner implements: for workflows, artifacts, caches and files.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;

use crate::runner::actions::Inputs;
use crate::runner::artifacts::Artifacts;
use crate::runner::caches::Caches;
use crate::runner::event::Event;
use crate::runner::functions::{hash_files, matches};
use crate::runner::shell::pairs;
use crate::runner::workflow::{Workflow, combinations};

fn inputs(pairs: &[(&str, &str)]) -> Inputs {
    Inputs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    for (name, text) in files {
        fs_err::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs_err::write(root.join(name), text).unwrap();
    }
    (dir, root)
}

const HEAD: &str = "name: w\non:\n  push:\n    branches: [main]\n    tags: [\"v*\"]\n    \
                    paths: [\"src/**\", Cargo.toml]\n  workflow_dispatch:\npermissions:\n  contents: read\n";

fn workflow(jobs: &str) -> Result<Workflow, String> {
    Workflow::parse(&format!("{HEAD}jobs:\n{jobs}"))
}

#[test]
fn an_unknown_key_and_a_missing_job_are_errors() {
    let job = |more: &str| {
        workflow(&format!("  a:\n    runs-on: x\n{more}    steps:\n      - run: true\n"))
    };
    assert!(job("").is_ok());
    for more in ["    need: b\n", "    needs: b\n", "    needs: a\n", "    container: x\n"] {
        assert!(job(more).is_err(), "{more}");
    }
    for step in ["uses: a\n        run: b", "name: a", "run: a\n        iff: b"] {
        let job = format!("  a:\n    runs-on: x\n    steps:\n      - {step}\n");
        assert!(workflow(&job).is_err(), "{step}");
    }
}

#[test]
fn jobs_run_after_the_jobs_that_they_need() {
    let job = |name: &str, needs: &str| {
        format!("  {name}:\n    runs-on: x\n    needs: [{needs}]\n    steps: []\n")
    };
    let all = workflow(&[job("c", "b"), job("a", ""), job("b", "a")].concat()).unwrap();
    assert_eq!(all.order().unwrap(), ["a", "b", "c"]);
    assert_eq!(all.ancestors("c").into_iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn the_filters_of_an_event_select_workflows() {
    let workflow = workflow("  a:\n    runs-on: x\n    steps: []\n").unwrap();
    let push = |reference: &str, changed: &str| {
        Event::push(reference, "", &[changed.to_owned()]).triggers(&workflow).unwrap()
    };
    assert!(push("refs/heads/main", "src/a/b.rs") && push("refs/heads/main", "Cargo.toml"));
    assert!(!push("refs/heads/main", "README.md") && !push("refs/heads/topic", "src/a"));
    assert!(push("refs/tags/v1", "README.md") && !push("refs/tags/1", "src/a"));
    let request = Event::pull_request("", &["src/a".to_owned()], false);
    assert!(!request.triggers(&workflow).unwrap());
}

#[test]
fn a_matrix_expands_like_the_example_of_the_reference() {
    // GitHub's reference, "Expanding or adding matrix configurations".
    let matrix = json!({
        "animal": ["cat", "dog"],
        "fruit": ["apple", "pear"],
        "include": [
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"},
        ],
    });
    let found: Vec<_> = combinations(&matrix).unwrap().into_iter().map(|it| json!(it)).collect();
    let expected = json!([
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]);
    assert_eq!(json!(found), expected);
    assert_eq!(combinations(&json!({"include": [{"a": 1}, {"a": 2}]})).unwrap().len(), 2);
    assert!(combinations(&json!({"include": []})).is_err());
}

#[test]
fn an_artifact_drops_modes_hidden_files_and_empty_folders() {
    let (_dir, root) = folder(&[("out/a/b", "1"), ("out/.hidden", "2"), ("one", "3")]);
    fs_err::create_dir(root.join("out/empty")).unwrap();
    fs_err::set_permissions(root.join("out/a/b"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let artifacts = Artifacts::new(root.join("artifacts"));
    let upload = |more: &[(&str, &str)]| artifacts.upload(&root, &mut inputs(more));
    upload(&[("name", "x-1"), ("path", "out/")]).unwrap();
    assert!(upload(&[("name", "x-1"), ("path", "out")]).is_err(), "a name is taken once");
    upload(&[("name", "x-1"), ("path", "out"), ("overwrite", "true")]).unwrap();
    upload(&[("name", "x-2"), ("path", "./one")]).unwrap();
    assert!(upload(&[("name", "y"), ("path", "none"), ("if-no-files-found", "error")]).is_err());
    upload(&[("name", "y"), ("path", "none")]).unwrap();
    assert!(upload(&[("name", "a/b"), ("path", "out")]).is_err());
    assert_eq!(artifacts.names(), ["x-1", "x-2"]);
    let download = |to: &str, more: &[(&str, &str)]| {
        artifacts.download(&root, &mut inputs(&[&[("path", to)], more].concat()))?;
        Ok::<_, String>(crate::common::files(&root.join(to)))
    };
    assert_eq!(download("d1", &[("name", "x-1")]).unwrap(), ["a/b"]);
    let mode = fs_err::metadata(root.join("d1/a/b")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert!(download("d2", &[("name", "z")]).is_err());
    assert!(download("d2", &[("pattern", "z*")]).unwrap().is_empty());
    // An artifact that a pattern chooses has its own folder, too.
    assert_eq!(download("d3", &[("pattern", "x-2")]).unwrap(), ["x-2/one"]);
    assert_eq!(download("d4", &[("pattern", "x-*")]).unwrap(), ["x-1/a/b", "x-2/one"]);
    let merged = [("pattern", "x-*"), ("merge-multiple", "true")];
    assert_eq!(download("d5", &merged).unwrap(), ["a/b", "one"]);
}

#[test]
fn a_pull_request_cannot_write_caches_of_the_default_branch() {
    let (_dir, root) = folder(&[("bin/tool", "1")]);
    let caches = Caches::new(root.join("caches"));
    let main = Event::push("refs/heads/main", "", &[]);
    let tag = Event::push("refs/tags/v1", "", &[]);
    let request = Event::pull_request("", &[], true);
    let save = |event: &Event, key: &str| {
        caches.save(event, &root, &mut inputs(&[("path", "bin/tool"), ("key", key)])).unwrap();
    };
    let hit = |event: &Event, key: &str, restore: &str| -> Option<String> {
        let to = tempfile::tempdir().unwrap();
        let to = Utf8Path::from_path(to.path()).unwrap();
        let pairs = [("path", "bin/tool"), ("key", key), ("restore-keys", restore)];
        let outputs: BTreeMap<_, _> = caches.restore(event, to, &mut inputs(&pairs)).unwrap();
        assert_eq!(to.join("bin/tool").exists(), outputs.contains_key("cache-hit"));
        outputs.get("cache-hit").cloned()
    };
    save(&request, "k-1");
    assert_eq!(hit(&main, "k-1", ""), None, "what a pull request writes is its own");
    assert_eq!(hit(&tag, "k-1", ""), None);
    assert_eq!(hit(&request, "k-1", "").as_deref(), Some("true"));
    save(&main, "k-2");
    for event in [&main, &tag, &request] {
        assert_eq!(hit(event, "k-2", "").as_deref(), Some("true"));
        assert_eq!(hit(event, "k-3", "k-\n").as_deref(), Some("false"), "a prefix is no exact hit");
    }
    assert_eq!(caches.scopes_of("k-2"), ["refs_heads_main"]);
    // Another list of paths is another cache.
    let other = [("path", "bin"), ("key", "k-2"), ("fail-on-cache-miss", "true")];
    assert!(caches.restore(&main, &root, &mut inputs(&other)).is_err());
}

#[test]
fn command_files_have_single_line_and_multiline_values() {
    let found = pairs("a=1=2\nb<<END\nx\ny\nEND\nc=<<\n").unwrap();
    let expected = [("a", "1=2"), ("b", "x\ny"), ("c", "<<")];
    assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
    assert!(pairs("b<<END\nx\n").is_err() && pairs("nonsense\n").is_err());
}

#[test]
fn hash_files_depends_only_on_the_selected_files() {
    let (_dir, root) = folder(&[("Cargo.lock", "1"), ("src/a/b.rs", "2"), ("README.md", "3")]);
    let hash =
        || hash_files(&root, &["Cargo.lock".to_owned(), "src/**\n!**/none".to_owned()]).unwrap();
    let before = hash();
    assert_eq!(before.len(), 64);
    fs_err::write(root.join("README.md"), "4").unwrap();
    assert_eq!(hash(), before);
    fs_err::write(root.join("src/a/b.rs"), "4").unwrap();
    assert_ne!(hash(), before);
    assert_eq!(hash_files(&root, &["none/**".to_owned()]).unwrap(), "");
    for (patterns, path, expected) in [
        (&["*.rs"][..], "src/a.rs", false),
        (&["**/*.rs"], "src/a.rs", true),
        (&["src"], "src/a.rs", true),
        (&["src/**", "!src/b"], "src/b/c", false),
    ] {
        assert_eq!(matches(patterns, path.into()), Ok(expected), "{patterns:?} {path}");
    }
}

#[test]
fn a_token_has_the_permissions_of_its_job_and_forks_only_read() {
    let text = "  a:\n    runs-on: x\n    permissions:\n      contents: write\n      id-token: write\n    \
                steps: []\n";
    let workflow = workflow(text).unwrap();
    let granted = |fork: bool| {
        let permissions = workflow.jobs["a"].permissions.as_ref().unwrap().granted(fork).unwrap();
        let get = |name: &str| permissions.get(name).cloned().unwrap_or_default();
        [get("contents"), get("id-token"), get("packages")]
    };
    assert_eq!(granted(false), ["write", "write", ""]);
    assert_eq!(granted(true), ["read", "none", ""]);
}
