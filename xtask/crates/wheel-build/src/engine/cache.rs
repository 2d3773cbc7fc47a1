//! Caches outside of the engine: what each job reads and writes, and whether they can work.

use camino::Utf8Path;
use wheel_audit::UserError;

use super::doctor::docker;
use super::host::{Host, csv_field};
use super::{Engine, EngineError};
use crate::config::{Cache, CacheKind, CacheSpec};

/// How a call uses the configured caches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cached {
    /// Not at all.
    No,
    /// Reads these scopes.
    Read(Scopes),
    /// Reads these scopes, and writes them afterwards.
    ReadAndWritten(Scopes),
    /// The smoke test: reads these scopes and its own, and writes its own.
    Smoke(Scopes),
}

/// The scopes of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scopes {
    /// The job's own scope, so that no two jobs overwrite each other's.
    pub job: String,
    /// The scope of its target and platform. An interpreter without its own scope finds the stages there that all
    /// interpreters share.
    pub shared: String,
    /// True if this job also writes the shared scope. Exactly one interpreter does.
    pub leads: bool,
}

/// The variables that GitHub's cache requires. A plain `run:` step has neither (docs.docker.com,
/// "GitHub Actions cache").
const GHA_TOKEN: &str = "ACTIONS_RUNTIME_TOKEN";
const GHA_URL: &str = "ACTIONS_RESULTS_URL";
/// The variable that makes buildx use [`GHA_URL`] with the second version of the protocol.
const GHA_SECOND: &str = "ACTIONS_CACHE_SERVICE_V2";
/// The service with the first version of the protocol. GitHub no longer runs it.
const GHA_FIRST: &str = "ACTIONS_CACHE_URL";

/// The attributes of a bake target for `cached`: `cache-from=…`, `cache-to=…`.
pub(super) fn attributes(cache: &Cache, cached: &Cached, root: &Utf8Path) -> Vec<String> {
    let scopes = match cached {
        Cached::No => return Vec::new(),
        Cached::Read(scopes) | Cached::ReadAndWritten(scopes) | Cached::Smoke(scopes) => scopes,
    };
    // If both calls wrote the same scope, one's layers would replace the other's.
    let smoke = format!("{}-smoke", scopes.job);
    // A cache without shared layers would store the interpreter and everything before it twice.
    let smoke = |spec: &CacheSpec| {
        (matches!(cached, Cached::Smoke(_)) && spec.shares_layers()).then_some(&smoke)
    };
    // buildx warns about an empty folder.
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

/// Descriptions of the caches in use; empty if none is configured.
pub(crate) fn describe(cache: &Cache) -> Vec<String> {
    let place = |spec: &CacheSpec, from: bool| {
        let place = spec.place(from).or(spec.field("scope"));
        place.map_or_else(|| spec.kind.to_string(), |place| format!("{} {place}", spec.kind))
    };
    let from = cache.from.iter().map(|spec| format!("cache from {}", place(spec, true)));
    from.chain(cache.to.iter().map(|spec| format!("cache to {}", place(spec, false)))).collect()
}

/// Checks before a run whether the configured caches can work. `BuildKit` skips unusable caches, some of
/// them silently (defect 19).
///
/// # Errors
/// [`EngineError::Unusable`] with the cache and the reason.
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
            let message = format!("the cache `{folder}` cannot be written: {error}");
            let hint = "name a folder with write permission in `wheels --cache-to` or in `to` of `[cache]` in wheels.toml";
            EngineError::Unusable(UserError::new(message).hint(hint))
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
            "the cache `type=gha` cannot work: {} not set",
            match missing.as_slice() {
                [one] => format!("{one} is"),
                more => format!("{} are", more.join(" and ")),
            }
        ))
        .hint(
            "GitHub provides the token to actions and not to `run:` steps; use the workflow of `cargo xtask workflow write`, \
             which passes it to its build step, or use `type=registry` or `type=local`",
        ),
    ))
}

/// The engine's own builder can only write caches if the engine stores images in containerd
/// (docs.docker.com, "Cache storage backends").
fn check_export(engine: &Engine) -> Result<(), EngineError> {
    let builder = engine.builder()?;
    if !builder.runs_in_engine() {
        return Ok(());
    }
    let info = engine.query(&engine.client.step(["info", "--format", "{{json .}}"]))?;
    let mut server = docker::Server { version: String::new(), data: None, containerd_store: None };
    docker::read_info(&mut server, &info);
    if server.containerd_store == Some(false) {
        return Err(EngineError::Unusable(
            UserError::new(
                "`--cache-to` cannot work: the builder has the driver `docker`, and its engine uses \
             the classic image store, which exports no cache",
            )
            .hint(
                "enable the containerd image store of the engine (`\"features\": \
             {\"containerd-snapshotter\": true}` in /etc/docker/daemon.json), or choose a builder \
             with another driver with `--builder`",
            ),
        ));
    }
    Ok(())
}
