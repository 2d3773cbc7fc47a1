//! Creates a folder of wheels with manifest and checksums for tests.
#![allow(clippy::unwrap_used, dead_code, reason = "a test fails by panicking; not each uses all")]

use camino::Utf8Path;
use serde_json::{Value, json};
use wheel_audit::digest;
use wheel_audit::dist::{
    BOM_VERSION, BUILD_TYPE, Entry, Kind, MANIFEST, Manifest, PREDICATE_TYPE, STATEMENT_TYPE,
    documents_of, wheel_purl,
};

/// Adds the files of one target (name, content, kind) and the documents of each wheel to `dist`.
pub(crate) fn add(dist: &Utf8Path, folder: &str, files: &[(&str, &[u8], Kind)]) {
    fs_err::create_dir_all(dist.join(folder)).unwrap();
    let mut manifest = manifest(dist);
    let entry = |(name, bytes, kind): &(&str, &[u8], Kind)| {
        file(dist, &format!("{folder}/{name}"), bytes, kind)
    };
    manifest.put(folder, files.iter().map(entry).collect());
    write(dist, folder, manifest);
}

/// Rewrites the documents of all wheels of a folder from the manifest and `build-info.json`.
pub(crate) fn document(dist: &Utf8Path, folder: &str) {
    write(dist, folder, manifest(dist));
}

fn manifest(dist: &Utf8Path) -> Manifest {
    let text = fs_err::read(dist.join(MANIFEST));
    text.map_or_else(|_| Manifest::default(), |text| Manifest::parse(&text).unwrap())
}

fn file(dist: &Utf8Path, path: &str, bytes: &[u8], kind: &Kind) -> Entry {
    fs_err::write(dist.join(path), bytes).unwrap();
    let (path, kind) = (path.to_owned(), kind.clone());
    Entry { path, sha256: digest::of_bytes(bytes), size: bytes.len() as u64, kind }
}

fn write(dist: &Utf8Path, folder: &str, mut manifest: Manifest) {
    let info = fs_err::read(dist.join(folder).join("build-info.json")).unwrap_or_default();
    let info: Value = serde_json::from_slice(&info).unwrap_or_default();
    let wheels = manifest.folder(folder).filter(|entry| !entry.builds().is_empty());
    let documents = wheels.flat_map(|wheel| {
        documents_of(&wheel.path).into_iter().zip(documents(wheel, &info)).collect::<Vec<_>>()
    });
    let documents = documents.map(|(path, document)| {
        file(dist, &path, document.to_string().as_bytes(), &Kind::Metadata)
    });
    let documents = documents.collect();
    manifest.put(folder, documents);
    let listed = manifest.folder(folder).filter(|file| !file.path.ends_with("SHA256SUMS"));
    let line = |file: &Entry| format!("{}  {}\n", file.sha256, &file.path[folder.len() + 1..]);
    let sums = listed.map(line).collect::<String>();
    let sums = file(dist, &format!("{folder}/SHA256SUMS"), sums.as_bytes(), &Kind::Metadata);
    manifest.put(folder, vec![sums]);
    fs_err::write(dist.join(MANIFEST), serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
}

/// The parts of both documents of a wheel that `verify` reads.
fn documents(wheel: &Entry, info: &Value) -> [Value; 2] {
    let Kind::Wheel { target, platform, builds, .. } = &wheel.kind else {
        return [Value::Null, Value::Null];
    };
    let (file, sha256) = (wheel.path.rsplit('/').next().unwrap(), &wheel.sha256);
    let bom = json!({"bomFormat": "CycloneDX", "specVersion": BOM_VERSION, "metadata": {"component":
        {"purl": wheel_purl(file), "hashes": [{"alg": "SHA-256", "content": sha256}]}}});
    let image = info["image"]["digest"].as_str().unwrap_or("sha256:1");
    let image = image.trim_start_matches("sha256:");
    let source = info["source"]["sha256"].as_str().unwrap_or("s");
    let definition = json!({"buildType": BUILD_TYPE, "externalParameters": {"target": target,
        "platform": platform, "interpreter": builds[0].interpreter}, "resolvedDependencies": [
            {"digest": {"sha256": image}, "annotations": {"role": "base-image"}},
            {"digest": {"sha256": source}, "annotations": {"role": "source"}}]});
    let statement = json!({"_type": STATEMENT_TYPE, "predicateType": PREDICATE_TYPE,
        "subject": [{"name": file, "digest": {"sha256": sha256}}],
        "predicate": {"buildDefinition": definition}});
    [bom, statement]
}
