//! `[publish]`: which wheels leave the repository, and by which way.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Config, Target};

/// `[publish]`: what releases and the index get.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Publish {
    /// The targets, by name or image, whose wheels are published; those of `[ci]` where absent. Of two
    /// with the same C library, whose wheels have the same names, one can be here.
    #[serde(default)]
    pub targets: Vec<String>,
    /// The environment of the hosted CI whose job uploads to the index by trusted publishing. No job
    /// does where absent.
    pub environment: Option<Word>,
    /// The tag of the pre-release that follows the default branch; `wheels-latest` where absent.
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

/// A name that is the same in a workflow, a URL and a shell: letters, digits, `.`, `_`, `-` and `/`.
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
        Err(format!("`{text}` has to be letters, digits, `.`, `_`, `-` and `/`"))
    }
}

impl Config {
    /// The targets that hosted CI builds: those of `[ci]`, or all.
    pub(crate) fn ci_targets(&self) -> Vec<&Target> {
        self.named(&self.ci.targets, self.targets.iter().collect())
    }

    /// The targets whose wheels are published: those of `[publish]`, or of `[ci]`, or all.
    pub(crate) fn published_targets(&self) -> Vec<&Target> {
        self.named(&self.publish.targets, self.ci_targets())
    }

    /// The folders below `dist/` of targets that are not published.
    pub(crate) fn unpublished_folders(&self) -> BTreeSet<String> {
        self.folders_without(&self.published_targets())
    }

    /// The folders below `dist/` of targets that hosted CI does not build.
    pub(crate) fn folders_beside_ci(&self) -> BTreeSet<String> {
        self.folders_without(&self.ci_targets())
    }

    fn folders_without(&self, targets: &[&Target]) -> BTreeSet<String> {
        let others = self.targets.iter();
        let others = others.filter(|one| !targets.iter().any(|target| target.name == one.name));
        others.flat_map(|target| target.platforms.iter().map(|it| target.folder(it))).collect()
    }

    /// The targets that `words` name, in the order of the words; `default` where there is no word.
    fn named<'a>(&'a self, words: &[String], default: Vec<&'a Target>) -> Vec<&'a Target> {
        if words.is_empty() {
            return default;
        }
        let find = |word: &String| self.targets.iter().find(|target| target.is_called(word));
        words.iter().filter_map(find).collect()
    }
}
