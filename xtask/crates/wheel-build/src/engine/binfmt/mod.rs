//! Emulation of just the architectures that are asked for: what is there, what is to be done, and
//! whether it works.
//!
//! The kernel hands a foreign program to an emulator that was registered with it
//! (`Documentation/admin-guide/binfmt-misc.rst`). A registration lasts until the next boot.

mod formats;
mod plan;
mod program;
mod status;
mod trial;

use self::formats::FORMATS;
pub(crate) use plan::{install, uninstall};
pub(crate) use status::{Row, Status, examine};

/// How the names of our own registrations begin: what begins otherwise is never touched.
pub(crate) const OWN: &str = "xtask-";

/// The image that registers emulators through an engine, and the digest of its index, where pinned.
pub(crate) fn image() -> (&'static str, Option<&'static str>) {
    (&FORMATS.image, FORMATS.digest.as_deref())
}

/// The text of `formats.toml` with another digest, and all else as it is.
///
/// # Errors
/// Where `text` is no TOML.
pub(crate) fn with_digest(text: &str, digest: &str) -> Result<String, String> {
    let mut document: toml_edit::DocumentMut = text.parse().map_err(|error| format!("{error}"))?;
    document["digest"] = toml_edit::value(digest);
    Ok(document.to_string())
}

/// How an emulator is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum InstallMethod {
    /// The package where this user can install it, else the image
    Auto,
    /// The distribution's `qemu-user-static`
    Package,
    /// The image `tonistiigi/binfmt`, run by the engine
    Image,
}

#[cfg(test)]
mod tests;
