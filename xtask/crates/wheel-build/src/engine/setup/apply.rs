//! Carrying a plan out.

use anyhow::bail;
use std::io::Write as _;
use std::time::{Duration, Instant};
use wheel_audit::UserError;
use wheel_audit::sys::writing_private;

use super::{Action, Forecast, Kind, START_LIMIT, SetupPlan, apt, daemon};
use crate::exec::{Captured, Exec, Step};

/// What happens while a plan is carried out.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// An action begins.
    Started(&'a Action),
    /// apt has said what the installation will bring.
    Forecast(&'a Forecast),
    /// An action is done, after this long.
    Done(Duration),
}

/// Carries `plan` out, action by action, and stops at the first that fails.
///
/// # Errors
/// Missing privileges before anything is done; else what stood in the way.
pub(crate) fn apply(
    plan: &SetupPlan,
    exec: &Exec,
    on_event: &mut dyn FnMut(&Event<'_>),
) -> anyhow::Result<()> {
    if let Some((reason, hint)) = plan.denied.filter(|_| !plan.is_empty()) {
        // So that the commands work when root pastes them.
        draft(plan)?;
        let commands: Vec<_> =
            plan.actions.iter().map(|action| format!("  {}", action.step())).collect();
        bail!(
            UserError::new(format!("{reason}; as root, these would do:\n{}", commands.join("\n")))
                .hint(hint)
        );
    }
    for action in &plan.actions {
        on_event(&Event::Started(action));
        let start = Instant::now();
        prepare(action)?;
        carry_out(action, exec, on_event)?;
        on_event(&Event::Done(start.elapsed()));
    }
    Ok(())
}

/// Writes the files that the plan's commands name, all of them in our own folders: a command can
/// then be run by hand.
///
/// # Errors
/// Where a file cannot be written.
pub(crate) fn draft(plan: &SetupPlan) -> anyhow::Result<()> {
    plan.actions.iter().try_for_each(prepare)
}

fn carry_out(
    action: &Action,
    exec: &Exec,
    on_event: &mut dyn FnMut(&Event<'_>),
) -> anyhow::Result<()> {
    match &action.kind {
        Kind::Run(step) => exec.read(step).map(drop).map_err(Into::into),
        Kind::Apt(step) => apt_get(exec, step).map(drop),
        Kind::Forecast { simulate, own_version } => {
            let said = apt_get(exec, simulate)?;
            let forecast = apt::forecast(&said.stdout, own_version)?;
            on_event(&Event::Forecast(&forecast));
            Ok(())
        }
        Kind::Service { start, question } => {
            exec.read(start)?;
            daemon::wait(exec, question, None, START_LIMIT)
        }
        Kind::Daemon { start, question, log, limit } => {
            // The installation may have started it already.
            if daemon::answers(exec, question)? {
                return Ok(());
            }
            exec.detach(start, log)?;
            daemon::wait(exec, question, Some(log), *limit)
        }
    }
}

fn apt_get(exec: &Exec, step: &Step) -> anyhow::Result<Captured> {
    let said = exec.capture(step)?;
    if said.success { Ok(said) } else { Err(apt::failure(step, &said)) }
}

/// Makes the folders and files in which an action keeps what is its own.
fn prepare(action: &Action) -> anyhow::Result<()> {
    for folder in &action.folders {
        fs_err::create_dir_all(folder)?;
    }
    for (path, text) in &action.files {
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        // Only its owner may read it: an address in it may hold a password.
        let options = fs_err::OpenOptions::from_options(writing_private());
        options.open(path)?.write_all(text.as_bytes())?;
    }
    Ok(())
}
