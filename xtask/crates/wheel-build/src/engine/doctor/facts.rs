//! The facts for `setup` and `doctor`, collected quickly and without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use camino::Utf8PathBuf;

use super::binfmt::{self, Arch, Binfmt};
use super::docker::{self, Builder, Client, EngineState, Version};
use super::indexes;
use super::machine::{Apt, CaBundle, Machine, OsRelease};
use super::reach::{LIMIT, Reach, reach};
use crate::config::Bootstrap;
use crate::exec::{Captured, Exec, ExecError, Step};

/// The engine's default data folder.
const ENGINE_DATA: &str = "/var/lib/docker";
/// The programs to look up. None of them is started.
const PROGRAMS: [&str; 9] =
    ["dockerd", "git", "gh", "just", "mmdebstrap", "arch-test", "dnf", "ip", "pip3"];
/// The kernel's files about the bridge of the engine's containers.
pub(crate) const BRIDGE: &str = "/sys/class/net/docker0";
/// The keys of Ubuntu's packages, as installed by the package `ubuntu-keyring`.
pub(crate) const UBUNTU_KEYRING: &str = "/usr/share/keyrings/ubuntu-archive-keyring.gpg";

/// How this user can act as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// The user is root.
    Root,
    /// `sudo` works without a password.
    Sudo,
    /// `sudo` requires a password.
    SudoWithPassword,
    /// Not possible.
    None,
}

/// The state of buildx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Buildx {
    /// The client has no such plugin.
    Missing,
    /// It exists, but its version cannot be parsed.
    Unreadable,
    /// It exists.
    Found(Version),
}

/// Free space in a folder that xtask or the engine writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Space {
    /// The folder.
    pub path: Utf8PathBuf,
    /// Free bytes; `None` if unknown.
    pub free: Option<u64>,
}

/// The facts about a machine.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The operating system.
    pub os: OsRelease,
    /// The architecture's name in container platforms.
    pub arch: &'static str,
    /// Permissions of this user.
    pub access: Access,
    /// True if systemd runs the machine.
    pub systemd: bool,
    /// The client `docker`.
    pub client: Option<Client>,
    /// True if `DOCKER_HOST` names an engine.
    pub docker_host: bool,
    /// The state of the engine.
    pub engine: EngineState,
    /// True if `/etc/docker/daemon.json` exists.
    pub daemon_json: bool,
    /// True if the engine's data folder has images in the classic store.
    pub classic_store: bool,
    /// True if the engine's bridge changes its hardware address when containers start or stop.
    ///
    /// Linux uses the lowest address of a bridge's ports, unless the bridge has its own address
    /// (`NET_ADDR_SET`, 3, in `addr_assign_type`). The engine sets one for a bridge that it creates, and leaves an
    /// existing bridge unchanged. Containers that know the old address lose the network for up to half a
    /// minute (the same problem: containers/netavark#833, lxc/lxc#604).
    pub bridge_address_changes: bool,
    /// The client's build plugin.
    pub buildx: Buildx,
    /// The builder in use.
    pub builder: Option<Builder>,
    /// True if the engine's packages come from its vendor and not from the distribution.
    pub upstream_packages: bool,
    /// Emulation.
    pub binfmt: Binfmt,
    /// The programs that exist, with their paths.
    pub programs: BTreeMap<&'static str, Utf8PathBuf>,
    /// True if [`UBUNTU_KEYRING`] exists.
    pub ubuntu_keyring: bool,
    /// Apt, if it exists.
    pub apt: Option<Apt>,
    /// The registry of the first target's image.
    pub registry: Reach,
    /// The main package index of builds.
    pub index: Reach,
    /// The other package indexes of builds, without credentials.
    pub extra_indexes: Vec<(String, Reach)>,
    /// The certificates that containers inherit.
    pub ca_bundle: Option<CaBundle>,
    /// Names of the proxy variables that are set.
    pub proxies: Vec<String>,
    /// Names of the inherited proxies and indexes that containers cannot reach.
    pub loopback_settings: Vec<String>,
    /// The settings that containers cannot use, each with the reason.
    pub unusable_settings: Vec<String>,
    /// Space for images.
    pub engine_space: Space,
    /// Space for results.
    pub workspace_space: Space,
}

impl Facts {
    /// Returns whether `bootstrap` requires Ubuntu's keys and they are missing.
    pub(crate) fn lacks_keyring(&self, bootstrap: &Bootstrap) -> bool {
        let wanted = bootstrap.keyring.as_ref().is_some_and(|path| path == UBUNTU_KEYRING);
        wanted && !self.ubuntu_keyring
    }

    /// Collects the facts about `machine` and the registry of `image`. Slow queries run in parallel, each with a
    /// limit of a few seconds.
    pub(crate) fn collect(exec: &Exec, machine: &Machine, image: &str) -> Self {
        let has_client = machine.find("docker").is_some();
        let (docker, plugin, index, extra_indexes, access) = thread::scope(|scope| {
            let docker = scope.spawn(|| query_engine(exec, has_client));
            let plugin = scope.spawn(|| query_buildx(exec, has_client, image));
            let index = scope.spawn(|| indexes::query_main(exec, machine));
            let extra_indexes = scope.spawn(|| indexes::query_extra(exec, machine));
            let access = scope.spawn(|| query_access(exec, machine));
            (docker.join(), plugin.join(), index.join(), extra_indexes.join(), access.join())
        });
        let (client, engine) = docker.unwrap_or((None, EngineState::NoClient));
        let (buildx, builder, registry) =
            plugin.unwrap_or((Buildx::Missing, None, Reach::Untried("the query failed")));
        let data = match &engine {
            EngineState::Answers(server) => server.data.as_deref(),
            _ => None,
        };
        let data = Utf8PathBuf::from(data.unwrap_or(ENGINE_DATA));
        let space = |path: Utf8PathBuf| Space { free: machine.free_space(&path), path };
        let programs = PROGRAMS.iter().filter_map(|name| Some((*name, machine.find(name)?)));
        let upstream = ["docker-ce", "docker-ce-cli"];
        Self {
            os: machine.os(),
            arch: machine.platform_arch(),
            access: access.unwrap_or(Access::None),
            systemd: machine.systemd(),
            client,
            docker_host: machine.var("DOCKER_HOST").is_some(),
            engine,
            daemon_json: machine.has("/etc/docker/daemon.json"),
            classic_store: machine.has(&format!("{ENGINE_DATA}/overlay2")),
            bridge_address_changes: fs_err::read_to_string(
                machine.at(&format!("{BRIDGE}/addr_assign_type")),
            )
            .is_ok_and(|kind| kind.trim() != "3"),
            buildx,
            builder,
            upstream_packages: upstream.iter().any(|name| machine.has_package(name)),
            binfmt: binfmt::read(machine),
            programs: programs.collect(),
            ubuntu_keyring: machine.has(UBUNTU_KEYRING),
            apt: machine.apt(),
            registry,
            index: index.unwrap_or(Reach::Untried("the query failed")),
            extra_indexes: extra_indexes.unwrap_or_default(),
            ca_bundle: machine.ca_bundle(),
            proxies: machine.proxies(),
            loopback_settings: machine.loopback_settings(),
            unusable_settings: machine.unusable_settings(),
            engine_space: space(data),
            workspace_space: space(machine.workspace.clone()),
        }
    }

    /// Returns whether `program`, one of [`PROGRAMS`], exists.
    pub(crate) fn has(&self, program: &str) -> bool {
        self.programs.contains_key(program)
    }

    /// Returns whether containers of `arch` run here, natively or emulated.
    pub(crate) fn runs(&self, arch: &str) -> bool {
        self.is_native(arch) || self.binfmt.runs(arch)
    }

    /// Returns whether this machine runs programs of `arch` natively.
    pub(crate) fn is_native(&self, arch: &str) -> bool {
        arch == self.arch || Arch::find(arch).is_some_and(|arch| arch.is_native(self.arch))
    }

    /// The usual architectures for wheels that are not native here.
    pub(crate) fn foreign(&self) -> BTreeSet<&'static str> {
        ["amd64", "arm64"].into_iter().filter(|arch| *arch != self.arch).collect()
    }

    /// The address or context of the client's engine, if it is not this machine's own service.
    pub(crate) fn engine_elsewhere(&self) -> Option<String> {
        if self.docker_host {
            return Some("`DOCKER_HOST`".to_owned());
        }
        let context = self.client.as_ref().map(|client| client.context.as_str());
        let context = context.filter(|name| !name.is_empty() && *name != "default")?;
        Some(format!("the context `{context}`"))
    }
}

fn query(exec: &Exec, program: &str, args: &[&str]) -> Result<Captured, ExecError> {
    let args = args.iter().copied();
    exec.capture(&Step::new(program, args).env("LC_ALL", "C").timeout(LIMIT))
}

fn query_engine(exec: &Exec, has_client: bool) -> (Option<Client>, EngineState) {
    if !has_client {
        return (None, EngineState::NoClient);
    }
    let answer = query(exec, "docker", &["version", "--format", "{{json .}}"]);
    let (client, mut engine) = docker::read_version(&answer);
    if let EngineState::Answers(server) = &mut engine
        && let Ok(info) = query(exec, "docker", &["info", "--format", "{{json .}}"])
    {
        docker::read_info(server, &info.stdout);
    }
    (client, engine)
}

fn query_buildx(exec: &Exec, has_client: bool, image: &str) -> (Buildx, Option<Builder>, Reach) {
    let missing = (Buildx::Missing, None, Reach::Untried("there is no `docker buildx`"));
    if !has_client {
        return missing;
    }
    let buildx = match query(exec, "docker", &["buildx", "version"]) {
        Ok(captured) if captured.success => {
            docker::read_buildx(&captured.stdout).map_or(Buildx::Unreadable, Buildx::Found)
        }
        _ => return missing,
    };
    let (builder, registry) = thread::scope(|scope| {
        let builder = scope.spawn(|| query(exec, "docker", &["buildx", "inspect"]));
        let registry = query(exec, "docker", &["buildx", "imagetools", "inspect", "--", image]);
        (builder.join(), registry)
    });
    let builder = builder.ok().and_then(Result::ok);
    (buildx, builder.and_then(|answer| docker::read_builder(&answer.stdout)), reach(registry))
}

fn query_access(exec: &Exec, machine: &Machine) -> Access {
    if machine.is_root {
        return Access::Root;
    }
    if machine.find("sudo").is_none() {
        return Access::None;
    }
    match query(exec, "sudo", &["-n", "true"]) {
        Ok(answer) if answer.success => Access::Sudo,
        _ => Access::SudoWithPassword,
    }
}
