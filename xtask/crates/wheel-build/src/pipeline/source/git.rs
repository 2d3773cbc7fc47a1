//! Git's view of a folder: three lists for each repository, without running programs of the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use camino::Utf8Path;
use wheel_audit::UserError;
use wheel_audit::text::shown;

use super::disk::{Disk, check_interrupt, exists};
use super::facts::{Entry, Kind, Object, Repository, Status, Tree};
use crate::exec::{Exec, Step};
use crate::sys;

/// Mode of a submodule, as git prints it.
const SUBMODULE: &str = "160000";
/// Settings of `git lfs install --local`.
const LFS_SETTINGS: [(&str, &str); 6] = [
    ("filter.lfs.clean", "git-lfs clean -- %f"),
    ("filter.lfs.smudge", "git-lfs smudge -- %f"),
    ("filter.lfs.smudge", "git-lfs smudge --skip -- %f"),
    ("filter.lfs.process", "git-lfs filter-process"),
    ("filter.lfs.process", "git-lfs filter-process --skip"),
    ("filter.lfs.required", "true"),
];

/// Adds git's view of the folder's repository and its submodules.
///
/// # Errors
/// If git fails: without its lists, ignored files (e.g. secrets) would be packed.
pub(super) fn add_repositories(exec: &Exec, disk: &mut Disk, tree: &mut Tree) -> io::Result<()> {
    let top = Repository { prefix: PathBuf::new(), head: None, is_moved: false };
    repository(exec, disk, top, tree)
}

fn repository(
    exec: &Exec,
    disk: &mut Disk,
    mut repository: Repository,
    tree: &mut Tree,
) -> io::Result<()> {
    let prefix = repository.prefix.clone();
    let folder = disk.tree.join(&prefix);
    let folder = Utf8Path::from_path(&folder)
        .ok_or_else(|| io::Error::other(format!("{} is not UTF-8", folder.display())))?;
    let git = Git::new(exec, folder)?;
    let mut index = git.index()?;
    let mut status = git.status()?;
    repository.head = status.head.take();
    tree.repositories.push(repository);
    // Deleted with `git rm`: git does not list it, but the commit has it.
    for path in status.changed.keys() {
        index.entry(path.clone()).or_default();
    }
    let mut submodules = Vec::new();
    for (path, listed) in index {
        check_interrupt()?;
        let changed = status.changed.get(&path);
        let head = match changed {
            Some(head) => head.clone(),
            None => listed.object.clone(),
        };
        let untracked = status.untracked.remove(&path);
        // Removed with `git rm --cached` and ignored by git: the next commit lacks it.
        let is_removed = listed.object.is_none() && !untracked;
        let is_submodule = listed.object.is_some_and(|object| object.mode == SUBMODULE);
        let path = prefix.join(path);
        let kind = if is_submodule {
            let is_checked_out = is_repository(&disk.tree.join(&path).join(".git"))?;
            if is_checked_out {
                let (prefix, is_moved) = (path.clone(), changed.is_some());
                submodules.push(Repository { prefix, head: None, is_moved });
            }
            Kind::Submodule { is_checked_out }
        } else if is_removed {
            Kind::Missing
        } else {
            disk.kind(&path)?
        };
        let status = match changed {
            Some(_) if untracked => Status::Untracked,
            Some(_) => Status::Changed,
            None if listed.is_unseen => Status::Changed,
            None => Status::Tracked,
        };
        tree.entries.push(Entry { path, kind, status, head, is_sparse: listed.is_sparse });
    }
    for path in status.untracked {
        // A trailing slash marks another repository, which git does not enter.
        let path = prefix.join(path.components().as_path());
        let kind = disk.kind(&path)?;
        let status = Status::Untracked;
        tree.entries.push(Entry { path, kind, status, head: None, is_sparse: false });
    }
    submodules.into_iter().try_for_each(|submodule| self::repository(exec, disk, submodule, tree))
}

/// Returns whether git accepts `path`, the `.git` of a folder. For an empty folder of that name, git uses the repository
/// above.
fn is_repository(path: &Path) -> io::Result<bool> {
    Ok(exists(path)? && (!path.is_dir() || exists(&path.join("HEAD"))?))
}

/// Files that git ignores below the folder `tree`; a folder represents all of its files.
///
/// # Errors
/// If git fails.
pub(super) fn ignored(
    exec: &Exec,
    tree: &Path,
    repositories: &[Repository],
) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for Repository { prefix, .. } in repositories {
        let folder = tree.join(prefix);
        let Some(folder) = Utf8Path::from_path(&folder) else { continue };
        let args = ["--others", "--ignored", "--exclude-standard", "--directory"];
        let list = Git::new(exec, folder)?.read("ls-files", &args)?;
        found.extend(parts(&list).map(|path| prefix.join(path)));
    }
    Ok(found)
}

/// Returns whether git ignores the folder itself.
///
/// # Errors
/// If git fails.
pub(super) fn ignores(exec: &Exec, folder: &Utf8Path) -> io::Result<bool> {
    let step = Git::new(exec, folder)?.step("check-ignore", &["--quiet", "."]);
    Ok(exec.capture(&step).map_err(io::Error::other)?.success)
}

/// A tracked file.
#[derive(Default)]
struct Listed {
    object: Option<Object>,
    is_sparse: bool,
    /// True if git skips the comparison with the file (`git update-index --assume-unchanged`): it may have changed.
    is_unseen: bool,
}

/// Differences from the current commit.
#[derive(Default)]
struct Differences {
    head: Option<String>,
    /// Tracked files, with their objects in the commit.
    changed: BTreeMap<PathBuf, Option<Object>>,
    untracked: BTreeSet<PathBuf>,
}

/// Runs git in a folder.
struct Git<'a> {
    exec: &'a Exec,
    folder: &'a Utf8Path,
    /// Options that prevent the repository's settings from running programs.
    options: Vec<String>,
}

impl<'a> Git<'a> {
    fn new(exec: &'a Exec, folder: &'a Utf8Path) -> io::Result<Self> {
        let options = ["--no-optional-locks", "-c", "core.fsmonitor=false"];
        let mut git = Self { exec, folder, options: options.map(str::to_owned).into() };
        let list = git.read("config", &["--show-scope", "--list"])?;
        for filter in untrusted_filters(&list) {
            git.disable(&filter)?;
        }
        Ok(git)
    }

    fn disable(&mut self, filter: &str) -> io::Result<()> {
        if filter.contains(['=', char::REPLACEMENT_CHARACTER]) {
            let message = format!(
                "`{}` sets the filter `{}`, which cannot be disabled",
                self.folder,
                shown(filter)
            );
            let hint = "rename the filter in its .git/config to letters and digits";
            return Err(io::Error::other(UserError::new(message).hint(hint)));
        }
        for setting in ["clean=", "process=", "required=false"] {
            self.options.extend(["-c".to_owned(), format!("filter.{filter}.{setting}")]);
        }
        Ok(())
    }

    fn step(&self, command: &str, args: &[&str]) -> Step {
        let folder = self.folder;
        let hint = format!(
            "git must list the files of the package; for another user's folder, run `git config \
             --global --add safe.directory {folder}`"
        );
        Step::new("git", &self.options)
            .arg(command)
            .args(args.iter().copied())
            // Fetches nothing that a partial clone lacks: a remote's settings may name a program.
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_ALLOW_PROTOCOL", "none")
            .cwd(folder)
            .hint(hint)
    }

    /// Output of a command with `-z`.
    fn read(&self, command: &str, args: &[&str]) -> io::Result<Vec<u8>> {
        let step = self.step(command, &["-z"]).args(args.iter().copied());
        self.exec.read_bytes(&step).map_err(io::Error::other)
    }

    /// Tracked files below the folder.
    fn index(&self) -> io::Result<BTreeMap<PathBuf, Listed>> {
        let list = self.read("ls-files", &["-v", "--stage"])?;
        let entry = |line: &[u8]| {
            // `TAG MODE ID STAGE<tab>PATH`
            let tab = line.iter().position(|byte| *byte == b'\t')?;
            let (facts, path) = (std::str::from_utf8(&line[..tab]).ok()?, &line[tab + 1..]);
            let mut words = facts.split(' ');
            let tag = words.next()?;
            let is_sparse = tag.eq_ignore_ascii_case("S");
            let is_unseen = is_sparse || tag.starts_with(|c: char| c.is_ascii_lowercase());
            let object = Object { mode: words.next()?.to_owned(), id: words.next()?.to_owned() };
            Some((
                sys::path(path).to_owned(),
                Listed { object: Some(object), is_sparse, is_unseen },
            ))
        };
        list.split(|byte| *byte == 0)
            .filter(|line| !line.is_empty())
            .map(|line| entry(line).ok_or_else(|| unknown("ls-files", line)))
            .collect()
    }

    fn status(&self) -> io::Result<Differences> {
        let args = [
            "--porcelain=v2",
            "--branch",
            "--untracked-files=all",
            "--no-renames",
            // No `git status` inside: only whether another commit is checked out.
            "--ignore-submodules=dirty",
            "--",
            ".",
        ];
        let list = self.read("status", &args)?;
        let top = self.step("rev-parse", &["--show-prefix"]);
        let top = self.exec.read_bytes(&top).map_err(io::Error::other)?;
        let top = top.strip_suffix(b"\n").unwrap_or(&top);
        let mut found = Differences::default();
        for line in list.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            found.add(line, top).ok_or_else(|| unknown("status", line))?;
        }
        Ok(found)
    }
}

impl Differences {
    /// Parses a line of `git status --porcelain=v2`; its paths begin with `top`.
    fn add(&mut self, line: &[u8], top: &[u8]) -> Option<()> {
        let below = |path: &[u8]| Some(sys::path(path.strip_prefix(top)?).to_owned());
        // Number of words before the path.
        let words = match line.first()? {
            b'#' => {
                let word = std::str::from_utf8(line).ok()?.strip_prefix("# branch.oid ");
                self.head =
                    word.filter(|id| *id != "(initial)").map(str::to_owned).or(self.head.take());
                return Some(());
            }
            b'?' => {
                self.untracked.insert(below(line.get(2..)?)?);
                return Some(());
            }
            b'1' => 8,
            b'u' => 10,
            _ => return None,
        };
        let mut parts = line.splitn(words + 1, |byte| *byte == b' ');
        let facts: Vec<&str> =
            parts.by_ref().take(words).map_while(|word| std::str::from_utf8(word).ok()).collect();
        // The commit's mode and object: those of `1 XY SUB mH mI mW hH hI`, or of the second of three sides.
        let (mode, id) = if words == 8 { (3, 6) } else { (4, 8) };
        let object =
            Object { mode: (*facts.get(mode)?).to_owned(), id: (*facts.get(id)?).to_owned() };
        let exists = object.id.bytes().any(|digit| digit != b'0');
        self.changed.insert(below(parts.next()?)?, exists.then_some(object));
        Some(())
    }
}

/// Filters in a repository's own settings, from the output of `git config --show-scope --list -z`. Filters of the
/// user's settings run, as in any `git status`, and so does Git LFS, which CI configures in each clone.
fn untrusted_filters(list: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut list = list.split(|byte| *byte == 0);
    while let (Some(scope), Some(setting)) = (list.next(), list.next()) {
        let setting = String::from_utf8_lossy(setting);
        let (key, value) = setting.split_once('\n').unwrap_or((&setting, ""));
        if scope != b"local" && scope != b"worktree" || LFS_SETTINGS.contains(&(key, value)) {
            continue;
        }
        if key.starts_with("lfs.extension.") {
            found.insert("lfs".to_owned());
        } else if let Some((filter, _)) =
            key.strip_prefix("filter.").and_then(|key| key.rsplit_once('.'))
        {
            found.insert(filter.to_owned());
        }
    }
    found
}

fn parts(list: &[u8]) -> impl Iterator<Item = &Path> {
    list.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(sys::path)
}

fn unknown(command: &str, line: &[u8]) -> io::Error {
    let line = String::from_utf8_lossy(line);
    io::Error::other(format!("`git {command}` printed `{}`, whose format is unknown", shown(&line)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arbitrary_lines_of_git_do_not_panic(
            start in "[#?12u] ?", words in proptest::collection::vec("[^ ]{0,3}", 0..12), rest: Vec<u8>, list: Vec<u8>,
        ) {
            let line = [start.as_bytes(), words.join(" ").as_bytes(), &rest].concat();
            Differences::default().add(&line, b"");
            Differences::default().add(&list, b"top/");
            untrusted_filters(&list);
        }
    }

    #[test]
    fn only_git_lfs_is_allowed_as_a_repositorys_filter() {
        let found = |settings: &[(&str, &str)]| {
            let line = |(scope, setting): &(&str, &str)| format!("{scope}\0{setting}\0");
            let list: String = settings.iter().map(line).collect();
            untrusted_filters(list.as_bytes()).into_iter().collect::<Vec<_>>()
        };
        let lfs = ("local", "filter.lfs.clean\ngit-lfs clean -- %f");
        let other = ("local", "filter.lfs.process\n./git-lfs filter-process");
        let own = ("global", "filter.own.clean\nrun");
        assert_eq!(found(&[lfs, own, ("local", "core.bare\nfalse")]), [""; 0]);
        assert_eq!(found(&[lfs, other]), ["lfs"]);
        assert_eq!(found(&[lfs, ("local", "lfs.extension.a.clean\nrun")]), ["lfs"]);
        let settings = [("local", "filter.a.b.clean\nrun"), ("worktree", "filter.c.process\nrun")];
        assert_eq!(found(&settings), ["a.b", "c"]);
    }
}
