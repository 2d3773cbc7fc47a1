//! What a run reports of its source: one line, and one for each thing that is left out or unusual.

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

/// Number of files or folders that a line names.
const NAMED: usize = 3;
/// Digits of a commit that a line shows.
const COMMIT_DIGITS: usize = 7;
/// Reasons that get a line, what it says, and whether the wheel may lack something because of it. An `exclude` is the
/// user's own choice, and what git ignores is in no clone.
const LINES: [(Reason, &str, bool); 10] = [
    (Reason::Clone, "left out as a clone of another repository, which is no submodule", true),
    (
        Reason::Submodule,
        "submodule is not checked out (`git submodule update --init`, or `exclude` it)",
        true,
    ),
    (Reason::BuildOutput, "left out as build output, which `include` would keep", false),
    (Reason::Environment, "left out as an environment", false),
    (Reason::Cache, "left out as a cache", false),
    (Reason::Git, "left out as a repository's own", false),
    (Reason::Special, "left out as a FIFO, a socket or a device", false),
    (
        Reason::LinkOut,
        "left out as a link that is absolute or leads out of the packed folder",
        false,
    ),
    (Reason::Deleted, "left out, since it was deleted from the working tree", false),
    (Reason::Name, "left out because of a backslash in its name", false),
];

/// What a run reports of its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// Number of packed files.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// Whether git lists the files.
    pub git: bool,
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// Number of tracked files that differ from it; deleted ones count.
    pub changed: usize,
    /// Number of files that git does not track.
    pub untracked: usize,
    /// Number of files that `include` adds.
    pub included: usize,
    /// What is left out or unusual.
    pub notes: Vec<Note>,
}

/// Something that is left out or unusual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Note {
    /// Whether the wheel may lack something because of it.
    pub is_warning: bool,
    /// For people.
    pub text: String,
    /// The files and folders.
    pub paths: Vec<String>,
}

impl Summary {
    /// That of `selection`.
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
    // A folder stands for its files.
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

/// Whether a file is a module that an interpreter loads as it is.
fn is_module(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".abi3.so") || (name.contains(".cpython-") && name.ends_with(".so"))
}

/// What keeps `selection` from being the source.
///
/// # Errors
/// When git fails.
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
            format!("a sparse checkout leaves out files of the source: {}", named(&missing));
        let hint =
            "`git sparse-checkout disable` writes them; `exclude` in [source] builds without them";
        return Ok(Some(UserError::new(message).hint(hint)));
    }
    let pointers = names(Reason::LfsPointer);
    if !pointers.is_empty() {
        let message = format!("Git LFS has not fetched files of the source: {}", named(&pointers));
        let hint = "`git lfs pull` fetches them; `exclude` in [source] builds without them";
        return Ok(Some(UserError::new(message).hint(hint)));
    }
    let texts = names(Reason::LinkText);
    if !texts.is_empty() {
        let message = format!("this clone has links as plain files: {}", named(&texts));
        let hint = "`git config core.symlinks true`, remove these files, `git checkout -- .`; `exclude` in [source] \
                    builds without them";
        return Ok(Some(UserError::new(message).hint(hint)));
    }
    let required = selection.of(Reason::Submodule);
    let required = required.filter(|file| matches(&source.submodules, &file.path));
    let required: Vec<String> =
        required.map(|file| file.path.to_string_lossy().into_owned()).collect();
    if !required.is_empty() {
        let message = format!(
            "`submodules` in [source] requires {}, which {} not checked out",
            named(&required),
            if required.len() == 1 { "is" } else { "are" }
        );
        let hint = format!("`git submodule update --init --recursive {}`", required.join(" "));
        return Ok(Some(UserError::new(message).hint(hint)));
    }
    if selection.packed().any(|file| file.path.starts_with(&source.package)) {
        return Ok(None);
    }
    let folder = tree.join(&source.package);
    if !selection.repositories.is_empty() && git::ignores(exec, &folder)? {
        let message = format!("git ignores `{folder}`, so that the source is empty");
        let hint = "add the package to a git repository (`git init` in its folder makes one), or name its files in \
                    `include`";
        return Ok(Some(UserError::new(message).hint(hint)));
    }
    let message = format!("`{folder}` holds no file of a package, so that the source is empty");
    let hint = "`path` and `package` in [source] name the folder; `cargo xtask source --list` shows what is left out";
    Ok(Some(UserError::new(message).hint(hint)))
}
