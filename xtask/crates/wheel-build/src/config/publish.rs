//! `[publish]`: which wheels to publish, and how.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Config, Target};

/// `[publish]`: which wheels to publish, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Publish {
    /// Targets to publish, by name or image. Only one of several targets with the same C library version can be
    /// published, because their wheels have the same names. [default: the targets of `[ci]`]
    #[serde(default)]
    pub targets: Vec<String>,
    /// Environment of the hosted CI job that uploads to the index by trusted publishing. [default: no upload]
    pub environment: Option<Word>,
    /// Tag of the pre-release that follows the default branch. [default: `wheels-latest`]
    #[serde(default = "default_rolling")]
    pub rolling: Word,
}

impl Default for Publish {
    fn default() -> Self {
        Self { targets: Vec::new(), environment: None, rolling: default_rolling() }
    }
}

fn default_rolling() -> Word {
    Word("wheels-latest".to_owned())
}

/// A name that is safe in a workflow, a URL and a shell: letters, digits, `.`, `_`, `-` and `/`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Word(pub String);

impl TryFrom<String> for Word {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        if text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain) {
            return Ok(Self(text));
        }
        Err(format!("`{text}` is invalid: use only letters, digits, `.`, `_`, `-` and `/`"))
    }
}

impl Config {
    /// The targets that hosted CI builds: those of `[ci]`, or all targets.
    pub(crate) fn ci_targets(&self) -> Vec<&Target> {
        self.named(&self.ci.targets, self.targets.iter().collect())
    }

    /// The targets to publish: those of `[publish]`, or else of `[ci]`, or else all targets.
    pub(crate) fn published_targets(&self) -> Vec<&Target> {
        self.named(&self.publish.targets, self.ci_targets())
    }

    /// The folders below `dist/` of targets that are not published.
    pub(crate) fn unpublished_folders(&self) -> BTreeSet<String> {
        self.folders_without(&self.published_targets())
    }

    /// The folders below `dist/` of targets that hosted CI does not build.
    pub(crate) fn folders_outside_ci(&self) -> BTreeSet<String> {
        self.folders_without(&self.ci_targets())
    }

    fn folders_without(&self, targets: &[&Target]) -> BTreeSet<String> {
        let others = self.targets.iter();
        let others = others.filter(|one| !targets.iter().any(|target| target.name == one.name));
        others.flat_map(|target| target.platforms.iter().map(|it| target.folder(it))).collect()
    }

    /// The targets that `words` name, in the order of the words; `default` if there are no words.
    fn named<'a>(&'a self, words: &[String], default: Vec<&'a Target>) -> Vec<&'a Target> {
        if words.is_empty() {
            return default;
        }
        let find = |word: &String| self.targets.iter().find(|target| target.is_called(word));
        words.iter().filter_map(find).collect()
    }
}
