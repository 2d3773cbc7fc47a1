//! The switches that say which engine is used, and those of every command that builds.

use std::collections::BTreeMap;
use wheel_audit::UserError;

use anyhow::Context as _;

use super::Workspace;
use crate::config::{Cache, CacheChoice, Config, Network, Platform, Tool, words};
use crate::engine::client::{Client, Endpoint};
use crate::engine::doctor::docker::{self, Version};
use crate::engine::host::ThisHost;
use crate::engine::{Engine, cache, podman};
use crate::exec::Exec;
use wheel_audit::report;

/// The first buildx whose bake has to be told that a network is meant (its release notes).
const FIRST_TO_ASK: Version = Version::new(0, 17, 0);

/// Which engine is used. Each outranks `[engine]` of wheels.toml.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct EngineArgs {
    /// The program that builds; docker where it is there, else podman
    #[arg(long, value_enum)]
    pub engine: Option<Tool>,
    /// The engine: an address (`ssh://user@host`) or a docker context, for every platform or
    /// (`linux/arm64=ssh://user@host`) for one
    #[arg(long, value_name = "[PLATFORM=]ENGINE")]
    pub engine_host: Vec<String>,
    /// buildx builder to use; the current one where absent, and never switched
    #[arg(long, value_name = "NAME", value_parser = builder)]
    pub builder: Option<String>,
}

/// How an engine builds, and what it keeps. Each outranks `[engine]` and `[cache]` of wheels.toml.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct BuildArgs {
    /// Which engine is used.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Network of the build steps; the engine's own where absent
    #[arg(long, value_enum)]
    pub network: Option<Network>,
    /// Read this build cache: `type=local,src=DIR`, `type=registry,ref=NAME` (or NAME alone), `type=gha`;
    /// each job has its own scope in it. `none` uses none of wheels.toml
    #[arg(long, value_name = "CACHE")]
    pub cache_from: Vec<CacheChoice>,
    /// Write this build cache: `type=local,dest=DIR`, `type=registry,ref=NAME` (or NAME alone), `type=gha`;
    /// `none` uses none of wheels.toml
    #[arg(long, value_name = "CACHE")]
    pub cache_to: Vec<CacheChoice>,
}

impl EngineArgs {
    /// The engine that these switches and `config` ask for; nothing is asked of it yet.
    ///
    /// # Errors
    /// When a word names no engine, or the host's settings cannot be gathered.
    pub(crate) fn engine(
        &self,
        exec: &Exec,
        workspace: &Workspace,
        config: &Config,
    ) -> anyhow::Result<Engine> {
        BuildArgs { engine: self.clone(), ..BuildArgs::default() }.engine(exec, workspace, config)
    }

    fn client(&self, config: &Config, host_network: bool) -> anyhow::Result<Client> {
        let settings = &config.engine;
        let read = |text: &str| text.parse::<Endpoint>().map_err(anyhow::Error::msg);
        let in_file = "`[engine]` in wheels.toml";
        let mut endpoint = settings.host.as_deref().map(read).transpose().context(in_file)?;
        let mut nodes = BTreeMap::new();
        for (platform, text) in &settings.hosts {
            nodes.insert(platform.clone(), read(text).context(in_file)?);
        }
        for word in &self.engine_host {
            match word.split_once('=').filter(|(name, _)| name.starts_with("linux/")) {
                Some((platform, text)) => {
                    let platform: Platform = platform.parse().map_err(anyhow::Error::msg)?;
                    nodes.insert(platform, read(text)?);
                }
                None => endpoint = Some(read(word)?),
            }
        }
        let builder = self.builder.clone().or_else(|| settings.builder.clone());
        let tool = self.engine.or(settings.tool).unwrap_or_else(Tool::found);
        Ok(Client { tool, endpoint, nodes, builder, host_network, asks_leave: false })
    }
}

impl BuildArgs {
    /// As [`EngineArgs::engine`], for a build.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn engine(
        &self,
        exec: &Exec,
        workspace: &Workspace,
        config: &Config,
    ) -> anyhow::Result<Engine> {
        let host = crate::pipeline::prepare_host(exec, &workspace.work)?;
        let host_network = self.network.or(config.engine.network).is_some();
        let mut client = self.engine.client(config, host_network)?;
        let unreachable = host.loopback_settings();
        if !client.host_network && !unreachable.is_empty() {
            report::warning(
                &UserError::new(format!(
                    "settings with a loopback address, which no container reaches: {}",
                    unreachable.join(", ")
                ))
                .hint("use an address that containers reach, or `--network host`"),
            );
        }
        for problem in &host.problems {
            report::note(&format!("warning: {problem}"));
        }
        let paths = host.path_settings();
        if !paths.is_empty() {
            report::warning(
                &UserError::new(format!(
                    "{} is a path of this machine, which no container has",
                    paths.join(", ")
                ))
                .hint("use an address that containers reach"),
            );
        }
        if client.host_network && client.tool.has_builders() {
            let said = exec.read(&client.step(["buildx", "version"])).unwrap_or_default();
            client.asks_leave = docker::read_buildx(&said) >= Some(FIRST_TO_ASK);
        }
        let (cache, root) = (self.cache(config), workspace.root.clone());
        let assets = workspace.assets(config)?.folder;
        Ok(Engine { exec: exec.clone(), root, assets, host, client, cache })
    }

    fn cache(&self, config: &Config) -> Cache {
        Cache {
            from: CacheChoice::or(&self.cache_from, &config.cache.from),
            to: CacheChoice::or(&self.cache_to, &config.cache.to),
        }
    }
}

/// A builder's name as a word of the command line.
fn builder(text: &str) -> Result<String, String> {
    words::BUILDER.check(text)?;
    Ok(text.to_owned())
}

/// Says which engines and caches are in use, and sees that the caches can work.
///
/// # Errors
/// When a requested cache cannot work.
pub(crate) fn announce(engine: &Engine) -> anyhow::Result<()> {
    if let Some(endpoint) = &engine.client.endpoint {
        report::note(&format!("engine: {endpoint}"));
    }
    for (platform, endpoint) in &engine.client.nodes {
        report::note(&format!("engine for {platform}: {endpoint}"));
    }
    if !engine.client.tool.has_builders() {
        report::note(&format!("engine: {}", engine.client.tool.program()));
        podman::check(engine)?;
    }
    cache::check(engine, &ThisHost)?;
    for line in cache::describe(&engine.cache) {
        report::note(&format!("{line} (a scope for each target, platform and interpreter)"));
    }
    Ok(())
}
