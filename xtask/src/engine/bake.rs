//! One `docker buildx bake` call: its command line.
//!
//! The bake file is the one a person uses by hand; xtask only sets its arguments, contexts,
//! secrets and output, each as a `--set` that `--dry-run` prints.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::host::{HostSettings, csv_field};
use crate::config::Platform;
use crate::exec::Step;

/// The bake file, relative to the workspace root.
pub const BAKE_FILE: &str = "docker/docker-bake.hcl";

/// What one bake call is to make.
#[derive(Debug, Clone)]
pub struct Bake<'a> {
    /// Target of the bake file: `wheel-builder`, `wheel-builder-local`, `build-info`, `smoke`.
    pub target: &'a str,
    /// Platform it is made for.
    pub platform: &'a Platform,
    /// Build arguments.
    pub args: BTreeMap<&'static str, String>,
    /// Named contexts: name to folder.
    pub contexts: BTreeMap<&'static str, Utf8PathBuf>,
    /// Folder that receives the result.
    pub output: &'a Utf8Path,
    /// File that receives the digests, where they are wanted.
    pub metadata: Option<&'a Utf8Path>,
    /// Whether cached results may not be used.
    pub no_cache: bool,
    /// The builder to use; the current one where it is `None`. It is never switched.
    pub builder: Option<&'a str>,
    /// `rawjson` for us, `plain` where a person pastes the line.
    pub progress: &'a str,
}

impl Bake<'_> {
    /// The call, to be run in the workspace `root`.
    pub fn step(&self, root: &Utf8Path, host: &HostSettings) -> Step {
        let target = self.target;
        let mut step = Step::new("docker", ["buildx", "bake", "--file", BAKE_FILE]).cwd(root);
        if let Some(builder) = self.builder {
            step = step.arg("--builder").arg(builder);
        }
        step = step.arg("--progress").arg(self.progress);
        if let Some(metadata) = self.metadata {
            step = step.arg("--metadata-file").arg(metadata.as_str());
        }
        if self.no_cache {
            step = step.arg("--no-cache");
        }
        let mut sets = vec![format!("{target}.platform={}", self.platform)];
        for (name, value) in &self.args {
            sets.push(format!("{target}.args.{name}={value}"));
        }
        for (name, folder) in &self.contexts {
            sets.push(format!("{target}.contexts.{name}={folder}"));
        }
        sets.push(format!(
            "{target}.output=type=local,{}",
            csv_field(&format!("dest={}", self.output))
        ));
        sets.extend(host.secrets().into_iter().map(|secret| format!("{target}.secrets={secret}")));
        for set in sets {
            step = step.arg("--set").arg(set);
        }
        for (_, variable, text, shown) in host.texts() {
            step = step.secret_env(variable, text, &shown);
        }
        step.arg(target)
    }
}
