//! The small git repositories of a build, from which `scripts/git-repository.py` creates them.
//!
//! They contain what build backends read: the ancestors of HEAD, their tags, and the list of the packed files. They
//! omit remotes, configuration, other branches and the files of earlier commits. The same commit and the same
//! changes produce the same bytes in every clone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use wheel_audit::files::remove_folder;

use super::facts::Status;
use super::history::{Extent, History, Needs, append_objects, git, history, latin_1};
use super::selection::{Decision, Reason, Selection, matches};
use super::versions;
use crate::config::LocalSource;
use crate::exec::Exec;
use crate::sys;

/// Mode of a submodule in a tree.
const SUBMODULE: &str = "160000";

/// State of a tracked path in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Packed as in HEAD, or a submodule, checked out or not.
    Unchanged,
    /// Packed, and differs from HEAD.
    Changed,
    /// Deleted by the user.
    Deleted,
    /// Not part of the source.
    LeftOut,
}

/// Mode and id of a path in HEAD.
type Entry = (String, String);

/// A tracked path that differs from HEAD.
#[derive(Debug, Serialize)]
struct Change {
    path: String,
    head: Option<Entry>,
    /// True if it is in the index.
    index: bool,
}

/// One repository in `git.json`. Names are bytes, one character each.
#[derive(Debug, Serialize)]
struct Repository {
    prefix: String,
    head: String,
    format: String,
    branch: Option<String>,
    abbrev: u32,
    tags: Vec<(String, String)>,
    shallow: Vec<String>,
    objects: usize,
    files: Vec<String>,
    changed: Vec<Change>,
    modules: Vec<(String, String)>,
}

/// The contents of `git.json`, and the sources of `git.objects`.
pub(super) struct Repositories {
    described: Vec<Repository>,
    objects: Vec<Objects>,
    /// Path and history of each repository; the packed folder's own first.
    histories: Vec<(PathBuf, History)>,
}

/// Sources of a repository's objects: a file of the cache, and blobs of the user's repository.
struct Objects {
    history: Utf8PathBuf,
    folder: Utf8PathBuf,
    blobs: BTreeSet<String>,
}

/// The repositories of `source`, a folder at `tree`, with the files of `selection`. `None` without git or a commit.
///
/// # Errors
/// If git fails, or the history that determines the package's version is missing.
pub(super) fn repositories(
    exec: &Exec,
    tree: &Utf8Path,
    source: &LocalSource,
    selection: &Selection,
    is_stub: &dyn Fn(&Path) -> bool,
    cache: &Utf8Path,
) -> io::Result<Option<Repositories>> {
    if !source.git || selection.repositories.is_empty() {
        return Ok(None);
    }
    let prefixes = selection.repositories.iter().map(|it| it.prefix.clone());
    let is_in = |path: &PathBuf| !path.as_os_str().is_empty() && !matches(&source.exclude, path);
    let submodules: Vec<PathBuf> = prefixes.filter(is_in).collect();
    let decisions: BTreeMap<&Path, &Decision> =
        selection.files.iter().map(|file| (file.path.as_path(), file)).collect();
    let sent = |path: &Path| match decisions.get(path) {
        _ if is_stub(path) => Sent::Unchanged,
        Some(file) if file.reason.is_in() && file.status == Status::Tracked => Sent::Unchanged,
        Some(file) if file.reason.is_in() => Sent::Changed,
        Some(file) if file.reason == Reason::Deleted => Sent::Deleted,
        Some(file) if file.reason == Reason::Submodule => Sent::Unchanged,
        None if submodules.iter().any(|it| it == path) => Sent::Unchanged,
        _ => Sent::LeftOut,
    };
    let package = tree.join(&source.package);
    let needs = versions::needs(&package);
    let found = Repositories::of(exec, tree, &submodules, &sent, cache, needs)?;
    if let Some(found) = &found {
        versions::check_depth(&package, found.history_of(source)).map_err(io::Error::other)?;
    }
    Ok(found)
}

impl Repositories {
    /// The repositories of `tree`: its own and those of `submodules` below it. `sent` returns the state of each
    /// tracked path. `None` if the repository has no commit.
    ///
    /// # Errors
    /// If git fails.
    pub(super) fn of(
        exec: &Exec,
        tree: &Utf8Path,
        submodules: &[PathBuf],
        sent: &dyn Fn(&Path) -> Sent,
        cache: &Utf8Path,
        needs: Needs,
    ) -> io::Result<Option<Self>> {
        let one = |prefix| Self::one(exec, tree, prefix, needs.extent, sent, cache);
        let mut found = one(Path::new(""))?;
        if let Some((_, repository, _)) = &mut found
            && needs.branch
        {
            repository.branch = branch(exec, tree)?;
        }
        let Some((top, own, objects)) = found else { return Ok(None) };
        let mut histories = vec![(PathBuf::new(), top)];
        let (mut described, mut objects) = (vec![own], vec![objects]);
        for prefix in submodules {
            // A repository without a commit has no history.
            if let Some((history, repository, more)) = one(prefix)? {
                histories.push((prefix.clone(), history));
                described.push(repository);
                objects.push(more);
            }
        }
        remove_others(cache, &objects)?;
        Ok(Some(Self { described, objects, histories }))
    }

    /// The history that determines the version of the package: that of a submodule, if the package is in one.
    pub(super) fn history_of(&self, source: &LocalSource) -> &History {
        let (_, top) = &self.histories[0];
        let has = |(prefix, _): &&(PathBuf, History)| source.package.starts_with(prefix);
        let nearest = self.histories.iter().filter(has).max_by_key(|it| it.0.as_os_str().len());
        nearest.map_or(top, |(_, history)| history)
    }

    fn one(
        exec: &Exec,
        tree: &Utf8Path,
        prefix: &Path,
        extent: Extent,
        sent: &dyn Fn(&Path) -> Sent,
        cache: &Utf8Path,
    ) -> io::Result<Option<(History, Repository, Objects)>> {
        let folder = Utf8PathBuf::try_from(tree.as_std_path().join(prefix));
        let folder = folder.map_err(|error| io::Error::other(error.to_string()))?;
        let Some((history, file)) = history(exec, &folder, extent, cache)? else { return Ok(None) };
        let (head, index) = tracked(exec, &folder)?;
        let mut repository = Repository {
            prefix: latin_1(sys::bytes(prefix)),
            head: history.head.clone(),
            format: history.format.clone(),
            branch: None,
            abbrev: history.abbrev,
            tags: history.tags.clone(),
            shallow: history.shallow.clone(),
            objects: history.objects,
            files: Vec::new(),
            changed: Vec::new(),
            modules: Vec::new(),
        };
        let mut blobs = BTreeSet::new();
        for path in head.keys().chain(&index).collect::<BTreeSet<_>>() {
            let name = latin_1(sys::bytes(path));
            let entry = head.get(path);
            match (sent(&prefix.join(path)), entry) {
                // A path that is not in HEAD leaves no trace.
                (Sent::LeftOut, _) | (Sent::Deleted, None) => {}
                (Sent::Unchanged, Some((mode, id))) if mode == SUBMODULE => {
                    repository.modules.push((name, id.clone()));
                }
                (Sent::Unchanged, _) if index.contains(path) => repository.files.push(name),
                (Sent::Unchanged | Sent::Changed | Sent::Deleted, _) => {
                    blobs.extend(entry.filter(|it| it.0 != SUBMODULE).map(|it| it.1.clone()));
                    let (head, index) = (entry.cloned(), index.contains(path));
                    repository.changed.push(Change { path: name, head, index });
                }
            }
        }
        repository.objects += blobs.len();
        Ok(Some((history, repository, Objects { history: file, folder, blobs })))
    }

    /// Text of `git.json`, which determines the contents of `git.objects`.
    pub(super) fn json(&self) -> io::Result<String> {
        let text = serde_json::to_string(&BTreeMap::from([("repositories", &self.described)]))?;
        Ok(text + "\n")
    }

    /// Writes `git.objects` into `folder`.
    ///
    /// # Errors
    /// If git fails or the file cannot be written.
    pub(super) fn write_objects(&self, exec: &Exec, folder: &Utf8Path) -> io::Result<()> {
        let mut out = io::BufWriter::new(fs_err::File::create(folder.join("git.objects"))?);
        for Objects { history, folder, blobs } in &self.objects {
            io::copy(&mut fs_err::File::open(history)?, &mut out)?;
            append_objects(exec, folder, blobs.iter().map(String::as_str), &mut out)?;
        }
        io::Write::flush(&mut out)
    }
}

/// Removes histories of earlier runs from `cache`; callers hold the lock.
fn remove_others(cache: &Utf8Path, used: &[Objects]) -> io::Result<()> {
    let used: Vec<_> = used.iter().filter_map(|it| it.history.parent()).collect();
    for entry in cache.read_dir_utf8()? {
        let entry = entry?;
        if !used.contains(&entry.path()) {
            remove_folder(entry.path())?;
        }
    }
    Ok(())
}

/// Name of the current branch; `None` for a detached HEAD.
fn branch(exec: &Exec, folder: &Utf8Path) -> io::Result<Option<String>> {
    let step = git(folder, ["symbolic-ref", "--quiet", "--short", "HEAD"]);
    let output = exec.capture(&step).map_err(io::Error::other)?;
    Ok(output.success.then(|| latin_1(output.stdout.trim_end().as_bytes())))
}

/// Entries of HEAD and paths of the index below `folder`, relative to it.
fn tracked(
    exec: &Exec,
    folder: &Utf8Path,
) -> io::Result<(BTreeMap<PathBuf, Entry>, BTreeSet<PathBuf>)> {
    let read = |step| exec.read_bytes(&step).map_err(io::Error::other);
    let head = read(git(folder, ["ls-tree", "-r", "-z", "HEAD"]))?;
    let head = head.split(|&byte| byte == 0).filter_map(|line| {
        let tab = line.iter().position(|&byte| byte == b'\t')?;
        // MODE TYPE ID
        let words = latin_1(&line[..tab]);
        let (mode, rest) = words.split_once(' ')?;
        let (_, id) = rest.split_once(' ')?;
        Some((sys::path(&line[tab + 1..]).to_owned(), (mode.to_owned(), id.to_owned())))
    });
    let head = head.collect();
    let index = read(git(folder, ["ls-files", "--cached", "-z"]))?;
    let index = index.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    Ok((head, index.map(|name| sys::path(name).to_owned()).collect()))
}
