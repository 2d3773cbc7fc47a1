//! A job's own folder below `target/xtask/jobs/`. Build results stay there, marked with their key.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::export;
use super::state::Failed;
use crate::engine::base::{BaseImage, Origin};
use crate::engine::prebuilt::Prebuilt;
use crate::plan::Job;
use wheel_audit::files;

/// Result of a build and its inputs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Built {
    /// Build key of the job.
    pub(super) key: String,
    /// Base image of the build.
    pub(super) image: String,
    pub(super) digest: String,
    /// Origin of the base image.
    pub(super) origin: Origin,
    /// Prebuilt base image, if the build used one.
    #[serde(default)]
    pub(super) prebuilt: Option<String>,
    /// Interpreter that built it, if it was taken from another job.
    #[serde(default)]
    pub(super) by: Option<String>,
    pub(super) files: Vec<(String, String)>,
}

impl Built {
    /// Names of its wheels.
    pub(super) fn wheels(&self) -> impl Iterator<Item = &str> {
        let names = self.files.iter().map(|(name, _)| name.as_str());
        names.filter(|name| Utf8Path::new(name).extension() == Some("whl"))
    }
}

/// A job's own folder.
pub(super) struct Workspace {
    folder: Utf8PathBuf,
}

impl Workspace {
    pub(super) fn new(work: &Utf8Path, job: &Job) -> io::Result<Self> {
        let folder = work.join("jobs").join(job.slug());
        fs_err::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Folder for an export of the engine, new and empty for each attempt. A client that outlived a killed run may still
    /// write into an older one.
    pub(super) fn new_export(&self) -> io::Result<Utf8PathBuf> {
        for entry in fs_err::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("export-") {
                files::remove_folder(
                    &self.folder.join(entry.file_name().to_string_lossy().as_ref()),
                )?;
            }
        }
        let export = tempfile::Builder::new().prefix("export-").tempdir_in(&self.folder)?;
        Utf8PathBuf::try_from(export.keep()).map_err(io::Error::other)
    }

    /// Records the stage where `job` failed, for `shell --last-failed`.
    pub(super) fn failed(&self, job: &Job, stage: &str) -> io::Result<()> {
        let failed = Failed {
            image: job.target.image.clone(),
            platform: job.platform.to_string(),
            interpreter: job.interpreter.to_string(),
            stage: stage.to_owned(),
        };
        fs_err::write(self.folder.join("failed.json"), serde_json::to_vec_pretty(&failed)?)
    }

    /// Removes the record of an earlier failure.
    pub(super) fn begin(&self) -> io::Result<()> {
        match fs_err::remove_file(self.folder.join("failed.json")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Additional requirements of the build backend in an earlier build; empty without any.
    pub(super) fn extra_requires(&self) -> String {
        let text = files::list(&self.folder, export::EXTRA_REQUIRES).and_then(Result::ok);
        text.and_then(|bytes| export::requirement_lines(&bytes).ok()).unwrap_or_default()
    }

    /// Records them for the next build.
    pub(super) fn keep_extra_requires(&self, lines: &str) -> io::Result<()> {
        fs_err::write(self.folder.join(export::EXTRA_REQUIRES), lines)
    }

    pub(super) fn built_folder(&self) -> Utf8PathBuf {
        self.folder.join("built")
    }

    /// A new, empty folder.
    pub(super) fn fresh(&self, name: &str) -> io::Result<Utf8PathBuf> {
        let folder = self.folder.join(name);
        files::remove_folder(&folder)?;
        fs_err::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Moves the exported files and marks them with the key. The mark comes last: without it, or with another key,
    /// the folder is ignored.
    pub(super) fn keep(
        &self,
        export: &Utf8Path,
        key: &str,
        base: &BaseImage,
        prebuilt: Option<&Prebuilt>,
    ) -> io::Result<Built> {
        let prebuilt = prebuilt.map(|image| format!("{}@{}", image.reference, image.digest));
        self.mark(export, key, base, (prebuilt, None))
    }

    /// Copies `files`, which another interpreter's job built, as if the engine exported them here.
    pub(super) fn take(
        &self,
        files: &[Utf8PathBuf],
        key: &str,
        base: &BaseImage,
        by: String,
    ) -> io::Result<Built> {
        let export = self.new_export()?;
        for file in files {
            fs_err::copy(file, export.join(file.file_name().unwrap_or_default()))?;
        }
        self.mark(&export, key, base, (None, Some(by)))
    }

    fn mark(
        &self,
        export: &Utf8Path,
        key: &str,
        base: &BaseImage,
        (prebuilt, by): (Option<String>, Option<String>),
    ) -> io::Result<Built> {
        let files = export::files(export)?;
        let mark = self.folder.join("built.json");
        let built = self.built_folder();
        match fs_err::remove_file(&mark) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.fresh("built")?;
        fs_err::remove_dir(&built)?;
        fs_err::rename(export, &built)?;
        let result = Built {
            key: key.to_owned(),
            image: base.reference.clone(),
            digest: base.digest.clone(),
            origin: base.origin,
            prebuilt,
            by,
            files,
        };
        let draft = self.folder.join("built.json.draft");
        fs_err::write(&draft, serde_json::to_vec_pretty(&result)?)?;
        fs_err::rename(draft, mark)?;
        Ok(result)
    }

    /// The result of an earlier build for `key` in the base image of `digest`, if it is complete and unchanged.
    pub(super) fn built(&self, key: &str, digest: &str) -> Option<Built> {
        let text = files::list(&self.folder, "built.json")?.ok()?;
        let built: Built = serde_json::from_slice(&text).ok()?;
        let folder = self.built_folder();
        let intact = built
            .files
            .iter()
            .all(|(name, hash)| files::sha256(&folder.join(name)).is_ok_and(|h| h == *hash));
        (built.key == key && built.digest == digest && intact).then_some(built)
    }
}
