//! The content of a wheel's archive.

use std::collections::{BTreeMap, BTreeSet};

use super::{elf_file::Elf, non_elf, preload::Preloads, script_modules::ScriptModule};
use crate::wheel::{
    ArchiveProblem, CoreMetadata, Digest, MetadataError, Record, RecordError, WheelFile,
};

/// The content of a readable archive.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) problems: Vec<ArchiveProblem>,
    /// True if the content of the members was read. `false` for a decompression bomb.
    pub(super) is_read: bool,
    /// Unreadable members, with the reason.
    pub(super) damaged: BTreeMap<String, String>,
    /// The digests of all readable files.
    pub(super) digests: BTreeMap<String, Digest>,
    /// The `.dist-info` folders at the top.
    pub(super) dist_infos: BTreeSet<String>,
    pub(super) elves: Vec<Elf>,
    /// Files that are named like extension modules but are not ELF files, in the archive's order.
    pub(super) non_elf: Vec<(String, non_elf::Kind)>,
    /// Libraries that the wheel's code may load itself.
    pub(super) preloads: Preloads,
    pub(super) wheel: Option<Result<WheelFile, MetadataError>>,
    pub(super) metadata: Option<Result<CoreMetadata, MetadataError>>,
    pub(super) record: Option<Result<Record, RecordError>>,
    /// Other small files of the `.dist-info` folders, by path, such as `entry_points.txt`.
    pub(super) texts: BTreeMap<String, Vec<u8>>,
    /// The modules of scripts and their parent packages, by dotted name.
    pub(super) script_modules: BTreeMap<String, ScriptModule>,
    /// SBOMs that are not valid JSON, with the reason.
    pub(super) broken_sboms: BTreeMap<String, String>,
}
