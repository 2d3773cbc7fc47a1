//! `cargo xtask pin`, with a fake engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Workspace;

/// An index with both platforms.
const INDEX: &str = r#"
case "$*" in
*"{{json .Manifest}} -- debian:12")
    echo '{"digest": "sha256:1111111111111111111111111111111111111111111111111111111111111111", "manifests": [
        {"digest": "sha256:2222222222222222222222222222222222222222222222222222222222222222",
         "platform": {"os": "linux", "architecture": "amd64"}}]}' ;;
*"{{json .Manifest}} -- tonistiigi/binfmt"*)
    echo '{"digest": "sha256:3333333333333333333333333333333333333333333333333333333333333333", "manifests": [
        {"digest": "sha256:4444444444444444444444444444444444444444444444444444444444444444",
         "platform": {"os": "linux", "architecture": "amd64"}}]}' ;;
*) echo "ERROR: $*: not found" >&2; false ;;
esac"#;

fn toml(w: &Workspace) -> String {
    fs_err::read_to_string(w.root.join("wheels.toml")).unwrap()
}

#[test]
fn digests_are_written_once_and_stay_current() {
    let w = Workspace::new();
    w.on("imagetools", INDEX);
    let before = toml(&w);
    let first = w.run(&["pin", "debian:12"]).code(0).reports(&["1 digests written"]);
    assert!(first.stdout.contains("not pinned"), "{}", first.stdout);
    let line =
        format!("image = \"debian:12\"\ndigest.\"linux/amd64\" = \"sha256:{}\"\n", "2".repeat(64));
    assert_eq!(toml(&w), before.replace("image = \"debian:12\"\n", &line));
    // The image that registers emulators is compiled in: it does not concern a repository that uses the tool.
    let without = w.run(&["pin"]).code(0);
    assert!(!without.stdout.contains("binfmt"), "{}", without.stdout);
    let tool = w.root.join("xtask/crates/wheel-build");
    let formats = tool.join("src/engine/binfmt/formats.toml");
    fs_err::create_dir_all(formats.parent().unwrap()).unwrap();
    fs_err::write(tool.join("Cargo.toml"), "").unwrap();
    fs_err::write(&formats, "# Why.\nimage = \"a:1\"\n\n[formats.arm64]\nmagic = \"7f\"\n")
        .unwrap();
    let second = w.run(&["pin"]).code(0).reports(&["1 digests written", "formats.toml"]);
    assert!(second.stdout.contains("current"), "{}", second.stdout);
    let digest = format!("image = \"a:1\"\ndigest = \"sha256:{}\"\n", "3".repeat(64));
    assert!(fs_err::read_to_string(&formats).unwrap().contains(&digest));
}

#[test]
fn a_check_and_a_dry_run_write_nothing() {
    let w = Workspace::new();
    w.on("imagetools", INDEX);
    let before = toml(&w);
    w.run(&["pin", "debian:12", "--check"])
        .code(1)
        .reports(&["missing or outdated", "hint: `cargo xtask pin`"]);
    w.run(&["pin", "debian:12", "--dry-run"]).code(0).reports(&["1 digests would be written"]);
    let json = w.run(&["pin", "debian:12", "--dry-run", "--json"]).code(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["images"][0]["state"], "unpinned");
    assert_eq!(json["images"][0]["found"], format!("sha256:{}", "2".repeat(64)));
    assert_eq!(toml(&w), before);
}

#[test]
fn a_silent_registry_differs_from_one_without_the_image() {
    let w = Workspace::new();
    let before = toml(&w);
    for (script, code, word) in [
        (
            "echo 'ERROR: dial tcp: lookup registry.example: no such host' >&2; false",
            2,
            "no such host",
        ),
        ("echo 'ERROR: unexpected status: 500 Internal Server Error' >&2; false", 2, "500"),
        (
            "echo 'ERROR: docker.io/library/debian:12: not found' >&2; false",
            1,
            "docker.io/library/debian:12",
        ),
        ("echo no JSON", 2, "is not an image manifest"),
    ] {
        w.on("imagetools", script);
        // For two platforms, if the tag lacks one of them.
        let platforms: &[&str] = if code == 2 { &["linux/amd64", "linux/arm64"] } else { &[] };
        let ran = w.run(&[&["pin", "debian:12"], platforms].concat()).code(code);
        let text = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(text.matches(word).count(), 1, "{word}:\n{text}");
        if code == 2 {
            assert!(ran.stderr.contains("no registry answered"), "{}", ran.stderr);
            assert!(ran.stderr.contains("hint: `cargo xtask doctor`"), "{}", ran.stderr);
        }
    }
    w.on("imagetools", INDEX);
    let ran = w.run(&["pin", "debian:12", "linux/arm64"]).code(1);
    assert!(ran.stdout.contains("no image for linux/arm64"), "{}", ran.stdout);
    w.run(&["pin", "fedora:43"]).code(2).reports(&["`fedora:43`", "wheels.toml"]);
    assert_eq!(toml(&w), before);
}
