//! The actions of the workflow, by name. An unknown action or input is an error of the replay.

use std::collections::BTreeMap;

use camino::{Utf8DirEntry, Utf8Path, Utf8PathBuf};

use super::event::Event;
use super::hub::git;
use super::run::Run;
use super::upload;

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The step fails, like on GitHub.
    Step(String),
    /// The replay does not support this.
    Replay(String),
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self::Step(text)
    }
}

impl From<&str> for Fault {
    fn from(text: &str) -> Self {
        Self::Step(text.to_owned())
    }
}

/// The inputs of an action that were not read yet.
#[derive(Debug, Default)]
pub(crate) struct Inputs(pub(crate) BTreeMap<String, String>);

impl Inputs {
    /// An input, once. An empty one is absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// A boolean input.
    pub(crate) fn flag(&mut self, name: &str, default: bool) -> Result<bool, String> {
        match self.take(name).as_deref() {
            None => Ok(default),
            Some("true" | "True" | "TRUE") => Ok(true),
            Some("false" | "False" | "FALSE") => Ok(false),
            Some(other) => Err(format!("`{name}: {other}` is no boolean")),
        }
    }

    /// Inputs without an effect here.
    pub(crate) fn drop(&mut self, names: &[&str]) {
        self.0.retain(|name, _| !names.contains(&name.as_str()));
    }
}

/// The environment of an action.
pub(crate) struct Place<'a> {
    pub(crate) run: &'a Run<'a>,
    pub(crate) workspace: &'a Utf8Path,
    /// The permissions of the job's token.
    pub(crate) permissions: &'a BTreeMap<String, String>,
    /// The job's environment.
    pub(crate) environment: Option<&'a str>,
    /// The variables that the workflow sets.
    pub(crate) env: &'a BTreeMap<String, String>,
}

/// Runs the action `name`; returns its outputs.
pub(crate) fn perform(
    name: &str,
    mut inputs: Inputs,
    place: &Place<'_>,
) -> Result<BTreeMap<String, String>, Fault> {
    let Place { run, workspace, .. } = place;
    let mut outputs = BTreeMap::new();
    match name {
        "actions/checkout" => checkout(&mut inputs, place)?,
        "actions/upload-artifact" => run.artifacts.upload(workspace, &mut inputs)?,
        "actions/download-artifact" => run.artifacts.download(workspace, &mut inputs)?,
        "actions/cache/restore" => {
            outputs = run.hub.caches.restore(&run.event, workspace, &mut inputs)?;
        }
        "actions/cache/save" => run.hub.caches.save(&run.event, workspace, &mut inputs)?,
        // The engine's own builder, which keeps layers, too.
        "docker/setup-buildx-action" => {
            inputs.drop(&["cache-binary", "driver", "driver-opts", "use", "version"]);
            outputs.insert("name".to_owned(), "default".to_owned());
        }
        "actions/github-script" => {
            let mut env = place.env.clone();
            env.extend(run.machine.service.clone());
            outputs = script(&mut inputs, &env)?;
        }
        "actions/attest" => attest(&mut inputs, place)?,
        "pypa/gh-action-pypi-publish" => publish(&mut inputs, place)?,
        other => return Err(Fault::Replay(format!("the action `{other}` is not known"))),
    }
    match inputs.0.keys().next() {
        Some(input) => Err(Fault::Replay(format!("`{input}` of `{name}` is not known"))),
        None => Ok(outputs),
    }
}

/// A clean clone of only the commit, without tags and other branches.
fn checkout(inputs: &mut Inputs, place: &Place<'_>) -> Result<(), Fault> {
    let Place { run, workspace, .. } = place;
    if inputs.flag("persist-credentials", true)? {
        return Err(Fault::Replay("`persist-credentials` has to be false".to_owned()));
    }
    if place.permissions.get("contents").is_none_or(|level| level == "none") {
        return Err("the token may not read the repository".into());
    }
    let depth = inputs.take("fetch-depth").unwrap_or_else(|| "1".to_owned());
    // Of an earlier checkout of the job, only files that git ignores would stay.
    git(workspace, &["init", "--quiet"])?;
    git(workspace, &["remote", "add", "origin", &format!("file://{}", run.hub.origin())])?;
    let Event { reference, sha, .. } = &run.event;
    let (to, branch) = match reference.split_once("refs/heads/") {
        Some((_, branch)) => (format!("refs/remotes/origin/{branch}"), Some(branch)),
        None => (reference.replace("refs/pull/", "refs/remotes/pull/"), None),
    };
    let (depth, refspec) = (format!("--depth={depth}"), format!("+{sha}:{to}"));
    let mut fetch = vec!["fetch", "--quiet", "--no-tags", "origin", &refspec];
    if depth != "--depth=0" {
        fetch.insert(1, &depth);
    }
    git(workspace, &fetch)?;
    match branch {
        Some(branch) => git(workspace, &["checkout", "--quiet", "-B", branch, &to])?,
        None => git(workspace, &["checkout", "--quiet", "--detach", &to])?,
    };
    (run.machine.checked_out)(workspace);
    Ok(())
}

/// Stores the checksums of the attested files.
fn attest(inputs: &mut Inputs, place: &Place<'_>) -> Result<(), Fault> {
    let Place { run, workspace, permissions, .. } = place;
    for name in ["id-token", "attestations"] {
        if permissions.get(name).map(String::as_str) != Some("write") {
            return Err(format!("an attestation needs `{name}: write`").into());
        }
    }
    let sums = workspace.join(inputs.take("subject-checksums").unwrap_or_default());
    let text = fs_err::read_to_string(sums).map_err(|error| error.to_string())?;
    let is_sum = |line: &str| line.split_once("  ").is_some_and(|(hash, _)| hash.len() == 64);
    if text.is_empty() || !text.lines().all(is_sum) {
        return Err("there is nothing to attest".into());
    }
    let attested = run.hub.folder.join("attested");
    fs_err::write(attested, text).map_err(|error| error.to_string())?;
    Ok(())
}

/// Trusted publishing: the index accepts files from its configured environment.
fn publish(inputs: &mut Inputs, place: &Place<'_>) -> Result<(), Fault> {
    let Place { run, workspace, permissions, environment, .. } = place;
    let folder = workspace.join(inputs.take("packages-dir").unwrap_or_else(|| "dist".to_owned()));
    inputs.flag("attestations", true)?;
    let skips = inputs.flag("skip-existing", false)?;
    inputs.drop(&["print-hash", "verbose"]);
    if permissions.get("id-token").map(String::as_str) != Some("write") {
        return Err("trusted publishing needs `id-token: write`".into());
    }
    if *environment != Some(run.hub.publisher) {
        return Err(format!("the index trusts no job of the environment {environment:?}").into());
    }
    let entries = folder.read_dir_utf8().map_err(|error| format!("`{folder}`: {error}"))?;
    let mut files: Vec<Utf8PathBuf> =
        entries.filter_map(Result::ok).map(Utf8DirEntry::into_path).collect();
    files.sort();
    let is_dist =
        |file: &Utf8PathBuf| file.extension() == Some("whl") || file.as_str().ends_with(".tar.gz");
    if let Some(other) = files.iter().find(|file| !is_dist(file)) {
        return Err(format!("`{other}` is neither a wheel nor a source archive").into());
    }
    if files.is_empty() {
        return Err(format!("there is nothing to upload in `{folder}`").into());
    }
    for file in &files {
        let to = run.hub.folder.join("uploaded").join(file.file_name().unwrap_or_default());
        if to.exists() {
            if skips {
                continue;
            }
            return Err(format!("400 File already exists: `{file}`").into());
        }
        if let Some(index) = &run.hub.index {
            upload::post(index, file)?;
        }
        fs_err::copy(file, to).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A script that copies variables to outputs, line by line: `const { VARIABLE: name } = process.env;`, `if (!name)
/// throw ...;`, `core.setSecret(name);` and `core.setOutput('output', name);`.
fn script(
    inputs: &mut Inputs,
    env: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Fault> {
    let (mut names, mut outputs) = (BTreeMap::new(), BTreeMap::new());
    let text = inputs.take("script").unwrap_or_default();
    for line in text.lines().map(|line| line.trim().trim_end_matches(';')) {
        let inside = |start: &str, end: &str| line.strip_prefix(start)?.strip_suffix(end);
        if let Some(pairs) = inside("const { ", " } = process.env") {
            for (variable, name) in pairs.split(", ").filter_map(|pair| pair.split_once(": ")) {
                names.insert(name, env.get(variable).cloned().unwrap_or_default());
            }
        } else if let Some((condition, _)) =
            inside("if (", ")").and_then(|it| it.split_once(") throw"))
        {
            let required = condition.split(" || ").filter_map(|name| name.strip_prefix('!'));
            if required.into_iter().any(|name| names.get(name).is_none_or(String::is_empty)) {
                return Err(format!("the script throws: {line}").into());
            }
        } else if let Some((output, name)) =
            inside("core.setOutput('", ")").and_then(|it| it.split_once("', "))
        {
            outputs.insert(output.to_owned(), names.get(name).cloned().unwrap_or_default());
        } else if inside("core.setSecret(", ")").is_none() {
            return Err(Fault::Replay(format!("the script's line `{line}` is not known")));
        }
    }
    Ok(outputs)
}
