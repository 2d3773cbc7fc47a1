//! The only place that starts a process: runs it, prints it (`--dry-run`) or fakes it (tests).
//!
//! A [`Step`] describes each call, so that `--dry-run` prints exactly the commands of a run. Each child has its own
//! process group. xtask stops its children when it is interrupted; none outlives it.

pub(crate) mod again;
mod child;
pub mod interrupt;
mod paste;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wheel_audit::UserError;

use camino::{Utf8Path, Utf8PathBuf};
pub(crate) use paste::quote;
use thiserror::Error;

/// Maximum number of bytes of a failed command's standard error in its message.
const ERROR_TAIL: usize = 4096;
/// Maximum number of bytes of one stream that [`Exec::capture`] keeps.
const CAPTURE_LIMIT: usize = 32 * 1024 * 1024;

/// One command with its environment, working directory and hint.
#[derive(Clone, PartialEq, Eq)]
pub struct Step {
    /// Program name, looked up on `PATH`, or a path.
    pub program: String,
    /// Arguments, unquoted.
    pub args: Vec<String>,
    /// Environment added to xtask's own.
    pub env: BTreeMap<String, EnvValue>,
    /// Working directory [default: xtask's own].
    pub cwd: Option<Utf8PathBuf>,
    /// Standard input [default: empty].
    pub stdin: Option<Stdin>,
    /// Time limit, after which the command is stopped and counts as failed.
    pub timeout: Option<Duration>,
    /// Hint for the error if this step fails.
    pub hint: Option<String>,
}

/// A value of an environment variable.
#[derive(Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// A value that may be shown.
    Plain(String),
    /// Never shown: `shown` is a shell expression that yields the same value when pasted.
    Secret {
        /// The value itself.
        value: String,
        /// Shell expression of printed commands, such as `$(cargo xtask host-settings settings)`.
        shown: String,
    },
}

/// Standard input of a command.
#[derive(Clone, PartialEq, Eq)]
pub enum Stdin {
    /// The contents of a file.
    File(Utf8PathBuf),
    /// Bytes in memory, never shown.
    Secret(Arc<[u8]>),
}

impl Step {
    /// A step that runs `program` with `args`.
    pub fn new<I, S>(program: &str, args: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self {
            program: program.to_owned(),
            args: args.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            cwd: None,
            stdin: None,
            timeout: None,
            hint: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I, S>(mut self, args: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds an environment variable that may be shown.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), EnvValue::Plain(value.into()));
        self
    }

    /// Adds an environment variable whose value is never shown. Printed commands have `shown` in its place.
    #[must_use]
    pub fn secret_env(mut self, name: &str, value: String, shown: &str) -> Self {
        let shown = shown.to_owned();
        self.env.insert(name.to_owned(), EnvValue::Secret { value, shown });
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn cwd(mut self, dir: &Utf8Path) -> Self {
        self.cwd = Some(dir.to_owned());
        self
    }

    /// Sets the file that is read as standard input.
    #[must_use]
    pub fn stdin(mut self, file: &Utf8Path) -> Self {
        self.stdin = Some(Stdin::File(file.to_owned()));
        self
    }

    /// Sets the bytes of standard input, which are never shown.
    #[must_use]
    pub(crate) fn secret_stdin(mut self, bytes: &Arc<[u8]>) -> Self {
        self.stdin = Some(Stdin::Secret(Arc::clone(bytes)));
        self
    }

    /// Sets the time limit.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Sets the hint for a failure.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum ExecError {
    /// The program is not on this machine.
    #[error("`{program}` is not installed or not on PATH")]
    NotFound {
        /// The program's name.
        program: String,
    },
    /// The operating system did not start it.
    #[error("could not start `{program}`: {source}")]
    Start {
        /// The program's name.
        program: String,
        /// The error of the system.
        source: io::Error,
    },
    /// It ended with a status other than 0.
    #[error("{error}")]
    Failed {
        /// Its exit status in words.
        status: String,
        /// The end of its standard error.
        stderr: String,
        /// The command with its output and hint.
        #[source]
        error: UserError,
    },
    /// It exceeded its time limit.
    #[error("{error}")]
    TimedOut {
        /// The time limit.
        limit: Duration,
        /// The command with its time limit and hint.
        #[source]
        error: UserError,
    },
    /// xtask itself was interrupted (Ctrl-C, SIGTERM).
    #[error("interrupted")]
    Interrupted,
    /// It was stopped because the rest of its run has ended ([`Exec::stop`]).
    #[error("stopped: the run has ended")]
    Stopped,
}

impl ExecError {
    /// The end of standard error.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } => stderr,
            _ => "",
        }
    }
}

/// The output and status of a finished command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// True if it ended with status 0.
    pub success: bool,
    /// The exit status in words, e.g. `exit status: 1`.
    pub status: String,
    /// Its standard output, lossily decoded.
    pub stdout: String,
    /// Its standard error, lossily decoded.
    pub stderr: String,
}

impl Captured {
    /// A success that printed `stdout`: for fakes.
    pub fn ok(stdout: &str) -> Self {
        Self {
            success: true,
            status: "exit status: 0".to_owned(),
            stdout: stdout.to_owned(),
            stderr: String::new(),
        }
    }

    /// A failure with this standard error, for fakes.
    pub fn failed(stderr: &str) -> Self {
        Self {
            success: false,
            status: "exit status: 1".to_owned(),
            stdout: String::new(),
            stderr: stderr.to_owned(),
        }
    }
}

/// Replaces the operating system in tests.
pub(crate) type Fake = Arc<dyn Fn(&Step) -> Result<Captured, ExecError> + Send + Sync>;

/// Starts processes, or fakes them. [`Exec::stop`] also stops the processes of its clones.
#[derive(Clone)]
pub struct Exec {
    fake: Option<Fake>,
    stopped: Arc<AtomicBool>,
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.fake.is_some() { "Exec(fake)" } else { "Exec(real)" })
    }
}

impl Exec {
    /// Runs commands for real.
    pub fn real() -> Self {
        Self { fake: None, stopped: Arc::default() }
    }

    /// Calls `fake` instead of the operating system.
    pub fn fake(
        fake: impl Fn(&Step) -> Result<Captured, ExecError> + Send + Sync + 'static,
    ) -> Self {
        Self { fake: Some(Arc::new(fake)), stopped: Arc::default() }
    }

    /// Stops all running steps. Later steps do not start. Both fail with [`ExecError::Stopped`].
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    /// Runs `step` and returns its output. A failed command is no error.
    pub fn capture(&self, step: &Step) -> Result<Captured, ExecError> {
        if let Some(fake) = &self.fake {
            return fake(step);
        }
        let (status, stdout, stderr) = self.capture_bytes(step)?;
        Ok(Captured {
            success: status.success(),
            status: status.to_string(),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr,
        })
    }

    fn capture_bytes(&self, step: &Step) -> Result<(ExitStatus, Vec<u8>, String), ExecError> {
        let mut stdout = Vec::new();
        let mut stderr = Vec::new();
        let status = child::run(step, &self.stopped, &mut |stream, chunk| {
            let sink = match stream {
                Stream::Stdout => &mut stdout,
                Stream::Stderr => &mut stderr,
            };
            let room = CAPTURE_LIMIT.saturating_sub(sink.len());
            sink.extend_from_slice(&chunk[..chunk.len().min(room)]);
        })?;
        Ok((status, stdout, String::from_utf8_lossy(&stderr).into_owned()))
    }

    /// Runs `step` and returns its standard output. A status other than 0 is an error.
    pub fn read(&self, step: &Step) -> Result<String, ExecError> {
        let captured = self.capture(step)?;
        if captured.success {
            return Ok(captured.stdout);
        }
        Err(failed(step, captured.status, &captured.stderr))
    }

    /// Runs `step` and returns the bytes of its standard output. A status other than 0 is an error, and so is
    /// output above the limit.
    pub fn read_bytes(&self, step: &Step) -> Result<Vec<u8>, ExecError> {
        if self.fake.is_some() {
            return self.read(step).map(String::into_bytes);
        }
        let (status, stdout, stderr) = self.capture_bytes(step)?;
        if !status.success() {
            return Err(failed(step, status.to_string(), &stderr));
        }
        if stdout.len() >= CAPTURE_LIMIT {
            let status = format!("its output exceeds {CAPTURE_LIMIT} bytes");
            return Err(failed(step, status, &stderr));
        }
        Ok(stdout)
    }

    /// Runs `step` and writes its standard output, of any size, to `sink`. A status other than 0 is an error.
    pub(crate) fn save(&self, step: &Step, sink: &mut dyn io::Write) -> io::Result<()> {
        if self.fake.is_some() {
            return sink.write_all(&self.read_bytes(step).map_err(io::Error::other)?);
        }
        let (mut stderr, mut written) = (Vec::new(), Ok(()));
        let ran = child::run(step, &self.stopped, &mut |stream, chunk| match stream {
            Stream::Stdout if written.is_ok() => written = sink.write_all(chunk),
            Stream::Stderr if stderr.len() < CAPTURE_LIMIT => stderr.extend_from_slice(chunk),
            Stream::Stdout | Stream::Stderr => {}
        });
        let status = ran.map_err(io::Error::other)?;
        if !status.success() {
            let stderr = String::from_utf8_lossy(&stderr);
            return Err(io::Error::other(failed(step, status.to_string(), &stderr)));
        }
        written
    }

    /// Runs `step` and calls `on_line` for each line of its output, without the newline, immediately. A line longer
    /// than `max_line` bytes arrives in pieces of that size.
    pub fn lines(
        &self,
        step: &Step,
        max_line: usize,
        on_line: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Finished, ExecError> {
        if let Some(fake) = &self.fake {
            let captured = fake(step)?;
            captured.stdout.lines().for_each(|line| on_line(Stream::Stdout, line.as_bytes()));
            captured.stderr.lines().for_each(|line| on_line(Stream::Stderr, line.as_bytes()));
            return Ok(Finished { success: captured.success, status: captured.status });
        }
        let mut cutter = LineCutter::new(max_line);
        let status = child::run(step, &self.stopped, &mut |stream, chunk| {
            cutter.push(stream, chunk, on_line);
        })?;
        cutter.finish(on_line);
        Ok(Finished { success: status.success(), status: status.to_string() })
    }

    /// Runs `step` with xtask's own terminal, input and output, and returns its exit status. As in shells, a signal
    /// counts as status 128 plus its number.
    pub fn attach(&self, step: &Step) -> Result<u8, ExecError> {
        match &self.fake {
            Some(fake) => fake(step).map(|captured| u8::from(!captured.success)),
            None => child::attach(step),
        }
    }

    /// Starts `step` as a process that outlives xtask and writes to `log`. Returns its id.
    pub fn detach(&self, step: &Step, log: &Utf8Path) -> Result<u32, ExecError> {
        match &self.fake {
            Some(fake) => fake(step).map(|_| 0),
            None => child::detach(step, log),
        }
    }
}

fn failed(step: &Step, status: String, stderr: &str) -> ExecError {
    let start = floor_char(stderr, stderr.len().saturating_sub(ERROR_TAIL));
    let stderr = stderr[start..].to_owned();
    let end = stderr.trim_end();
    let end = if end.is_empty() { String::new() } else { format!("\n{end}") };
    let message = format!("`{step}` failed ({status}){end}");
    ExecError::Failed { error: UserError { message, hint: step.hint.clone() }, status, stderr }
}

/// The last character boundary of `text` at or before `at`.
fn floor_char(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

/// The stream that a chunk came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The end of a command whose lines a callback received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// True if it ended with status 0.
    pub success: bool,
    /// The exit status in words.
    pub status: String,
}

/// Cuts the chunks of two interleaved streams into lines, in bounded memory.
struct LineCutter {
    max_line: usize,
    pending: [Vec<u8>; 2],
}

impl LineCutter {
    fn new(max_line: usize) -> Self {
        Self { max_line, pending: [Vec::new(), Vec::new()] }
    }

    fn push(&mut self, stream: Stream, chunk: &[u8], on_line: &mut dyn FnMut(Stream, &[u8])) {
        let pending = &mut self.pending[stream as usize];
        let mut rest = chunk;
        while let Some(at) = rest.iter().position(|&byte| byte == b'\n') {
            pending.extend_from_slice(&rest[..at]);
            on_line(stream, pending);
            pending.clear();
            rest = &rest[at + 1..];
        }
        pending.extend_from_slice(rest);
        if pending.len() > self.max_line {
            on_line(stream, pending);
            pending.clear();
        }
    }

    fn finish(self, on_line: &mut dyn FnMut(Stream, &[u8])) {
        for (stream, pending) in [Stream::Stdout, Stream::Stderr].into_iter().zip(self.pending) {
            if !pending.is_empty() {
                on_line(stream, &pending);
            }
        }
    }
}

#[cfg(test)]
mod tests;
