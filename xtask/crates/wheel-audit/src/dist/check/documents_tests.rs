#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::digest;
use crate::dist::check::tests::{Dist, WHEEL, dist};
use crate::dist::{DOCUMENTS, MANIFEST, Manifest, PROVENANCE};
use crate::made_dist;

const INFO: &str = "debian12-amd64/build-info.json";

fn path(end: &str) -> String {
    format!("{WHEEL}{end}")
}

/// Rewrites a file of `dist` with its entries in the manifest and checksums, as an attacker would.
fn forge(dist: &Dist, path: &str, text: &str) {
    let mut manifest = Manifest::parse(dist.read(MANIFEST).as_bytes()).unwrap();
    let entry = manifest.files.iter_mut().find(|entry| entry.path == path).unwrap();
    let (old, new) = (entry.sha256.clone(), digest::of_bytes(text.as_bytes()));
    (entry.sha256, entry.size) = (new.clone(), text.len() as u64);
    dist.write(path, text);
    let sums = "debian12-amd64/SHA256SUMS";
    let text = dist.read(sums).replace(&old, &new);
    dist.write(sums, &text);
    let entry = manifest.files.iter_mut().find(|entry| entry.path == sums).unwrap();
    (entry.sha256, entry.size) = (digest::of_bytes(text.as_bytes()), text.len() as u64);
    dist.write(MANIFEST, &serde_json::to_string(&manifest).unwrap());
}

/// Sets the value at `pointer` of a document.
fn set(dist: &Dist, path: &str, pointer: &str, value: Value) {
    let mut document: Value = serde_json::from_str(&dist.read(path)).unwrap();
    *document.pointer_mut(pointer).unwrap() = value;
    forge(dist, path, &document.to_string());
}

#[test]
fn missing_documents_and_documents_without_a_wheel_are_reported() {
    for end in DOCUMENTS {
        let lost = dist();
        lost.remove(&path(end));
        assert_eq!(lost.problems(), [(DistFault::Missing, path(end))], "listed but missing");
        // No list contains it, as in a folder of an earlier version.
        let old = dist();
        let mut manifest = Manifest::parse(old.read(MANIFEST).as_bytes()).unwrap();
        manifest.files.retain(|entry| entry.path != path(end));
        old.write(MANIFEST, &serde_json::to_string(&manifest).unwrap());
        assert!(old.problems().contains(&(DistFault::ProofMissing, path(end))), "{end}");
    }
    let alone = dist();
    made_dist::add(
        &alone.root,
        "debian12-amd64",
        &[("b-1-py3-none-any.whl.cdx.json", b"{}", Kind::Metadata)],
    );
    let stray = "debian12-amd64/b-1-py3-none-any.whl.cdx.json".to_owned();
    assert_eq!(alone.problems(), [(DistFault::ProofDisagrees, stray)]);
}

#[test]
fn documents_are_compared_with_their_wheel() {
    let definition = "/predicate/buildDefinition";
    let parameter = |name: &str| format!("{definition}/externalParameters/{name}");
    let cases = [
        (BOM, "/bomFormat".to_owned()),
        (BOM, "/specVersion".to_owned()),
        (BOM, "/metadata/component/purl".to_owned()),
        (BOM, "/metadata/component/hashes/0/content".to_owned()),
        (BOM, "/metadata/component/hashes/0/alg".to_owned()),
        (PROVENANCE, "/_type".to_owned()),
        (PROVENANCE, "/predicateType".to_owned()),
        (PROVENANCE, "/subject/0/name".to_owned()),
        (PROVENANCE, "/subject/0/digest/sha256".to_owned()),
        (PROVENANCE, format!("{definition}/buildType")),
        (PROVENANCE, parameter("target")),
        (PROVENANCE, parameter("platform")),
        (PROVENANCE, parameter("interpreter")),
    ];
    for (end, pointer) in cases {
        let dist = dist();
        set(&dist, &path(end), &pointer, json!("other"));
        assert_eq!(dist.problems(), [(DistFault::ProofDisagrees, path(end))], "{pointer}");
    }
    let none = dist();
    set(&none, &path(PROVENANCE), "/subject", json!([]));
    assert_eq!(none.faults(), [DistFault::ProofDisagrees]);
}

#[test]
fn a_provenance_matches_build_info_and_the_base_image() {
    let info = |builder: &str, image: &str, source: &str, crates: &[&str]| {
        let crates: Vec<_> = crates.iter().map(|it| json!({"name": "c", "sha256": it})).collect();
        json!({"schema_version": 1, "target": "debian12", "platform": "linux/amd64",
            "image": {"digest": format!("sha256:{image}")}, "source": {"sha256": source},
            "interpreters": [{"id": builder, "requirements": {"crates": crates}}]})
    };
    let faults = |info: Value| {
        let dist = dist();
        forge(&dist, INFO, &info.to_string());
        dist.problems()
    };
    let wrong = [(DistFault::ProofDisagrees, path(PROVENANCE))];
    assert_eq!(faults(info("cp311", "1", "s", &[])), []);
    assert_eq!(faults(info("cp311", "2", "s", &[])), wrong);
    assert_eq!(faults(info("cp311", "1", "t", &[])), wrong);
    assert_eq!(faults(info("cp311", "1", "s", &["0"])), wrong);
    assert_eq!(faults(info("cp312", "2", "t", &["0"])), [], "another environment");
    let with_base = |digest: &str| {
        let dist = dist();
        let mut manifest = Manifest::parse(dist.read(MANIFEST).as_bytes()).unwrap();
        for entry in &mut manifest.files {
            let Kind::Wheel { builds, .. } = &mut entry.kind else { continue };
            let (digest, origin) = (digest.to_owned(), "pulled".to_owned());
            builds[0].base = Some(crate::dist::BaseUsed { digest, origin });
        }
        dist.write(MANIFEST, &serde_json::to_string(&manifest).unwrap());
        dist.problems()
    };
    assert_eq!((with_base("sha256:1"), with_base("sha256:2")), (vec![], wrong.to_vec()));
}

#[test]
fn deeply_nested_large_and_damaged_documents_are_rejected() {
    let deep = "[".repeat(100_000);
    let inner = format!("{{\"metadata\": {deep}");
    let large = format!("{}{}", " ".repeat(MAX_DOCUMENT), "{}");
    for text in ["", "{", "[]", "null", "{}", "\u{0}", &deep, &inner, &large] {
        for end in DOCUMENTS {
            let dist = dist();
            forge(&dist, &path(end), text);
            assert_eq!(dist.faults(), [DistFault::ProofUnreadable], "{end}: {text:.20}");
        }
    }
}

#[test]
fn documents_without_a_manifest_are_compared_with_their_wheels() {
    let folder = tempfile::tempdir().unwrap();
    let root = camino::Utf8Path::from_path(folder.path()).unwrap();
    let made = dist();
    for name in [WHEEL.to_owned(), path(BOM), path(PROVENANCE)] {
        let file = name.rsplit('/').next().unwrap();
        fs_err::copy(made.root.join(&name), root.join(file)).unwrap();
    }
    let faults = || {
        let found = super::super::check(root, &super::super::Known::new());
        found.into_iter().map(|problem| problem.fault).collect::<Vec<_>>()
    };
    assert_eq!(faults(), []);
    fs_err::write(root.join("a-1-py3-none-any.whl"), "other").unwrap();
    assert_eq!(faults(), [DistFault::ProofDisagrees; 2]);
}

proptest! {
    /// Any document has a result, and one that passes contains this wheel's hash.
    #[test]
    fn changed_documents_are_parsed_or_rejected(at in any::<prop::sample::Index>(), byte in any::<u8>(),
        cut in any::<prop::sample::Index>(), end in prop::sample::select(&DOCUMENTS[..])) {
        static WHOLE: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
            let dist = dist();
            DOCUMENTS.map(|end| dist.read(&path(end)).into_bytes())
        });
        let whole = &WHOLE[usize::from(end == PROVENANCE)];
        let sha256 = digest::of_bytes(b"bytes");
        let subject = Subject { file: "a-1-py3-none-any.whl", sha256: &sha256, build: None };
        prop_assert_eq!(problems(end, whole, subject), Ok(Vec::new()));
        let mut changed = whole.clone();
        let place = at.index(whole.len());
        changed[place] = byte;
        if problems(end, &changed, subject) == Ok(Vec::new()) {
            prop_assert!(String::from_utf8_lossy(&changed).contains(&sha256));
        }
        prop_assert!(problems(end, &whole[..cut.index(whole.len())], subject).is_err());
    }
}
