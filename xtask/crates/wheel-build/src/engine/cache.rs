//! Caches outside of the engine: what each job reads and writes, and whether they can work at all.

use camino::Utf8Path;
use wheel_audit::UserError;

use super::doctor::docker;
use super::host::{Host, csv_field};
use super::{Engine, EngineError};
use crate::config::{Cache, CacheKind, CacheSpec};

/// What a call reads from and writes to the configured caches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cached {
    /// Nothing.
    No,
    /// It reads these scopes.
    Read(Scopes),
    /// It reads them, and writes them afterwards.
    ReadAndWritten(Scopes),
    /// The smoke test: it reads them and one of its own, and writes its own.
    Smoke(Scopes),
}

/// The scopes of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scopes {
    /// The job's own, so that no two jobs overwrite each other's.
    pub job: String,
    /// The one of its target and platform: an interpreter without a scope finds the stages there that all
    /// interpreters share.
    pub shared: String,
    /// Whether this job writes the shared one, too: one of the interpreters does.
    pub leads: bool,
}

/// What GitHub's cache cannot be used without; a plain `run:` step has neither (docs.docker.com,
/// "GitHub Actions cache").
const GHA_TOKEN: &str = "ACTIONS_RUNTIME_TOKEN";
const GHA_URL: &str = "ACTIONS_RESULTS_URL";
/// What buildx asks before it uses [`GHA_URL`] for the second version of the protocol.
const GHA_SECOND: &str = "ACTIONS_CACHE_SERVICE_V2";
/// The service with the first version of the protocol, which GitHub itself no longer runs.
const GHA_FIRST: &str = "ACTIONS_CACHE_URL";

/// The attributes of a bake target that `cached` asks for: `cache-from=…`, `cache-to=…`.
pub(super) fn attributes(cache: &Cache, cached: &Cached, root: &Utf8Path) -> Vec<String> {
    let scopes = match cached {
        Cached::No => return Vec::new(),
        Cached::Read(scopes) | Cached::ReadAndWritten(scopes) | Cached::Smoke(scopes) => scopes,
    };
    // Another call's layers would replace those of the build in a scope that both write.
    let smoke = format!("{}-smoke", scopes.job);
    // A cache that keeps layers for each scope would keep the interpreter and all before it twice.
    let smoke = |spec: &CacheSpec| {
        (matches!(cached, Cached::Smoke(_)) && spec.shares_layers()).then_some(&smoke)
    };
    // buildx warns about a folder without contents.
    let has_contents = |spec: &&CacheSpec| {
        let folder = spec.place(true).filter(|_| spec.kind == CacheKind::Local);
        folder.is_none_or(|folder| root.join(folder).join(&scopes.job).join("index.json").is_file())
    };
    let csv = |fields: Vec<String>| {
        fields.iter().map(|field| csv_field(field)).collect::<Vec<_>>().join(",")
    };
    let shared = |spec: &CacheSpec| spec.shares_layers().then_some(&scopes.shared);
    let mut attributes = Vec::new();
    for spec in cache.from.iter().filter(has_contents) {
        let scopes = [smoke(spec), Some(&scopes.job), shared(spec)].into_iter().flatten();
        attributes.extend(scopes.map(|scope| format!("cache-from={}", csv(spec.scoped(scope)))));
    }
    for spec in &cache.to {
        let scopes = match cached {
            Cached::ReadAndWritten(_) => [Some(&scopes.job), shared(spec).filter(|_| scopes.leads)],
            _ => [smoke(spec), None],
        };
        let scopes = scopes.into_iter().flatten();
        attributes.extend(scopes.map(|scope| format!("cache-to={}", csv(spec.scoped_to(scope)))));
    }
    attributes
}

/// The caches in use, for people; empty where none is configured.
pub(crate) fn describe(cache: &Cache) -> Vec<String> {
    let place = |spec: &CacheSpec, from: bool| {
        let place = spec.place(from).or(spec.field("scope"));
        place.map_or_else(|| spec.kind.to_string(), |place| format!("{} {place}", spec.kind))
    };
    let from = cache.from.iter().map(|spec| format!("cache from {}", place(spec, true)));
    from.chain(cache.to.iter().map(|spec| format!("cache to {}", place(spec, false)))).collect()
}

/// Whether the configured caches can work, before anything is begun: `BuildKit` itself leaves out
/// what it cannot use, some of it without a word (defect 19).
///
/// # Errors
/// [`EngineError::Unusable`] that says which cache and why.
pub(crate) fn check(engine: &Engine, host: &impl Host) -> Result<(), EngineError> {
    let cache = &engine.cache;
    if let Some((_, _, message)) = cache.lacking() {
        return Err(EngineError::Unusable(UserError::new(message)));
    }
    for spec in cache.from.iter().chain(&cache.to).filter(|spec| spec.kind == CacheKind::Gha) {
        check_gha(spec, host)?;
    }
    for folder in cache
        .to
        .iter()
        .filter_map(|spec| spec.place(false).filter(|_| spec.kind == CacheKind::Local))
    {
        let folder = engine.root.join(folder);
        let tried = fs_err::create_dir_all(&folder)
            .and_then(|()| tempfile::NamedTempFile::new_in(&folder).map(drop));
        tried.map_err(|error| {
            EngineError::Unusable(UserError::new(format!(
                "the cache `{folder}` cannot be written: {error}"
            )))
        })?;
    }
    if !cache.to.is_empty() {
        check_export(engine)?;
        for platform in engine.client.nodes.keys() {
            check_export(&engine.on(platform))?;
        }
    }
    Ok(())
}

fn check_gha(spec: &CacheSpec, host: &impl Host) -> Result<(), EngineError> {
    let has = |name: &str| host.var(name).is_some_and(|value| !value.is_empty());
    let mut missing = Vec::new();
    if spec.field("token").is_none() && !has(GHA_TOKEN) {
        missing.push(GHA_TOKEN);
    }
    let has_url = spec.field("url").or(spec.field("url_v2")).is_some() || has(GHA_FIRST);
    if !has_url {
        missing.extend([GHA_URL, GHA_SECOND].into_iter().filter(|name| !has(name)));
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(EngineError::Unusable(
        UserError::new(format!(
            "the cache `type=gha` cannot work here: {} not set",
            match missing.as_slice() {
                [one] => format!("{one} is"),
                more => format!("{} are", more.join(" and ")),
            }
        ))
        .hint(
            "GitHub gives the token to actions and not to `run:` steps: the workflow that `cargo xtask workflow write` \
             writes hands it to its build step. Elsewhere use `type=registry` or `type=local`",
        ),
    ))
}

/// The engine's own builder writes caches only where its images lie in the containerd store
/// (docs.docker.com, "Cache storage backends").
fn check_export(engine: &Engine) -> Result<(), EngineError> {
    let builder = engine.builder()?;
    if !builder.is_the_engines_own() {
        return Ok(());
    }
    let info = engine.query(&engine.client.step(["info", "--format", "{{json .}}"]))?;
    let mut server = docker::Server { version: String::new(), data: None, containerd_store: None };
    docker::read_info(&mut server, &info);
    if server.containerd_store == Some(false) {
        return Err(EngineError::Unusable(
            UserError::new(
                "`--cache-to` cannot work: the builder has the driver `docker`, whose engine \
             keeps its images in the classic store and exports no cache",
            )
            .hint(
                "let the engine use the containerd store (`\"features\": \
             {\"containerd-snapshotter\": true}` in /etc/docker/daemon.json), or name a \
             builder of another driver with `--builder`",
            ),
        ));
    }
    Ok(())
}
