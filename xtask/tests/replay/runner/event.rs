//! The events that start a run, a push or a pull request, and the filters of `on`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::workflow::Workflow;

/// The repository's name.
pub(crate) const REPOSITORY: &str = "owner/repository";
/// The default branch.
pub(crate) const BRANCH: &str = "main";

/// An event and its commit.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) name: &'static str,
    /// `refs/heads/main`, `refs/tags/v1`, `refs/pull/1/merge`.
    pub(crate) reference: String,
    pub(crate) sha: String,
    /// The files that differ from the previous commit.
    pub(crate) changed: Vec<String>,
    /// True if the repository itself is a fork.
    pub(crate) in_fork: bool,
    /// True if it is a pull request from a fork.
    pub(crate) from_fork: bool,
}

/// A filter of `push` or `pull_request`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    branches: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    paths: Option<Vec<String>>,
}

impl Event {
    /// A push of a branch or a tag.
    pub(crate) fn push(reference: &str, sha: &str, changed: &[String]) -> Self {
        Self {
            name: "push",
            reference: reference.to_owned(),
            sha: sha.to_owned(),
            changed: changed.to_vec(),
            in_fork: false,
            from_fork: false,
        }
    }

    /// A pull request to the default branch.
    pub(crate) fn pull_request(sha: &str, changed: &[String], from_fork: bool) -> Self {
        let push = Self::push("refs/pull/1/merge", sha, changed);
        Self { name: "pull_request", from_fork, ..push }
    }

    /// Returns whether the reference is a tag.
    pub(crate) fn is_tag(&self) -> bool {
        self.reference.starts_with("refs/tags/")
    }

    /// The reference without its kind.
    pub(crate) fn ref_name(&self) -> &str {
        let prefixes = ["refs/heads/", "refs/tags/", "refs/pull/"];
        let name = prefixes.iter().find_map(|prefix| self.reference.strip_prefix(prefix));
        name.unwrap_or(&self.reference)
    }

    /// The references whose caches it can read, its own first.
    pub(crate) fn cache_scopes(&self) -> Vec<String> {
        let mut scopes = vec![self.reference.clone()];
        let default = format!("refs/heads/{BRANCH}");
        scopes.extend((self.reference != default).then_some(default));
        scopes
    }

    /// `github.event`.
    pub(crate) fn payload(&self) -> Value {
        let repository =
            json!({"fork": self.in_fork, "default_branch": BRANCH, "full_name": REPOSITORY});
        match self.name {
            "push" => json!({"ref": self.reference, "after": self.sha, "repository": repository}),
            _ => json!({
                "number": 1,
                "repository": repository,
                "pull_request": {
                    "number": 1,
                    "base": {"ref": BRANCH},
                    "head": {"repo": {"fork": self.from_fork}, "sha": self.sha},
                },
            }),
        }
    }

    /// Returns whether `workflow` runs for the event.
    pub(crate) fn triggers(&self, workflow: &Workflow) -> Result<bool, String> {
        let Some(filter) = workflow.on.get(self.name) else { return Ok(false) };
        let filter: Filter = match filter {
            Value::Null => Filter::default(),
            filter => serde_json::from_value(filter.clone()).map_err(|error| error.to_string())?,
        };
        let matches = |patterns: &[String], name: &str| {
            let patterns = patterns.iter().map(|pattern| glob::Pattern::new(pattern));
            let patterns = patterns.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
            let options =
                glob::MatchOptions { require_literal_separator: true, ..Default::default() };
            Ok::<_, String>(patterns.iter().any(|pattern| pattern.matches_with(name, options)))
        };
        let base = if self.name == "pull_request" { BRANCH } else { self.ref_name() };
        // A filter for branches excludes tags, and the reverse.
        let named = match (&filter.branches, &filter.tags, self.is_tag()) {
            (_, Some(tags), true) => matches(tags, base)?,
            (Some(branches), _, false) => matches(branches, base)?,
            (None, None, _) => true,
            _ => false,
        };
        // Filters of paths do not apply to tags.
        let Some(paths) = filter.paths.filter(|_| !self.is_tag()) else { return Ok(named) };
        let touched = self.changed.iter().map(|name| matches(&paths, name));
        Ok(named && touched.collect::<Result<Vec<_>, _>>()?.contains(&true))
    }
}
