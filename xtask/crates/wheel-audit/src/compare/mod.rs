//! Compares two wheels of the same name byte by byte, and explains their differences.
//!
//! Pure except for reading both files. The files are not trusted, so memory and reports are limited.

mod cause;
mod content;
mod sections;
mod strings;

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

pub use cause::{Builds, Cause};

use crate::digest;
use crate::text::shown;
use crate::wheel::{ArchiveError, ArchiveProblem, Entry, MemberError, SharedFile, WheelArchive};

/// Maximum size of a member that is explained, in bytes.
const MAX_EXPLAINED: u64 = 64 << 20;
/// Maximum number of reported differences.
const MAX_DIFFERENCES: usize = 500;

/// The reason why two wheels cannot be compared.
#[derive(Debug, Error)]
pub enum CompareError {
    /// A file is unreadable.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A file is not a readable archive.
    #[error("`{file}`: {source}")]
    Archive {
        /// The file.
        file: String,
        /// Why.
        source: ArchiveError,
    },
    /// An archive is a decompression bomb.
    #[error("`{file}`: {problem}")]
    Problem {
        /// The file.
        file: String,
        /// The problem.
        problem: ArchiveProblem,
    },
    /// A member is unreadable.
    #[error("`{file}`: `{member}`: {source}")]
    Member {
        /// The file.
        file: String,
        /// The member.
        member: String,
        /// Why.
        source: MemberError,
    },
}

/// A difference of two wheels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The member. `None` for the archive itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The section of an ELF file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The likely cause.
    pub cause: Cause,
    /// The content on both sides.
    pub detail: String,
    /// True if it follows from other differences: hashes in `RECORD`, a build id that depends on the content.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follows: bool,
}

/// One of two wheels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Its file name.
    pub file: String,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
}

/// The comparison of two wheels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// True if they have the same bytes.
    pub identical: bool,
    /// The first wheel.
    pub first: Side,
    /// The second wheel.
    pub second: Side,
    /// The differences by member. Differences that follow from others come last.
    pub differences: Vec<Difference>,
    /// Number of further differences.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Compares two wheels. `builds` are facts about their builds.
///
/// # Errors
/// [`CompareError`] if one of them is unreadable.
pub fn compare(
    first: &Utf8Path,
    second: &Utf8Path,
    builds: Builds<'_>,
) -> Result<Comparison, CompareError> {
    let side = |path: &Utf8Path| {
        let file = path.file_name().unwrap_or(path.as_str()).to_owned();
        Ok::<_, CompareError>(Side { file, sha256: digest::of_file(path)? })
    };
    let (left, right) = (side(first)?, side(second)?);
    let identical = left.sha256 == right.sha256;
    let mut differences = Vec::new();
    if !identical {
        differences = Pair { left: Opened::new(first)?, right: Opened::new(second)?, builds }
            .differences()?;
    }
    differences.sort_by_key(|it| it.follows);
    let more = differences.len().saturating_sub(MAX_DIFFERENCES);
    differences.truncate(MAX_DIFFERENCES);
    Ok(Comparison { identical, first: left, second: right, differences, more })
}

struct Opened<'a> {
    file: &'a str,
    archive: WheelArchive<SharedFile>,
    /// The members without folders.
    members: BTreeMap<String, usize>,
}

impl<'a> Opened<'a> {
    fn new(path: &'a Utf8Path) -> Result<Self, CompareError> {
        let file = path.file_name().unwrap_or_default();
        let archive = WheelArchive::open(path)
            .map_err(|source| CompareError::Archive { file: file.to_owned(), source })?;
        if let Some(problem) = archive.problems().iter().find(|it| it.forbids_reading()) {
            return Err(CompareError::Problem { file: file.to_owned(), problem: problem.clone() });
        }
        let entries = archive.entries().iter().enumerate();
        let files = entries.filter(|(_, entry)| !entry.is_folder());
        let members = files.map(|(at, entry)| (entry.name.clone(), at)).collect();
        Ok(Self { file, archive, members })
    }

    fn entry(&self, index: usize) -> &Entry {
        &self.archive.entries()[index]
    }

    /// The hash of a member, and its content if it is small enough.
    fn read(&mut self, index: usize) -> Result<([u8; 32], Vec<u8>), CompareError> {
        let is_small = self.entry(index).size <= MAX_EXPLAINED;
        let (mut hasher, mut bytes) = (Sha256::new(), Vec::new());
        let read = self.archive.stream(index, &mut |piece| {
            hasher.update(piece);
            if is_small {
                bytes.extend_from_slice(piece);
            }
        });
        match read {
            Ok(()) => Ok((hasher.finalize().into(), bytes)),
            Err(source) => {
                let member = shown(&self.entry(index).name).to_string();
                Err(CompareError::Member { file: self.file.to_owned(), member, source })
            }
        }
    }

    fn order(&self) -> Vec<&str> {
        let entries = self.archive.entries().iter().filter(|entry| !entry.is_folder());
        entries.map(|entry| entry.name.as_str()).collect()
    }
}

struct Pair<'a> {
    left: Opened<'a>,
    right: Opened<'a>,
    builds: Builds<'a>,
}

impl Pair<'_> {
    fn differences(mut self) -> Result<Vec<Difference>, CompareError> {
        let mut all = Vec::new();
        let sides = [(&self.left, &self.right, "second"), (&self.right, &self.left, "first")];
        for (these, others, lacking) in sides {
            let only = these.members.keys().filter(|name| !others.members.contains_key(*name));
            all.extend(only.map(|name| Difference {
                detail: format!("the {lacking} wheel lacks it"),
                ..of_member(name, Cause::Files)
            }));
        }
        let common: Vec<(String, usize, usize)> = self
            .left
            .members
            .iter()
            .filter_map(|(name, &at)| Some((name.clone(), at, *self.right.members.get(name)?)))
            .collect();
        for (name, left, right) in &common {
            all.extend(self.contents(name, *left, *right)?);
        }
        let is_cause = |it: &Difference| !it.member.as_deref().is_some_and(is_record);
        if all.iter().any(is_cause) {
            let records = all.iter_mut().filter(|it| !is_cause(it));
            records.for_each(|record| record.follows = true);
        }
        all.extend(self.archive(&common));
        if all.is_empty() {
            let detail = "compression, extra fields, folders or comments".to_owned();
            all.push(Difference { detail, ..of_archive(Cause::ArchiveForm) });
        }
        Ok(all)
    }

    fn contents(
        &mut self,
        name: &str,
        left: usize,
        right: usize,
    ) -> Result<Vec<Difference>, CompareError> {
        let (first, left_bytes) = self.left.read(left)?;
        let (second, right_bytes) = self.right.read(right)?;
        if first == second {
            return Ok(Vec::new());
        }
        let sizes = [self.left.entry(left).size, self.right.entry(right).size];
        if sizes.iter().any(|&size| size > MAX_EXPLAINED) {
            let detail = format!("too large to explain; {} / {} bytes", sizes[0], sizes[1]);
            return Ok(vec![Difference { detail, ..of_member(name, Cause::Content) }]);
        }
        let found = content::differences(&left_bytes, &right_bytes, self.builds);
        let difference = |it: content::Found| Difference {
            section: it.section.map(|name| shown(&name).to_string()),
            detail: it.detail,
            follows: it.follows,
            ..of_member(name, it.cause)
        };
        Ok(found.into_iter().map(difference).collect())
    }

    /// Differences of the archives apart from content: one per cause, with the first member as an example.
    fn archive(&self, common: &[(String, usize, usize)]) -> Vec<Difference> {
        let mut all = Vec::new();
        let mut facts = |cause, fact: &dyn Fn(&Entry) -> String| {
            let values = common.iter().map(|(name, left, right)| {
                (name, fact(self.left.entry(*left)), fact(self.right.entry(*right)))
            });
            let mut other = values.filter(|(_, left, right)| left != right);
            if let Some((name, left, right)) = other.next() {
                let detail = format!("{left} / {right}; {} further members", other.count());
                all.push(Difference {
                    member: Some(shown(name).to_string()),
                    detail,
                    ..of_archive(cause)
                });
            }
        };
        facts(Cause::ArchiveTime, &|entry| entry.time_text());
        facts(Cause::ArchiveMode, &|entry| format!("{:o}", entry.unix_mode()));
        let (left, right) = (self.left.order(), self.right.order());
        if left.len() == right.len()
            && self.left.members.len() == common.len()
            && let Some((left, right)) = left.iter().zip(&right).find(|(left, right)| left != right)
        {
            let detail = format!("`{}` / `{}`", shown(left), shown(right));
            all.push(Difference { detail, ..of_archive(Cause::ArchiveOrder) });
        }
        all
    }
}

fn of_archive(cause: Cause) -> Difference {
    Difference { member: None, section: None, cause, detail: String::new(), follows: false }
}

fn of_member(name: &str, cause: Cause) -> Difference {
    Difference { member: Some(shown(name).to_string()), ..of_archive(cause) }
}

fn is_record(name: &str) -> bool {
    name.ends_with(".dist-info/RECORD")
}

#[cfg(test)]
mod tests;
