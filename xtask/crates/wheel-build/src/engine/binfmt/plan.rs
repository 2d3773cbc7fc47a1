//! Plans to register or remove emulators.

use std::collections::BTreeSet;
use wheel_audit::UserError;

use super::formats::FORMATS;
use super::status::{Row, State, Status};
use super::{InstallMethod, OWN};
use crate::engine::doctor::Machine;
use crate::engine::doctor::binfmt::{Arch, MOUNT};
use crate::engine::doctor::docker::EngineState;
use crate::engine::doctor::facts::{Access, Facts};
use crate::engine::setup::{Folders, SetupPlan};
use crate::exec::{Exec, Step, quote};

/// The package of statically linked emulators.
const PACKAGE: &str = "qemu-user-static";

/// Plans the missing steps until containers of each architecture in `status` run.
///
/// # Errors
/// If the kernel, the user's rights or the engine do not allow it.
pub(crate) fn install(
    exec: &Exec,
    machine: &Machine,
    facts: &Facts,
    status: &Status,
    method: InstallMethod,
) -> anyhow::Result<SetupPlan> {
    let lacking: Vec<_> = status.architectures.iter().filter(|row| !row.state.is_good()).collect();
    if lacking.is_empty() {
        return Ok(SetupPlan::default());
    }
    if let Some(row) = lacking.iter().find(|row| row.arch == status.machine) {
        let what = format!("programs of this machine's own architecture, {}, do not run", row.arch);
        return Err(refused(what, row.why.clone().unwrap_or_default()));
    }
    if !has_kernel_support(machine) {
        let what = "this kernel has no `binfmt_misc`, which emulation requires";
        let hint =
            "use a kernel built with CONFIG_BINFMT_MISC; a container uses the kernel of its host";
        return Err(refused(what.to_owned(), hint.to_owned()));
    }
    match chosen(machine, facts, &lacking, method) {
        InstallMethod::Image => by_image(exec, facts, &lacking),
        _ => by_package(machine, facts, &lacking),
    }
}

fn refused(what: String, hint: String) -> anyhow::Error {
    UserError::new(what).hint(hint).into()
}

/// Returns whether the kernel has `binfmt_misc`, built in or as a loadable module.
fn has_kernel_support(machine: &Machine) -> bool {
    let read = |path: &str| fs_err::read_to_string(machine.at(path)).unwrap_or_default();
    if machine.has(MOUNT) || read("/proc/filesystems").contains("binfmt_misc") {
        return true;
    }
    let release = read("/proc/sys/kernel/osrelease");
    read(&format!("/lib/modules/{}/modules.dep", release.trim())).contains("/binfmt_misc.ko")
}

fn program(arch: &Arch) -> String {
    format!("/usr/bin/qemu-{}-static", arch.qemu)
}

/// The requested method, or the first that this user can use.
fn chosen(
    machine: &Machine,
    facts: &Facts,
    lacking: &[&Row],
    method: InstallMethod,
) -> InstallMethod {
    if method != InstallMethod::Auto {
        return method;
    }
    let there = lacking.iter().all(|row| machine.has(&program(row.known)));
    let root = matches!(facts.access, Access::Root | Access::Sudo);
    let engine = matches!(facts.engine, EngineState::Answers(_));
    if (root && (there || facts.apt.is_some())) || !engine || facts.engine_elsewhere().is_some() {
        InstallMethod::Package
    } else {
        InstallMethod::Image
    }
}

/// Uses the engine: a privileged container registers the emulators that it contains.
fn by_image(exec: &Exec, facts: &Facts, lacking: &[&Row]) -> anyhow::Result<SetupPlan> {
    match &facts.engine {
        EngineState::Answers(_) => {}
        EngineState::Denied => {
            let hint = "run `sudo usermod -aG docker \"$USER\"`, then log in again";
            let what = "this user has no access to the engine";
            return Err(refused(what.to_owned(), hint.to_owned()));
        }
        EngineState::Silent(_) | EngineState::NoClient => {
            let hint = "run `cargo xtask setup` to start one, or use `cargo xtask binfmt install --method package`, \
                        which requires none";
            return Err(refused("no engine answers".to_owned(), hint.to_owned()));
        }
    }
    let question = Step::new("docker", ["info", "--format", "{{json .SecurityOptions}}"]);
    if exec.read(&question)?.contains("name=rootless") {
        let what = "the engine is rootless: its containers may not register emulators";
        return Err(refused(
            what.to_owned(),
            "use `cargo xtask binfmt install --method package`, as root, which needs no engine"
                .to_owned(),
        ));
    }
    let names = lacking.iter().map(|row| row.arch).collect::<Vec<_>>().join(",");
    let image = FORMATS.reference();
    let args = ["run", "--privileged", "--rm", &image, "--install", &names];
    let step = Step::new("docker", args)
        .hint("if no registry answers, `cargo xtask binfmt install --method package` uses the distribution's emulators");
    let mut plan = SetupPlan::default();
    plan.user_runs(
        format!("register emulators for {names} with the image `{}`", FORMATS.image),
        step,
    );
    Ok(plan)
}

/// Registers the distribution's emulators.
fn by_package(machine: &Machine, facts: &Facts, lacking: &[&Row]) -> anyhow::Result<SetupPlan> {
    let mut plan = SetupPlan::as_root(facts);
    if lacking.iter().any(|row| !machine.has(&program(row.known))) {
        plan.install(facts, &BTreeSet::from([PACKAGE]), &Folders::of(&machine.workspace))?;
    }
    if !machine.has(MOUNT) {
        let step = Step::new("modprobe", ["binfmt_misc"])
            .hint("in a container, run `modprobe binfmt_misc` on the host");
        plan.root_runs(facts, "load the kernel's module `binfmt_misc`".to_owned(), step);
    }
    let mount = machine.at(MOUNT);
    if !facts.binfmt.mounted {
        let step = Step::new("mount", ["-t", "binfmt_misc", "binfmt_misc", mount.as_str()])
            .hint("if this is a container, start it with `docker run --privileged`");
        plan.root_runs(facts, format!("mount `{mount}`"), step);
    }
    for row in lacking {
        let arch = row.known;
        let name = format!("{OWN}{}", arch.qemu);
        if row.emulators.iter().any(|one| one.name == name) {
            remove(machine, facts, &name, &mut plan);
        }
        let Some(line) = FORMATS.line(arch, &name, &program(arch)) else { continue };
        let write =
            format!("printf %s {} > {}", quote(&line), quote(mount.join("register").as_str()));
        // If systemd runs, the package registers its own emulators during installation.
        let others = mount.join(format!("qemu-{}", arch.qemu));
        let script = if row.state == State::Absent {
            format!("test -e {} || {write}", quote(others.as_str()))
        } else {
            write
        };
        let step = Step::new("sh", ["-c", &script])
            .hint("run the command as root on the host: the kernel rejects it from a container");
        plan.root_runs(facts, format!("register the emulator for {} as `{name}`", row.arch), step);
    }
    Ok(plan)
}

/// Plans the removal of our emulators for the architectures of `status`. The emulators of others, the package and
/// the mount stay.
pub(crate) fn uninstall(machine: &Machine, facts: &Facts, status: &Status) -> SetupPlan {
    let mut plan = SetupPlan::as_root(facts);
    let all = status.architectures.iter().flat_map(|row| &row.emulators);
    for emulator in all.filter(|emulator| emulator.is_own()) {
        remove(machine, facts, &emulator.name, &mut plan);
    }
    plan
}

fn remove(machine: &Machine, facts: &Facts, name: &str, plan: &mut SetupPlan) {
    let entry = machine.at(MOUNT).join(name);
    let script = format!("printf %s -1 > {}", quote(entry.as_str()));
    plan.root_runs(facts, format!("remove `{name}`"), Step::new("sh", ["-c", &script]));
}
