//! Writes an image archive from a root file system, in both forms that engines load: an OCI image layout
//! (OCI image specification 1.0, `image-layout.md`), and the `manifest.json` of older engines.

use std::io::Write;

use camino::Utf8Path;
use serde_json::{Value, json};

use super::EngineError;
use crate::config::Platform;
use wheel_audit::digest;

/// Writes the image archive `image` with `rootfs` as its only layer. Returns the digest of its
/// manifest (`sha256:…`). The engine loads the image under the name `reference`.
///
/// The same root file system always has the same digest, because the archive contains no time.
///
/// # Errors
/// If a file cannot be read or written.
pub(crate) fn write(
    rootfs: &Utf8Path,
    image: &Utf8Path,
    platform: &Platform,
    reference: &str,
) -> Result<String, EngineError> {
    let layer = digest::of_file(rootfs)?;
    let layer_size = fs_err::metadata(rootfs)?.len();
    let config = text(&json!({
        // Without an architecture, engines assume the host's.
        "architecture": platform.engine_arch(),
        "os": "linux",
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Cmd": ["/bin/sh"],
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
        "history": [{ "created_by": "cargo xtask, from the distribution's packages" }],
    }));
    let config_hash = digest::of_bytes(&config);
    let manifest = text(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": format!("sha256:{config_hash}"),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": format!("sha256:{layer}"),
            "size": layer_size,
        }],
    }));
    let manifest_hash = digest::of_bytes(&manifest);
    let index = text(&index(platform, reference, &manifest_hash, manifest.len()));
    let blob = |hash: &str| format!("blobs/sha256/{hash}");
    let legacy = text(&json!([{
        "Config": blob(&config_hash),
        "RepoTags": [reference],
        "Layers": [blob(&layer)],
    }]));
    let mut tar = tar::Builder::new(std::io::BufWriter::new(fs_err::File::create(image)?));
    append(&mut tar, "oci-layout", &text(&json!({ "imageLayoutVersion": "1.0.0" })))?;
    append(&mut tar, "index.json", &index)?;
    append(&mut tar, "manifest.json", &legacy)?;
    append(&mut tar, &blob(&config_hash), &config)?;
    append(&mut tar, &blob(&manifest_hash), &manifest)?;
    let mut header = header(layer_size);
    tar.append_data(&mut header, blob(&layer), fs_err::File::open(rootfs)?)?;
    tar.into_inner()?.flush()?;
    Ok(format!("sha256:{manifest_hash}"))
}

fn index(platform: &Platform, reference: &str, manifest: &str, size: usize) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": format!("sha256:{manifest}"),
            "size": size,
            "platform": { "architecture": platform.engine_arch(), "os": "linux" },
            "annotations": {
                "io.containerd.image.name": format!("docker.io/{reference}"),
                "org.opencontainers.image.ref.name": reference,
            },
        }],
    })
}

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header
}

fn append<W: Write>(tar: &mut tar::Builder<W>, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    tar.append_data(&mut header(bytes.len() as u64), name, bytes)
}
