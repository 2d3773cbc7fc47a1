//! Plans the actions for a machine, from its facts and the requirements. Pure.

use anyhow::bail;
use std::collections::BTreeSet;
use wheel_audit::UserError;

use camino::Utf8Path;

use super::apt::{self, Borrowed, Folder};
use super::{Action, Folders, Kind, START_LIMIT, SetupOptions, SetupPlan, daemon, sources};
use crate::config::{Bootstrap, BootstrapTool};
use crate::engine::doctor::binfmt::{Arch, MOUNT};
use crate::engine::doctor::docker::{EngineState, OLDEST_BUILDX, OLDEST_ENGINE};
use crate::engine::doctor::facts::{Access, BRIDGE, Buildx, Facts, UBUNTU_KEYRING};
use crate::engine::doctor::items::{ENGINE_DOCS, buildx_hint, too_old};
use crate::engine::doctor::machine::ADMIN_PATH;
use crate::exec::{EnvValue, Step};

/// A query that only an engine can answer. docker 26 exits `info` with status 0 without an
/// engine.
const VERSION_QUERY: [&str; 3] = ["version", "--format", "{{.Server.Version}}"];

/// The fixed hardware address of the engine's bridge: the locally administered one that docker itself
/// used to derive from its first network's gateway, 172.17.0.1.
const BRIDGE_ADDRESS: &str = "02:42:ac:11:00:01";

/// Plans the actions until the machine with `facts` fulfils `options`.
///
/// # Errors
/// If that is impossible, or would replace something that `setup` did not install.
pub(crate) fn plan(
    facts: &Facts,
    options: &SetupOptions,
    folders: &Folders,
) -> anyhow::Result<SetupPlan> {
    let engine = if options.engine { lacks(facts)? } else { MissingParts::default() };
    let foreign = foreign(facts, options)?;
    let mut packages: BTreeSet<&'static str> = engine.packages.clone();
    if options.bootstrap && !facts.has("mmdebstrap") {
        packages.insert("mmdebstrap");
    }
    if options.pip && !facts.has("pip3") {
        packages.insert("python3-pip");
    }
    if options.bootstrap {
        packages.extend(options.bootstraps.iter().flat_map(|bootstrap| beside(facts, bootstrap)));
    }
    for arch in &foreign {
        if !facts.binfmt.installed.contains(arch.name) && !facts.runs(arch.name) {
            packages.insert("qemu-user-static");
        }
        // mmdebstrap uses it to check whether the kernel can run a foreign program.
        if !facts.has("arch-test") {
            packages.insert("arch-test");
        }
    }
    let steady = options.engine && needs_bridge_address(facts, &engine);
    if steady && !facts.has("ip") {
        packages.insert("iproute2");
    }
    let mut plan = SetupPlan::default();
    let fresh = packages.contains("docker.io") && !facts.daemon_json && !facts.classic_store;
    if !packages.is_empty() {
        let config = fresh.then(|| place_config(facts, folders));
        plan.actions.extend(installation(facts, &packages, folders, config)?);
    }
    if options.permanent && packages.iter().any(|name| is_borrowed(name)) {
        plan.actions.extend(make_permanent(facts, folders));
    }
    if engine.start {
        plan.actions.push(start(facts, folders, fresh));
    }
    if steady {
        plan.actions.push(set_bridge_address(facts));
    }
    plan.actions.extend(emulation(facts, &foreign));
    plan.denied = denied(facts);
    Ok(plan)
}

/// The package with the keys of Ubuntu's archive.
const KEYRING: &str = "ubuntu-keyring";

/// The missing packages for `bootstrap` that this distribution has or borrows.
fn beside(facts: &Facts, bootstrap: &Bootstrap) -> Vec<&'static str> {
    let mut packages = Vec::new();
    if bootstrap.tool == BootstrapTool::Dnf && !facts.has("dnf") {
        packages.push("dnf");
    }
    // Debian has it since 13, and 12 borrows it from there.
    if facts.lacks_keyring(bootstrap) && !is_too_old(facts) {
        packages.push(KEYRING);
    }
    packages
}

/// The missing keys for the base images of `options` that no known package
/// contains.
pub(crate) fn missing_keys(options: &SetupOptions, has: impl Fn(&str) -> bool) -> Vec<String> {
    let bootstraps = options.bootstraps.iter().filter(|_| options.bootstrap);
    let keys: BTreeSet<_> = bootstraps.filter_map(|how| how.keyring.as_ref()).collect();
    let missing = keys.into_iter().filter(|key| *key != UBUNTU_KEYRING && !has(key.as_str()));
    missing.map(|key| format!("`{key}`")).collect()
}

fn denied(facts: &Facts) -> Option<(&'static str, &'static str)> {
    match facts.access {
        Access::Root | Access::Sudo => None,
        Access::SudoWithPassword => {
            Some(("`sudo` requires a password", "run `sudo -v`, then the same command again"))
        }
        Access::None => {
            Some(("neither root nor `sudo`", "contact the administrator of this machine"))
        }
    }
}

impl SetupPlan {
    /// A plan of single commands for root.
    pub(crate) fn as_root(facts: &Facts) -> Self {
        Self { denied: denied(facts), ..Self::default() }
    }

    /// Adds the installation of `packages`, if there are any.
    ///
    /// # Errors
    /// If there is no apt, or no source for it.
    pub(crate) fn install(
        &mut self,
        facts: &Facts,
        packages: &BTreeSet<&'static str>,
        folders: &Folders,
    ) -> anyhow::Result<()> {
        if !packages.is_empty() {
            self.actions.extend(installation(facts, packages, folders, None)?);
        }
        Ok(())
    }

    /// Adds a command for root.
    pub(crate) fn root_runs(&mut self, facts: &Facts, what: String, step: Step) {
        self.actions.push(Action::new(what, Kind::Run(elevate(facts, step))));
    }

    /// Adds a command for this user.
    pub(crate) fn user_runs(&mut self, what: String, step: Step) {
        self.actions.push(Action::new(what, Kind::Run(step)));
    }
}

/// The missing ones of client, engine and buildx.
#[derive(Debug, Default)]
struct MissingParts {
    packages: BTreeSet<&'static str>,
    start: bool,
}

fn lacks(facts: &Facts) -> anyhow::Result<MissingParts> {
    let mut lacks = MissingParts::default();
    let not_ours = |what: String, hint: String| Err(UserError::new(what).hint(hint).into());
    match &facts.engine {
        EngineState::Answers(server) if server.is_new_enough() => {}
        EngineState::Answers(server) => {
            let hint =
                format!("`setup` does not replace an engine that is in use; see {ENGINE_DOCS}");
            return not_ours(format!("the engine is too old: {}", too_old(server)), hint);
        }
        EngineState::Denied => {
            let hint = "run `sudo usermod -aG docker \"$USER\"` and log in again; every user with access to \
                        the engine can become root";
            return not_ours("this user has no access to the engine".to_owned(), hint.to_owned());
        }
        EngineState::Silent(reason) => {
            if let Some(place) = facts.engine_elsewhere() {
                let hint = "run `unset DOCKER_HOST` and `docker context use default` to use this machine's engine";
                let what = format!("{place} names an engine that does not answer: {reason}");
                return not_ours(what, hint.to_owned());
            }
            lacks.start = true;
        }
        EngineState::NoClient => lacks.start = true,
    }
    if facts.client.as_ref().is_some_and(|client| client.podman) {
        let hint =
            format!("remove `podman-docker`, then run the same command again, or {ENGINE_DOCS}");
        return not_ours("`docker` is podman, which has no buildx".to_owned(), hint);
    }
    if lacks.start && !facts.has("dockerd") {
        lacks.packages.insert("docker.io");
    }
    if facts.client.is_none() {
        lacks.packages.insert("docker-cli");
    }
    match facts.buildx {
        Buildx::Found(version) if version < OLDEST_BUILDX => {
            let what =
                format!("buildx is too old: {version} found, {OLDEST_BUILDX} or later required");
            return not_ours(what, format!("`{}`", buildx_hint(facts)));
        }
        Buildx::Found(_) | Buildx::Unreadable => {}
        Buildx::Missing => {
            lacks.packages.insert("docker-buildx");
        }
    }
    if facts.upstream_packages && !lacks.packages.is_empty() {
        let names = lacks.packages.iter().map(|name| match *name {
            "docker.io" => "docker-ce",
            "docker-cli" => "docker-ce-cli",
            _ => "docker-buildx-plugin",
        });
        let names = names.collect::<Vec<_>>().join(" ");
        let what = "the engine's packages are its vendor's and not the distribution's";
        return not_ours(what.to_owned(), format!("`sudo apt-get install {names}`"));
    }
    Ok(lacks)
}

/// The requested architectures that do not run here yet.
fn foreign(facts: &Facts, options: &SetupOptions) -> anyhow::Result<Vec<&'static Arch>> {
    let lacking = options.emulators.iter().filter(|arch| !facts.is_native(arch));
    let find = |name: &String| {
        Arch::find(name).ok_or_else(|| {
            let known = Arch::names().collect::<Vec<_>>().join(", ");
            UserError::new(format!("there is no known emulator for `{name}`"))
                .hint(format!("known architectures: {known}"))
                .into()
        })
    };
    lacking.map(find).collect()
}

/// Returns whether a package belongs to the engine.
fn is_engine(package: &str) -> bool {
    package.starts_with("docker")
}

/// Returns whether a package comes from the borrowed release, if there is one.
fn is_borrowed(package: &str) -> bool {
    is_engine(package) || package == KEYRING
}

/// The actions that install `packages`. `config` is written before a new engine is installed, because some
/// systems start it during the installation. Nothing is changed before apt has simulated the
/// installation.
fn installation(
    facts: &Facts,
    packages: &BTreeSet<&'static str>,
    folders: &Folders,
    config: Option<Action>,
) -> anyhow::Result<Vec<Action>> {
    let Some(apt) = &facts.apt else {
        let parts: Vec<_> = packages.iter().map(|name| format!("  {}", origin(name))).collect();
        let (system, parts) = (&facts.os.name, parts.join("\n"));
        bail!(
            UserError::new(format!(
                "`setup` requires apt, which {system} does not have; missing:\n{parts}"
            ))
            .hint("install them, then run `cargo xtask doctor`")
        );
    };
    let engine = packages.iter().any(|name| is_engine(name));
    if engine && is_too_old(facts) {
        let system = &facts.os.name;
        bail!(
            UserError::new(format!("the packages of {system} are too old to build with"))
                .hint(format!("install engine and buildx from {ENGINE_DOCS}"))
        );
    }
    let borrows = packages.iter().any(|name| is_borrowed(name));
    let borrowed = if borrows { apt::borrowed(facts) } else { None };
    let names = names(facts, packages, borrowed);
    let folder = Folder(&folders.apt);
    let from = borrowed.map_or_else(String::new, |release| {
        format!(" and of `{}` for packages that `{}` lacks", release.from, release.codename)
    });
    let what =
        format!("fetch the package lists of `{}`{from}, into `{}`", facts.os.codename, folders.apt);
    let mut update = Action::new(what, Kind::Apt(folder.update()));
    update.folders = vec![folder.partial()];
    update.files = folder.files(apt, facts, borrowed)?;
    let list = names.join(", ");
    let own_version = facts.os.version.clone();
    let simulate = Kind::Forecast { simulate: folder.simulate(&names), own_version };
    let forecast = Action::new(
        "simulate the installation, and stop if it would change existing packages",
        simulate,
    );
    let install = elevate(facts, folder.install(&names));
    let install = Action::new(format!("install {list}"), Kind::Apt(install));
    Ok([update, forecast].into_iter().chain(config).chain([install]).collect())
}

/// Returns whether this is a Debian that is too old even for a borrowed engine (it needs glibc 2.34).
fn is_too_old(facts: &Facts) -> bool {
    facts.os.id == "debian" && facts.os.version.parse::<u32>().is_ok_and(|version| version < 12)
}

/// The packages under apt's names.
fn names(
    facts: &Facts,
    packages: &BTreeSet<&'static str>,
    borrowed: Option<Borrowed>,
) -> Vec<String> {
    // Debian has a separate client package; Ubuntu's engine package contains the client.
    let skip = |name: &str| name == "docker-cli" && facts.os.id == "ubuntu";
    let mut names: BTreeSet<&str> = packages.iter().copied().filter(|name| !skip(name)).collect();
    if packages.iter().any(|name| skip(name)) {
        names.insert("docker.io");
    }
    let full = |name: &&str| match borrowed {
        Some(release) if is_borrowed(name) => format!("{name}/{}", release.from),
        _ => (*name).to_owned(),
    };
    names.iter().map(full).collect()
}

/// Where to get a part on systems without apt.
fn origin(package: &str) -> String {
    match package {
        "docker.io" => format!("engine, docker {OLDEST_ENGINE} or later: {ENGINE_DOCS}"),
        "docker-cli" => format!("client `docker`: {ENGINE_DOCS}"),
        "docker-buildx" => {
            format!("buildx {OLDEST_BUILDX} or later: {ENGINE_DOCS} (docker-buildx-plugin)")
        }
        "qemu-user-static" => "emulators: the distribution's `qemu-user-static`".to_owned(),
        other => format!("{other}: the distribution's `{other}`"),
    }
}

/// The actions that add the borrowed release to the machine's own apt, for updates.
fn make_permanent(facts: &Facts, folders: &Folders) -> Vec<Action> {
    let Some(release) = apt::borrowed(facts) else { return Vec::new() };
    let all = facts.apt.as_ref().map(|apt| apt.sources.as_slice()).unwrap_or_default();
    let own = sources::own(all, release.codename, facts.arch);
    let list =
        sources::render(&sources::for_release(&own, release.codename, release.from), facts.arch);
    let files = [
        ("sources.list.d", format!("xtask-{}.sources", release.from), list),
        ("preferences.d", format!("xtask-{}", release.from), apt::pin(release.from)),
    ];
    let place_one = |(folder, name, text): (&str, String, String)| {
        let target = format!("/etc/apt/{folder}/{name}");
        place(facts, &folders.apt.join("permanent").join(name), text, &target)
    };
    files.map(place_one).into()
}

/// Writes a file with `text` to a path that only root may write.
fn place(facts: &Facts, draft: &Utf8Path, text: String, target: &str) -> Action {
    let step = Step::new("install", ["-D", "--mode=0644", draft.as_str(), target]);
    let mut action = Action::new(format!("write `{target}`"), Kind::Run(elevate(facts, step)));
    action.files = vec![(draft.to_owned(), text)];
    action
}

fn place_config(facts: &Facts, folders: &Folders) -> Action {
    let draft = folders.engine.join("daemon.json");
    let mut action = place(facts, &draft, daemon::CONFIG.to_owned(), "/etc/docker/daemon.json");
    action.what.push_str(": several platforms under one image name");
    action
}

/// Starts the engine with systemd, or directly without systemd.
fn start(facts: &Facts, folders: &Folders, has_config: bool) -> Action {
    let question = elevate(facts, Step::new("docker", VERSION_QUERY));
    if facts.systemd {
        let start = elevate(facts, Step::new("systemctl", ["start", "docker"]))
            .hint("run `journalctl --unit docker --lines 20` for the reason");
        return Action::new("start the engine's service", Kind::Service { start, question });
    }
    let program = facts.programs.get("dockerd").map_or("dockerd", |path| path.as_str());
    let mut start = Step::new(program, [""; 0]);
    let mut files = Vec::new();
    // Never change the user's own settings or hide images in the classic store.
    if !facts.daemon_json && !has_config && !facts.classic_store {
        let config = folders.engine.join("daemon.json");
        start = start.arg(format!("--config-file={config}"));
        files.push((config, daemon::CONFIG.to_owned()));
    }
    // dockerd starts iptables and containerd by name, which a user's PATH may lack.
    let path = format!("{ADMIN_PATH}:/usr/local/bin:/usr/bin:/bin");
    // By default, BuildKit drops the output of a step after 2 MiB, and with it the error.
    let limits =
        [("BUILDKIT_STEP_LOG_MAX_SIZE", "67108864"), ("BUILDKIT_STEP_LOG_MAX_SPEED", "-1")];
    let start = limits.into_iter().fold(start, |start, (name, value)| start.env(name, value));
    let start = elevate(facts, start.env("PATH", path));
    let log = folders.engine.join("dockerd.log");
    let what = format!(
        "start the engine, with its log in `{log}` (without systemd, it does not start at boot)"
    );
    let mut action = Action::new(what, Kind::Daemon { start, question, log, limit: START_LIMIT });
    action.folders = vec![folders.engine.clone()];
    action.files = files;
    action
}

/// Returns true if the engine's bridge needs a fixed address. It has none now, or the engine starts without udev and
/// may create a bridge without one. The required program is only installed if the address is the only
/// problem, or together with the engine; a mere start needs no network.
fn needs_bridge_address(facts: &Facts, engine: &MissingParts) -> bool {
    if facts.engine_elsewhere().is_some() {
        return false;
    }
    let can_have = facts.has("ip") || (facts.apt.is_some() && !engine.packages.is_empty());
    let started = engine.start && !facts.systemd && can_have;
    started || (facts.bridge_address_changes && (can_have || facts.apt.is_some()))
}

/// Sets a fixed address for the engine's bridge; see [`Facts::bridge_address_changes`]. Only a
/// running engine shows the bridge and its address.
fn set_bridge_address(facts: &Facts) -> Action {
    let ip = facts.programs.get("ip").map_or("ip", |path| path.as_str());
    let script = format!(
        "test ! -e {BRIDGE} || grep -qx 3 {BRIDGE}/addr_assign_type || \
         {ip} link set dev docker0 address {BRIDGE_ADDRESS}"
    );
    let step = elevate(facts, Step::new("sh", ["-c", &script]));
    Action::new("set a fixed address for the engine's network", Kind::Run(step))
}

/// Registers the installed emulators with the kernel.
fn emulation(facts: &Facts, foreign: &[&'static Arch]) -> Vec<Action> {
    let lacking: Vec<_> = foreign.iter().filter(|arch| !facts.runs(arch.name)).collect();
    let mut actions = Vec::new();
    if !lacking.is_empty() && !facts.binfmt.mounted {
        let step = Step::new("mount", ["-t", "binfmt_misc", "binfmt_misc", MOUNT]);
        actions.push(Action::new(format!("mount `{MOUNT}`"), Kind::Run(elevate(facts, step))));
    }
    // If systemd or binfmt-support runs, the package registered them during installation.
    for arch in lacking {
        let known = format!("{MOUNT}/qemu-{}", arch.qemu);
        let script = format!("test -e {known} || cat {} > {MOUNT}/register", arch.registration());
        let step = elevate(facts, Step::new("sh", ["-c", &script]));
        let what = format!("register the emulator for linux/{}", arch.name);
        actions.push(Action::new(what, Kind::Run(step)));
    }
    actions
}

/// `step` as root. The public part of its environment goes onto sudo's command line, because sudo clears
/// the rest.
fn elevate(facts: &Facts, step: Step) -> Step {
    if !matches!(facts.access, Access::Sudo | Access::SudoWithPassword) {
        return step;
    }
    let mut args = vec!["-n".to_owned()];
    let plain = |(name, value): (&String, &EnvValue)| match value {
        EnvValue::Plain(value) => Some(format!("{name}={value}")),
        EnvValue::Secret { .. } => None,
    };
    let env: Vec<_> = step.env.iter().filter_map(plain).collect();
    if !env.is_empty() {
        args.push("env".to_owned());
        args.extend(env);
    }
    args.push(step.program.clone());
    args.extend(step.args.iter().cloned());
    Step { program: "sudo".to_owned(), args, env: std::collections::BTreeMap::new(), ..step }
}
