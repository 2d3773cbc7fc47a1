//! Packs the selected files as one archive, at fixed times and in a fixed order.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use wheel_audit::digest;
use wheel_audit::files::remove_folder;
use wheel_audit::sys::is_executable;

use super::disk::{check_interrupt, open};
use super::facts::Status;
use super::history::git;
use super::python::{name, project, text_of};
use super::repository::{Repositories, repositories};
use super::selection::{Decision, Reason, Selection};
use super::summary::{Note, Summary};
use super::{FIXED_TIME, PreparedSource, versions};
use crate::config::LocalSource;
use crate::exec::Exec;
use crate::pipeline::stubs::stubs;

/// Mode of a program, as git prints it.
const EXECUTABLE: &str = "100755";
/// Seconds between the times of tracked files and others. Some file systems have a resolution of two seconds.
const TIME_STEP: u64 = 2;

/// `source.json`, which scripts in the container read.
#[derive(Serialize)]
struct Described<'a> {
    kind: &'a str,
    name: String,
    /// The archive, beside this file.
    file: &'a str,
    sha256: String,
    /// Folder of the package below the archive's top.
    package: &'a str,
    /// Date of the commit in seconds since 1970, fixed without a commit: `SOURCE_DATE_EPOCH` of the build.
    date: u64,
    /// SHA-256 of `git.json`, which determines `git.objects`.
    #[serde(skip_serializing_if = "Option::is_none")]
    git: Option<String>,
}

/// Packs the `selection` of `source`, a folder of the workspace `root`, into a folder below `work`.
///
/// # Errors
/// If a file cannot be read or the archive cannot be written.
pub(super) fn pack(
    exec: &Exec,
    root: &Utf8Path,
    source: &LocalSource,
    selection: &Selection,
    work: &Utf8Path,
) -> io::Result<PreparedSource> {
    let tree = &root.join(&source.path);
    let sources = work.join("source");
    fs_err::create_dir_all(&sources)?;
    let draft = tempfile::Builder::new().prefix("pack-").tempdir_in(&sources)?;
    let draft_folder =
        Utf8Path::from_path(draft.path()).ok_or_else(|| io::Error::other("path is not UTF-8"))?;
    let archive = draft_folder.join("source.tar");
    let stubs = stubs_for(tree, selection);
    write_archive(&archive, tree, selection, &stubs)?;
    let package = tree.join(&source.package);
    let history = work.join("history");
    let is_stub = |path: &Path| stubs.contains_key(path);
    let repositories = repositories(exec, tree, source, selection, &is_stub, &history)?;
    let json = repositories.as_ref().map(Repositories::json).transpose()?;
    if let Some(json) = &json {
        fs_err::write(draft_folder.join("git.json"), json)?;
    }
    let described = Described {
        kind: "local",
        name: name(&package).unwrap_or_else(|| "local".to_owned()),
        file: "source.tar",
        sha256: digest::of_file(&archive)?,
        package: source.package.as_str(),
        date: if json.is_some() { commit_date(exec, tree)? } else { FIXED_TIME },
        git: json.as_ref().map(|json| digest::of_bytes(json.as_bytes())),
    };
    let text = serde_json::to_string_pretty(&described)? + "\n";
    fs_err::write(draft_folder.join("source.json"), &text)?;
    // The folder's name is the archive's hash, so an existing one is equal.
    let sha256 = digest::of_bytes(text.as_bytes());
    let folder = sources.join(&sha256);
    if !folder.exists() {
        if let Some(repositories) = &repositories {
            repositories.write_objects(exec, draft_folder)?;
        }
        fs_err::rename(draft.keep(), &folder)?;
    }
    remove_others(&sources, &sha256)?;
    let mut summary = Box::new(Summary::of(selection));
    if let Some(repositories) = &repositories
        && let Some(text) = versions::without_tag(&package, repositories.history_of(source))
    {
        summary.notes.push(Note { is_warning: true, text, paths: Vec::new() });
    }
    Ok(PreparedSource::Packed { folder, sha256, project: project(&package), summary })
}

/// The date of HEAD.
fn commit_date(exec: &Exec, tree: &Utf8Path) -> io::Result<u64> {
    let text = exec.read(&git(tree, ["show", "--no-patch", "--format=%ct", "HEAD"]));
    let text = text.map_err(io::Error::other)?;
    // A commit may have any date; one before 1970 counts as missing.
    Ok(text.trim().parse().unwrap_or(FIXED_TIME))
}

/// Stubs that replace some of the tool's own files.
fn stubs_for(tree: &Utf8Path, selection: &Selection) -> BTreeMap<PathBuf, String> {
    let names: Vec<PathBuf> = selection.packed().map(|file| file.path.clone()).collect();
    let own: Vec<PathBuf> = selection.of(Reason::Tool).map(|file| file.path.clone()).collect();
    stubs(&names, &own, |path| text_of(tree, path))
}

/// Writes the packed files and the stubs.
fn write_archive(
    archive: &Utf8Path,
    tree: &Utf8Path,
    selection: &Selection,
    stubs: &BTreeMap<PathBuf, String>,
) -> io::Result<()> {
    let mut files: BTreeMap<&Path, Facts> =
        selection.packed().map(|file| (file.path.as_path(), facts(file))).collect();
    files.extend(stubs.keys().map(|path| (path.as_path(), (FIXED_TIME, None))));
    let mut tar = tar::Builder::new(io::BufWriter::new(fs_err::File::create(archive)?));
    for (path, facts) in files {
        match stubs.get(path) {
            Some(text) => add_text(&mut tar, path, text)?,
            None => add(&mut tar, tree, path, facts)?,
        }
    }
    io::Write::flush(&mut tar.into_inner()?)
}

/// Time of a file in the archive, and its mode if the commit determines it.
type Facts<'a> = (u64, Option<&'a str>);

fn facts(file: &Decision) -> Facts<'_> {
    let head = file.head.as_ref().filter(|_| file.status == Status::Tracked);
    (time(file.status), head.map(|object| object.mode.as_str()))
}

/// Time of a file in the archive. Make tools do not rebuild a file that is newer than its source, so changed files
/// are newest and untracked ones oldest.
fn time(status: Status) -> u64 {
    match status {
        Status::Changed => FIXED_TIME + TIME_STEP,
        Status::Tracked | Status::Unversioned => FIXED_TIME,
        Status::Untracked => FIXED_TIME - TIME_STEP,
    }
}

/// Removes archives of earlier states of the tree; callers hold the lock.
fn remove_others(sources: &Utf8Path, kept: &str) -> io::Result<()> {
    for entry in fs_err::read_dir(sources)? {
        let entry = entry?;
        if entry.file_name() != kept {
            remove_folder(&Utf8PathBuf::try_from(entry.path()).map_err(io::Error::other)?)?;
        }
    }
    Ok(())
}

/// A file whose reader fails when xtask is interrupted.
struct Watched<R> {
    file: R,
    /// Number of remaining bytes.
    left: u64,
}

impl<R: io::Read> io::Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        check_interrupt()?;
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read(&mut buffer[..most])?;
        self.left -= count as u64;
        // The archive's header already has the size, so following data would be taken for the rest of the file.
        if count == 0 && most > 0 {
            return Err(io::Error::other("a file of the source shrank while it was packed"));
        }
        Ok(count)
    }
}

fn add<W: io::Write>(
    tar: &mut tar::Builder<W>,
    tree: &Utf8Path,
    name: &Path,
    (time, mode): Facts,
) -> io::Result<()> {
    check_interrupt()?;
    let path = tree.as_std_path().join(name);
    let mut header = tar::Header::new_gnu();
    header.set_mtime(time);
    if fs_err::symlink_metadata(&path)?.is_symlink() {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        return tar.append_link(&mut header, name, fs_err::read_link(&path)?);
    }
    let file = open(&path)?;
    let meta = file.metadata()?;
    header.set_size(meta.len());
    // On a file system without modes (`core.fileMode`), only the commit has them.
    let executable = mode.map_or_else(|| is_executable(&meta), |mode| mode == EXECUTABLE);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    // Reads at most the size in the header, in case the file grows.
    tar.append_data(&mut header, name, Watched { file, left: meta.len() })
}

fn add_text<W: io::Write>(tar: &mut tar::Builder<W>, name: &Path, text: &str) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mtime(FIXED_TIME);
    header.set_mode(0o644);
    header.set_size(text.len() as u64);
    tar.append_data(&mut header, name, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_shrinks_while_it_is_packed_is_an_error() {
        let read = |left| io::read_to_string(Watched { file: &b"text"[..], left }).ok();
        assert_eq!(read(4).as_deref(), Some("text"));
        assert_eq!(read(3).as_deref(), Some("tex"));
        assert_eq!(read(5), None);
    }
}
