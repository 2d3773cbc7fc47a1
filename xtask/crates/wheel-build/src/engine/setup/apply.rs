//! Runs a setup plan.

use anyhow::bail;
use std::io::Write as _;
use std::time::{Duration, Instant};
use wheel_audit::UserError;
use wheel_audit::sys::writing_private;

use super::{Action, Forecast, Kind, START_LIMIT, SetupPlan, apt, daemon};
use crate::exec::{Captured, Exec, Step};

/// Progress of a plan.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// An action begins.
    Started(&'a Action),
    /// apt reported what the installation would change.
    Forecast(&'a Forecast),
    /// An action finished after this time.
    Done(Duration),
}

/// Runs the actions of `plan` and stops at the first failure.
///
/// # Errors
/// If privileges are missing, before anything is done, or if an action fails.
pub(crate) fn apply(
    plan: &SetupPlan,
    exec: &Exec,
    on_event: &mut dyn FnMut(&Event<'_>),
) -> anyhow::Result<()> {
    if let Some((reason, hint)) = plan.denied.filter(|_| !plan.is_empty()) {
        // So that root can paste the commands.
        draft(plan)?;
        let commands: Vec<_> =
            plan.actions.iter().map(|action| format!("  {}", action.step())).collect();
        bail!(
            UserError::new(format!("{reason}; run these as root:\n{}", commands.join("\n")))
                .hint(hint)
        );
    }
    for action in &plan.actions {
        on_event(&Event::Started(action));
        let start = Instant::now();
        prepare(action)?;
        execute(action, exec, on_event)?;
        on_event(&Event::Done(start.elapsed()));
    }
    Ok(())
}

/// Writes the files that the plan's commands use, all in our own folders, so that a person can run the
/// commands.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn draft(plan: &SetupPlan) -> anyhow::Result<()> {
    plan.actions.iter().try_for_each(prepare)
}

fn execute(
    action: &Action,
    exec: &Exec,
    on_event: &mut dyn FnMut(&Event<'_>),
) -> anyhow::Result<()> {
    match &action.kind {
        Kind::Run(step) => exec.read(step).map(drop).map_err(Into::into),
        Kind::Apt(step) => apt_get(exec, step).map(drop),
        Kind::Forecast { simulate, own_version } => {
            let answer = apt_get(exec, simulate)?;
            let forecast = apt::forecast(&answer.stdout, own_version)?;
            on_event(&Event::Forecast(&forecast));
            Ok(())
        }
        Kind::Service { start, question } => {
            exec.read(start)?;
            daemon::wait(exec, question, None, START_LIMIT)
        }
        Kind::Daemon { start, question, log, limit } => {
            // The installation may have started it.
            if daemon::answers(exec, question)? {
                return Ok(());
            }
            exec.detach(start, log)?;
            daemon::wait(exec, question, Some(log), *limit)
        }
    }
}

fn apt_get(exec: &Exec, step: &Step) -> anyhow::Result<Captured> {
    let answer = exec.capture(step)?;
    if answer.success { Ok(answer) } else { Err(apt::failure(step, &answer)) }
}

/// Creates the folders and files of an action.
fn prepare(action: &Action) -> anyhow::Result<()> {
    for folder in &action.folders {
        fs_err::create_dir_all(folder)?;
    }
    for (path, text) in &action.files {
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        // Readable by the owner only, because an address may contain a password.
        let options = fs_err::OpenOptions::from_options(writing_private());
        options.open(path)?.write_all(text.as_bytes())?;
    }
    Ok(())
}
