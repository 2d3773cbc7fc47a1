//! One Python requirement of a lock: `name==version --hash=sha256:...`.

use serde::{Deserialize, Serialize};

use super::is_word;

/// A requirement with its exact version and the hash of the installed file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Requirement {
    /// The distribution's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Hash of its file; empty for a constraint.
    pub sha256: String,
}

/// Returns whether `text` is a SHA-256 in hexadecimal digits.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase())
}

impl Requirement {
    /// The line for pip and uv.
    pub(crate) fn line(&self) -> String {
        let Self { name, version, sha256 } = self;
        match sha256.as_str() {
            "" => format!("{name}=={version}"),
            _ => format!("{name}=={version} --hash=sha256:{sha256}"),
        }
    }

    /// Returns whether it is the distribution `name`, in any spelling (PEP 503).
    pub(super) fn is_called(&self, name: &str) -> bool {
        let normal = |text: &str| text.to_ascii_lowercase().replace(['_', '.'], "-");
        normal(&self.name) == normal(name)
    }

    /// Turns it into a constraint.
    pub(super) fn loosen(&mut self) {
        self.sha256.clear();
    }
}

impl TryFrom<String> for Requirement {
    type Error = String;

    fn try_from(line: String) -> Result<Self, String> {
        let wrong = || format!("`{line}` is not a requirement like `name==1.0 --hash=sha256:...`");
        let (rest, sha256) = line.split_once(" --hash=sha256:").ok_or_else(wrong)?;
        let (name, version) = rest.split_once("==").ok_or_else(wrong)?;
        let is_plain =
            |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "._+!-".contains(c));
        if ![name, version].into_iter().all(|it| is_word(&it.replace('!', "")) && is_plain(it))
            || !is_sha256(sha256)
        {
            return Err(wrong());
        }
        Ok(Self { name: name.to_owned(), version: version.to_owned(), sha256: sha256.to_owned() })
    }
}

impl From<Requirement> for String {
    fn from(requirement: Requirement) -> Self {
        requirement.line()
    }
}
