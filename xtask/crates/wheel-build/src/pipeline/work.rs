//! A job's own folder below `target/xtask/jobs/`: what was built stays there, marked with the key
//! it was built for.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::export;
use super::state::Failed;
use crate::engine::base::{BaseImage, Origin};
use crate::engine::prebuilt::Prebuilt;
use crate::plan::Job;
use wheel_audit::files;

/// What the build left, and what it was built for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Built {
    /// The job's build key.
    pub(super) key: String,
    /// Base image it was built in.
    pub(super) image: String,
    /// Its digest.
    pub(super) digest: String,
    /// Where it came from.
    pub(super) origin: Origin,
    /// The pre-built base image that it was built on, where there was one.
    #[serde(default)]
    pub(super) prebuilt: Option<String>,
    /// The interpreter that built it, where it was taken from another job.
    #[serde(default)]
    pub(super) by: Option<String>,
    /// The files, with their hashes.
    pub(super) files: Vec<(String, String)>,
}

impl Built {
    /// The names of its wheels.
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

    /// Where the engine exports to: a new, empty folder for each attempt, because a client that
    /// outlived a killed run may still be writing into an older one.
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

    /// Remembers at which stage `job` failed, for `shell --last-failed`.
    pub(super) fn failed(&self, job: &Job, stage: &str) -> io::Result<()> {
        let failed = Failed {
            image: job.target.image.clone(),
            platform: job.platform.to_string(),
            interpreter: job.interpreter.to_string(),
            stage: stage.to_owned(),
        };
        fs_err::write(self.folder.join("failed.json"), serde_json::to_vec_pretty(&failed)?)
    }

    /// Forgets an earlier failure.
    pub(super) fn begin(&self) -> io::Result<()> {
        match fs_err::remove_file(self.folder.join("failed.json")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// What the backend of an earlier build required beside its list; nothing where it required nothing.
    pub(super) fn extra_requires(&self) -> String {
        let text = files::list(&self.folder, export::EXTRA_REQUIRES).and_then(Result::ok);
        text.and_then(|bytes| export::requirement_lines(&bytes).ok()).unwrap_or_default()
    }

    /// Remembers it for the next build.
    pub(super) fn keep_extra_requires(&self, lines: &str) -> io::Result<()> {
        fs_err::write(self.folder.join(export::EXTRA_REQUIRES), lines)
    }

    pub(super) fn built_folder(&self) -> Utf8PathBuf {
        self.folder.join("built")
    }

    /// A folder that holds nothing but what is put there now.
    pub(super) fn fresh(&self, name: &str) -> io::Result<Utf8PathBuf> {
        let folder = self.folder.join(name);
        files::remove_folder(&folder)?;
        fs_err::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Takes over what was exported and marks it with the key. The mark comes last: without it, or
    /// with another key, the folder counts for nothing.
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

    /// Takes over `files`, which were built by another interpreter, as if they had been exported here.
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

    /// What an earlier run built for `key` in the base image of `digest`, if all of it is there unchanged.
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
