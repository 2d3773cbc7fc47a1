//! Which program carries builds out, which engine it talks to, and which builder it uses.
//!
//! Nothing of it is global: an engine or a builder that was asked for is named in each call, and the
//! user's current context and builder stay what they are.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::podman_progress;
use super::progress::{Follow, Progress};
use crate::config::{Platform, Tool, words};
use crate::exec::Step;

impl Tool {
    /// docker where `PATH` has it, else podman where it has that.
    pub(crate) fn found() -> Self {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let has = |tool: Self| {
            std::env::split_paths(&folders).any(|folder| folder.join(tool.program()).is_file())
        };
        if !has(Self::Docker) && has(Self::Podman) { Self::Podman } else { Self::Docker }
    }

    /// The program's name.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// Whether it has bake, builders of several drivers, and what comes with them: caches outside of
    /// the engine, registries that are asked without pulling, images in the place of stages.
    pub(crate) fn has_builders(self) -> bool {
        self == Self::Docker
    }

    /// What stands for the digest of an image in its `image inspect --format`.
    pub(super) fn digest_format(self) -> &'static str {
        match self {
            Self::Docker => "{{.Id}}",
            Self::Podman => "{{.Digest}}",
        }
    }

    /// Follows what it prints during a build.
    pub(super) fn follow(self) -> Box<dyn Follow> {
        match self {
            Self::Docker => Box::new(Progress::default()),
            Self::Podman => Box::new(podman_progress::Progress::default()),
        }
    }
}

/// An engine other than the one that the client would talk to by itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Endpoint {
    /// An address: `unix:///run/other.sock`, `ssh://user@host`, `tcp://127.0.0.1:2375`.
    Host(String),
    /// A context of the client's own (`docker context ls`).
    Context(String),
}

/// What an address may begin with (docker/cli, `cli/connhelper`; docker/docker, `opts/hosts.go`).
const SCHEMES: [&str; 4] = ["unix", "tcp", "ssh", "npipe"];

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        words::check_engine(text)?;
        let context = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
        match text.split_once("://") {
            Some((scheme, rest)) if SCHEMES.contains(&scheme) && !rest.is_empty() => {
                Ok(Self::Host(text.to_owned()))
            }
            None if !text.is_empty() && text.chars().all(context) => {
                Ok(Self::Context(text.to_owned()))
            }
            _ => Err(format!(
                "`{text}` names no engine: an address like `ssh://user@host` or \
                 `unix:///run/docker.sock`, or a context of `docker context ls`"
            )),
        }
    }
}

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
            Self::Context(name) => write!(f, "context {name}"),
        }
    }
}

/// How the engine is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Client {
    /// The program.
    pub tool: Tool,
    /// The engine; the one that the program would take by itself where it is `None`.
    pub endpoint: Option<Endpoint>,
    /// Engines for single platforms, such as a machine that is native to one.
    pub nodes: BTreeMap<Platform, Endpoint>,
    /// The builder; the current one where it is `None`.
    pub builder: Option<String>,
    /// Whether build steps have the network of the engine's machine.
    pub host_network: bool,
    /// Whether buildx wants to be told that this is meant: it asks since 0.17.
    pub asks_leave: bool,
}

impl Client {
    /// A call of the program, to the engine in question.
    pub(crate) fn step<I, S>(&self, args: I) -> Step
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let step = Step::new(self.tool.program(), args);
        match &self.endpoint {
            None => step,
            // `DOCKER_HOST` outranks everything, and an empty one counts as none.
            Some(Endpoint::Host(host)) => step.env("DOCKER_HOST", host.as_str()),
            Some(Endpoint::Context(name)) => {
                step.env("DOCKER_HOST", "").env("DOCKER_CONTEXT", name.as_str())
            }
        }
    }

    /// This client, talking to the engine that `platform` is built on.
    #[must_use]
    pub(crate) fn on(&self, platform: &Platform) -> Self {
        let node = self.nodes.get(platform);
        Self {
            endpoint: node.or(self.endpoint.as_ref()).cloned(),
            // A builder belongs to an engine; a node's own is its default one.
            builder: if node.is_some() { None } else { self.builder.clone() },
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_engine_is_an_address_or_a_context() {
        for text in ["ssh://me@arm-box", "unix:///run/x.sock", "tcp://127.0.0.1:2375"] {
            assert_eq!(text.parse(), Ok(Endpoint::Host(text.to_owned())));
        }
        assert_eq!("arm-box".parse(), Ok(Endpoint::Context("arm-box".to_owned())));
        for wrong in [
            "-x",
            "ssh://-oProxyCommand=x",
            "ssh://me@-x",
            "",
            "http://x",
            "ssh://",
            "a b",
            "unix:/x",
        ] {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_platform_with_an_engine_of_its_own_is_built_there_and_nothing_global_changes() {
        let (amd64, arm64) = ("linux/amd64".parse().unwrap(), "linux/arm64".parse().unwrap());
        let client = Client {
            nodes: BTreeMap::from([(arm64, "ssh://me@arm-box".parse().unwrap())]),
            builder: Some("mine".to_owned()),
            ..Client::default()
        };
        let arm64 = "linux/arm64".parse().unwrap();
        let step = client.on(&arm64).step(["version"]);
        assert_eq!(step.to_string(), "DOCKER_HOST=ssh://me@arm-box docker version");
        assert_eq!(client.on(&arm64).builder, None);
        assert_eq!(client.on(&amd64), client);
        let context = Client { endpoint: Some("box".parse().unwrap()), ..Client::default() };
        let step = context.step(["version"]).to_string();
        assert_eq!(step, "DOCKER_CONTEXT=box DOCKER_HOST='' docker version");
    }
}
