//! Giving a built wheel the platform tag that it has earned.

use std::collections::BTreeMap;
use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;

use super::{
    ArchiveError, ArchiveProblem, Digest, MAX_METADATA, MemberError, MetadataError, NameError,
    Record, RecordError, SharedFile, WheelArchive, WheelFile, WheelName,
    archive::{Content, write},
    tag,
};

/// Why a wheel cannot be given another platform tag.
#[derive(Debug, Error)]
pub enum RetagError {
    /// Its file name or the new tag is malformed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The path has no file name.
    #[error("`{0}` is no file")]
    NoFile(Utf8PathBuf),
    /// It is for every platform; a platform tag would take that away and prove nothing.
    #[error("`{0}` is for any platform")]
    Pure(String),
    /// Its archive cannot be read.
    #[error("`{name}`: {source}")]
    Archive {
        /// The wheel.
        name: String,
        /// Why.
        source: ArchiveError,
    },
    /// Its archive has a problem, which a clean copy would hide.
    #[error("`{name}`: {problem}")]
    Problem {
        /// The wheel.
        name: String,
        /// The first problem.
        problem: ArchiveProblem,
    },
    /// It is signed, and the signature would not hold.
    #[error("`{0}` is signed (`RECORD.jws` or `RECORD.p7s`)")]
    Signed(String),
    /// One of its metadata files is not there.
    #[error("`{name}` has no `{member}`")]
    NoMember {
        /// The wheel.
        name: String,
        /// The file.
        member: String,
    },
    /// One of its metadata files cannot be read.
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

/// Writes the wheel `input` to `out_dir` with `platform` (`manylinux_2_36_x86_64`, or several
/// joined by dots) in place of its platform tag: in the file name, in the `Tag` lines of `WHEEL`,
/// in software bills of materials that name the file, and in the rows of these in `RECORD`. Every other member
/// keeps its bytes, place, time and mode.
///
/// The same input gives the same bytes, and a wheel that has the tag already comes out in the same
/// form. The file appears under its name only when it is whole and on disk. Gives its path.
///
/// # Errors
/// [`RetagError`]; `out_dir` is then as it was.
pub fn retag(
    input: &Utf8Path,
    out_dir: &Utf8Path,
    platform: &str,
) -> Result<Utf8PathBuf, RetagError> {
    let file_name = input.file_name().ok_or_else(|| RetagError::NoFile(input.to_owned()))?;
    let mut name = WheelName::parse(file_name)?;
    if name.tags.platforms.iter().any(|each| each == "any") {
        return Err(RetagError::Pure(file_name.to_owned()));
    }
    name.tags.platforms = tag::set(platform)?;
    let mut archive = open(input, file_name)?;

    let dist_info = dist_info(&archive, &name, file_name)?;
    let (wheel_path, record_path) = (format!("{dist_info}/WHEEL"), format!("{dist_info}/RECORD"));
    if [".jws", ".p7s"].iter().any(|end| archive.position(&format!("{record_path}{end}")).is_some())
    {
        return Err(RetagError::Signed(file_name.to_owned()));
    }
    let wheel = member(&mut archive, file_name, &wheel_path)?;
    WheelFile::parse(&wheel)?;
    let wheel = WheelFile::with_tags(&wheel, name.tags.expand().iter());
    let mut changed = renamed_in_sboms(&mut archive, &dist_info, file_name, &name.to_string())?;
    changed.insert(wheel_path, wheel);
    let mut record = Record::parse(&member(&mut archive, file_name, &record_path)?)?;
    if let Some((path, _)) =
        changed.iter().find(|(path, bytes)| !record.set(path, &Digest::of(bytes)))
    {
        return Err(RetagError::NotRecorded(path.clone()));
    }
    changed.insert(record_path, record.to_text().into_bytes());

    // In the same folder, so that the renaming is one step; removed again if anything fails.
    let mut output =
        tempfile::Builder::new().prefix(".retag-").permissions(readable()).tempfile_in(out_dir)?;
    let mut buffered = std::io::BufWriter::new(output.as_file_mut());
    write(&mut archive, &mut buffered, |entry| {
        changed.remove(&entry.name).map_or(Content::Same, Content::New)
    })?;
    buffered.flush()?;
    drop(buffered);
    output.as_file().sync_all()?;
    let target = out_dir.join(name.to_string());
    output.persist(&target).map_err(|error| error.error)?;
    // The name itself is on disk only when the folder is.
    fs_err::File::open(out_dir)?.sync_all()?;
    Ok(target)
}

fn open(input: &Utf8Path, file_name: &str) -> Result<WheelArchive<SharedFile>, RetagError> {
    let name = || file_name.to_owned();
    let archive =
        WheelArchive::open(input).map_err(|source| RetagError::Archive { name: name(), source })?;
    match archive.problems().iter().find(|problem| !problem.is_note()) {
        Some(problem) => Err(RetagError::Problem { name: name(), problem: problem.clone() }),
        None => Ok(archive),
    }
}

/// The metadata folder: its name may spell the distribution's otherwise than the file name does.
fn dist_info(
    archive: &WheelArchive<SharedFile>,
    name: &WheelName,
    file_name: &str,
) -> Result<String, RetagError> {
    let folders =
        archive.entries().iter().filter_map(|entry| entry.name.strip_suffix(".dist-info/WHEEL"));
    let folders: Vec<&str> = folders.filter(|folder| !folder.contains('/')).collect();
    match folders.as_slice() {
        [folder] => Ok(format!("{folder}.dist-info")),
        _ => Err(RetagError::NoMember {
            name: file_name.to_owned(),
            member: format!("{}/WHEEL", name.dist_info()),
        }),
    }
}

/// The software bills of materials (PEP 770) that name the file `old`, with `new` in its place.
fn renamed_in_sboms(
    archive: &mut WheelArchive<SharedFile>,
    dist_info: &str,
    old: &str,
    new: &str,
) -> Result<BTreeMap<String, Vec<u8>>, RetagError> {
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
) -> Result<Vec<u8>, RetagError> {
    let index = archive.position(path).ok_or_else(|| RetagError::NoMember {
        name: file_name.to_owned(),
        member: path.to_owned(),
    })?;
    let read = archive.read(index, MAX_METADATA);
    read.map_err(|source| RetagError::Member { member: path.to_owned(), source })
}

/// Temporary files are private; a wheel is for everyone (as far as the umask allows).
fn readable() -> std::fs::Permissions {
    crate::sys::permissions(0o666)
}

#[cfg(test)]
#[path = "retag_tests.rs"]
mod tests;
