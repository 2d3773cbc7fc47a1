//! GitHub's storage: the repository, tokens, releases, and published files.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use super::caches::Caches;

/// A fake GitHub.
#[derive(Debug)]
pub(crate) struct Hub {
    _dir: tempfile::TempDir,
    /// Its folder.
    pub(crate) folder: Utf8PathBuf,
    pub(crate) caches: Caches,
    /// The address of an index to which `publish` uploads, too.
    pub(crate) index: Option<String>,
    /// The environment that the index trusts.
    pub(crate) publisher: &'static str,
    tokens: Cell<usize>,
}

impl Hub {
    /// With an empty repository. Caches are in `caches`.
    pub(crate) fn new(caches: Option<Utf8PathBuf>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Utf8PathBuf::try_from(dir.path().canonicalize().unwrap()).unwrap();
        for name in ["bin", "origin", "releases", "tokens", "uploaded"] {
            fs_err::create_dir(folder.join(name)).unwrap();
        }
        let gh = folder.join("bin/gh");
        fs_err::write(&gh, include_str!("../../fixtures/gh.py")).unwrap();
        fs_err::set_permissions(&gh, std::fs::Permissions::from_mode(0o755)).unwrap();
        let caches = Caches::new(caches.unwrap_or_else(|| folder.join("caches")));
        let hub = Self {
            _dir: dir,
            folder,
            caches,
            index: None,
            publisher: "pypi",
            tokens: Cell::new(0),
        };
        hub.git(&["init", "--quiet", "--initial-branch", super::event::BRANCH]);
        // A runner fetches single commits.
        hub.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        hub
    }

    /// The repository's working tree, from which the tests push.
    pub(crate) fn origin(&self) -> Utf8PathBuf {
        self.folder.join("origin")
    }

    /// Runs git in the repository; returns its output.
    #[track_caller]
    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.origin(), args).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Commits everything in the working tree; returns the commit and the files that it changed.
    pub(crate) fn commit(&self, message: &str) -> (String, Vec<String>) {
        self.git(&["add", "--all"]);
        let identity = ["-c", "user.name=a", "-c", "user.email=a@a.example"];
        let commit = ["commit", "--quiet", "--allow-empty", "--message", message];
        self.git(&[&identity[..], &commit].concat());
        let sha = self.git(&["rev-parse", "HEAD"]);
        let show = ["show", "--format=", "--name-only", "HEAD"];
        let changed = self.git(&show).lines().map(str::to_owned).collect();
        (sha, changed)
    }

    /// A token with these permissions; `gh` looks it up.
    pub(crate) fn token(&self, permissions: &BTreeMap<String, String>) -> String {
        self.tokens.set(self.tokens.get() + 1);
        let token = format!("ghs_{:036}", self.tokens.get());
        let text = serde_json::to_string(permissions).unwrap();
        fs_err::write(self.folder.join("tokens").join(&token), text).unwrap();
        token
    }

    /// The release of `tag`: its description, and the names of its files.
    pub(crate) fn release(&self, tag: &str) -> Option<(serde_json::Value, Vec<String>)> {
        let folder = self.folder.join("releases").join(tag);
        let text = fs_err::read_to_string(folder.join("release.json")).ok()?;
        let assets = folder.join("assets").read_dir_utf8().unwrap();
        let mut names: Vec<_> = assets.map(|entry| entry.unwrap().file_name().to_owned()).collect();
        names.sort();
        Some((serde_json::from_str(&text).unwrap(), names))
    }
}

/// Runs git in `folder`; returns its output, or its error.
pub(crate) fn git(folder: &Utf8Path, args: &[&str]) -> Result<String, String> {
    let output = Command::new("git").arg("-C").arg(folder).args(args).output();
    let output = output.map_err(|error| format!("git: {error}"))?;
    if !output.status.success() {
        return Err(format!("git {args:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
