//! Reads Python wheels and ELF files, and reports on which Linux systems they load.
//!
//! The crate starts no process and uses no network. It reads a wheel as data: the archive, its
//! metadata, and of each ELF file what the loader reads and what the machine code needs of the
//! processor. It holds these facts against the wheel's own file name and against the
//! [`Expectations`](audit::Expectations) of the caller, and returns facts and findings.
//!
//! ```
//! use wheel_audit::audit::{Expectations, Settings, Verdict, audit_wheel};
//! # use std::io::Write as _;
//! # let folder = tempfile::tempdir()?;
//! # let path = camino::Utf8PathBuf::try_from(folder.path().join("demo-1.0-py3-none-linux_x86_64.whl"))?;
//! # let mut wheel = zip::ZipWriter::new(std::fs::File::create(&path)?);
//! # wheel.start_file("demo/tool", zip::write::SimpleFileOptions::default())?;
//! # wheel.write_all(&std::fs::read(std::env::current_exe()?)?)?;
//! # wheel.finish()?;
//!
//! let target = Some("manylinux_2_36_x86_64".parse()?);
//! let expectations = Expectations { platform_tag: target, ..Expectations::default() };
//! let audit = audit_wheel(&path, &expectations, &Settings::default())?;
//! for finding in &audit.findings {
//!     println!("{} {}: {}", finding.severity.as_str(), finding.code, finding.message);
//! }
//! // The oldest glibc that the wheel loads on, and the tag that its content allows.
//! println!("glibc {}, {}", audit.facts.floor["GLIBC"], audit.facts.overall_tag);
//! # assert!(audit.facts.overall_tag.starts_with("manylinux_2_"), "{}", audit.facts.overall_tag);
//! assert_eq!(audit.verdict(), Verdict::Fail, "this one has no metadata");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Start with [`audit`]. Below it lie [`elf`], [`isa`], [`wheel`] and [`policy`], which know nothing
//! of each other's matter. [`compare`] explains how two wheels differ. [`report`] and [`cli`] print; [`dist`], [`digest`], [`files`] and [`text`]
//! are what reports and builds share.

pub mod audit;
pub mod cli;
pub mod compare;
pub mod digest;
pub mod dist;
pub mod elf;
mod error;
pub mod files;
pub mod isa;
pub mod policy;
pub mod report;
pub mod rule_docs;
pub mod sys;
pub mod text;
pub mod wheel;

pub use error::UserError;

// So that the files of `tests/common/` name this crate alike in unit tests and in tests of the program.
#[cfg(test)]
extern crate self as wheel_audit;

#[cfg(test)]
#[path = "../tests/common/dist.rs"]
pub(crate) mod made_dist;
