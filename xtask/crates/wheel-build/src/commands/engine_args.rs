//! Options that select the engine, and options of every command that builds.

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

/// The first buildx that requires `--allow` for networks (its release notes).
const FIRST_WITH_ALLOW: Version = Version::new(0, 17, 0);

/// Selects the engine. Each option overrides `[engine]` of wheels.toml.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct EngineArgs {
    /// Use this program to build [default: docker if installed, else podman]
    #[arg(long, value_enum)]
    pub engine: Option<Tool>,
    /// Use the engine at an address (`ssh://user@host`) or of a docker context; `PLATFORM=` limits it to one
    /// platform, e.g. `linux/arm64=ssh://user@host`
    #[arg(long, value_name = "[PLATFORM=]ENGINE")]
    pub engine_host: Vec<String>,
    /// Use this buildx builder [default: the current builder]
    #[arg(long, value_name = "NAME", value_parser = builder)]
    pub builder: Option<String>,
}

/// Selects the settings and caches of a build. Each option overrides `[engine]` and `[cache]` of wheels.toml.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Use this network for build steps [default: the engine's own]
    #[arg(long, value_enum)]
    pub network: Option<Network>,
    /// Read this build cache: `type=local,src=DIR`, `type=registry,ref=NAME` (or NAME alone), `type=gha`. Each job
    /// has its own scope. `none` disables the caches of wheels.toml
    #[arg(long, value_name = "CACHE")]
    pub cache_from: Vec<CacheChoice>,
    /// Write this build cache: `type=local,dest=DIR`, `type=registry,ref=NAME` (or NAME alone), `type=gha`. `none`
    /// disables the caches of wheels.toml
    #[arg(long, value_name = "CACHE")]
    pub cache_to: Vec<CacheChoice>,
}

impl EngineArgs {
    /// The engine that these options and `config` select. Sends no request to it.
    ///
    /// # Errors
    /// If a word is not a valid engine, or the host's settings cannot be read.
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
        Ok(Client { tool, endpoint, nodes, builder, host_network, requires_allow: false })
    }
}

impl BuildArgs {
    /// Like [`EngineArgs::engine`], for a build.
    ///
    /// # Errors
    /// As for [`EngineArgs::engine`].
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
                    "containers cannot reach the loopback address in these settings: {}",
                    unreachable.join(", ")
                ))
                .hint("use an address that containers can reach, or `--network host`"),
            );
        }
        for problem in &host.problems {
            report::note(&format!("warning: {problem}"));
        }
        let paths = host.path_settings();
        if !paths.is_empty() {
            report::warning(
                &UserError::new(format!(
                    "containers do not have this path of the machine: {}",
                    paths.join(", ")
                ))
                .hint("use an address that containers can reach"),
            );
        }
        if client.host_network && client.tool.has_builders() {
            let version = exec.read(&client.step(["buildx", "version"])).unwrap_or_default();
            client.requires_allow = docker::read_buildx(&version) >= Some(FIRST_WITH_ALLOW);
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

/// Parses a builder's name.
fn builder(text: &str) -> Result<String, String> {
    words::BUILDER.check(text)?;
    Ok(text.to_owned())
}

/// Reports the engines and caches in use, and checks that the caches work.
///
/// # Errors
/// If a requested cache cannot work.
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
