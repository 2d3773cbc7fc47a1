//! The book of `docs/`, which mdBook renders.

use wheel_audit::report;
use wheel_build::own::{Exec, ExecError, Step, Workspace};

/// Renders the book into `target/xtask/book` with `program`. Returns whether there are no warnings; `None` if the
/// program is not installed.
///
/// # Errors
/// If xtask was interrupted.
pub(crate) fn check(
    exec: &Exec,
    workspace: &Workspace,
    program: &str,
) -> anyhow::Result<Option<bool>> {
    let folder = workspace.work.join("book");
    let step = Step::new(program, ["build", "docs", "--dest-dir", folder.as_str()]);
    let ran = match exec.capture(&step.cwd(&workspace.root)) {
        Ok(ran) => ran,
        Err(ExecError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let is_complaint = |line: &str| ["WARN", "ERROR"].iter().any(|level| line.contains(level));
    let is_good = ran.success && !ran.stderr.lines().any(is_complaint);
    if !is_good {
        ran.stderr.lines().for_each(|line| report::relay(line, true));
    }
    Ok(Some(is_good))
}
