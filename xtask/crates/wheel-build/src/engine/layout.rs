//! Images for builders that cannot see the engine's: OCI image layouts (OCI image specification 1.0,
//! `image-layout.md`), folders that the client sends with the build.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use wheel_audit::UserError;

use super::image::BaseImage;
use super::{Engine, EngineError};

/// An image as a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    folder: Utf8PathBuf,
    digest: String,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
}

impl Layout {
    /// The digest of the image in it.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// `image` with this layout as its named context.
    #[must_use]
    pub(crate) fn as_context(&self, mut image: BaseImage) -> BaseImage {
        let context = format!("oci-layout://{}@{}", self.folder, self.digest);
        image.contexts.insert(image.reference.clone(), context);
        image
    }

    /// The layout that an earlier run stored under `key`, if it exists.
    pub(crate) fn present(engine: &Engine, key: &str) -> Option<Self> {
        Self::read(&folder(engine, key)).ok()
    }

    fn read(folder: &Utf8Path) -> Result<Self, EngineError> {
        let text = fs_err::read(folder.join("index.json"))?;
        let index: Index = serde_json::from_slice(&text).map_err(std::io::Error::from)?;
        let first = index.manifests.into_iter().next();
        let digest = first.map(|entry| entry.digest).ok_or_else(|| {
            EngineError::Base(UserError::new(format!("`{folder}/index.json` names no image")))
        })?;
        Ok(Self { folder: folder.to_owned(), digest })
    }
}

/// The folder of all layouts.
fn store(engine: &Engine) -> Utf8PathBuf {
    engine.root.join("target/xtask/base/layouts")
}

/// The folder of the layout with `key`. Clients accept neither `:` nor `@` in the path of a layout.
fn folder(engine: &Engine, key: &str) -> Utf8PathBuf {
    store(engine).join(&wheel_audit::digest::of_bytes(key.as_bytes())[..32])
}

/// Exports the engine's image `reference`; `digest` identifies it there.
///
/// # Errors
/// If the engine cannot export it, or not as an OCI layout.
pub(crate) fn of_image(
    engine: &Engine,
    reference: &str,
    digest: &str,
) -> Result<Layout, EngineError> {
    let key = format!("{reference}@{digest}");
    if let Some(layout) = Layout::present(engine, &key) {
        return Ok(layout);
    }
    fs_err::create_dir_all(store(engine))?;
    let folder = tempfile::Builder::new().prefix("draft-").tempdir_in(store(engine))?;
    let archive = Utf8PathBuf::try_from(folder.path().join("image.tar"))
        .map_err(|error| EngineError::Base(UserError::new(error.to_string())))?;
    engine.query(&engine.client.step(["save", "--output", archive.as_str(), reference]))?;
    unpack(engine, &archive, &key)
}

/// Unpacks the image archive `archive` and stores it under `key`.
///
/// # Errors
/// If the archive cannot be read, or is not an OCI layout.
pub(crate) fn unpack(
    engine: &Engine,
    archive: &Utf8Path,
    key: &str,
) -> Result<Layout, EngineError> {
    let (parent, target) = (store(engine), folder(engine, key));
    fs_err::create_dir_all(&parent)?;
    let draft = tempfile::Builder::new().prefix("draft-").tempdir_in(&parent)?;
    tar::Archive::new(fs_err::File::open(archive)?).unpack(draft.path())?;
    if !draft.path().join("oci-layout").is_file() {
        return Err(EngineError::Unusable(
            UserError::new(
                "the builder cannot see the engine's images, and the engine cannot export one as an \
             OCI layout",
            )
            .hint("use an engine of version 25.0 or later, or a registry that has the base image"),
        ));
    }
    // By rename, so that an existing folder is complete.
    if !target.exists() {
        fs_err::rename(draft.keep(), &target)?;
    }
    Layout::read(&target)
}
