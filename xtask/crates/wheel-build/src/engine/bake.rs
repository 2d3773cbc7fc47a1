//! The command line of a `docker buildx bake` call.
//!
//! People use the same bake file by hand. xtask only sets its arguments, contexts, secrets and output,
//! each with a `--set` that `--dry-run` prints.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::cache::{self, Cached};
use super::client::Client;
use super::host::{HostSettings, csv_field};
use crate::config::{Cache, Platform};
use crate::exec::Step;

/// The bake file, relative to the build context.
pub(crate) const BAKE_FILE: &str = "docker/docker-bake.hcl";

/// The file added to it if the build steps use the network of the engine's machine.
const HOST_NETWORK_FILE: &str = "docker/host-network.yaml";

/// One bake call.
#[derive(Debug, Clone)]
pub(crate) struct Bake<'a> {
    /// Target of the bake file: `wheel-builder`, `wheel-builder-local`, `build-info`, `published`, `smoke`,
    /// `test`, `test-local`.
    pub target: &'a str,
    /// Platform to build for.
    pub platform: &'a Platform,
    /// Build arguments.
    pub args: BTreeMap<&'static str, String>,
    /// Named contexts: name to folder, image or layout.
    pub contexts: BTreeMap<String, String>,
    /// Where the result goes.
    pub output: Output<'a>,
    /// File for the digests, if they are needed.
    pub metadata: Option<&'a Utf8Path>,
    /// Stages to build without a cache.
    pub no_cache: NoCache,
    /// Scopes in the caches outside of the engine.
    pub cached: Cached,
    /// `rawjson` for xtask, `plain` in a command that a person pastes.
    pub progress: &'a str,
}

/// Stages that a call builds without a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoCache {
    /// Nothing.
    Nothing,
    /// Everything.
    All,
    /// These stages. podman does not support this and builds everything without a cache.
    Stages(&'static [&'static str]),
}

/// The result of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output<'a> {
    /// Files, exported to a folder.
    Folder(&'a Utf8Path),
    /// An image.
    Image(Image<'a>),
}

/// An image that a call builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image<'a> {
    /// Its reference.
    pub reference: &'a str,
    /// Push it to its registry; otherwise the engine keeps it.
    pub pushed: bool,
    /// Its labels.
    pub labels: BTreeMap<&'static str, String>,
}

impl Output<'_> {
    fn attributes(&self) -> Vec<String> {
        match self {
            Self::Folder(folder) => {
                vec![format!("output=type=local,{}", csv_field(&format!("dest={folder}")))]
            }
            Self::Image(image) => {
                let kind = if image.pushed { "type=image,push=true" } else { "type=docker" };
                let mut attributes = vec![
                    format!("output={kind}"),
                    format!("tags={}", image.reference),
                    // Only the image: its labels already describe where it comes from.
                    "attest=type=provenance,disabled=true".to_owned(),
                ];
                let labels = image.labels.iter();
                attributes.extend(labels.map(|(name, value)| format!("labels.{name}={value}")));
                attributes
            }
        }
    }
}

impl Bake<'_> {
    /// The call, to run in the workspace `root`. The build files are in `assets`, relative to it.
    pub(super) fn step(
        &self,
        client: &Client,
        root: &Utf8Path,
        assets: &Utf8Path,
        host: &HostSettings,
        cache: &Cache,
    ) -> Step {
        let target = self.target;
        let mut step = client.step(["buildx", "bake", "--file"]).cwd(root);
        step = step.arg(assets.join(BAKE_FILE).as_str());
        if client.host_network {
            step = step.arg("--file").arg(assets.join(HOST_NETWORK_FILE).as_str());
        }
        if client.host_network && client.requires_allow {
            step = step.arg("--allow").arg("network.host");
        }
        if let Some(builder) = &client.builder {
            step = step.arg("--builder").arg(builder);
        }
        step = step.arg("--progress").arg(self.progress);
        if let Some(metadata) = self.metadata {
            step = step.arg("--metadata-file").arg(metadata.as_str());
        }
        match self.no_cache {
            NoCache::Nothing => {}
            NoCache::All => step = step.arg("--no-cache"),
            // buildx accepts `--set TARGET.no-cache-filter` and ignores it (0.13).
            NoCache::Stages(names) => step = step.env("XTASK_NO_CACHE", names.join(",")),
        }
        let mut sets = vec![
            format!("{target}.context={assets}"),
            format!("{target}.platform={}", self.platform),
        ];
        for (name, value) in &self.args {
            sets.push(format!("{target}.args.{name}={value}"));
        }
        for (name, place) in &self.contexts {
            sets.push(format!("{target}.contexts.{name}={place}"));
        }
        let attributes = self.output.attributes();
        sets.extend(attributes.into_iter().map(|attribute| format!("{target}.{attribute}")));
        let attributes = cache::attributes(cache, &self.cached, root);
        sets.extend(attributes.into_iter().map(|attribute| format!("{target}.{attribute}")));
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
