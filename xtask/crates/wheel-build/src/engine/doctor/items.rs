//! Judges the facts. Pure.

use super::binfmt::{Arch, MOUNT};
use super::docker::{EngineState, OLDEST_BUILDX, OLDEST_ENGINE, Server};
use super::facts::{Access, Buildx, Facts, Space, UBUNTU_KEYRING};
use super::reach::Reach;
use super::{Item, State};
use crate::engine::host::SECRET_LIMIT;

const GIB: u64 = 1024 * 1024 * 1024;
/// With less free space, a build may not fit.
const LITTLE_SPACE: u64 = 5 * GIB;
/// How to install an engine on systems that `setup` does not support.
pub(crate) const ENGINE_DOCS: &str = "https://docs.docker.com/engine/install/";

impl Item {
    fn new(name: &str, state: State, detail: impl Into<String>) -> Self {
        let (name, detail) = (name.to_owned(), detail.into());
        Self { name, state, required: false, detail, hint: None }
    }

    fn required(mut self) -> Self {
        self.required = true;
        self
    }

    fn hint(mut self, command: impl Into<String>) -> Self {
        self.hint = (self.state != State::Ok).then(|| command.into());
        self
    }
}

/// All items in display order.
pub(super) fn evaluate(facts: &Facts) -> Vec<Item> {
    let mut items = vec![system(facts), access(facts), client(facts), engine(facts)];
    items.extend(image_store(facts));
    items.extend(bridge(facts));
    items.extend([buildx(facts), builder(facts)]);
    items.extend(facts.foreign().into_iter().map(|arch| emulator(facts, arch)));
    items.extend([registry(facts), mmdebstrap(facts), arch_test(facts), index(facts)]);
    items.extend(extra_indexes(facts));
    items.extend([ca_bundle(facts), proxies(facts)]);
    if !facts.unusable_settings.is_empty() {
        let detail = facts.unusable_settings.join("; ");
        items.push(Item::new("inherited settings", State::Warning, detail));
    }
    items.push(space("engine disk", &facts.engine_space));
    items.push(space("workspace disk", &facts.workspace_space));
    items.extend([
        tool(facts, "git", "stamps the metadata with the commit")
            .hint("https://git-scm.com/downloads"),
        tool(facts, "gh", "makes releases for `cargo xtask release`")
            .hint("https://cli.github.com"),
        tool(facts, "just", "runs `docker/justfile` by hand; containers have their own")
            .hint("cargo install just"),
    ]);
    items
}

fn system(facts: &Facts) -> Item {
    let init = if facts.systemd { "with systemd" } else { "without systemd" };
    Item::new("system", State::Ok, format!("{}, linux/{}, {init}", facts.os.name, facts.arch))
}

fn access(facts: &Facts) -> Item {
    let (state, detail) = match facts.access {
        Access::Root => (State::Ok, "root"),
        Access::Sudo => (State::Ok, "`sudo` without a password"),
        Access::SudoWithPassword => (State::Ok, "`sudo` with a password: `sudo -v` before `setup`"),
        Access::None => {
            (State::Warning, "neither root nor `sudo`: `setup` cannot install anything")
        }
    };
    Item::new("privileges", state, detail)
}

/// The command that installs the missing parts on this machine.
fn setup_or(facts: &Facts, elsewhere: &str) -> String {
    if facts.apt.is_some() { "cargo xtask setup".to_owned() } else { elsewhere.to_owned() }
}

fn client(facts: &Facts) -> Item {
    let item = match &facts.client {
        None => Item::new("client", State::Missing, "no `docker` on PATH")
            .hint(setup_or(facts, ENGINE_DOCS)),
        Some(client) if client.podman => {
            Item::new("client", State::Missing, "`docker` is podman, which has no buildx")
                .hint(ENGINE_DOCS)
        }
        Some(client) => Item::new("client", State::Ok, format!("docker {}", client.version)),
    };
    item.required()
}

fn engine(facts: &Facts) -> Item {
    let missing = |detail: String| Item::new("engine", State::Missing, detail);
    let item = match &facts.engine {
        EngineState::Answers(server) if server.is_new_enough() => {
            Item::new("engine", State::Ok, format!("docker {}", server.version))
        }
        EngineState::Answers(server) => missing(too_old(server)).hint(ENGINE_DOCS),
        EngineState::Denied => missing("runs, but this user has no access to it".to_owned())
            .hint("sudo usermod -aG docker \"$USER\" && newgrp docker"),
        EngineState::Silent(reason) => match facts.engine_elsewhere() {
            Some(place) => missing(format!("the engine of {place} does not answer: {reason}"))
                .hint("unset DOCKER_HOST; docker context use default"),
            None if facts.has("dockerd") => {
                missing("installed, but not running".to_owned()).hint("cargo xtask setup")
            }
            None => missing("not installed; the client cannot build without it".to_owned())
                .hint(setup_or(facts, ENGINE_DOCS)),
        },
        EngineState::NoClient if facts.has("dockerd") => {
            missing("installed, but the client `docker` is missing".to_owned())
                .hint("cargo xtask setup")
        }
        EngineState::NoClient => {
            missing("not installed".to_owned()).hint(setup_or(facts, ENGINE_DOCS))
        }
    };
    item.required()
}

/// The message about an engine that is too old.
pub(crate) fn too_old(server: &Server) -> String {
    format!("docker {} found, {OLDEST_ENGINE} or later required", server.version)
}

/// An item only if there is a problem. A remote engine, or one with other networks, is out of
/// scope.
fn bridge(facts: &Facts) -> Option<Item> {
    let detail = "`docker0` changes its address when a container starts or stops, and other containers \
                  lose the network for up to half a minute";
    (facts.bridge_address_changes && facts.engine_elsewhere().is_none())
        .then(|| Item::new("engine network", State::Warning, detail).hint("cargo xtask setup"))
}

fn image_store(facts: &Facts) -> Option<Item> {
    let EngineState::Answers(server) = &facts.engine else { return None };
    Some(match server.containerd_store {
        Some(true) => {
            Item::new("image store", State::Ok, "containerd: several platforms under one name")
        }
        Some(false) => Item::new(
            "image store",
            State::Warning,
            "classic: one platform under each name; \
             `{\"features\": {\"containerd-snapshotter\": true}}` in `/etc/docker/daemon.json` \
             changes that, and hides the existing images",
        ),
        None => Item::new("image store", State::Unknown, "the engine does not report it"),
    })
}

fn buildx(facts: &Facts) -> Item {
    let missing = |detail: String| Item::new("buildx", State::Missing, detail);
    let item = match facts.buildx {
        Buildx::Found(version) if version >= OLDEST_BUILDX => {
            Item::new("buildx", State::Ok, version.to_string())
        }
        Buildx::Found(version) => {
            missing(format!("{version} found, {OLDEST_BUILDX} or later required"))
                .hint(buildx_hint(facts))
        }
        Buildx::Unreadable => Item::new(
            "buildx",
            State::Warning,
            format!(
                "installed, but its version cannot be parsed; {OLDEST_BUILDX} or later required"
            ),
        ),
        Buildx::Missing => missing("not installed".to_owned()).hint(buildx_hint(facts)),
    };
    item.required()
}

/// The command that installs buildx from the engine's source.
pub(crate) fn buildx_hint(facts: &Facts) -> String {
    if facts.upstream_packages && facts.apt.is_some() {
        return "sudo apt-get install docker-buildx-plugin".to_owned();
    }
    let docs = "https://docs.docker.com/build/install-buildx/";
    if matches!(facts.buildx, Buildx::Found(_)) { docs.to_owned() } else { setup_or(facts, docs) }
}

fn builder(facts: &Facts) -> Item {
    match &facts.builder {
        Some(builder) if !builder.driver.is_empty() => {
            Item::new("builder", State::Ok, format!("{}, driver {}", builder.name, builder.driver))
        }
        Some(builder) => {
            Item::new("builder", State::Unknown, format!("{} does not answer", builder.name))
        }
        None => Item::new("builder", State::Unknown, "there is no `docker buildx`"),
    }
}

/// Returns whether containers of `arch` run here.
pub(super) fn emulator(facts: &Facts, arch: &str) -> Item {
    let name = format!("emulator {arch}");
    if facts.is_native(arch) {
        return Item::new(&name, State::Ok, "native");
    }
    let hint = format!("cargo xtask binfmt install {arch}");
    let missing = |detail: &str| Item::new(&name, State::Missing, detail).hint(hint);
    match facts.binfmt.handlers.get(arch) {
        _ if Arch::find(arch).is_none() => {
            Item::new(&name, State::Missing, "there is no known emulator")
        }
        Some(handler) if facts.binfmt.runs(arch) => {
            Item::new(&name, State::Ok, handler.interpreter.clone())
        }
        Some(handler) if handler.enabled => {
            missing("registered without flag `F`, so not visible in containers")
        }
        Some(_) => missing("registered, but disabled"),
        None if !facts.binfmt.mounted => missing(&format!("`{MOUNT}` is not mounted")),
        None if facts.binfmt.installed.contains(arch) => missing("installed, but not registered"),
        None => missing("not installed"),
    }
}

fn registry(facts: &Facts) -> Item {
    match &facts.registry {
        Reach::Yes => Item::new("container registry", State::Ok, "reachable"),
        Reach::No(reason) => {
            let consequence = "base images are made from packages";
            Item::new("container registry", State::Warning, format!("{reason}; {consequence}"))
        }
        Reach::Untried(reason) => Item::new("container registry", State::Unknown, *reason),
    }
}

/// Required if no base image can be pulled.
fn mmdebstrap(facts: &Facts) -> Item {
    let mut item = match facts.programs.get("mmdebstrap") {
        Some(path) => Item::new("mmdebstrap", State::Ok, path.as_str()),
        None => Item::new("mmdebstrap", State::Missing, "makes base images if no registry answers")
            .hint(setup_or(facts, "https://gitlab.mister-muffin.de/josch/mmdebstrap")),
    };
    item.required = matches!(facts.registry, Reach::No(_));
    item
}

/// Ubuntu's keys, which verify the packages of its base images, if they are missing.
pub(super) fn ubuntu_keyring() -> Item {
    Item::new("ubuntu-keyring", State::Missing, format!("`{UBUNTU_KEYRING}` does not exist"))
}

fn arch_test(facts: &Facts) -> Item {
    if let Some(path) = facts.programs.get("arch-test") {
        return Item::new("arch-test", State::Ok, path.as_str());
    }
    let foreign = facts.foreign().into_iter().next().unwrap_or("arm64");
    Item::new("arch-test", State::Missing, "mmdebstrap requires it for foreign platforms")
        .hint(format!("cargo xtask setup --emulate {foreign}"))
}

fn index(facts: &Facts) -> Item {
    match &facts.index {
        Reach::Yes => Item::new("python index", State::Ok, "reachable"),
        Reach::No(reason) => Item::new("python index", State::Warning, reason.clone())
            .hint("python3 -m pip config set global.index-url https://INDEX/simple"),
        Reach::Untried(reason) => Item::new("python index", State::Unknown, *reason),
    }
}

/// One item for all of them, if there are any.
fn extra_indexes(facts: &Facts) -> Option<Item> {
    let item = |state, detail| Some(Item::new("extra indexes", state, detail));
    let all = &facts.extra_indexes;
    let failed = all.iter().filter_map(|(url, reach)| match reach {
        Reach::No(reason) => Some(format!("{url}: {reason}")),
        Reach::Yes | Reach::Untried(_) => None,
    });
    let failed: Vec<_> = failed.collect();
    let untried = all.iter().find_map(|(_, reach)| match reach {
        Reach::Untried(reason) => Some(*reason),
        Reach::Yes | Reach::No(_) => None,
    });
    match (all.is_empty(), failed.is_empty(), untried) {
        (true, ..) => None,
        (_, false, _) => item(State::Warning, failed.join("; "))
            .map(|item| item.hint("export PIP_EXTRA_INDEX_URL=https://INDEX/simple")),
        (_, _, Some(reason)) => item(State::Unknown, reason.to_owned()),
        _ => item(State::Ok, format!("{} reachable", all.len())),
    }
}

fn ca_bundle(facts: &Facts) -> Item {
    let Some(bundle) = &facts.ca_bundle else {
        let item =
            Item::new("certificates", State::Warning, "no bundle found; containers use their own");
        return if facts.apt.is_some() {
            item.hint("sudo apt-get install ca-certificates")
        } else {
            item
        };
    };
    let detail = format!("{}, {} KiB", bundle.path, bundle.size.div_ceil(1024));
    if bundle.size > SECRET_LIMIT {
        let limit = SECRET_LIMIT / 1024;
        let detail = format!("{detail}: the limit of a build secret is {limit} KiB");
        return Item::new("certificates", State::Warning, detail)
            .hint("export SSL_CERT_FILE=/path/to/a/smaller/bundle.pem");
    }
    Item::new("certificates", State::Ok, detail)
}

fn proxies(facts: &Facts) -> Item {
    if !facts.loopback_settings.is_empty() {
        let names = facts.loopback_settings.join(", ");
        let detail = format!("{names}: on a loopback address, which containers cannot reach");
        return Item::new("proxies", State::Warning, detail).hint(
            "cargo xtask wheels --network host, or use an address that containers can reach",
        );
    }
    let names = facts.proxies.join(", ");
    Item::new("proxies", State::Ok, if names.is_empty() { "none".to_owned() } else { names })
}

fn space(name: &str, space: &Space) -> Item {
    let Some(free) = space.free else {
        return Item::new(name, State::Unknown, format!("`{}` cannot be read", space.path));
    };
    let detail = format!("{} GiB free at `{}`", free / GIB, space.path);
    if free < LITTLE_SPACE {
        let hint = if name.starts_with("engine") { "docker system prune" } else { "cargo clean" };
        return Item::new(name, State::Warning, detail).hint(hint);
    }
    Item::new(name, State::Ok, detail)
}

fn tool(facts: &Facts, program: &str, purpose: &str) -> Item {
    match facts.programs.get(program) {
        Some(path) => Item::new(program, State::Ok, path.as_str()),
        None => Item::new(program, State::Missing, format!("optional: {purpose}")),
    }
}
