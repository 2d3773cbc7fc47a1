//! What is in a wheel's archive, as far as checks read it.

use std::collections::{BTreeMap, BTreeSet};

use super::{elf_file::Elf, non_elf, preload::Preloads, script_modules::ScriptModule};
use crate::wheel::{
    ArchiveProblem, CoreMetadata, Digest, MetadataError, Record, RecordError, WheelFile,
};

/// What a readable archive holds.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) problems: Vec<ArchiveProblem>,
    /// The members' content was read. It is not where that alone would be an attack.
    pub(super) is_read: bool,
    /// Members that could not be read, with the reason.
    pub(super) damaged: BTreeMap<String, String>,
    /// Every file that could be read.
    pub(super) digests: BTreeMap<String, Digest>,
    /// The `.dist-info` folders at the top.
    pub(super) dist_infos: BTreeSet<String>,
    pub(super) elves: Vec<Elf>,
    /// Files that are named like extension modules and are no ELF files, in the archive's order.
    pub(super) non_elf: Vec<(String, non_elf::Kind)>,
    /// What the wheel's code can load by itself.
    pub(super) preloads: Preloads,
    pub(super) wheel: Option<Result<WheelFile, MetadataError>>,
    pub(super) metadata: Option<Result<CoreMetadata, MetadataError>>,
    pub(super) record: Option<Result<Record, RecordError>>,
    /// Other small files of the `.dist-info` folders, by path: `entry_points.txt` and the like.
    pub(super) texts: BTreeMap<String, Vec<u8>>,
    /// The modules that scripts start and the packages around them, by dotted name.
    pub(super) script_modules: BTreeMap<String, ScriptModule>,
    /// Bills of materials that are no JSON, with the reason.
    pub(super) broken_sboms: BTreeMap<String, String>,
}
