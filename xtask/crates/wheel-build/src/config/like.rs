//! `[check] like`: the published wheels to compare with.

use camino::{Utf8Component, Utf8PathBuf};
use serde::{Deserialize, Serialize};

/// Location of published wheels.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Like {
    /// On the Python index: the newest wheel that the job's interpreter can install.
    Index,
    /// In a folder of the repository, relative to the workspace root.
    Folder(Utf8PathBuf),
}

impl TryFrom<String> for Like {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "index" {
            return Ok(Self::Index);
        }
        let path = Utf8PathBuf::from(&text);
        let is_below = path
            .components()
            .all(|part| matches!(part, Utf8Component::Normal(_) | Utf8Component::CurDir));
        if text.is_empty() || !is_below || text.contains(char::is_control) {
            let text = text.escape_default();
            return Err(format!("`{text}` is neither \"index\" nor a folder of this repository"));
        }
        Ok(Self::Folder(path))
    }
}

impl From<Like> for String {
    fn from(like: Like) -> Self {
        match like {
            Like::Index => "index".to_owned(),
            Like::Folder(path) => path.into_string(),
        }
    }
}
