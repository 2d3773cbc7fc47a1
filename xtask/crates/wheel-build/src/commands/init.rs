//! `cargo xtask init`: let another repository adopt this tool, or bring it up to date.

use std::process::ExitCode;
use wheel_audit::UserError;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use wheel_audit::report::{self, counted};

use super::{FINDINGS, Workspace};
use crate::exec::Exec;
use crate::init::{self, Change, Planned, Request, State, Tool};

/// Arguments of `init`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct InitArgs {
    /// The package's repository [default with `--check` and `--upgrade`: this one]
    #[arg(value_name = "PATH", required_unless_present_any = ["check", "upgrade"])]
    pub(crate) path: Option<Utf8PathBuf>,
    /// Where the repository gets the tool from: `git=URL#REV`, `path=DIR`, or `vendor` for a copy in `xtask/vendor/`
    /// [default: this clone's `origin` and commit]
    #[arg(long, value_name = "TOOL")]
    pub(crate) tool: Option<Tool>,
    /// Make `xtask/` a member of the repository's workspace, instead of a workspace of its own
    #[arg(long, conflicts_with_all = ["check", "upgrade"])]
    pub(crate) member: bool,
    /// The package's folder in the repository [default: the top, or the only folder with a package]
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["check", "upgrade"])]
    pub(crate) package: Option<Utf8PathBuf>,
    /// Print the files and write none
    #[arg(long, conflicts_with_all = ["check", "upgrade"])]
    pub(crate) dry_run: bool,
    /// Report files that differ from what this version writes; exit with 1 if any does
    #[arg(long, conflicts_with = "upgrade")]
    pub(crate) check: bool,
    /// Bring these files up to date; files that you changed stay, and their new text goes to `FILE.new`
    #[arg(long)]
    pub(crate) upgrade: bool,
    /// With `--check` or `--upgrade`: report on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Writes the files, or compares them.
///
/// # Errors
/// When the path holds no package, or something stands in the way of a file.
pub(crate) fn run(args: &InitArgs) -> anyhow::Result<ExitCode> {
    let clone = Workspace::find()?.root;
    let path = args.path.as_deref().unwrap_or(&clone);
    let repository =
        path.canonicalize_utf8().with_context(|| format!("`{path}` cannot be used"))?;
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
            "move what is in the way; `cargo xtask init {repository} --dry-run` prints what \
         would be written"
        ))
    );
    report::note(&format!("in `{repository}`, with the tool from {}:", adoption.tool));
    adoption.note.iter().for_each(|note| report::note(note));
    adoption.files.iter().filter_map(line).for_each(|line| report::note(&line));
    if args.dry_run {
        adoption.files.iter().for_each(print);
        return Ok(ExitCode::SUCCESS);
    }
    init::write(&repository, &adoption.files)?;
    let python = if adoption.has_debian_python { " --python cp311" } else { "" };
    report::data(&format!(
        "next, in `{repository}`, run `cargo xtask doctor`, which completes the tool's lock file, and commit these files \
         (changed files change a version from git), then:\n  cargo xtask wheels --setup debian:12 {}{python}",
        super::native_platform()
    ));
    Ok(ExitCode::SUCCESS)
}

/// What becomes of a file, on a line; nothing for the files of a copied tool, but its first.
fn line(file: &Planned) -> Option<String> {
    let path = &file.path;
    if path.starts_with("xtask/vendor") && path != "xtask/vendor/Cargo.toml" {
        return None;
    }
    Some(match &file.change {
        Change::Keep => format!("  {path}: is there, and stays"),
        Change::Add { lines, .. } => format!("  {path}: gets {}", lines.join(", ")),
        Change::Create(bytes) => {
            let lines = bytes.split(|byte| *byte == b'\n').count() - 1;
            format!("  {path}: new, {}", counted(lines, "line"))
        }
    })
}

/// The text of a file, under its name.
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
                State::Yours => "was changed here, and stays".to_owned(),
                State::Stale if new => "brought up to date".to_owned(),
                State::Stale => "is as an older version wrote it".to_owned(),
                State::Missing if new => "written".to_owned(),
                State::Missing => "is not there".to_owned(),
                State::Gone if new => "removed: this version has no such file".to_owned(),
                State::Gone => "this version has no such file".to_owned(),
                State::Conflict if new => {
                    format!("was changed here and in the tool; the new text is in `{path}.new`")
                }
                State::Conflict => "was changed here and in the tool".to_owned(),
            };
            report::data(&format!("{path}: {what}"));
        }
    }
    if args.upgrade && args.path.is_some() {
        report::note(&match &args.tool {
            Some(tool) => format!("`xtask/Cargo.toml` gets the tool from {tool}"),
            None => "`xtask/Cargo.toml` keeps its version of the tool; `--tool TOOL` sets another"
                .to_owned(),
        });
    }
    let open = found.iter().filter(|file| is_open(file.state)).count();
    if open == 0 {
        report::note("every file is what this version of the tool writes, or yours");
        return Ok(ExitCode::SUCCESS);
    }
    if args.check {
        report::hint("`cargo xtask init --upgrade`");
    }
    Ok(ExitCode::from(FINDINGS))
}
