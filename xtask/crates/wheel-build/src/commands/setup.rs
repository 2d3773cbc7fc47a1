//! `cargo xtask setup`, and the same for `--setup` of other commands.

use std::collections::BTreeSet;
use std::process::ExitCode;
use wheel_audit::UserError;

use anyhow::bail;
use camino::Utf8Path;

use super::{Workspace, native_platform};
use crate::config::{Bootstrap, ConfigFile, Platform, find_target};
use crate::engine::doctor::facts::Reach;
use crate::engine::doctor::{self, Diagnosis, Item, Machine};
use crate::engine::setup::{self, Event, Folders, SetupPlan, Wants};
use crate::engine::{Engine, EngineError, bootstrap};
use crate::exec::{Exec, ExecError, Step, interrupt};
use wheel_audit::report;

/// Arguments of `cargo xtask setup`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SetupArgs {
    /// What targets need to be built here; all of wheels.toml where absent
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Print the exact commands and run none
    #[arg(long)]
    pub dry_run: bool,
    /// Also set up emulation for this architecture, e.g. arm64 (may be given more than once)
    #[arg(long, value_name = "ARCH")]
    pub emulate: Vec<String>,
    /// Let `/etc/apt` know the release that a newer engine is borrowed from, for its updates
    #[arg(long)]
    pub permanent: bool,
    /// Print what the machine has afterwards as JSON
    #[arg(long)]
    pub json: bool,
}

/// Gives this machine what it lacks for the targets.
///
/// # Errors
/// When a target is unknown, or something cannot be installed or started.
pub(crate) fn run(args: &SetupArgs, exec: &Exec, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::of(file)?;
    let config = workspace.config()?;
    let named = args.targets.iter().map(|word| find_target(&config, word));
    let mut targets = named.collect::<Result<Vec<_>, _>>()?;
    if targets.is_empty() {
        targets.clone_from(&config.targets);
    }
    let image = targets.first().map_or("debian:12", |target| target.image.as_str());
    let bootstraps = targets.iter().filter_map(|target| target.bootstrap.clone()).collect();
    let emulators = args.emulate.iter().cloned().collect();
    let permanent = args.permanent;
    let asked = Asked { emulators, bootstrap: true, bootstraps, permanent };
    let after = ensure(exec, &workspace.root, image, &asked, args.dry_run)?;
    if args.json {
        report::json(&after)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is asked of a machine, before it was looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// Architectures whose programs have to run.
    pub emulators: BTreeSet<String>,
    /// Whether base images may have to be made from packages, where no registry answers.
    pub bootstrap: bool,
    /// How those of the targets asked for are.
    pub bootstraps: Vec<Bootstrap>,
    /// Whether `/etc/apt` may learn the borrowed release.
    pub permanent: bool,
}

/// Looks at this machine and gives it what it lacks of what is asked, after saying what it will do;
/// with `dry_run` it prints the commands instead. Returns what the machine has in the end.
///
/// # Errors
/// When something cannot be installed or started, or is still missing afterwards.
pub(crate) fn ensure(
    exec: &Exec,
    workspace: &Utf8Path,
    image: &str,
    asked: &Asked,
    dry_run: bool,
) -> anyhow::Result<Diagnosis> {
    let machine = Machine::this(workspace);
    let before = doctor::examine(exec, &machine, image);
    let wants = Wants {
        engine: true,
        // Before there is a client nobody can ask the registry, and a second round costs more
        // than the small package.
        bootstrap: asked.bootstrap && before.facts.registry != Reach::Yes,
        bootstraps: asked.bootstraps.clone(),
        emulators: asked.emulators.clone(),
        permanent: asked.permanent,
        pip: false,
    };
    provision(exec, &machine, image, before, &wants, dry_run)
}

/// Installs pip for the machine's own Python where it is missing.
///
/// # Errors
/// When it cannot be installed.
pub fn ensure_pip(exec: &Exec, workspace: &Workspace) -> anyhow::Result<()> {
    let machine = Machine::this(&workspace.root);
    // Any image shows whether a registry answers.
    let image = "debian:12";
    let before = doctor::examine(exec, &machine, image);
    let wants = Wants { pip: true, ..Wants::default() };
    provision(exec, &machine, image, before, &wants, false).map(|_| ())
}

fn provision(
    exec: &Exec,
    machine: &Machine,
    image: &str,
    before: Diagnosis,
    wants: &Wants,
    dry_run: bool,
) -> anyhow::Result<Diagnosis> {
    if !machine.is_linux() {
        return by_hand(machine.system, before, wants);
    }
    let plan = setup::plan(&before.facts, wants, &Folders::of(&machine.workspace))?;
    let keys = setup::missing_keys(wants, |path| machine.has(path));
    if !keys.is_empty() {
        report::warning(
            &UserError::new(format!(
                "no package here brings {}, so no base image can be made from packages that it signs",
                keys.join(", ")
            ))
            .hint(
                "the distribution publishes its key; `keyring` in wheels.toml says where it lies here",
            ),
        );
    }
    if plan.is_empty() {
        let after = complete(before, wants)?;
        let all = if keys.is_empty() { "what it needs" } else { "the rest of what it needs" };
        report::note(&format!("nothing to set up: this machine has {all}"));
        return Ok(after);
    }
    if !carry_out(&plan, exec, "", dry_run)? {
        return Ok(before);
    }
    complete(doctor::examine(exec, machine, image), wants)
}

/// `before`, where a machine that is no Linux lacks nothing of what `wants` asks for.
fn by_hand(system: &str, before: Diagnosis, wants: &Wants) -> anyhow::Result<Diagnosis> {
    let missing = before.missing(wants);
    if missing.is_empty() && !wants.pip {
        report::note("nothing to set up: this machine has what it needs");
        return Ok(before);
    }
    let lines: Vec<_> =
        missing.iter().map(|item| format!("  {}: {}", item.name, item.detail)).collect();
    let message = format!("`cargo xtask setup` installs packages on Linux only, not on {system}");
    let message = if lines.is_empty() {
        message
    } else {
        format!("{message}; missing:\n{}", lines.join("\n"))
    };
    bail!(
        UserError::new(message)
            .hint("install and start Docker Desktop or colima, then run `cargo xtask doctor`")
    );
}

/// `after`, where it lacks nothing of what `wants` asks for.
fn complete(after: Diagnosis, wants: &Wants) -> anyhow::Result<Diagnosis> {
    let missing = after.missing(wants);
    if !missing.is_empty() {
        bail!("still missing after the set-up:\n{}", lines(&missing));
    }
    Ok(after)
}

/// Carries `plan` out after saying what it will do; with `dry_run` it prints the commands instead,
/// and `idle` where there is nothing to do. Returns whether anything was done.
///
/// # Errors
/// What stood in the way.
pub(crate) fn carry_out(
    plan: &SetupPlan,
    exec: &Exec,
    idle: &str,
    dry_run: bool,
) -> anyhow::Result<bool> {
    if plan.is_empty() {
        report::note(idle);
        return Ok(false);
    }
    if dry_run {
        // Our own files alone, so that the commands can be pasted.
        setup::draft(plan)?;
        report::data(&plan.script());
        return Ok(false);
    }
    announce(plan);
    setup::apply(plan, exec, &mut |event| tell(event))?;
    Ok(true)
}

fn announce(plan: &SetupPlan) {
    report::note("this will");
    for (index, line) in plan.describe().iter().enumerate() {
        report::note(&format!("  {}. {line}", index + 1));
    }
}

fn tell(event: &Event<'_>) {
    match event {
        Event::Started(action) => report::note(&format!("... {}", action.what)),
        Event::Forecast(forecast) => {
            let new = &forecast.new;
            report::note(&format!("    {} new packages: {}", new.len(), new.join(", ")));
            if !forecast.updated.is_empty() {
                let updated = forecast.updated.join(", ");
                report::note(&format!("    updated within this release: {updated}"));
            }
        }
        Event::Done(time) => {
            report::note(&format!("    done in {:.1} s", time.as_secs_f64()));
        }
    }
}

/// The platforms that the engine's builder runs; where there is no engine that is good enough, an
/// error that names each missing part with its cure.
///
/// # Errors
/// As said, or when xtask was interrupted.
pub(crate) fn engine_platforms(
    engine: &Engine,
    workspace: &Utf8Path,
    image: &str,
) -> anyhow::Result<Vec<Platform>> {
    let known = engine.platforms();
    if matches!(known, Err(EngineError::Exec(ExecError::Interrupted))) {
        bail!(ExecError::Interrupted);
    }
    // Another machine's engine is not mended from here: its own words have to do.
    let ours = engine.client.endpoint.is_none();
    if ours && (known.is_err() || !engine.is_new_enough()) {
        let diagnosis = doctor::examine(&engine.exec, &Machine::this(workspace), image);
        let missing = diagnosis.missing(&Wants { engine: true, ..Wants::default() });
        if !missing.is_empty() && !interrupt::asked() {
            bail!(
                UserError::new(format!("this machine cannot build yet:\n{}", lines(&missing)))
                    .hint("`cargo xtask setup` does all of it")
            );
        }
    }
    Ok(known?)
}

/// Why nothing here runs `platform`, and what to do about it.
pub(crate) fn nothing_runs(platform: &Platform) -> UserError {
    UserError::new(format!(
        "nothing here runs {platform}: no emulator is registered and the builder has no node of that \
         platform"
    ))
    .hint(format!("`cargo xtask binfmt install {}`", platform.engine_arch()))
}

/// Those of `platforms` that nothing here runs; and sees that the engine is there, before anything is
/// begun.
///
/// # Errors
/// As [`engine_platforms`].
pub(crate) fn unrunnable<'a>(
    engine: &Engine,
    workspace: &Utf8Path,
    image: &str,
    platforms: impl IntoIterator<Item = &'a Platform>,
) -> anyhow::Result<BTreeSet<Platform>> {
    let (known, native) = (engine_platforms(engine, workspace, image)?, native_platform());
    let runs = |platform: &&Platform| **platform == native || known.contains(platform);
    Ok(platforms.into_iter().filter(|platform| !runs(platform)).cloned().collect())
}

/// Sees that the engine is there and runs each of `platforms`.
///
/// # Errors
/// As [`engine_platforms`], and where there is a platform that nothing here runs.
pub(crate) fn require_platforms<'a>(
    engine: &Engine,
    workspace: &Utf8Path,
    image: &str,
    platforms: impl IntoIterator<Item = &'a Platform>,
) -> anyhow::Result<()> {
    if let Some(platform) = unrunnable(engine, workspace, image, platforms)?.first() {
        bail!(nothing_runs(platform));
    }
    Ok(())
}

/// One line per missing part, with the command that mends it.
pub(crate) fn lines(missing: &[Item]) -> String {
    let line = |item: &Item| {
        let cure = item.cure.as_ref().map_or_else(String::new, |cure| format!(" (`{cure}`)"));
        format!("  {}: {}{cure}", item.name, item.detail)
    };
    missing.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The step that reads the package lists of the archive which `target` is made from, as a build does; or why nothing
/// can be made from packages here.
///
/// # Errors
/// When the target is unknown.
pub fn archive_lists(workspace: &Workspace, target: &str) -> anyhow::Result<Result<Step, String>> {
    let config = workspace.config()?;
    let Some(packages) = &find_target(&config, target)?.bootstrap else {
        return Ok(Err(format!("`{target}` has no key `bootstrap` in wheels.toml")));
    };
    let missing = packages.keyring.as_ref().filter(|path| !path.exists());
    Ok(match missing {
        Some(keyring) => {
            Err(format!("`{keyring}` is not installed; `cargo xtask setup` installs it"))
        }
        None => Ok(bootstrap::lists_step(packages)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::engine::doctor::fixture;

    #[test]
    fn nothing_is_installed_on_another_system_than_linux() {
        let wants = Wants { engine: true, ..Wants::default() };
        let set_up = |exec: &Exec, system: &'static str| {
            let mut there = fixture::debian_12().programs(&["/usr/bin/docker"]);
            there.machine.system = system;
            let before = doctor::examine(exec, &there.machine, fixture::IMAGE);
            provision(exec, &there.machine, fixture::IMAGE, before, &wants, true)
        };
        let error = set_up(&fixture::no_engine(), "macos").unwrap_err();
        assert!(error.to_string().contains("macos") && error.to_string().contains("  engine: "));
        assert!(UserError::hint_of(error.as_ref()).unwrap().contains("colima"));
        // With Docker Desktop, `--setup` has nothing to do there.
        set_up(&fixture::fine(), "macos").unwrap();
    }
}
