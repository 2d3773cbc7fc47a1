//! Steps of the build job that cache layers for the next run (`[ci] cache`).

use crate::config::{Ci, LayerCache};

const BUILDER: &str = include_str!("cache-builder.yml");
const GHA: &str = include_str!("cache-gha.yml");
const GHA_ENV: &str = include_str!("cache-gha-env.yml");
const REGISTRY: &str = include_str!("cache-registry.yml");
const ENV: &str = include_str!("cache-env.yml");
const PERMISSIONS: &str =
    "    permissions:\n      contents: read\n      packages: write # The cache of layers.\n";
const OPTIONS: &str = " --cache-from \"$CACHE_FROM\" --cache-to \"$CACHE_TO\"";

/// Parts of the build job, each for its place in the template.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layers {
    /// Steps before the build step.
    pub(super) steps: String,
    /// Environment of the build step.
    pub(super) env: String,
    /// Options of the build step's command.
    pub(super) options: &'static str,
    /// Permissions of the job.
    pub(super) permissions: &'static str,
}

impl Layers {
    /// The parts for `ci`; `branch` is the default branch.
    pub(super) fn of(ci: &Ci, branch: &str) -> Self {
        let repository = ci.cache_repository.as_deref().unwrap_or_default();
        let (cache, steps, env, permissions) = match ci.cache {
            LayerCache::None => return Self::default(),
            LayerCache::Gha => ("type=gha".to_owned(), GHA.to_owned(), GHA_ENV, ""),
            LayerCache::Registry => {
                (format!("type=registry,ref={repository}"), login(repository), "", PERMISSIONS)
            }
        };
        let places = ENV.replace("<cache>", &cache).replace("<branch-name>", branch);
        let (steps, env) = (format!("{BUILDER}{steps}"), format!("{env}{places}"));
        Self { steps, env, options: OPTIONS, permissions }
    }
}

/// Step that logs in to the registry of `repository`.
fn login(repository: &str) -> String {
    let host = repository.split_once('/').map(|(host, _)| host);
    // A first part without a dot or port belongs to the default registry (distribution, "reference").
    let host = host.filter(|host| host.contains(['.', ':']) || *host == "localhost");
    let line = host.map_or_else(String::new, |host| format!("          registry: \"{host}\"\n"));
    REGISTRY.replace("          registry: <registry>\n", &line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cache: LayerCache, repository: Option<&str>) -> Layers {
        let cache_repository = repository.map(str::to_owned);
        Layers::of(&Ci { cache, cache_repository, ..Ci::default() }, "trunk")
    }

    #[test]
    fn each_kind_of_cache_has_its_steps() {
        assert_eq!(of(LayerCache::None, None), Layers::default());
        let gha = of(LayerCache::Gha, None);
        assert!(gha.env.contains("'type=gha'") && gha.env.contains("ACTIONS_RUNTIME_TOKEN"));
        assert!(!gha.steps.contains("github.token") && gha.permissions.is_empty());
        let registry = of(LayerCache::Registry, Some("registry.example/a/b"));
        assert!(registry.env.contains("'type=registry,ref=registry.example/a/b'"));
        assert!(!registry.env.contains("ACTIONS_") && registry.permissions.contains("packages"));
        assert!(registry.steps.contains("registry: \"registry.example\"\n"), "{}", registry.steps);
        assert!(!of(LayerCache::Registry, Some("a/b")).steps.contains("registry:"));
    }

    #[test]
    fn only_pushes_to_the_default_branch_write() {
        for (kind, repository) in
            [(LayerCache::Gha, None), (LayerCache::Registry, Some("registry.example/a/b"))]
        {
            let layers = of(kind, repository);
            let line = layers.env.lines().find(|line| line.contains("CACHE_TO:"));
            let line = line.unwrap_or_default();
            assert!(line.contains("github.event_name == 'push' &&"), "{line}");
            assert!(line.contains("github.ref == 'refs/heads/trunk' &&"), "{line}");
            assert!(line.ends_with("|| 'none' }}"), "{line}");
        }
    }
}
