//! Writes the final form of a built wheel: its platform tag, in a canonical archive.

use std::collections::BTreeMap;
use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;

use super::{
    ArchiveError, ArchiveProblem, Digest, MAX_METADATA, MemberError, MetadataError, NameError,
    Record, RecordError, SharedFile, WheelArchive, WheelFile, WheelName,
    archive::{Content, WriteError, dos_time, rank, write},
    tag,
};

/// The reason why a wheel cannot be finished.
#[derive(Debug, Error)]
pub enum FinishError {
    /// The file name or the new tag is malformed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The path has no file name.
    #[error("`{0}` is not a file")]
    NoFile(Utf8PathBuf),
    /// It is for every platform, so it must not have a platform tag.
    #[error("`{0}` is for any platform")]
    Pure(String),
    /// Its archive is unreadable.
    #[error("`{name}`: {source}")]
    Archive {
        /// The wheel.
        name: String,
        /// Why.
        source: ArchiveError,
    },
    /// Its archive has a problem that a clean copy would hide.
    #[error("`{name}`: {problem}")]
    Problem {
        /// The wheel.
        name: String,
        /// The first problem.
        problem: ArchiveProblem,
    },
    /// It is signed, and the change would break the signature.
    #[error("`{0}` is signed (`RECORD.jws` or `RECORD.p7s`)")]
    Signed(String),
    /// A metadata file is missing.
    #[error("`{name}` has no `{member}`")]
    NoMember {
        /// The wheel.
        name: String,
        /// The file.
        member: String,
    },
    /// A metadata file is unreadable.
    #[error("`{member}`: {source}")]
    Member {
        /// The file.
        member: String,
        /// Why.
        source: MemberError,
    },
    /// Its `WHEEL` is malformed.
    #[error("`WHEEL`: {0}")]
    Wheel(#[from] MetadataError),
    /// Its `RECORD` is malformed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Its `RECORD` does not list its `WHEEL`.
    #[error("`{0}` is not in `RECORD`")]
    NotRecorded(String),
    /// The new wheel could not be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<WriteError> for FinishError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Member { name: member, source } => Self::Member { member, source },
            WriteError::Io(error) => Self::Io(error),
        }
    }
}

/// Writes the wheel `input` to `out_dir` as a canonical archive: wheels with the same content have the same bytes.
/// Members and `RECORD` rows are sorted, metadata is last. There is one time, one compression, and no folder.
/// Modes are 0644 and 0755.
///
/// `platform` (`manylinux_2_36_x86_64`, or several joined by dots) replaces the platform tag in the file name, in `WHEEL`
/// and in SBOMs that contain the file name. Their `RECORD` rows change, too. All members
/// have the time `modified`, in seconds since 1970, or else the latest time in `input`.
///
/// Creates the file atomically, after it is complete on disk. Returns its path.
///
/// # Errors
/// [`FinishError`]. `out_dir` is then unchanged.
pub fn finish(
    input: &Utf8Path,
    out_dir: &Utf8Path,
    platform: Option<&str>,
    modified: Option<u64>,
) -> Result<Utf8PathBuf, FinishError> {
    let file_name = input.file_name().ok_or_else(|| FinishError::NoFile(input.to_owned()))?;
    let mut name = WheelName::parse(file_name)?;
    let mut archive = open(input, file_name)?;
    let changed = match platform {
        Some(_) if name.tags.platforms.iter().any(|each| each == "any") => {
            return Err(FinishError::Pure(file_name.to_owned()));
        }
        Some(platform) => {
            name.tags.platforms = tag::set(platform)?;
            retagged(&mut archive, &name, file_name)?
        }
        None => BTreeMap::new(),
    };
    let changed = with_record(&mut archive, &name, file_name, changed)?;
    let modified = modified.map_or_else(|| archive.latest(), dos_time);
    let target = out_dir.join(name.to_string());
    save(&mut archive, &target, modified, changed)?;
    Ok(target)
}

/// The members that change with the platform tag of `name`, except `RECORD`.
fn retagged(
    archive: &mut WheelArchive<SharedFile>,
    name: &WheelName,
    file_name: &str,
) -> Result<BTreeMap<String, Vec<u8>>, FinishError> {
    let dist_info = dist_info(archive, name, file_name)?;
    if is_signed(archive, &dist_info) {
        return Err(FinishError::Signed(file_name.to_owned()));
    }
    let path = format!("{dist_info}/WHEEL");
    let wheel = member(archive, file_name, &path)?;
    WheelFile::parse(&wheel)?;
    let wheel = WheelFile::with_tags(&wheel, name.tags.expand().iter());
    let mut changed = renamed_in_sboms(archive, &dist_info, file_name, &name.to_string())?;
    changed.insert(path, wheel);
    Ok(changed)
}

/// Adds the matching `RECORD` to `changed`, with rows in the order of the members. That of a signed wheel does not
/// change.
fn with_record(
    archive: &mut WheelArchive<SharedFile>,
    name: &WheelName,
    file_name: &str,
    mut changed: BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<String, Vec<u8>>, FinishError> {
    let dist_info = dist_info(archive, name, file_name)?;
    if is_signed(archive, &dist_info) {
        return Ok(changed);
    }
    let path = format!("{dist_info}/RECORD");
    let mut record = Record::parse(&member(archive, file_name, &path)?)?;
    if let Some((path, _)) =
        changed.iter().find(|(path, bytes)| !record.set(path, &Digest::of(bytes)))
    {
        return Err(FinishError::NotRecorded(path.clone()));
    }
    record.rows.sort_by_cached_key(|row| rank(&row.path));
    changed.insert(path, record.to_text().into_bytes());
    Ok(changed)
}

fn is_signed(archive: &WheelArchive<SharedFile>, dist_info: &str) -> bool {
    let is_there = |end| archive.position(&format!("{dist_info}/RECORD{end}")).is_some();
    [".jws", ".p7s"].into_iter().any(is_there)
}

/// Writes the wheel to `target`, with replaced members `changed`.
fn save(
    archive: &mut WheelArchive<SharedFile>,
    target: &Utf8Path,
    modified: [u16; 2],
    mut changed: BTreeMap<String, Vec<u8>>,
) -> Result<(), FinishError> {
    let folder = target.parent().unwrap_or(Utf8Path::new("."));
    // In the same folder, for an atomic rename. Removed on failure.
    let mut output =
        tempfile::Builder::new().prefix(".finish-").permissions(readable()).tempfile_in(folder)?;
    let mut buffered = std::io::BufWriter::new(output.as_file_mut());
    write(archive, &mut buffered, modified, |entry| {
        changed.remove(&entry.name).map_or(Content::Same, Content::New)
    })?;
    buffered.flush()?;
    drop(buffered);
    output.as_file().sync_all()?;
    output.persist(target).map_err(|error| error.error)?;
    // Sync the folder, which contains the name.
    fs_err::File::open(folder)?.sync_all()?;
    Ok(())
}

fn open(input: &Utf8Path, file_name: &str) -> Result<WheelArchive<SharedFile>, FinishError> {
    let name = || file_name.to_owned();
    let archive = WheelArchive::open(input)
        .map_err(|source| FinishError::Archive { name: name(), source })?;
    match archive.problems().iter().find(|problem| !problem.is_note()) {
        Some(problem) => Err(FinishError::Problem { name: name(), problem: problem.clone() }),
        None => Ok(archive),
    }
}

/// The metadata folder. It may spell the distribution's name differently from the file name.
fn dist_info(
    archive: &WheelArchive<SharedFile>,
    name: &WheelName,
    file_name: &str,
) -> Result<String, FinishError> {
    let folders =
        archive.entries().iter().filter_map(|entry| entry.name.strip_suffix(".dist-info/WHEEL"));
    let folders: Vec<&str> = folders.filter(|folder| !folder.contains('/')).collect();
    match folders.as_slice() {
        [folder] => Ok(format!("{folder}.dist-info")),
        _ => Err(FinishError::NoMember {
            name: file_name.to_owned(),
            member: format!("{}/WHEEL", name.dist_info()),
        }),
    }
}

/// The SBOMs (PEP 770) that contain the file name `old`, with `new` instead.
fn renamed_in_sboms(
    archive: &mut WheelArchive<SharedFile>,
    dist_info: &str,
    old: &str,
    new: &str,
) -> Result<BTreeMap<String, Vec<u8>>, FinishError> {
    let folder = format!("{dist_info}/sboms/");
    let is_sbom = |path: &&String| path.starts_with(&folder) && !path.ends_with('/');
    let names = archive.entries().iter().map(|entry| &entry.name);
    let paths: Vec<String> = names.filter(is_sbom).cloned().collect();
    let [quoted_old, quoted_new] = [old, new].map(|name| format!("file_name={}", quoted(name)));
    let mut changed = BTreeMap::new();
    for path in paths {
        let bytes = member(archive, old, &path)?;
        if let Some(text) = std::str::from_utf8(&bytes).ok().filter(|it| it.contains(&quoted_old)) {
            changed.insert(path, text.replace(&quoted_old, &quoted_new).into_bytes());
        }
    }
    Ok(changed)
}

/// A value of a package URL, percent-encoded.
fn quoted(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let byte = |byte| if is_plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") };
    value.bytes().map(byte).collect()
}

fn member(
    archive: &mut WheelArchive<SharedFile>,
    file_name: &str,
    path: &str,
) -> Result<Vec<u8>, FinishError> {
    let index = archive.position(path).ok_or_else(|| FinishError::NoMember {
        name: file_name.to_owned(),
        member: path.to_owned(),
    })?;
    let read = archive.read(index, MAX_METADATA);
    read.map_err(|source| FinishError::Member { member: path.to_owned(), source })
}

/// Makes the file readable for everyone, within the umask: temporary files are private.
fn readable() -> std::fs::Permissions {
    crate::sys::permissions(0o666)
}

#[cfg(test)]
#[path = "finish_tests.rs"]
mod tests;
