//! From what a machine has and what is wanted to the actions between them: pure.

use anyhow::bail;
use std::collections::BTreeSet;
use wheel_audit::UserError;

use camino::Utf8Path;

use super::apt::{self, Borrowed, Folder};
use super::{Action, Folders, Kind, START_LIMIT, SetupPlan, Wants, daemon, sources};
use crate::config::{Bootstrap, BootstrapTool};
use crate::engine::doctor::binfmt::{Arch, MOUNT};
use crate::engine::doctor::docker::{EngineState, OLDEST_BUILDX, OLDEST_ENGINE};
use crate::engine::doctor::facts::{Access, BRIDGE, Buildx, Facts, UBUNTU_KEYRING};
use crate::engine::doctor::items::{ENGINE_DOCS, buildx_cure, too_old};
use crate::engine::doctor::machine::ADMIN_PATH;
use crate::exec::{EnvValue, Step};

/// The client's question that only an engine can answer. Not `info`: docker 26 ends it with
/// status 0 when there is no engine.
const QUESTION: [&str; 3] = ["version", "--format", "{{.Server.Version}}"];

/// The hardware address that the engine's bridge keeps: the locally administered one that docker
/// itself once derived from its first network's gateway, 172.17.0.1.
const BRIDGE_ADDRESS: &str = "02:42:ac:11:00:01";

/// What is to be done on the machine that `facts` describe until it has what `wants` asks for.
///
/// # Errors
/// Where that cannot be done, or is not ours to do.
pub(crate) fn plan(facts: &Facts, wants: &Wants, folders: &Folders) -> anyhow::Result<SetupPlan> {
    let engine = if wants.engine { lacks(facts)? } else { Lacks::default() };
    let foreign = foreign(facts, wants)?;
    let mut packages: BTreeSet<&'static str> = engine.packages.clone();
    if wants.bootstrap && !facts.has("mmdebstrap") {
        packages.insert("mmdebstrap");
    }
    if wants.pip && !facts.has("pip3") {
        packages.insert("python3-pip");
    }
    if wants.bootstrap {
        packages.extend(wants.bootstraps.iter().flat_map(|bootstrap| beside(facts, bootstrap)));
    }
    for arch in &foreign {
        if !facts.binfmt.installed.contains(arch.name) && !facts.runs(arch.name) {
            packages.insert("qemu-user-static");
        }
        // mmdebstrap asks it whether the kernel can run a foreign program.
        if !facts.has("arch-test") {
            packages.insert("arch-test");
        }
    }
    let steady = wants.engine && steadies_bridge(facts, &engine);
    if steady && !facts.has("ip") {
        packages.insert("iproute2");
    }
    let mut plan = SetupPlan::default();
    let fresh = packages.contains("docker.io") && !facts.daemon_json && !facts.classic_store;
    if !packages.is_empty() {
        let config = fresh.then(|| place_config(facts, folders));
        plan.actions.extend(installation(facts, &packages, folders, config)?);
    }
    if wants.permanent && packages.iter().any(|name| is_borrowed(name)) {
        plan.actions.extend(make_permanent(facts, folders));
    }
    if engine.start {
        plan.actions.push(start(facts, folders, fresh));
    }
    if steady {
        plan.actions.push(steady_bridge(facts));
    }
    plan.actions.extend(emulation(facts, &foreign));
    plan.denied = denied(facts);
    Ok(plan)
}

/// The package with the keys of Ubuntu's archive.
const KEYRING: &str = "ubuntu-keyring";

/// What `bootstrap` takes that is missing here and that this distribution has or borrows.
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

/// The keys that the base images of `wants` are checked against, that this machine does not have, and that no
/// package known here brings.
pub(crate) fn missing_keys(wants: &Wants, has: impl Fn(&str) -> bool) -> Vec<String> {
    let bootstraps = wants.bootstraps.iter().filter(|_| wants.bootstrap);
    let keys: BTreeSet<_> = bootstraps.filter_map(|how| how.keyring.as_ref()).collect();
    let missing = keys.into_iter().filter(|key| *key != UBUNTU_KEYRING && !has(key.as_str()));
    missing.map(|key| format!("`{key}`")).collect()
}

fn denied(facts: &Facts) -> Option<(&'static str, &'static str)> {
    match facts.access {
        Access::Root | Access::Sudo => None,
        Access::SudoAsks => {
            Some(("`sudo` asks for a password", "`sudo -v` first, then the same command again"))
        }
        Access::None => Some(("neither root nor `sudo`", "ask who looks after this machine")),
    }
}

impl SetupPlan {
    /// A plan of single commands that only root may run.
    pub(crate) fn as_root(facts: &Facts) -> Self {
        Self { denied: denied(facts), ..Self::default() }
    }

    /// Adds the installation of `packages`, where there are any.
    ///
    /// # Errors
    /// Where there is no apt, or no source for it.
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

    /// Adds a command that root runs.
    pub(crate) fn root_runs(&mut self, facts: &Facts, what: String, step: Step) {
        self.actions.push(Action::new(what, Kind::Run(elevate(facts, step))));
    }

    /// Adds a command that this user runs.
    pub(crate) fn user_runs(&mut self, what: String, step: Step) {
        self.actions.push(Action::new(what, Kind::Run(step)));
    }
}

/// What is missing of client, engine and buildx.
#[derive(Debug, Default)]
struct Lacks {
    packages: BTreeSet<&'static str>,
    start: bool,
}

fn lacks(facts: &Facts) -> anyhow::Result<Lacks> {
    let mut lacks = Lacks::default();
    let not_ours = |what: String, hint: String| Err(UserError::new(what).hint(hint).into());
    match &facts.engine {
        EngineState::Answers(server) if server.is_new_enough() => {}
        EngineState::Answers(server) => {
            let hint = format!("`setup` replaces no engine that is in use: {ENGINE_DOCS}");
            return not_ours(format!("the engine is too old: {}", too_old(server)), hint);
        }
        EngineState::Denied => {
            let hint = "`sudo usermod -aG docker \"$USER\"` lets it, from the next login on; \
                        whoever may talk to the engine can become root";
            return not_ours("this user may not talk to the engine".to_owned(), hint.to_owned());
        }
        EngineState::Silent(reason) => {
            if let Some(place) = facts.engine_elsewhere() {
                let hint = "`unset DOCKER_HOST` and `docker context use default` choose this machine's own";
                let what = format!("{place} names an engine that does not answer: {reason}");
                return not_ours(what, hint.to_owned());
            }
            lacks.start = true;
        }
        EngineState::Unasked => lacks.start = true,
    }
    if facts.client.as_ref().is_some_and(|client| client.podman) {
        let hint =
            format!("remove `podman-docker`, then run the same command again, or {ENGINE_DOCS}");
        return not_ours("`docker` is podman's stand-in, without buildx".to_owned(), hint);
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
                format!("buildx is too old: {version} found, {OLDEST_BUILDX} or later needed");
            return not_ours(what, format!("`{}`", buildx_cure(facts)));
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
        let what = "the engine's packages are its makers' own and not the distribution's";
        return not_ours(what.to_owned(), format!("`sudo apt-get install {names}`"));
    }
    Ok(lacks)
}

/// The architectures asked for that do not run here yet.
fn foreign(facts: &Facts, wants: &Wants) -> anyhow::Result<Vec<&'static Arch>> {
    let lacking = wants.emulators.iter().filter(|arch| !facts.is_native(arch));
    let find = |name: &String| {
        Arch::find(name).ok_or_else(|| {
            let known = Arch::names().collect::<Vec<_>>().join(", ");
            UserError::new(format!("no emulator for `{name}` is known"))
                .hint(format!("known are {known}"))
                .into()
        })
    };
    lacking.map(find).collect()
}

/// Whether a package belongs to the engine.
fn is_engine(package: &str) -> bool {
    package.starts_with("docker")
}

/// Whether a package comes from the borrowed release where the machine has one.
fn is_borrowed(package: &str) -> bool {
    is_engine(package) || package == KEYRING
}

/// The actions that install `packages`; `config` is what a new engine is to find when it comes,
/// because some systems start it on installation. Nothing is changed before apt has said what it
/// would do.
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
                "`setup` installs with apt, and {system} has none; missing:\n{parts}"
            ))
            .hint("install them, then `cargo xtask doctor` says whether they are found")
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
        format!(" and of `{}` for what `{}` lacks", release.from, release.codename)
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
        "ask apt what the installation would change, and stop if that is not harmless",
        simulate,
    );
    let install = elevate(facts, folder.install(&names));
    let install = Action::new(format!("install {list}"), Kind::Apt(install));
    Ok([update, forecast].into_iter().chain(config).chain([install]).collect())
}

/// Whether this is a Debian on which not even a borrowed engine runs (it needs glibc 2.34).
fn is_too_old(facts: &Facts) -> bool {
    facts.os.id == "debian" && facts.os.version.parse::<u32>().is_ok_and(|version| version < 12)
}

/// The packages under the names that apt takes.
fn names(
    facts: &Facts,
    packages: &BTreeSet<&'static str>,
    borrowed: Option<Borrowed>,
) -> Vec<String> {
    // Debian has split the client off; Ubuntu's engine package holds it.
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

/// Where a part comes from on systems without apt.
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

/// The actions after which the machine's own apt knows the borrowed release, for its updates.
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

/// Puts a file of `text` where only root may write.
fn place(facts: &Facts, draft: &Utf8Path, text: String, target: &str) -> Action {
    let step = Step::new("install", ["-D", "--mode=0644", draft.as_str(), target]);
    let mut action = Action::new(format!("write `{target}`"), Kind::Run(elevate(facts, step)));
    action.files = vec![(draft.to_owned(), text)];
    action
}

fn place_config(facts: &Facts, folders: &Folders) -> Action {
    let draft = folders.engine.join("daemon.json");
    let mut action = place(facts, &draft, daemon::CONFIG.to_owned(), "/etc/docker/daemon.json");
    action.what.push_str(": images of every platform side by side");
    action
}

/// Starts the engine: as the system does it, or by hand where no system does.
fn start(facts: &Facts, folders: &Folders, has_config: bool) -> Action {
    let question = elevate(facts, Step::new("docker", QUESTION));
    if facts.systemd {
        let start = elevate(facts, Step::new("systemctl", ["start", "docker"]))
            .hint("`journalctl --unit docker --lines 20` shows why");
        return Action::new("start the engine's service", Kind::Service { start, question });
    }
    let program = facts.programs.get("dockerd").map_or("dockerd", |path| path.as_str());
    let mut start = Step::new(program, [""; 0]);
    let mut files = Vec::new();
    // Settings of the user's own are respected entirely, and so are images in the classic store.
    if !facts.daemon_json && !has_config && !facts.classic_store {
        let config = folders.engine.join("daemon.json");
        start = start.arg(format!("--config-file={config}"));
        files.push((config, daemon::CONFIG.to_owned()));
    }
    // It starts iptables and containerd by name, which a user's PATH need not reach.
    let path = format!("{ADMIN_PATH}:/usr/local/bin:/usr/bin:/bin");
    let start = elevate(facts, start.env("PATH", path));
    let log = folders.engine.join("dockerd.log");
    let what = format!("start the engine, its log in `{log}` (no systemd here: not again at boot)");
    let mut action = Action::new(what, Kind::Daemon { start, question, log, limit: START_LIMIT });
    action.folders = vec![folders.engine.clone()];
    action.files = files;
    action
}

/// Whether the engine's bridge is to get an address of its own: it has none now, or belongs to an
/// engine that is started where no udev looks after it and may yet get a bridge without. The
/// program for it is fetched where it is all that is amiss, or where the engine is fetched too; a
/// start alone needs no network.
fn steadies_bridge(facts: &Facts, engine: &Lacks) -> bool {
    if facts.engine_elsewhere().is_some() {
        return false;
    }
    let can_have = facts.has("ip") || (facts.apt.is_some() && !engine.packages.is_empty());
    let started = engine.start && !facts.systemd && can_have;
    started || (facts.bridge_wanders && (can_have || facts.apt.is_some()))
}

/// Gives the engine's bridge an address of its own ([`Facts::bridge_wanders`] says why). Whether
/// there will be such a bridge, and what it has, is known only once the engine runs.
fn steady_bridge(facts: &Facts) -> Action {
    let ip = facts.programs.get("ip").map_or("ip", |path| path.as_str());
    let script = format!(
        "test ! -e {BRIDGE} || grep -qx 3 {BRIDGE}/addr_assign_type || \
         {ip} link set dev docker0 address {BRIDGE_ADDRESS}"
    );
    let step = elevate(facts, Step::new("sh", ["-c", &script]));
    Action::new("give the engine's network an address that stays", Kind::Run(step))
}

/// Tells the kernel about the emulators that the packages brought.
fn emulation(facts: &Facts, foreign: &[&'static Arch]) -> Vec<Action> {
    let lacking: Vec<_> = foreign.iter().filter(|arch| !facts.runs(arch.name)).collect();
    let mut actions = Vec::new();
    if !lacking.is_empty() && !facts.binfmt.mounted {
        let step = Step::new("mount", ["-t", "binfmt_misc", "binfmt_misc", MOUNT]);
        actions.push(Action::new(format!("mount `{MOUNT}`"), Kind::Run(elevate(facts, step))));
    }
    // Where systemd or binfmt-support runs, the package has registered them on installation.
    for arch in lacking {
        let known = format!("{MOUNT}/qemu-{}", arch.qemu);
        let script = format!("test -e {known} || cat {} > {MOUNT}/register", arch.registration());
        let step = elevate(facts, Step::new("sh", ["-c", &script]));
        let what = format!("register the emulator for linux/{}", arch.name);
        actions.push(Action::new(what, Kind::Run(step)));
    }
    actions
}

/// `step` as root runs it. What may be shown of its environment goes onto sudo's command line,
/// because sudo clears the rest.
fn elevate(facts: &Facts, step: Step) -> Step {
    if !matches!(facts.access, Access::Sudo | Access::SudoAsks) {
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
