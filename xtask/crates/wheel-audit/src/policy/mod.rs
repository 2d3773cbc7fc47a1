//! The promises of platform tags: architectures, tags, the manylinux and musllinux policies, and the C library of
//! each distribution.
//!
//! The facts are data files below `data/`, each with its source. This module does not depend on archives or ELF
//! files: it rates names such as `GLIBC_2.34` and `libz.so.1`.

mod arch;
mod causes;
mod compilers;
mod core_metadata;
mod distributions;
pub(crate) mod exports;
mod folders;
mod index;
mod installer;
mod layout;
mod loader;
mod other_system;
mod platform;
mod processors;
mod providers;
mod releases;
mod requirements;
pub(crate) mod scope;
mod stable_abi;
mod system_libraries;
mod tables;
mod version;

pub use arch::{Arch, UnknownArch};
pub(crate) use causes::help_of;
pub(crate) use compilers::{BuildSystem, Compiler};
pub(crate) use core_metadata::{CoreFields, metadata_version};
pub use distributions::{Distribution, Libc, distributions};
pub(crate) use folders::is_build_folder;
pub(crate) use index::Index;
pub use installer::installs;
pub(crate) use layout::LayoutNames;
pub(crate) use loader::loader_lacks;
pub(crate) use other_system::other_system;
pub use platform::{ManylinuxAlias, PlatformTag, PlatformTagError};
pub(crate) use processors::{baseline, checks_only_for_itself, is_variant};
pub(crate) use providers::Provider;
pub(crate) use releases::{LibcRelease, libc_release};
pub use requirements::Floor;
pub(crate) use requirements::{Requirements, musl_libc};
pub(crate) use stable_abi::StableAbi;
pub(crate) use system_libraries::SystemLibrary;
pub use tables::{Limits, Policies, VersionVerdict};
pub use version::{LibcVersion, SymbolVersion, VersionError};
