//! For tests and fuzz targets of this repository only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wheel_audit::UserError;

pub use crate::engine::podman::TARGETS as PODMAN_TARGETS;
pub use crate::engine::podman_progress::Progress as PodmanProgress;
pub use crate::engine::progress::{Event, FailedStep, Follow, Progress};

use crate::engine::doctor::docker;
use crate::engine::failure::diagnose;
use crate::engine::host::HostSettings;
use crate::engine::registry::{self, Published, Unknown};
use crate::engine::setup::sources;
use crate::engine::{excerpt, headline};
use crate::exec::Captured;
use crate::init;
use crate::init::project::Project;
use crate::lock::{Environment, LockFile};
use crate::pipeline::build_info::BuildInfo;
use crate::pipeline::smoke::Report;
use crate::pipeline::{export, missing, stubs};
use crate::proof;

/// The texts of all events of an engine's `output`, and the number of lines in the excerpt of a failed step.
pub fn progress_texts(progress: &mut dyn Follow, output: &[u8]) -> (Vec<String>, usize) {
    let mut texts = Vec::new();
    for event in output.split(|&byte| byte == b'\n').flat_map(|line| progress.line(line)) {
        texts.push(match event {
            Event::Started { name } | Event::Done { name, .. } => name,
            Event::Failed { error, .. } | Event::NoCache { error, .. } => error,
            Event::Output { line, .. } => line,
            Event::Message(text) => text,
        });
    }
    (texts, progress.failed().map_or(0, |step| step.tail.len()))
}

/// Every text about a failed step that printed `output`: its message, its hints and its lines.
pub fn failure_texts(name: &str, error: &str, output: &[String]) -> Vec<String> {
    let tail = excerpt::excerpt(output);
    let step = FailedStep {
        name: name.to_owned(),
        error: error.to_owned(),
        tail: tail.clone(),
        clipped: None,
    };
    let diagnosed = diagnose("exit status: 1", Some(step), output);
    let mut texts = vec![diagnosed.to_string()];
    texts.extend(diagnosed.hint().map(str::to_owned));
    texts.extend(diagnosed.source_down());
    texts.extend(headline::headline(&tail).map(|found| format!("{found:?}")));
    texts.extend(missing::hint(&tail, None));
    texts.extend(tail);
    texts
}

/// The `wheels.toml` that `init` writes for a package with this `pyproject.toml`.
///
/// # Errors
/// As for `init`.
pub fn adopted(text: &str) -> Result<String, UserError> {
    let project = Project::parse(text)?;
    init::wheels_toml(&project, text, "".into()).map(|(text, _)| text)
}

/// The texts that the tool shows of an answer of another program. `kind` selects the parser.
pub fn answer_texts(kind: u8, answer: &str) -> Vec<String> {
    let captured = || Ok(Captured { stderr: answer.to_owned(), ..Captured::ok(answer) });
    let published = |it: Published| {
        let mut texts: Vec<_> = it.platforms.keys().map(ToString::to_string).collect();
        texts.extend(it.platforms.into_values().chain([it.digest]));
        texts
    };
    match kind % 6 {
        0 => {
            let report = serde_json::from_str::<Report>(answer);
            let problem =
                report.ok().and_then(|it| it.answers(&[("import", "a".to_owned())]).err());
            problem.into_iter().collect()
        }
        1 => export::requirement_lines(answer.as_bytes()).into_iter().collect(),
        2 => {
            let (client, state) = docker::read_version(&captured());
            let builder = docker::read_builder(answer).map(|it| format!("{it:?}"));
            let version = docker::read_buildx(answer).map(|it| it.to_string());
            let texts = [Some(format!("{client:?} {state:?}")), builder, version];
            texts.into_iter().flatten().collect()
        }
        3 => match registry::parsed(answer) {
            Ok(found) => published(found),
            Err(Unknown::Refused(text) | Unknown::Silent(text)) => vec![text],
        },
        4 => match registry::interpret(answer) {
            Unknown::Refused(text) | Unknown::Silent(text) => {
                assert!(answer.contains(&text));
                published(registry::single("sha256:00", answer))
            }
        },
        _ => {
            let mut all = sources::parse_deb822(answer);
            all.extend(sources::parse_one_line(answer));
            all.iter().map(|it| format!("{it:?}")).collect()
        }
    }
}

/// `text` without the credentials of the index `url`.
pub fn redacted(url: &str, text: &str) -> String {
    let settings = BTreeMap::from([("PIP_INDEX_URL".to_owned(), url.to_owned())]);
    HostSettings { settings, ..HostSettings::default() }.redact(text)
}

/// The stubs for `xtask/` in a source archive with these manifests and lock files.
pub fn stub_files(files: &BTreeMap<PathBuf, String>) -> BTreeMap<PathBuf, String> {
    let own = |path: &&PathBuf| path.starts_with("xtask");
    let (own, packed): (Vec<_>, Vec<_>) = files.keys().cloned().partition(|path| own(&path));
    stubs::stubs(&packed, &own, |path: &Path| files.get(path).cloned())
}

/// The normal form of a lock file.
///
/// # Errors
/// If it is not a lock file of this version.
pub fn lock_text(text: &str) -> Result<String, UserError> {
    LockFile::parse("wheels.lock", text).map(|lock| lock.text())
}

/// A container's report as text, as a lock file, and as the documents of a wheel.
///
/// # Errors
/// A description of the problem.
pub fn build_report(bytes: &[u8]) -> Result<(String, String), String> {
    const FILE: &str = "demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";
    let mut info = BuildInfo::parse(bytes)?;
    // The tool rejects reports of another target.
    (info.target, info.platform) = ("debian12".to_owned(), "linux/amd64".to_owned());
    let _ = (info.libc(), info.extension_reason(None), info.clone().joined(Some(&info)));
    let value = serde_json::to_value(&info).map_err(|error| error.to_string())?;
    let mut lock = LockFile::default();
    if let Some(entry) = Environment::of_build(&value, "cp311", None) {
        lock.record(entry);
    }
    let facts = proof::Facts {
        file: FILE,
        sha256: &"a".repeat(64),
        grafted: &[],
        members: BTreeMap::new(),
        needed: vec!["libc.so.6"],
        target: "debian12",
        platform: "linux/amd64",
        builder: "cp311",
        info: &value,
        settings: Value::Null,
        snapshot: None,
        lock: None,
    };
    proof::documents(&facts).map_err(|error| error.to_string())?;
    Ok((info.text(), lock.text()))
}
