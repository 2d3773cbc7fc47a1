//! The wheel file format (`PyPA`, "Binary distribution format", PEP 427 and PEP 425): file name, tags, archive,
//! `RECORD`, `WHEEL` and `METADATA`, and the final form of a built wheel.
//!
//! This module reads files and detects violations of the format. It does not depend on machine code or on the
//! promises of tags.

mod archive;
mod entry_points;
mod extension;
mod finish;
mod headers;
mod interpreter;
mod metadata;
mod name;
mod python_source;
mod record;
mod requirement;
mod tag;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use archive::Piece;
pub use archive::{ArchiveError, ArchiveProblem, Entry, MemberError, SharedFile, WheelArchive};
pub(crate) use entry_points::is_identifier;
pub use entry_points::{EntryPoint, EntryPointsError, entry_points};
pub(crate) use extension::FIRST_WITH_ABI3T;
pub use extension::{ExtensionAbi, ExtensionSuffix};
pub use finish::{FinishError, finish};
pub use headers::{Cut, Headers};
pub use interpreter::{Implementation, Interpreter, InterpreterError, allows, allows_builds};
pub(crate) use metadata::VersionKey;
pub use metadata::{CoreMetadata, MetadataError, WheelFile, same_name, same_version};
pub use name::{NameError, WheelName};
pub(crate) use python_source::PythonSource;
pub use record::{Digest, Record, RecordError, RecordProblem, RecordRow};
pub(crate) use requirement::{is_name, requirement_fault};
pub use tag::{Tag, TagSet};

/// Maximum size of `RECORD`, `WHEEL` or `METADATA`, in bytes. The largest real ones have a few MiB.
pub const MAX_METADATA: u64 = 8 << 20;
