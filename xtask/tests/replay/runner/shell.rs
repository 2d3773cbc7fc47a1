//! The commands of a step, and the files through which they communicate with the runner.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::actions::Fault;

/// Maximum size of a step's summary, in bytes; GitHub drops a larger one.
const MAX_SUMMARY: usize = 1024 * 1024;

/// The files of one step that the runner reads afterwards.
pub(crate) struct Files {
    folder: Utf8PathBuf,
}

/// The values that a step wrote for the runner.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) path: Vec<String>,
    pub(crate) summary: String,
}

const VARIABLES: [&str; 4] = ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"];

impl Files {
    /// Creates empty files in `folder`.
    pub(crate) fn new(folder: Utf8PathBuf) -> std::io::Result<Self> {
        fs_err::create_dir_all(&folder)?;
        for name in VARIABLES {
            fs_err::write(folder.join(name), "")?;
        }
        Ok(Self { folder })
    }

    /// The variables with their paths.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        VARIABLES.iter().map(|name| ((*name).to_owned(), self.folder.join(name).into_string()))
    }

    /// Reads them.
    pub(crate) fn read(&self) -> Result<Written, String> {
        let text = |name: &str| fs_err::read_to_string(self.folder.join(name));
        let text = |name: &str| text(name).map_err(|error| error.to_string());
        let summary = text("GITHUB_STEP_SUMMARY")?;
        if summary.len() > MAX_SUMMARY {
            return Err(format!("a summary of {} bytes: GitHub drops it", summary.len()));
        }
        Ok(Written {
            outputs: pairs(&text("GITHUB_OUTPUT")?)?,
            env: pairs(&text("GITHUB_ENV")?)?,
            path: text("GITHUB_PATH")?.lines().map(str::to_owned).collect(),
            summary,
        })
    }
}

/// Lines `name=value`, or `name<<WORD`, the value, and a line with that word.
pub(crate) fn pairs(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut pairs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        if let Some(at) = heredoc.filter(|at| equals.is_none_or(|equals| *at < equals)) {
            let (name, word) = (&line[..at], &line[at + 2..]);
            let mut value = Vec::new();
            loop {
                match lines.next() {
                    Some(line) if line == word => break,
                    Some(line) => value.push(line),
                    None => return Err(format!("`{name}`: no line `{word}`")),
                }
            }
            pairs.insert(name.to_owned(), value.join("\n"));
        } else if let Some(at) = equals {
            pairs.insert(line[..at].to_owned(), line[at + 1..].to_owned());
        } else if !line.is_empty() {
            return Err(format!("`{line}` is no `name=value`"));
        }
    }
    Ok(pairs)
}

/// The program for the script `file` in `shell`.
fn program(shell: Option<&str>, file: &Utf8Path) -> Result<Vec<String>, Fault> {
    let words: &[&str] = match shell {
        None => &["bash", "-e"],
        Some("bash") => &["bash", "--noprofile", "--norc", "-eo", "pipefail"],
        Some("sh") => &["sh", "-e"],
        Some("python") => &["python3"],
        Some(other) => return Err(Fault::Replay(format!("the shell `{other}` is not known"))),
    };
    Ok(words.iter().map(|word| (*word).to_owned()).chain([file.to_string()]).collect())
}

/// A script and its environment.
pub(crate) struct Script<'a> {
    pub(crate) text: &'a str,
    pub(crate) shell: Option<&'a str>,
    pub(crate) folder: Utf8PathBuf,
    pub(crate) env: &'a BTreeMap<String, String>,
    /// True if the script inherits the variables of this machine.
    pub(crate) inherits: bool,
    /// The file for its output.
    pub(crate) log: Utf8PathBuf,
    pub(crate) limit: Duration,
}

/// Variables of the test process that a runner does not have.
const OWN: [&str; 8] = [
    "CARGO_",
    "GITHUB_",
    "RUNNER_",
    "ACTIONS_",
    "GH_",
    "XTASK_",
    "LD_LIBRARY_",
    "RUSTUP_TOOLCHAIN",
];

/// Runs `script`, and calls `watch` periodically.
pub(crate) fn run(script: &Script<'_>, mut watch: impl FnMut()) -> Result<(), Fault> {
    let io = |error: std::io::Error| Fault::Replay(error.to_string());
    let file = script.log.with_extension("script");
    fs_err::write(&file, script.text).map_err(io)?;
    let words = program(script.shell, &file)?;
    let log = std::fs::File::create(&script.log).map_err(io)?;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir(&script.folder).stdin(Stdio::null());
    command.stdout(log.try_clone().map_err(io)?).stderr(log).process_group(0);
    if script.inherits {
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let is_own = OWN.iter().any(|own| text.starts_with(own)) && text != "CARGO_HOME";
            if is_own || text == "CARGO" {
                command.env_remove(&name);
            }
        }
    } else {
        command.env_clear();
    }
    let mut child = command.envs(script.env).spawn().map_err(io)?;
    let start = Instant::now();
    let status = loop {
        watch();
        if let Some(status) = child.try_wait().map_err(io)? {
            break status;
        }
        if start.elapsed() > script.limit {
            let group = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = child.wait();
            return Err(format!("the step took more than {:?}", script.limit).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    watch();
    if status.success() { Ok(()) } else { Err(format!("the script ended with {status}").into()) }
}
