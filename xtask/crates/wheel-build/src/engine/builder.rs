//! The buildx builder in use. Its driver determines the supported features.

use crate::config::Platform;

/// A builder, parsed from `docker buildx inspect`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Builder {
    /// Its name.
    pub name: String,
    /// Its driver: `docker`, `docker-container`, `remote`, `kubernetes`; empty if unknown.
    pub driver: String,
    /// The platforms that it can run.
    pub platforms: Vec<Platform>,
}

impl Builder {
    /// Parses the output of `docker buildx inspect`. Several nodes contribute their platforms.
    pub(crate) fn read(text: &str) -> Self {
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            value.map(|value| value.trim().to_owned()).unwrap_or_default()
        };
        let platforms = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Platforms:"))
            .flat_map(|list| list.split(','))
            .filter_map(|word| word.trim().trim_end_matches('*').parse().ok());
        Self { name: field("Name:"), driver: field("Driver:"), platforms: platforms.collect() }
    }

    /// Returns whether it runs inside the engine itself. An unknown driver counts as such, because every engine
    /// has its own builder.
    pub(crate) fn runs_in_engine(&self) -> bool {
        matches!(self.driver.as_str(), "" | "docker")
    }

    /// Returns whether builds see the engine's images. Any other builder has its own store and only uses
    /// registries (docs.docker.com, "Build drivers").
    pub(crate) fn sees_local_images(&self) -> bool {
        self.runs_in_engine()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_NODES: &str = "Name:          farm\nDriver:        docker-container\n\
        Last Activity: 2026-01-01 00:00:00 +0000 UTC\n\nNodes:\nName:      farm0\n\
        Endpoint:  unix:///var/run/docker.sock\nStatus:    running\n\
        Platforms: linux/amd64*, linux/amd64/v2\n\nName:      farm1\nEndpoint:  ssh://box\n\
        Platforms: linux/arm64*\n";

    #[test]
    fn the_driver_and_the_platforms_of_all_nodes_are_parsed() {
        let builder = Builder::read(TWO_NODES);
        assert_eq!((builder.name.as_str(), builder.driver.as_str()), ("farm", "docker-container"));
        let platforms: Vec<_> = builder.platforms.iter().map(ToString::to_string).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        assert!(!builder.sees_local_images());
        assert!(Builder::read("Name: default\nDriver: docker\n").sees_local_images());
        assert!(Builder::read("Platforms: linux/amd64").sees_local_images());
    }
}
