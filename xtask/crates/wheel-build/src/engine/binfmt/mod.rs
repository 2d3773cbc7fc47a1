//! Emulation of the requested architectures: the registered emulators, plans to change them, and tests.
//!
//! The kernel starts a registered emulator for each foreign program
//! (`Documentation/admin-guide/binfmt-misc.rst`). A registration lasts until the next boot.

mod formats;
mod plan;
mod program;
mod status;
mod trial;

use self::formats::FORMATS;
pub(crate) use plan::{install, uninstall};
pub(crate) use status::{Row, Status, examine};

/// Prefix of the names of our registrations. Others are never changed.
pub(crate) const OWN: &str = "xtask-";

/// The image that registers emulators through an engine, and the digest of its index if it is pinned.
pub(crate) fn image() -> (&'static str, Option<&'static str>) {
    (&FORMATS.image, FORMATS.digest.as_deref())
}

/// The text of `formats.toml` with another digest, and otherwise unchanged.
///
/// # Errors
/// If `text` is not valid TOML.
pub(crate) fn with_digest(text: &str, digest: &str) -> Result<String, String> {
    let mut document: toml_edit::DocumentMut = text.parse().map_err(|error| format!("{error}"))?;
    document["digest"] = toml_edit::value(digest);
    Ok(document.to_string())
}

/// How to install an emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum InstallMethod {
    /// The package if this user can install it, otherwise the image
    Auto,
    /// The distribution's `qemu-user-static`
    Package,
    /// The image `tonistiigi/binfmt`, which the engine runs
    Image,
}

#[cfg(test)]
mod tests;
