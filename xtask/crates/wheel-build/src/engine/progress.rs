//! BuildKit's machine-readable progress: one JSON object a line (`--progress=rawjson`, moby/buildkit
//! `client.SolveStatus`), reduced to what a person and a log want to know.

use std::collections::{BTreeMap, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// Maximum number of bytes of a running step's output that are searched for its error.
const MAX_OUTPUT: usize = 4 * 1024 * 1024;
/// Maximum number of characters of one line that are kept. Far more than are shown: what is cut before secrets are
/// removed may end with half of one.
const MAX_KEPT: usize = 64 * 1024;
/// Maximum number of characters of one line that are shown.
const MAX_SHOWN: usize = 2000;
/// Largest report that is taken; one step's output comes in many.
const MAX_REPORT: usize = 8 * 1024 * 1024;
/// How many steps are followed; a build of ours has some forty.
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

/// Something that happened in a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A step began.
    Started {
        /// The step's name, e.g. `[base 2/3] RUN ...`.
        name: String,
    },
    /// A step ended well.
    Done {
        /// The step's name.
        name: String,
        /// Whether its result was there already.
        cached: bool,
    },
    /// A step failed.
    Failed {
        /// The step's name.
        name: String,
        /// What BuildKit says of it.
        error: String,
    },
    /// A cache outside of the engine could not be read or written; the build goes on without it.
    NoCache {
        /// What was tried, e.g. `exporting cache to registry`.
        name: String,
        /// What BuildKit says of it.
        error: String,
    },
    /// A step printed a line.
    Output {
        /// The step's name.
        name: String,
        /// The line, lossily decoded, without control characters.
        line: String,
    },
    /// A line that is no progress: the client speaking for itself.
    Said(String),
}

#[derive(Default)]
struct Step {
    name: String,
    started: bool,
    ended: bool,
    partial: String,
    output: Recent,
}

/// The last output of a step, for the message of its failure.
#[derive(Debug, Default)]
pub(super) struct Recent {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Recent {
    /// Takes one more line.
    pub(super) fn keep(&mut self, line: &str) {
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
        // The package's own tests end with their summary, and print what looks like an error before.
        let is_test = name.contains("/test.sh");
        if is_test { super::excerpt::last(&lines) } else { super::excerpt::excerpt(&lines) }
    }
}

/// Follows one build.
#[derive(Default)]
pub struct Progress {
    /// A report of several lines that has begun: buildx before 0.14 indents its JSON.
    open: Vec<u8>,
    steps: BTreeMap<String, Step>,
    failed: Option<(String, String, String)>,
}

/// The step that a build failed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedStep {
    /// The step's name.
    pub name: String,
    /// What BuildKit says of it.
    pub error: String,
    /// The lines it printed that show the error, or else the last ones.
    pub tail: Vec<String>,
}

impl FailedStep {
    /// Itself without secrets, which `redact` removes, and with lines of a length for people.
    pub(super) fn redacted(mut self, redact: impl Fn(&str) -> String) -> Self {
        self.error = redact(&self.error);
        for line in &mut self.tail {
            *line = redact(line).chars().take(MAX_SHOWN).collect();
        }
        self
    }
}

/// Follows what the client prints during one build.
pub(crate) trait Follow {
    /// Takes one line of its output; whatever it is, it ends in events.
    fn line(&mut self, line: &[u8]) -> Vec<Event>;
    /// The step at which the build failed, if one did.
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
    /// Takes one line of the client's standard error; whatever it is, it ends in events.
    pub fn line(&mut self, line: &[u8]) -> Vec<Event> {
        if self.open.is_empty() && line != b"{" {
            return match serde_json::from_slice::<Status>(line) {
                Ok(status) => self.status(status),
                Err(_) => said(line),
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
            Err(_) => report.split(|&byte| byte == b'\n').flat_map(said).collect(),
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
            let line = std::mem::take(&mut step.partial);
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
        // Steps that were running beside the failed one end as cancelled; they are not the cause.
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
        step.partial.push_str(&String::from_utf8_lossy(&data));
        while let Some(at) = step.partial.find('\n') {
            let line = clean(step.partial[..at].trim_end_matches('\r'));
            step.partial.drain(..=at);
            step.output.keep(&line);
            events.push(Event::Output { name: step.name.clone(), line });
        }
        // A progress bar without newlines must not grow for ever.
        if step.partial.len() > 64 * 1024 {
            step.partial.clear();
        }
    }

    /// The step at which the build failed, if one did.
    pub fn failed(&self) -> Option<FailedStep> {
        let (digest, name, error) = self.failed.clone()?;
        let tail =
            self.steps.get(&digest).map(|step| step.output.excerpt(&name)).unwrap_or_default();
        Some(FailedStep { name, error, tail })
    }
}

/// What the client says for itself.
fn said(line: &[u8]) -> Vec<Event> {
    let text = clean(&String::from_utf8_lossy(line));
    if text.trim().is_empty() { Vec::new() } else { vec![Event::Said(text)] }
}

/// Whether a step is `BuildKit`'s reading or writing of a cache (moby/buildkit, `cache/remotecache`,
/// `solver/llbsolver`), which never is why a build fails, unless it was asked to be one.
fn is_cache(name: &str) -> bool {
    ["importing cache manifest from ", "exporting cache to ", "preparing build cache for export"]
        .iter()
        .any(|start| name.starts_with(start))
}

fn is_cancelled(error: &str) -> bool {
    error.contains("context canceled")
}

/// `text` without the control characters that could repaint a terminal.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\t').collect()
}

/// A step's name without its mounts, in at most 100 characters.
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
