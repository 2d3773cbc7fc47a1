//! The folder of published wheels in `[check] like`.

use std::fmt::Display;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use wheel_audit::UserError;
use wheel_audit::audit::Inputs;
use wheel_audit::{digest, files};

use crate::config::{Config, Like};

/// SHA-256 of the wheels in the folder of `[check] like`.
pub(super) fn published_hash(config: &Config, root: &Utf8Path) -> std::io::Result<Option<String>> {
    let Some(Like::Folder(folder)) = &config.check.like else { return Ok(None) };
    let line = |path: Utf8PathBuf| {
        Ok(format!("{} {}\n", path.file_name().unwrap_or_default(), files::sha256(&path)?))
    };
    let wheels = in_folder(root, folder)?.into_iter();
    let lines = wheels.map(line).collect::<std::io::Result<String>>()?;
    Ok(Some(digest::of_bytes(lines.as_bytes())))
}

/// The wheels of the folder `folder` of `[check] like`.
pub(super) fn in_folder(root: &Utf8Path, folder: &Utf8Path) -> std::io::Result<Vec<Utf8PathBuf>> {
    let rejected = |what: &dyn Display| {
        let message = format!("`like = \"{folder}\"` in `[check]` of wheels.toml: {what}");
        let hint = "put published wheels there, or set `like = \"index\"`";
        std::io::Error::other(UserError::new(message).hint(hint))
    };
    let inputs = Inputs::find(&[root.join(folder)]).map_err(|error| rejected(&error))?;
    match inputs.linked.first() {
        Some(link) => Err(rejected(&format!("`{link}` is a link; links are not followed"))),
        None => Ok(inputs.wheels),
    }
}

/// The current day in UTC: the index is queried once a day.
pub(super) fn today() -> String {
    let mut now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.truncate("2026-01-01".len());
    now
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_linked_wheel_of_the_folder_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        let folder = root.join("published");
        fs_err::create_dir(&folder).unwrap();
        let wheel = folder.join("pkg-1.0-py3-none-any.whl");
        fs_err::write(&wheel, "").unwrap();
        assert_eq!(in_folder(&root, "published".into()).unwrap(), std::slice::from_ref(&wheel));
        std::os::unix::fs::symlink(&wheel, folder.join("pkg-2.0-py3-none-any.whl")).unwrap();
        let error = in_folder(&root, "published".into()).unwrap_err();
        assert!(error.to_string().contains("pkg-2.0"), "{error}");
    }
}
