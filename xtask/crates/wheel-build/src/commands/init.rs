//! `cargo xtask init`: adds the tool to another repository, or upgrades it.

use std::collections::BTreeSet;
use std::process::ExitCode;
use wheel_audit::UserError;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use wheel_audit::report::{self, counted};

use super::{FINDINGS, Workspace};
use crate::clone::is_clone;
use crate::exec::Exec;
use crate::init::{self, Change, Planned, Request, State, Tool};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct InitArgs {
    /// Repository of the package [default with `--check` and `--upgrade`: this repository]
    #[arg(value_name = "PATH", required_unless_present_any = ["check", "upgrade"])]
    pub(crate) path: Option<Utf8PathBuf>,
    /// Source of the tool: `git=URL#REV`, `path=DIR`, or `vendor` for a copy in `xtask/vendor/` [default: this
    /// clone's `origin` and commit; with `--upgrade`: the version in use]
    #[arg(long, value_name = "TOOL")]
    pub(crate) tool: Option<Tool>,
    /// Make `xtask/` a member of the repository's workspace instead of its own workspace
    #[arg(long, conflicts_with_all = ["check", "upgrade"])]
    pub(crate) member: bool,
    /// Folder of the package in the repository [default: the top, or the only folder with a package]
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["check", "upgrade"])]
    pub(crate) package: Option<Utf8PathBuf>,
    /// Print the files without writing them
    #[arg(long, conflicts_with_all = ["check", "upgrade"])]
    pub(crate) dry_run: bool,
    /// Report files that differ from this version's; exit with 1 if any does
    #[arg(long, conflicts_with = "upgrade")]
    pub(crate) check: bool,
    /// Update the tool's files; keep those you changed and write the new text to `FILE.new`
    #[arg(long)]
    pub(crate) upgrade: bool,
    /// With `--check` or `--upgrade`: report as JSON on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

/// Writes or compares the files.
///
/// # Errors
/// If the path has no package, or a file cannot be written.
pub(crate) fn run(args: &InitArgs) -> anyhow::Result<ExitCode> {
    let clone = Workspace::find()?.root;
    let path = args.path.as_deref().unwrap_or(&clone);
    let repository = path
        .canonicalize_utf8()
        .with_context(|| format!("`{path}` is not a folder that can be read"))?;
    if args.check || args.upgrade {
        return compare(args, &repository, &clone);
    }
    let request = Request {
        repository: &repository,
        clone: &clone,
        tool: args.tool.clone(),
        member: args.member,
        package: args.package.as_deref(),
    };
    let adoption = init::plan(&Exec::real(), &request)?;
    anyhow::ensure!(
        adoption.conflicts.is_empty(),
        UserError::new(format!(
            "nothing was written to `{repository}`:\n  {}",
            adoption.conflicts.join("\n  ")
        ))
        .hint(format!(
            "move these files; `cargo xtask init {repository} --dry-run` prints the files that it \
             writes"
        ))
    );
    report::note(&format!("in `{repository}`, with the tool from {}:", adoption.tool));
    adoption.note.iter().for_each(|note| report::note(note));
    adoption.files.iter().filter_map(line).for_each(|line| report::note(&line));
    adoption.open_options.iter().for_each(|open| report::note(&translated(open)));
    if args.dry_run {
        adoption.files.iter().for_each(print);
        return Ok(ExitCode::SUCCESS);
    }
    init::write(&repository, &adoption.files)?;
    let python = if adoption.has_debian_python { " --python cp311" } else { "" };
    report::data(&format!(
        "next steps in `{repository}`:\n  1. run `cargo xtask doctor`, which also completes the \
         tool's lock file\n  2. commit these files (uncommitted changes change a version from \
         git)\n  3. run `cargo xtask wheels --setup debian:12 {}{python}`",
        super::native_platform()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The line about cibuildwheel's options.
fn translated(open: &[String]) -> String {
    let open: BTreeSet<&str> = open.iter().map(|it| it.split('[').next().unwrap_or(it)).collect();
    let done = "translated `[tool.cibuildwheel]`";
    if open.is_empty() {
        return done.to_owned();
    }
    let open: Vec<_> = open.iter().map(|it| format!("`{}`", it.escape_debug())).collect();
    let open = open.join(", ");
    format!("{done}; see the first lines of wheels.toml about {open}")
}

/// The change of a file in one line. Of a copied tool, only the first file has a line.
fn line(file: &Planned) -> Option<String> {
    let path = &file.path;
    if path.starts_with("xtask/vendor") && path != "xtask/vendor/Cargo.toml" {
        return None;
    }
    Some(match &file.change {
        Change::Keep => format!("  {path}: kept"),
        Change::Add { lines, .. } => format!("  {path}: adds {}", lines.join(", ")),
        Change::Create(bytes) => {
            let lines = bytes.split(|byte| *byte == b'\n').count() - 1;
            format!("  {path}: new, {}", counted(lines, "line"))
        }
    })
}

/// Prints the text of a file below its name.
fn print(file: &Planned) {
    let text = match &file.change {
        Change::Create(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Change::Add { text, .. } => text.clone(),
        Change::Keep => return,
    };
    if !file.path.starts_with("xtask/vendor") && file.path.extension() != Some("lock") {
        report::data(&format!("==> {}\n{text}", file.path));
    }
}

/// Notes that the clone whose files `--check` compares is not the version that the repository uses.
fn note_other_revision(repository: &Utf8Path, clone: &Utf8Path) -> anyhow::Result<()> {
    let manifest = repository.join("xtask/Cargo.toml");
    if !is_clone(clone) || repository == clone || !manifest.is_file() {
        return Ok(());
    }
    let text = fs_err::read_to_string(manifest)?;
    if let Some((tool, used)) = Tool::differing(&Exec::real(), clone, &text) {
        report::note(&format!(
            "`xtask/Cargo.toml` uses the tool at `{}`, and this check compares with {tool}\n\nhint: \
             `cargo xtask init --check` in `{repository}` compares with the version in use; `--upgrade \
             --tool TOOL` changes it",
            used.escape_debug()
        ));
    }
    Ok(())
}

fn compare(args: &InitArgs, repository: &Utf8Path, clone: &Utf8Path) -> anyhow::Result<ExitCode> {
    let found = init::upgrade(repository, clone, args.tool.as_ref(), args.upgrade)?;
    let is_open = |state: State| match state {
        State::Current | State::Yours => false,
        State::Conflict => true,
        State::Stale | State::Missing | State::Gone => args.check,
    };
    if args.json {
        report::json(&found)?;
    } else {
        for file in &found {
            let (path, new) = (&file.path, args.upgrade);
            let what = match file.state {
                State::Current => continue,
                State::Yours => "changed here, kept".to_owned(),
                State::Stale if new => "updated".to_owned(),
                State::Stale => "outdated".to_owned(),
                State::Missing if new => "written".to_owned(),
                State::Missing => "missing".to_owned(),
                State::Gone if new => "removed, this version does not have it".to_owned(),
                State::Gone => "obsolete, this version does not have it".to_owned(),
                State::Conflict if new => {
                    format!("changed here and in the tool; the new text is in `{path}.new`")
                }
                State::Conflict => "changed here and in the tool".to_owned(),
            };
            report::prose(&format!("{path}: {what}"));
        }
    }
    if args.check {
        note_other_revision(repository, clone)?;
    }
    if args.upgrade && args.path.is_some() {
        report::note(&match &args.tool {
            Some(tool) => format!("`xtask/Cargo.toml` now uses the tool from {tool}"),
            None => "`xtask/Cargo.toml` keeps its version of the tool; `--tool TOOL` changes it"
                .to_owned(),
        });
    }
    let open = found.iter().filter(|file| is_open(file.state)).count();
    if open == 0 {
        report::note("every file is current or changed by you");
    }
    if args.upgrade && args.tool.is_some() {
        // Hosted CI compiles the tool with `--locked`.
        report::note(&format!(
            "next: run `cargo xtask doctor` in `{repository}`, which updates `xtask/Cargo.lock`, and \
             commit the changes"
        ));
    }
    if open == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    if args.check {
        report::hint("`cargo xtask init --upgrade` updates these files");
    }
    Ok(ExitCode::from(FINDINGS))
}
