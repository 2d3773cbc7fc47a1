//! Reads Python wheels and ELF files, and says on which Linux systems they load.

pub mod audit;
pub mod cli;
pub mod digest;
pub mod dist;
pub mod elf;
pub mod files;
pub mod isa;
pub mod policy;
pub mod report;
pub mod text;
pub mod wheel;

// So that the files of `tests/common/` name this crate alike in unit tests and in tests of the program.
#[cfg(test)]
extern crate self as wheel_audit;

#[cfg(test)]
#[path = "../tests/common/dist.rs"]
pub(crate) mod made_dist;
