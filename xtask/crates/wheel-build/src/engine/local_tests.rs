#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use super::*;
use crate::engine::client::Client;
use crate::engine::host::HostSettings;
use crate::exec::{Captured, Exec};

/// An engine with `images`: the output of `image inspect` by reference.
fn engine(root: &camino::Utf8Path, images: &[(&str, &str)]) -> Engine {
    let own = |&(name, text): &(&str, &str)| (name.to_owned(), text.to_owned());
    let images: BTreeMap<String, String> = images.iter().map(own).collect();
    let exec = Exec::fake(move |step| {
        let name = step.args.last().unwrap();
        Ok(images
            .get(name)
            .map_or_else(|| Captured::failed("No such image"), |it| Captured::ok(it)))
    });
    Engine {
        assets: "a".into(),
        exec,
        root: root.to_owned(),
        host: HostSettings::default(),
        client: Client::default(),
        cache: crate::config::Cache::default(),
    }
}

fn inspected(arch: &str, digests: &[&str]) -> String {
    serde_json::json!({"Architecture": arch, "Id": "sha256:id", "RepoDigests": digests}).to_string()
}

fn found(
    engine: &Engine,
    image: &str,
    pinned: Option<&str>,
    platform: &str,
) -> Option<(String, String)> {
    let found = find(engine, image, pinned, &platform.parse().unwrap(), None).unwrap();
    found.map(|image| (image.reference, image.digest))
}

#[test]
fn an_image_with_several_names_has_a_digest_for_each() {
    let digests = ["mirror.example/debian@sha256:11", "docker.io/library/debian@sha256:22"];
    let text = inspected("amd64", &digests);
    let names = ["debian:12", "mirror.example/debian:12", "mine:1", "debian@sha256:22"];
    let images = names.map(|name| (name, text.as_str()));
    let engine = engine("/nowhere".into(), &images);
    let digest = |image: &str, pinned| found(&engine, image, pinned, "linux/amd64").unwrap().1;
    assert_eq!(digest("debian:12", None), "sha256:22");
    assert_eq!(digest("mirror.example/debian:12", None), "sha256:11");
    assert_eq!(digest("debian:12", Some("sha256:22")), "sha256:22", "the pinned one");
    assert_eq!(digest("debian@sha256:22", None), "sha256:22", "pinned by its name");
    assert_eq!(digest("mine:1", None), "sha256:id", "an own tag of somebody's image");
    assert_eq!(found(&engine, "debian:12", None, "linux/arm64"), None);
}

#[test]
fn platforms_of_one_pinned_index_are_separate() {
    let folder = tempfile::tempdir().unwrap();
    let root = camino::Utf8Path::from_path(folder.path()).unwrap();
    let manifest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let (amd64, arm64) = (manifest("a"), manifest("b"));
    let names = [format!("rocky@{amd64}"), format!("rocky@{arm64}")];
    // As the classic image store has them if the index was pulled for arm64 last.
    let texts = [inspected("amd64", &[&names[0]]), inspected("arm64", &[&names[1]])];
    let images =
        [(&*names[0], &*texts[0]), (&*names[1], &*texts[1]), ("rocky@sha256:1d", &*texts[1])];
    let engine = engine(root, &images);
    let all = || {
        ["linux/amd64", "linux/arm64"].map(|it| found(&engine, "rocky:9", Some("sha256:1d"), it))
    };
    assert_eq!(all()[0], None, "the index is still unknown");
    for (platform, manifest) in [("linux/amd64", &amd64), ("linux/arm64", &arm64)] {
        let platform = platform.parse().unwrap();
        remember(&engine, "rocky:9", "sha256:1d", &platform, manifest).unwrap();
    }
    // Each under its own name, both with the pinned digest.
    assert_eq!(all(), names.map(|name| Some((name, "sha256:1d".to_owned()))));
}

#[test]
fn a_pull_by_the_digest_of_one_platform_keeps_the_images_identity() {
    let folder = tempfile::tempdir().unwrap();
    let root = camino::Utf8Path::from_path(folder.path()).unwrap();
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let platform = "linux/amd64".parse().unwrap();
    // The order of the hashes does not show which one is the index.
    for (index, manifest) in [(digest("a"), digest("b")), (digest("d"), digest("c"))] {
        let [first, second] =
            [&index, &manifest].map(|it| format!("docker.io/library/debian@{it}"));
        let seen = |digests: &[&str]| {
            let text = inspected("amd64", digests);
            let engine = engine(root, &[("debian:12", &text)]);
            found(&engine, "debian:12", None, "linux/amd64").unwrap().1
        };
        let before = seen(&[&first]);
        remember(&engine(root, &[]), "debian:12", &index, &platform, &manifest).unwrap();
        assert_eq!(
            [before, seen(&[&first, &second]), seen(&[&second, &first])],
            [(); 3].map(|()| index.clone())
        );
        assert_eq!(seen(&[&second]), manifest, "the only digest");
    }
}

#[test]
fn a_repository_is_a_reference_without_tag_and_digest() {
    for (image, name) in [
        ("debian", "debian"),
        ("debian:12", "debian"),
        ("host.example:5000/a/b", "host.example:5000/a/b"),
        ("host.example:5000/a/b:1@sha256:1", "host.example:5000/a/b"),
    ] {
        assert_eq!(repository(image), name);
    }
    assert_eq!(by_digest("host.example:5000/a:1", "sha256:1"), "host.example:5000/a@sha256:1");
}
