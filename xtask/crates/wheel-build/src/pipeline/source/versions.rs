//! Detects whether a package takes its version from git, from its settings.

use camino::Utf8Path;
use wheel_audit::UserError;

use super::history::{Extent, History, Needs};
use super::python::settings_of;

/// Build requirements that take the version from git, normalized.
const TOOLS: [&str; 11] = [
    "dunamai",
    "flit-scm",
    "hatch-vcs",
    "pbr",
    "poetry-dynamic-versioning",
    "setuptools-git-versioning",
    "setuptools-scm",
    "uv-dynamic-versioning",
    "vcs-versioning",
    "versioneer",
    "versioningit",
];
/// Words in the settings of a package whose version depends on the name of the branch.
const BRANCH_WORDS: [&str; 3] = ["release-branch", "{branch", "branch_formatter"];
/// Words in the settings of a package whose version depends on the commits that changed a folder or file.
const PATH_WORDS: [&str; 2] = ["distance_scope", "setuptools-git-versioning"];

/// The tool that takes the version of the package in `folder` from git.
pub(super) fn tool(folder: &Utf8Path) -> Option<String> {
    let pyproject: toml::Table = settings_of(folder, "pyproject.toml").parse().unwrap_or_default();
    let project = pyproject.get("project");
    let dynamic = project.and_then(|table| table.get("dynamic")?.as_array());
    let is_dynamic = |it: &toml::Value| it.as_str() == Some("version");
    if project.is_some() && !dynamic.is_some_and(|keys| keys.iter().any(is_dynamic)) {
        return None;
    }
    let pdm = pyproject.get("tool").and_then(|tool| tool.get("pdm")?.get("version")?.get("source"));
    if pdm.and_then(toml::Value::as_str) == Some("scm") {
        return Some("PDM's `source = \"scm\"`".to_owned());
    }
    let system = pyproject.get("build-system").and_then(|table| table.get("requires")?.as_array());
    let required = system.into_iter().flatten().filter_map(toml::Value::as_str).map(normal_name);
    let legacy = settings_of(folder, "setup.cfg") + &settings_of(folder, "setup.py");
    let words = legacy.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
    let words = words.map(|word| if word == "use_scm_version" { "setuptools-scm" } else { word });
    required.chain(words.map(normal_name)).find(|name| TOOLS.contains(&name.as_str()))
}

/// Normalized name of the project in a requirement.
pub(in crate::pipeline) fn normal_name(requirement: &str) -> String {
    let is_part = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let name = requirement.trim().chars().take_while(is_part);
    let name: String = name.collect();
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// Facts that the version of the package in `folder` may depend on.
pub(super) fn needs(folder: &Utf8Path) -> Needs {
    let texts = ["pyproject.toml", "setup.cfg", "setup.py"].map(|name| settings_of(folder, name));
    let has = |words: &[&str]| texts.iter().any(|text| words.iter().any(|it| text.contains(it)));
    let extent = if has(&PATH_WORDS) { Extent::Trees } else { Extent::Commits };
    Needs { extent, branch: has(&BRANCH_WORDS) }
}

/// A warning if the package in `folder` takes its version from git and the history has no tag.
pub(super) fn without_tag(folder: &Utf8Path, history: &History) -> Option<String> {
    let tool = tool(folder).filter(|_| history.tags.is_empty())?;
    let commit = &history.head[..history.abbrev as usize];
    Some(format!(
        "the package takes its version from git ({tool}), but the history of {commit} has no tag \
         (run `git fetch --tags`)"
    ))
}

/// Rejects a shallow clone whose missing history determines the version of the package in `folder`.
///
/// # Errors
/// If the package takes its version from git and the commit has no version tag.
pub(super) fn check_depth(folder: &Utf8Path, history: &History) -> Result<(), UserError> {
    let is_version = |tag: &String| tag.contains(|c: char| c.is_ascii_digit());
    if history.shallow.is_empty() || history.head_tags.iter().any(is_version) {
        return Ok(());
    }
    let Some(tool) = tool(folder) else { return Ok(()) };
    let commit = &history.head[..history.abbrev as usize];
    Err(UserError::new(format!(
        "the version of the package comes from git ({tool}), but commit {commit} has no tag and this shallow clone may \
         lack the earlier ones"
    ))
    .hint("run `git fetch --unshallow --tags`, or set `fetch-depth: 0` of actions/checkout"))
}
