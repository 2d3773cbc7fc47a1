//! Finds the registered emulators, who registered them, and whether they work.

use serde::Serialize;

use super::OWN;
use super::formats::FORMATS;
use super::trial::{self, Trial};
use crate::engine::doctor::Machine;
use crate::engine::doctor::binfmt::{self, Arch, Handler, MOUNT};
use crate::exec::{Exec, Step};

/// Increased when a field of [`Status`] changes its meaning.
const SCHEMA_VERSION: u32 = 1;
/// The packages with emulators on systems with dpkg.
const PACKAGES: [&str; 3] = ["qemu-user-static", "qemu-user-binfmt", "qemu-user"];

/// The owner of an emulator whose program is not in this machine's file system.
const BY_IMAGE: &str = "a container image";

/// The emulation of a machine.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Status {
    schema_version: u32,
    /// The machine's architecture, as container platforms name it.
    pub machine: &'static str,
    /// True if the kernel's list of emulators is mounted.
    pub mounted: bool,
    /// True if emulation is enabled.
    pub enabled: bool,
    /// One row for each requested architecture.
    pub architectures: Vec<Row>,
}

/// One architecture.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// Its name in container platforms.
    pub arch: &'static str,
    /// Its state.
    pub state: State,
    /// Why it does not work.
    pub why: Option<String>,
    /// The emulators registered for it.
    pub emulators: Vec<Emulator>,
    #[serde(skip)]
    pub(super) known: &'static Arch,
}

/// A registered emulator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Emulator {
    /// The registration's name.
    pub name: String,
    /// Its owner.
    pub by: String,
    /// Its program.
    pub interpreter: String,
    /// True if it is enabled.
    pub enabled: bool,
    /// True if containers see it (flag `F`).
    pub in_containers: bool,
}

impl Emulator {
    /// Returns whether `cargo xtask binfmt` registered it.
    pub(crate) fn is_own(&self) -> bool {
        self.name.starts_with(OWN)
    }

    /// The command that removes the image's registrations, if there are any.
    pub(crate) fn image_removal(&self) -> Option<String> {
        let command = || {
            let image = FORMATS.reference();
            let args = ["run", "--privileged", "--rm", &image, "--uninstall"];
            Step::new("docker", args).arg(self.name.as_str()).to_string()
        };
        (self.by == BY_IMAGE).then(command)
    }
}

/// The state of an architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// The kernel runs its programs natively.
    Native,
    /// Emulated, also in containers; a test program ran.
    Emulated,
    /// Emulated, but the emulator is not visible in containers.
    HostOnly,
    /// An emulator is registered, but programs do not run.
    Broken,
    /// Nothing is registered.
    Absent,
}

impl State {
    /// The word in tables and JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Emulated => "emulated",
            Self::HostOnly => "host-only",
            Self::Broken => "broken",
            Self::Absent => "absent",
        }
    }

    /// Returns whether containers of the architecture run.
    pub(crate) fn is_good(self) -> bool {
        matches!(self, Self::Native | Self::Emulated)
    }
}

/// Examines `machine` and runs one small program for each architecture.
///
/// # Errors
/// If xtask was interrupted, or the program cannot be written.
pub(crate) fn examine(
    exec: &Exec,
    machine: &Machine,
    arches: &[&'static Arch],
) -> anyhow::Result<Status> {
    let known = binfmt::handlers(machine);
    let text = fs_err::read_to_string(machine.at(&format!("{MOUNT}/status"))).ok();
    let own = machine.platform_arch();
    let row = |arch: &&'static Arch| {
        let handlers: Vec<_> =
            known.iter().filter(|(of, _)| of == arch).map(|(_, handler)| handler).collect();
        let trial = trial::run(exec, arch.name)?;
        let (state, why) = evaluate(arch.name == own, &handlers, trial);
        let emulators = handlers.into_iter().map(|handler| emulator(machine, handler)).collect();
        anyhow::Ok(Row { arch: arch.name, state, why, emulators, known: arch })
    };
    Ok(Status {
        schema_version: SCHEMA_VERSION,
        machine: own,
        mounted: text.is_some(),
        enabled: text.is_some_and(|text| text.trim() == "enabled"),
        architectures: arches.iter().map(row).collect::<Result<_, _>>()?,
    })
}

fn evaluate(is_own: bool, handlers: &[&Handler], trial: Trial) -> (State, Option<String>) {
    let in_containers = handlers.iter().any(|handler| handler.works());
    match trial {
        Trial::Ran if is_own || handlers.iter().all(|handler| !handler.enabled) => {
            (State::Native, None)
        }
        Trial::Ran if in_containers => (State::Emulated, None),
        Trial::Ran => {
            let why = "registered without flag `F`, so not visible in containers";
            (State::HostOnly, Some(why.to_owned()))
        }
        Trial::Failed(_) if handlers.is_empty() && !is_own => (State::Absent, None),
        Trial::Failed(_) if !handlers.is_empty() && handlers.iter().all(|one| !one.enabled) => {
            (State::Broken, Some("registered, but disabled".to_owned()))
        }
        Trial::Failed(why) => (State::Broken, Some(why)),
    }
}

fn emulator(machine: &Machine, handler: &Handler) -> Emulator {
    Emulator {
        name: handler.name.clone(),
        by: owner(machine, handler),
        interpreter: handler.interpreter.clone(),
        enabled: handler.enabled,
        in_containers: handler.fixed,
    }
}

/// Owner of the emulator, determined by its name, by the package of its program, or by the absence of the
/// program in this machine's file system.
fn owner(machine: &Machine, handler: &Handler) -> String {
    if handler.name.starts_with(OWN) {
        return "cargo xtask binfmt".to_owned();
    }
    let contains = |package: &&&str| {
        let list = machine.at(&format!("/var/lib/dpkg/info/{package}.list"));
        let text = fs_err::read_to_string(list).unwrap_or_default();
        text.lines().any(|line| line == handler.interpreter)
    };
    match PACKAGES.iter().find(contains) {
        Some(package) => format!("package {package}"),
        None if machine.has(&handler.interpreter) => "another program".to_owned(),
        None => BY_IMAGE.to_owned(),
    }
}
