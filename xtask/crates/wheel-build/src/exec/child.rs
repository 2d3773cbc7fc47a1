//! Starts, reads and stops the processes of [`super::Exec`].

use std::io::{ErrorKind, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use wheel_audit::UserError;

use camino::Utf8Path;

use super::{EnvValue, ExecError, Stdin, Step, Stream, interrupt};
use crate::sys::{self, Signal};

/// Time between the first signal to a child and SIGKILL.
const GRACE: Duration = Duration::from_secs(10);
/// Time between two checks of the clock and the interrupt flag.
const TICK: Duration = Duration::from_millis(50);

/// Runs `step` until it ends or is `stopped`. `sink` receives chunks of its output immediately.
pub(super) fn run(
    step: &Step,
    stopped: &AtomicBool,
    sink: &mut dyn FnMut(Stream, &[u8]),
) -> Result<ExitStatus, ExecError> {
    if interrupt::received() {
        return Err(ExecError::Interrupted);
    }
    if stopped.load(Ordering::SeqCst) {
        return Err(ExecError::Stopped);
    }
    let mut command = command(step)?;
    command.stdin(input(step)?).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| start_error(step, source))?;
    feed(step, &mut child);
    let (sender, receiver) = sync_channel(64);
    forward(child.stdout.take(), Stream::Stdout, sender.clone());
    forward(child.stderr.take(), Stream::Stderr, sender);
    let mut stopper = Stopper::new(step, stopped);
    loop {
        match receiver.recv_timeout(TICK) {
            Ok((stream, chunk)) => sink(stream, &chunk),
            Err(RecvTimeoutError::Timeout) => {}
            // Both streams are closed, so the output is complete.
            Err(RecvTimeoutError::Disconnected) => break,
        }
        stopper.look(&mut child);
        // A grandchild may keep the pipes open forever, so the end of the child counts.
        if stopper.stopping() && matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
    }
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Err(source) => return Err(start_error(step, source)),
        }
        stopper.look(&mut child);
    };
    stopper.verdict(step).map_or(Ok(status), Err)
}

/// Runs `step` in xtask's process group, so that the child receives keys such as Ctrl-C and Ctrl-Z. Forwards one
/// other signal of xtask to the child.
pub(super) fn attach(step: &Step) -> Result<u8, ExecError> {
    let mut command = command(step)?;
    sys::in_this_group(&mut command);
    command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(|source| start_error(step, source))?;
    let _attached = interrupt::Attached::new();
    let mut signalled = false;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => std::thread::sleep(TICK),
            Err(source) => return Err(start_error(step, source)),
        }
        // In a terminal the child has already received the signal. A second one is harmless.
        if interrupt::received() && !signalled {
            signalled = true;
            sys::signal(&child, Signal::Terminate);
        }
    };
    Ok(sys::exit_code(status))
}

/// Starts `step` in its own session, with its output in `log`.
pub(super) fn detach(step: &Step, log: &Utf8Path) -> Result<u32, ExecError> {
    let log = fs_err::File::create(log).map_err(|source| start_error(step, source))?;
    let err = log.try_clone().map_err(|source| start_error(step, source))?;
    // `setsid` (util-linux) and not only a process group: the daemon must outlive the terminal that started it.
    let args = std::iter::once(&step.program).chain(&step.args).cloned().collect();
    let wrapped = Step { program: "setsid".to_owned(), args, ..step.clone() };
    let mut command = command(&wrapped)?;
    command.stdin(Stdio::null()).stdout(log.into_parts().0).stderr(err.into_parts().0);
    let child = command.spawn().map_err(|source| start_error(step, source))?;
    Ok(child.id())
}

fn command(step: &Step) -> Result<Command, ExecError> {
    let shell = xshell::Shell::new()
        .map_err(|error| start_error(step, std::io::Error::other(error.to_string())))?;
    let mut cmd = shell.cmd(&step.program).args(&step.args);
    // A git hook, a rebase or `git -c` sets them for its own repository. git must find the repository of its own
    // working directory.
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"GIT_"))
    {
        cmd = cmd.env_remove(name);
    }
    for (name, value) in &step.env {
        let (EnvValue::Plain(value) | EnvValue::Secret { value, .. }) = value;
        cmd = cmd.env(name, value);
    }
    let mut command = Command::from(cmd);
    if let Some(cwd) = &step.cwd {
        command.current_dir(cwd);
    }
    // In its own group, the child does not receive a Ctrl-C in the terminal: xtask stops its children itself. Signals to
    // the group also reach the plugins of a client.
    sys::in_own_group(&mut command);
    Ok(command)
}

fn input(step: &Step) -> Result<Stdio, ExecError> {
    match &step.stdin {
        None => Ok(Stdio::null()),
        Some(Stdin::Secret(_)) => Ok(Stdio::piped()),
        Some(Stdin::File(path)) => {
            let file = fs_err::File::open(path).map_err(|source| start_error(step, source))?;
            Ok(Stdio::from(file.into_parts().0))
        }
    }
}

/// Writes a secret to the child while it reads.
fn feed(step: &Step, child: &mut Child) {
    if let (Some(Stdin::Secret(bytes)), Some(mut pipe)) = (&step.stdin, child.stdin.take()) {
        let bytes = Arc::clone(bytes);
        // An error means that the child has ended; its status has the reason.
        std::thread::spawn(move || pipe.write_all(&bytes));
    }
}

fn start_error(step: &Step, source: std::io::Error) -> ExecError {
    let program = step.program.clone();
    if source.kind() == ErrorKind::NotFound && step.cwd.as_ref().is_none_or(|dir| dir.exists()) {
        ExecError::NotFound { program }
    } else {
        ExecError::Start { program, source }
    }
}

fn forward<R>(pipe: Option<R>, stream: Stream, sender: SyncSender<(Stream, Vec<u8>)>)
where
    R: Read + Send + 'static,
{
    let Some(mut pipe) = pipe else { return };
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) if sender.send((stream, buffer[..count].to_vec())).is_ok() => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => break,
            }
        }
    });
}

/// Watches the clock and the interrupt flag for one child, and stops it: SIGINT first, SIGKILL
/// after [`GRACE`].
struct Stopper<'a> {
    deadline: Option<Instant>,
    stopped: &'a AtomicBool,
    stopped_at: Option<Instant>,
    cause: Cause,
    killed: bool,
}

/// Why a child must end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Interrupt,
    Stop,
    Deadline,
}

impl<'a> Stopper<'a> {
    fn new(step: &Step, stopped: &'a AtomicBool) -> Self {
        let deadline = step.timeout.map(|limit| Instant::now() + limit);
        Self { deadline, stopped, stopped_at: None, cause: Cause::Deadline, killed: false }
    }

    /// Why the child must end, if it must.
    fn cause(&self) -> Option<Cause> {
        if interrupt::received() {
            return Some(Cause::Interrupt);
        }
        if self.stopped.load(Ordering::SeqCst) {
            return Some(Cause::Stop);
        }
        self.deadline.is_some_and(|at| Instant::now() >= at).then_some(Cause::Deadline)
    }

    fn stopping(&self) -> bool {
        self.stopped_at.is_some()
    }

    fn look(&mut self, child: &mut Child) {
        match self.stopped_at {
            None => {
                if let Some(cause) = self.cause() {
                    self.cause = cause;
                    self.stopped_at = Some(Instant::now());
                    sys::signal_group(child, Signal::Interrupt);
                }
            }
            Some(since) if !self.killed && since.elapsed() >= GRACE => {
                self.killed = true;
                sys::signal_group(child, Signal::Kill);
            }
            Some(_) => {}
        }
    }

    fn verdict(&self, step: &Step) -> Option<ExecError> {
        self.stopped_at?;
        Some(match self.cause {
            Cause::Interrupt => ExecError::Interrupted,
            Cause::Stop => ExecError::Stopped,
            Cause::Deadline => {
                let limit = step.timeout.unwrap_or_default();
                let message = format!("`{step}` did not end within {} s", limit.as_secs());
                let error = UserError { message, hint: step.hint.clone() };
                ExecError::TimedOut { limit, error }
            }
        })
    }
}
