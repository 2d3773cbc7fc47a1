//! Parses BuildKit's machine-readable progress: one JSON object on each line (`--progress=rawjson`, moby/buildkit
//! `client.SolveStatus`).

use std::collections::{BTreeMap, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// Maximum number of bytes of a running step's output that are searched for its error.
const MAX_OUTPUT: usize = 4 * 1024 * 1024;
/// Maximum number of characters kept of one line. It is far more than is shown, because cutting a line before the
/// secrets are removed may leave half of one.
const MAX_KEPT: usize = 64 * 1024;
/// Maximum number of characters shown of one line.
const MAX_SHOWN: usize = 2000;
/// Maximum size of a report. The output of one step comes in many.
const MAX_REPORT: usize = 8 * 1024 * 1024;
/// Maximum number of steps to follow. Our builds have about forty.
const MAX_VERTICES: usize = 4096;

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    vertexes: Option<Vec<Vertex>>,
    #[serde(default)]
    logs: Option<Vec<Log>>,
}

#[derive(Deserialize)]
struct Vertex {
    digest: String,
    #[serde(default)]
    name: String,
    started: Option<String>,
    completed: Option<String>,
    #[serde(default)]
    cached: bool,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
struct Log {
    vertex: String,
    #[serde(default)]
    data: String,
}

/// An event of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A step began.
    Started {
        /// The step's name, such as `[base 2/3] RUN ...`.
        name: String,
    },
    /// A step succeeded.
    Done {
        /// The step's name.
        name: String,
        /// True if its result was cached.
        cached: bool,
    },
    /// A step failed.
    Failed {
        /// The step's name.
        name: String,
        /// BuildKit's message.
        error: String,
    },
    /// A cache outside of the engine could not be read or written; the build continues without it.
    NoCache {
        /// The attempted action, such as `exporting cache to registry`.
        name: String,
        /// BuildKit's message.
        error: String,
    },
    /// A step printed a line.
    Output {
        /// The step's name.
        name: String,
        /// The line, lossily decoded, without control characters.
        line: String,
    },
    /// A line that is not progress: a message of the client itself.
    Message(String),
}

#[derive(Default)]
struct Step {
    name: String,
    started: bool,
    ended: bool,
    /// The start of a line. A chunk can end inside of a character.
    partial: Vec<u8>,
    output: Recent,
}

/// The last output of a step, for the message about its failure.
#[derive(Debug, Default)]
pub(super) struct Recent {
    lines: VecDeque<String>,
    bytes: usize,
    /// The limit beyond which `BuildKit` dropped output.
    pub(super) clipped: Option<String>,
}

impl Recent {
    /// Adds a line.
    pub(super) fn keep(&mut self, line: &str) {
        if let Some(limit) = clipped(line) {
            self.clipped = Some(limit.to_owned());
            return;
        }
        let line: String = line.chars().take(MAX_KEPT).collect();
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.bytes > MAX_OUTPUT {
            let Some(first) = self.lines.pop_front() else { break };
            self.bytes -= first.len() + 1;
        }
    }

    /// The lines that show the error of the step `name`.
    pub(super) fn excerpt(&self, name: &str) -> Vec<String> {
        let lines: Vec<String> = self.lines.iter().cloned().collect();
        // Package tests end with their summary, and print lines that look like errors before it.
        let is_test = name.contains("/test.sh");
        if is_test { super::excerpt::last(&lines) } else { super::excerpt::excerpt(&lines) }
    }
}

/// Follows one build.
#[derive(Default)]
pub struct Progress {
    /// The start of a report with several lines, because buildx before 0.14 indents its JSON.
    open: Vec<u8>,
    steps: BTreeMap<String, Step>,
    failed: Option<(String, String, String)>,
}

/// The step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedStep {
    /// The step's name.
    pub name: String,
    /// BuildKit's message.
    pub error: String,
    /// The lines that show the error, or the last ones.
    pub tail: Vec<String>,
    /// The limit beyond which `BuildKit` dropped output, such as `2MiB` or `200KiB/s`.
    pub clipped: Option<String>,
}

impl FailedStep {
    /// The step without secrets, which `redact` removes, and with lines of limited length.
    pub(super) fn redacted(mut self, redact: impl Fn(&str) -> String) -> Self {
        self.error = redact(&self.error);
        for line in &mut self.tail {
            *line = redact(line).chars().take(MAX_SHOWN).collect();
        }
        self
    }
}

/// Parses the client's output during one build.
pub trait Follow {
    /// Converts any line of the output to events.
    fn line(&mut self, line: &[u8]) -> Vec<Event>;
    /// The step that failed, if one did.
    fn failed(&self) -> Option<FailedStep>;
}

impl Follow for Progress {
    fn line(&mut self, line: &[u8]) -> Vec<Event> {
        Progress::line(self, line)
    }

    fn failed(&self) -> Option<FailedStep> {
        Progress::failed(self)
    }
}

impl Progress {
    /// Converts any line of the client's standard error to events.
    pub fn line(&mut self, line: &[u8]) -> Vec<Event> {
        if self.open.is_empty() && line != b"{" {
            return match serde_json::from_slice::<Status>(line) {
                Ok(status) => self.status(status),
                Err(_) => message(line),
            };
        }
        self.open.extend_from_slice(line);
        self.open.push(b'\n');
        if line != b"}" && self.open.len() <= MAX_REPORT {
            return Vec::new();
        }
        let report = std::mem::take(&mut self.open);
        match serde_json::from_slice::<Status>(&report) {
            Ok(status) => self.status(status),
            Err(_) => report.split(|&byte| byte == b'\n').flat_map(message).collect(),
        }
    }

    fn status(&mut self, status: Status) -> Vec<Event> {
        let mut events = Vec::new();
        for vertex in status.vertexes.unwrap_or_default() {
            self.vertex(vertex, &mut events);
        }
        for log in status.logs.unwrap_or_default() {
            self.log(&log, &mut events);
        }
        events
    }

    fn vertex(&mut self, vertex: Vertex, events: &mut Vec<Event>) {
        if self.steps.len() >= MAX_VERTICES && !self.steps.contains_key(&vertex.digest) {
            return;
        }
        let step = self.steps.entry(vertex.digest.clone()).or_default();
        if !vertex.name.is_empty() {
            step.name = clean(&vertex.name);
        }
        let name = step.name.clone();
        if vertex.started.is_some() && !step.started && !vertex.cached {
            step.started = true;
            events.push(Event::Started { name: name.clone() });
        }
        if step.ended || vertex.completed.is_none() {
            return;
        }
        step.ended = true;
        if !step.partial.is_empty() {
            let line = clean(&String::from_utf8_lossy(&std::mem::take(&mut step.partial)));
            step.output.keep(&line);
            events.push(Event::Output { name: name.clone(), line });
        }
        if vertex.error.is_empty() {
            step.output = Recent::default();
            events.push(Event::Done { name, cached: vertex.cached });
            return;
        }
        let error = clean(&vertex.error);
        if is_cache(&name) {
            events.push(Event::NoCache { name, error });
            return;
        }
        // Steps that run beside the failed one are cancelled. They are not the cause.
        let cancelled = error.contains("context canceled");
        if self.failed.is_none() || !cancelled {
            let first_cause = self.failed.as_ref().is_some_and(|(.., e)| !is_cancelled(e));
            if !first_cause {
                self.failed = Some((vertex.digest, name.clone(), error.clone()));
            }
        }
        events.push(Event::Failed { name, error });
    }

    fn log(&mut self, log: &Log, events: &mut Vec<Event>) {
        let Some(step) = self.steps.get_mut(&log.vertex) else { return };
        let Ok(data) = STANDARD.decode(&log.data) else { return };
        step.partial.extend_from_slice(&data);
        while let Some(at) = memchr::memchr(b'\n', &step.partial) {
            let line = clean(&String::from_utf8_lossy(&step.partial[..at]));
            step.partial.drain(..=at);
            step.output.keep(&line);
            events.push(Event::Output { name: step.name.clone(), line });
        }
        // Limit a progress bar without newlines.
        if step.partial.len() > 64 * 1024 {
            step.partial.clear();
        }
    }

    /// The step that failed, if one did.
    pub fn failed(&self) -> Option<FailedStep> {
        let (digest, name, error) = self.failed.clone()?;
        let output = self.steps.get(&digest).map(|step| &step.output);
        let tail = output.map(|output| output.excerpt(&name)).unwrap_or_default();
        let clipped = output.and_then(|output| output.clipped.clone());
        Some(FailedStep { name, error, tail, clipped })
    }
}

/// The limit in `BuildKit`'s notice about dropped output (moby/buildkit, `util/progress/logs`).
fn clipped(line: &str) -> Option<&str> {
    line.trim().strip_prefix("[output clipped, log limit ")?.strip_suffix(" reached]")
}

/// A message of the client itself.
fn message(line: &[u8]) -> Vec<Event> {
    let text = clean(&String::from_utf8_lossy(line));
    if text.trim().is_empty() { Vec::new() } else { vec![Event::Message(text)] }
}

/// Returns whether a step is `BuildKit`'s reading or writing of a cache (moby/buildkit, `cache/remotecache`,
/// `solver/llbsolver`), which fails a build only on request.
fn is_cache(name: &str) -> bool {
    ["importing cache manifest from ", "exporting cache to ", "preparing build cache for export"]
        .iter()
        .any(|start| name.starts_with(start))
}

fn is_cancelled(error: &str) -> bool {
    error.contains("context canceled")
}

/// `text` without the colors of tools, which would hide their errors, and without control characters, which could
/// repaint a terminal.
pub(super) fn clean(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    text.chars().filter(|c| !c.is_control() || *c == '\t').collect()
}

/// A step's name without its mounts, at most 100 characters long.
pub(crate) fn short_name(name: &str) -> String {
    let words = name.split_whitespace().filter(|word| !word.starts_with("--mount="));
    let text = words.collect::<Vec<_>>().join(" ");
    if text.chars().count() <= 100 {
        return text;
    }
    format!("{}…", text.chars().take(99).collect::<String>())
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
