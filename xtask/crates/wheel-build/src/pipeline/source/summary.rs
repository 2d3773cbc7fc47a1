//! The source in a run's output: one line for all files, and one for each group that is excluded or unusual.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use camino::Utf8Path;
use serde::Serialize;
use wheel_audit::UserError;
use wheel_audit::report::counted;
use wheel_audit::text::{file_size, shown};

use super::git;
use super::selection::{Decision, Reason, Selection, matches};
use crate::config::LocalSource;
use crate::exec::Exec;

/// Maximum number of files or folders in a line.
const NAMED: usize = 3;
/// Digits of a commit in a line.
const COMMIT_DIGITS: usize = 7;
/// Reasons that have a line, its text, and whether the wheel may lack something because of it. `exclude` is the
/// user's own choice, and clones do not contain ignored files.
const LINES: [(Reason, &str, bool); 10] = [
    (Reason::Clone, "excluded, a clone of another repository that is not a submodule", true),
    (
        Reason::Submodule,
        "submodule is not checked out (run `git submodule update --init`, or `exclude` it)",
        true,
    ),
    (Reason::BuildOutput, "excluded as build output (use `include` to keep it)", false),
    (Reason::Environment, "excluded as a Python environment", false),
    (Reason::Cache, "excluded as a cache", false),
    (Reason::Git, "excluded as a git repository's own files", false),
    (Reason::Special, "excluded as a FIFO, a socket or a device", false),
    (
        Reason::LinkOut,
        "excluded as a link that is absolute or leads out of the packed folder",
        false,
    ),
    (Reason::Deleted, "excluded, deleted from the working tree", false),
    (Reason::Name, "excluded because of a backslash in its name", false),
];

/// Summary of the source of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// Number of packed files.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// True if git lists the files.
    pub git: bool,
    /// The current commit.
    pub commit: Option<String>,
    /// Number of tracked files that differ from it, including deleted ones.
    pub changed: usize,
    /// Number of untracked files.
    pub untracked: usize,
    /// Number of files that `include` adds.
    pub included: usize,
    /// Notes about excluded or unusual files.
    pub notes: Vec<Note>,
}

/// A note about excluded or unusual files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Note {
    /// True if the wheel may lack something because of it.
    pub is_warning: bool,
    /// Text of the note.
    pub text: String,
    pub paths: Vec<String>,
}

impl Summary {
    /// The summary of `selection`.
    pub(crate) fn of(selection: &Selection) -> Self {
        let count = |reason| selection.of(reason).count();
        let top = selection.repositories.first();
        let mut notes: Vec<Note> = LINES.iter().filter_map(|line| note(selection, *line)).collect();
        let compiled: Vec<_> = selection.packed().filter(|file| is_module(&file.path)).collect();
        notes.extend(note_of("packed, although compiled", &compiled, false));
        let moved = selection.repositories.iter().filter(|repository| repository.is_moved);
        let moved: Vec<_> =
            moved.map(|repository| repository.prefix.to_string_lossy().into_owned()).collect();
        if !moved.is_empty() {
            let text = format!("submodule at another commit than recorded: {}", named(&moved));
            notes.push(Note { is_warning: false, text, paths: moved });
        }
        notes.extend(selection.unmatched.iter().map(|(key, pattern)| Note {
            is_warning: true,
            text: {
                let what = if *key == "submodules" { "submodule" } else { "file" };
                format!("`{key}` in [source]: `{pattern}` matches no {what}")
            },
            paths: Vec::new(),
        }));
        Self {
            files: selection.packed().count(),
            bytes: selection.packed().map(|file| file.size).sum(),
            git: top.is_some(),
            commit: top.and_then(|top| top.head.clone()),
            changed: count(Reason::Changed) + count(Reason::Deleted),
            untracked: count(Reason::Untracked),
            included: count(Reason::Included),
            notes,
        }
    }

    /// `source: 312 files, 4.1 MB (git 1a2b3c4, 2 changed, 1 untracked)`
    pub(crate) fn line(&self) -> String {
        let commit = self.commit.as_ref().map(|id| id.chars().take(COMMIT_DIGITS).collect());
        let mut facts = vec![match (self.git, commit) {
            (true, Some::<String>(commit)) => format!("git {commit}"),
            (true, None) => "git, no commit yet".to_owned(),
            (false, _) => "no git".to_owned(),
        }];
        let counts =
            [(self.changed, "changed"), (self.untracked, "untracked"), (self.included, "included")];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        facts.extend(counts.map(|(count, word)| format!("{count} {word}")));
        let (files, size) = (counted(self.files, "file"), file_size(self.bytes));
        format!("source: {files}, {size} ({})", facts.join(", "))
    }
}

fn note(selection: &Selection, (reason, text, is_warning): (Reason, &str, bool)) -> Option<Note> {
    note_of(text, &selection.of(reason).collect::<Vec<_>>(), is_warning)
}

fn note_of(text: &str, files: &[&Decision], is_warning: bool) -> Option<Note> {
    // A folder represents its files.
    let mut things: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let name = match &file.folder {
            Some(folder) => format!("{}/", folder.to_string_lossy()),
            None => file.path.to_string_lossy().into_owned(),
        };
        *things.entry(name).or_default() += 1;
    }
    let paths: Vec<String> = things.into_keys().collect();
    let text = format!("{text}: {}", named(&paths));
    (!paths.is_empty()).then_some(Note { is_warning, text, paths })
}

/// The first of `paths`, and the number of the others.
fn named(paths: &[String]) -> String {
    let mut names: Vec<_> =
        paths.iter().take(NAMED).map(|path| format!("`{}`", shown(path))).collect();
    if paths.len() > NAMED {
        names.push(format!("{} more", paths.len() - NAMED));
    }
    names.join(", ")
}

/// Returns whether a file is an extension module for a specific interpreter or the stable ABI.
fn is_module(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".abi3.so") || (name.contains(".cpython-") && name.ends_with(".so"))
}

/// The problem that prevents a build from `selection`.
///
/// # Errors
/// If git fails.
pub(super) fn problem(
    exec: &Exec,
    tree: &Utf8Path,
    source: &LocalSource,
    selection: &Selection,
) -> io::Result<Option<UserError>> {
    let names = |reason| -> Vec<String> {
        selection.of(reason).map(|file| file.path.to_string_lossy().into_owned()).collect()
    };
    let missing = names(Reason::Sparse);
    if !missing.is_empty() {
        let message =
            format!("a sparse checkout excludes files of the source: {}", named(&missing));
        let hint = "run `git sparse-checkout disable`, or `exclude` them in `[source]`";
        return Ok(Some(UserError::new(message).hint(hint)));
    }
    let pointers = names(Reason::LfsPointer);
    if !pointers.is_empty() {
        let message = format!("Git LFS has not fetched files of the source: {}", named(&pointers));
        let hint = "run `git lfs pull`, or `exclude` them in `[source]`";
        return Ok(Some(UserError::new(message).hint(hint)));
    }
    let texts = names(Reason::LinkText);
    if !texts.is_empty() {
        let message = format!("this clone has links as plain files: {}", named(&texts));
        let hint = "run `git config core.symlinks true`, remove these files, and run `git checkout \
                    -- .`; or `exclude` them in `[source]`";
        return Ok(Some(UserError::new(message).hint(hint)));
    }
    let required = selection.of(Reason::Submodule);
    let required = required.filter(|file| matches(&source.submodules, &file.path));
    let required: Vec<String> =
        required.map(|file| file.path.to_string_lossy().into_owned()).collect();
    if !required.is_empty() {
        let message = format!(
            "`submodules` in `[source]` requires {}, which {} not checked out",
            named(&required),
            if required.len() == 1 { "is" } else { "are" }
        );
        let hint = format!("run `git submodule update --init --recursive {}`", required.join(" "));
        return Ok(Some(UserError::new(message).hint(hint)));
    }
    if selection.packed().any(|file| file.path.starts_with(&source.package)) {
        return Ok(None);
    }
    let folder = tree.join(&source.package);
    if !selection.repositories.is_empty() && git::ignores(exec, &folder)? {
        let message = format!("git ignores `{folder}`, so the source is empty");
        let hint = "add the package to a git repository (`git init` in its folder), or list its \
                    files in `include`";
        return Ok(Some(UserError::new(message).hint(hint)));
    }
    let message = format!("`{folder}` has no files of a package, so the source is empty");
    let hint =
        "set `path` and `package` in `[source]`; `cargo xtask source --list` shows excluded files";
    Ok(Some(UserError::new(message).hint(hint)))
}
