//! Audits Python wheels and ELF files, and reports the Linux systems on which they load.
//!
//! The crate starts no process and uses no network. It reads the archive of a wheel, its metadata, and the loader's
//! tables and machine code of each ELF file. It compares these facts with the wheel's file name and with the
//! caller's [`Expectations`](audit::Expectations), and returns facts and findings.
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
//! // The oldest glibc on which the wheel loads, and the tag that it fulfils.
//! println!("glibc {}, {}", audit.facts.floor["GLIBC"], audit.facts.overall_tag);
//! # assert!(audit.facts.overall_tag.starts_with("manylinux_2_"), "{}", audit.facts.overall_tag);
//! assert_eq!(audit.verdict(), Verdict::Fail, "this one has no metadata");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Start with [`audit`]. It uses [`elf`], [`isa`], [`wheel`] and [`policy`]. [`compare`] explains the differences of
//! two wheels. [`report`] and [`cli`] print. Reports and builds share [`dist`], [`digest`], [`files`] and [`text`].

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

// The files of `tests/common/` use this name in unit tests and in tests of the program.
#[cfg(test)]
extern crate self as wheel_audit;

#[cfg(test)]
#[path = "../tests/common/dist.rs"]
pub(crate) mod made_dist;
