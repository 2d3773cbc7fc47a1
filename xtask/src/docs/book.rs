//! The book of `docs/`, rendered by mdBook where it is installed.

use wheel_audit::report;
use wheel_build::own::{Exec, ExecError, Step, Workspace};

/// The book's configuration, relative to the workspace.
const BOOK: &str = "docs/book.toml";

/// What became of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was rendered without a warning.
    Passed,
    /// mdBook reported an error or a warning.
    Failed,
    /// It was not rendered, and why.
    Skipped(String),
}

/// Renders the book into `target/xtask/book`.
///
/// # Errors
/// When xtask was interrupted.
pub(crate) fn check(exec: &Exec, workspace: &Workspace) -> anyhow::Result<Outcome> {
    if !workspace.root.join(BOOK).is_file() {
        return Ok(Outcome::Skipped(format!("`{BOOK}` does not exist")));
    }
    let folder = workspace.work.join("book");
    let step = Step::new("mdbook", ["build", "docs", "--dest-dir", folder.as_str()]);
    let ran = match exec.capture(&step.cwd(&workspace.root)) {
        Ok(ran) => ran,
        Err(ExecError::NotFound { program }) => {
            return Ok(Outcome::Skipped(format!("`{program}` is not installed")));
        }
        Err(error) => return Err(error.into()),
    };
    let is_bad = |line: &&str| ["WARN", "ERROR"].iter().any(|level| line.contains(level));
    let complaints: Vec<_> = ran.stderr.lines().filter(is_bad).collect();
    if ran.success && complaints.is_empty() {
        return Ok(Outcome::Passed);
    }
    ran.stderr.lines().for_each(|line| report::relay(line, true));
    Ok(Outcome::Failed)
}
