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

pub use plan::{install, uninstall};
pub use status::{Emulator, Row, State, Status, examine};
pub use trial::Trial;

/// How the names of our own registrations begin: what begins otherwise is never touched.
pub const OWN: &str = "xtask-";

/// How an emulator is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// The package where this user can install it, else the image
    Auto,
    /// The distribution's `qemu-user-static`
    Package,
    /// The image `tonistiigi/binfmt`, run by the engine
    Image,
}

#[cfg(test)]
mod tests;
