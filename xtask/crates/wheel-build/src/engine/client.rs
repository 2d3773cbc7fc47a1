//! The program that builds, its engine and its builder.
//!
//! Nothing here is global: each call names the requested engine or builder, and the user's current context and
//! builder stay unchanged.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::podman_progress;
use super::progress::{Follow, Progress};
use crate::config::{Platform, Tool, words};
use crate::exec::Step;

impl Tool {
    /// docker if it is on `PATH`, otherwise podman if it is.
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

    /// Returns whether it supports bake and builders, with their features: caches outside of the engine, registry
    /// requests without a pull, and images in place of stages.
    pub(crate) fn has_builders(self) -> bool {
        self == Self::Docker
    }

    /// The field with an image's digest in `image inspect --format`.
    pub(super) fn digest_format(self) -> &'static str {
        match self {
            Self::Docker => "{{.Id}}",
            Self::Podman => "{{.Digest}}",
        }
    }

    /// A parser for its build progress.
    pub(super) fn follow(self) -> Box<dyn Follow> {
        match self {
            Self::Docker => Box::new(Progress::default()),
            Self::Podman => Box::new(podman_progress::Progress::default()),
        }
    }
}

/// An engine other than the client's default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Endpoint {
    /// An address: `unix:///run/other.sock`, `ssh://user@host`, `tcp://127.0.0.1:2375`.
    Host(String),
    /// A context of the client (`docker context ls`).
    Context(String),
}

/// The schemes of an address (docker/cli, `cli/connhelper`; docker/docker, `opts/hosts.go`).
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
                "`{text}` is not an engine: use an address like `ssh://user@host` or \
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

/// How to reach the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Client {
    /// The program.
    pub tool: Tool,
    /// The engine; `None` for the program's default.
    pub endpoint: Option<Endpoint>,
    /// Engines for single platforms, such as a native machine.
    pub nodes: BTreeMap<Platform, Endpoint>,
    /// The builder; `None` for the current one.
    pub builder: Option<String>,
    /// True if build steps use the network of the engine's machine.
    pub host_network: bool,
    /// True if buildx requires an explicit permission for this. It does since 0.17.
    pub requires_allow: bool,
}

impl Client {
    /// A call of the program for the selected engine.
    pub(crate) fn step<I, S>(&self, args: I) -> Step
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let step = Step::new(self.tool.program(), args);
        match &self.endpoint {
            None => step,
            // `DOCKER_HOST` overrides everything. An empty value counts as unset.
            Some(Endpoint::Host(host)) => step.env("DOCKER_HOST", host.as_str()),
            Some(Endpoint::Context(name)) => {
                step.env("DOCKER_HOST", "").env("DOCKER_CONTEXT", name.as_str())
            }
        }
    }

    /// This client, with the engine that builds for `platform`.
    #[must_use]
    pub(crate) fn on(&self, platform: &Platform) -> Self {
        let node = self.nodes.get(platform);
        Self {
            endpoint: node.or(self.endpoint.as_ref()).cloned(),
            // A builder belongs to one engine; a node uses its own default builder.
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
    fn a_platform_uses_its_own_engine_without_global_changes() {
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
