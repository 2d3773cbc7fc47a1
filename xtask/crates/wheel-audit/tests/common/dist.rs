//! A folder of wheels with its manifest and checksums, made without the store that writes real ones.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camino::Utf8Path;
use wheel_audit::digest;
use wheel_audit::dist::{Entry, Kind, MANIFEST, Manifest};

/// Adds the files of one target, each with its name, contents and kind, to the `dist/` at `dist`.
pub(crate) fn add(dist: &Utf8Path, folder: &str, files: &[(&str, &[u8], Kind)]) {
    fs_err::create_dir_all(dist.join(folder)).unwrap();
    let manifest = fs_err::read(dist.join(MANIFEST));
    let mut manifest =
        manifest.map_or_else(|_| Manifest::default(), |text| Manifest::parse(&text).unwrap());
    let entry = |name: &str, bytes: &[u8], kind: &Kind| {
        let path = format!("{folder}/{name}");
        fs_err::write(dist.join(&path), bytes).unwrap();
        Entry {
            path,
            sha256: digest::of_bytes(bytes),
            size: bytes.len() as u64,
            kind: kind.clone(),
        }
    };
    manifest
        .put(folder, files.iter().map(|(name, bytes, kind)| entry(name, bytes, kind)).collect());
    let listed = manifest.folder(folder).filter(|file| !file.path.ends_with("SHA256SUMS"));
    let line = |file: &Entry| format!("{}  {}\n", file.sha256, &file.path[folder.len() + 1..]);
    let sums = listed.map(line).collect::<String>();
    manifest.put(folder, vec![entry("SHA256SUMS", sums.as_bytes(), &Kind::Metadata)]);
    fs_err::write(dist.join(MANIFEST), serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
}
