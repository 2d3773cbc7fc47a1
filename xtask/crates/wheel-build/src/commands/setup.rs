//! `cargo xtask setup`, and `--setup` of other commands.

use std::collections::BTreeSet;
use std::process::ExitCode;
use wheel_audit::UserError;

use anyhow::bail;
use camino::Utf8Path;

use super::{Workspace, native_platform};
use crate::config::{Bootstrap, ConfigFile, Platform, find_target};
use crate::engine::doctor::reach::Reach;
use crate::engine::doctor::{self, Diagnosis, Item, Machine};
use crate::engine::setup::{self, Event, Folders, SetupOptions, SetupPlan};
use crate::engine::{Engine, EngineError, bootstrap};
use crate::exec::{Exec, ExecError, Step, interrupt};
use wheel_audit::report;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SetupArgs {
    /// Targets to prepare this machine for [default: all of wheels.toml]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Print the exact commands without running them
    #[arg(long)]
    pub dry_run: bool,
    /// Also set up emulation for this architecture, e.g. arm64 (repeatable)
    #[arg(long, value_name = "ARCH")]
    pub emulate: Vec<String>,
    /// Add the apt source of a newer engine to `/etc/apt`, so that the engine receives updates
    #[arg(long)]
    pub permanent: bool,
    /// Print the resulting state of the machine as JSON
    #[arg(long)]
    pub json: bool,
}

/// Installs and starts what this machine lacks for the targets.
///
/// # Errors
/// If a target is unknown, or something cannot be installed or started.
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
    let needs = SetupNeeds { emulators, bootstrap: true, bootstraps, permanent };
    let after = ensure(exec, &workspace.root, image, &needs, args.dry_run)?;
    if args.json {
        report::json(&after)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Requirements of a run that do not depend on the machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct SetupNeeds {
    /// Architectures whose programs must run.
    pub emulators: BTreeSet<String>,
    /// The run may make base images from packages if no registry answers.
    pub bootstrap: bool,
    /// How to make the base images of the requested targets.
    pub bootstraps: Vec<Bootstrap>,
    /// `setup` may add the release that provides a newer engine to `/etc/apt`.
    pub permanent: bool,
}

/// Installs what this machine lacks of `needs`, after announcing it. With `dry_run` it only prints the commands.
/// Returns the resulting state.
///
/// # Errors
/// If something cannot be installed or started, or is still missing afterwards.
pub(crate) fn ensure(
    exec: &Exec,
    workspace: &Utf8Path,
    image: &str,
    needs: &SetupNeeds,
    dry_run: bool,
) -> anyhow::Result<Diagnosis> {
    let machine = Machine::this(workspace);
    let before = doctor::examine(exec, &machine, image);
    let options = SetupOptions {
        engine: true,
        // Without a client, no registry can be queried yet. A second round costs more than the small package.
        bootstrap: needs.bootstrap && before.facts.registry != Reach::Yes,
        bootstraps: needs.bootstraps.clone(),
        emulators: needs.emulators.clone(),
        permanent: needs.permanent,
        pip: false,
    };
    provision(exec, &machine, image, before, &options, dry_run)
}

/// Installs pip for the machine's own Python if it is missing.
///
/// # Errors
/// If it cannot be installed.
pub fn ensure_pip(exec: &Exec, workspace: &Workspace) -> anyhow::Result<()> {
    let machine = Machine::this(&workspace.root);
    // Any image shows whether a registry answers.
    let image = "debian:12";
    let before = doctor::examine(exec, &machine, image);
    let options = SetupOptions { pip: true, ..SetupOptions::default() };
    provision(exec, &machine, image, before, &options, false).map(|_| ())
}

fn provision(
    exec: &Exec,
    machine: &Machine,
    image: &str,
    before: Diagnosis,
    options: &SetupOptions,
    dry_run: bool,
) -> anyhow::Result<Diagnosis> {
    if !machine.is_linux() {
        return by_hand(machine.system, before, options);
    }
    let plan = setup::plan(&before.facts, options, &Folders::of(&machine.workspace))?;
    let keys = setup::missing_keys(options, |path| machine.has(path));
    if !keys.is_empty() {
        report::warning(
            &UserError::new(format!(
                "no package provides {}, so base images from packages signed with it cannot be \
                 made",
                keys.join(", ")
            ))
            .hint("download the distribution's key and set `keyring` in wheels.toml to its path"),
        );
    }
    if plan.is_empty() {
        let after = complete(before, options)?;
        let all = if keys.is_empty() { "everything" } else { "everything else" };
        report::note(&format!("nothing to set up: this machine has {all} it needs"));
        return Ok(after);
    }
    if !execute(&plan, exec, "", dry_run)? {
        return Ok(before);
    }
    complete(doctor::examine(exec, machine, image), options)
}

/// Returns `before` if a machine without Linux lacks nothing of `options`.
fn by_hand(system: &str, before: Diagnosis, options: &SetupOptions) -> anyhow::Result<Diagnosis> {
    let missing = before.missing(options);
    if missing.is_empty() && !options.pip {
        report::note("nothing to set up: this machine has everything it needs");
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

/// Returns `after` if it lacks nothing of `options`.
fn complete(after: Diagnosis, options: &SetupOptions) -> anyhow::Result<Diagnosis> {
    let missing = after.missing(options);
    if !missing.is_empty() {
        bail!(
            UserError::new(format!("still missing after the setup:\n{}", lines(&missing)))
                .hint("`cargo xtask doctor` shows the hint for each of them")
        );
    }
    Ok(after)
}

/// Announces `plan` and carries it out. With `dry_run` it prints the commands instead, and `idle` if the plan is
/// empty. Returns whether it changed anything.
///
/// # Errors
/// If a step fails.
pub(crate) fn execute(
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
        // Writes only xtask's own files, so that the commands can be pasted.
        setup::draft(plan)?;
        report::data(&plan.script());
        return Ok(false);
    }
    announce(plan);
    setup::apply(plan, exec, &mut |event| report_event(event))?;
    Ok(true)
}

fn announce(plan: &SetupPlan) {
    report::note("setup will:");
    for (index, line) in plan.describe().iter().enumerate() {
        report::note(&format!("  {}. {line}", index + 1));
    }
}

fn report_event(event: &Event<'_>) {
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

/// Platforms that the engine's builder runs. Without a suitable engine, the error names each missing part and its
/// fix.
///
/// # Errors
/// If the engine does not answer, or xtask was interrupted.
pub(crate) fn engine_platforms(
    engine: &Engine,
    workspace: &Utf8Path,
    image: &str,
) -> anyhow::Result<Vec<Platform>> {
    let known = engine.platforms();
    if matches!(known, Err(EngineError::Exec(ExecError::Interrupted))) {
        bail!(ExecError::Interrupted);
    }
    // xtask cannot repair the engine of another machine, so its own error is returned.
    let ours = engine.client.endpoint.is_none();
    if ours && (known.is_err() || !engine.is_new_enough()) {
        let diagnosis = doctor::examine(&engine.exec, &Machine::this(workspace), image);
        let missing = diagnosis.missing(&SetupOptions { engine: true, ..SetupOptions::default() });
        if !missing.is_empty() && !interrupt::received() {
            bail!(
                UserError::new(format!(
                    "this machine cannot build yet; missing:\n{}",
                    lines(&missing)
                ))
                .hint("`cargo xtask setup` installs and starts all of them")
            );
        }
    }
    Ok(known?)
}

/// The error for a `platform` that this machine cannot run.
pub(crate) fn cannot_run(platform: &Platform) -> UserError {
    UserError::new(format!(
        "this machine cannot run {platform}: no emulator is registered and the builder has no node \
         for it"
    ))
    .hint(format!("`cargo xtask binfmt install {}`", platform.engine_arch()))
}

/// Returns those of `platforms` that this machine cannot run. Checks the engine first, before a run starts.
///
/// # Errors
/// As [`engine_platforms`].
pub(crate) fn unsupported_platforms<'a>(
    engine: &Engine,
    workspace: &Utf8Path,
    image: &str,
    platforms: impl IntoIterator<Item = &'a Platform>,
) -> anyhow::Result<BTreeSet<Platform>> {
    let (known, native) = (engine_platforms(engine, workspace, image)?, native_platform());
    let runs = |platform: &&Platform| **platform == native || known.contains(platform);
    Ok(platforms.into_iter().filter(|platform| !runs(platform)).cloned().collect())
}

/// Requires an engine that runs each of `platforms`.
///
/// # Errors
/// As for [`engine_platforms`], and if this machine cannot run a platform.
pub(crate) fn require_platforms<'a>(
    engine: &Engine,
    workspace: &Utf8Path,
    image: &str,
    platforms: impl IntoIterator<Item = &'a Platform>,
) -> anyhow::Result<()> {
    if let Some(platform) = unsupported_platforms(engine, workspace, image, platforms)?.first() {
        bail!(cannot_run(platform));
    }
    Ok(())
}

/// One line for each missing part, with the command that fixes it.
pub(crate) fn lines(missing: &[Item]) -> String {
    let line = |item: &Item| {
        let hint = item.hint.as_ref().map_or_else(String::new, |hint| format!(" (`{hint}`)"));
        format!("  {}: {}{hint}", item.name, item.detail)
    };
    missing.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The step that reads the package lists of `target`'s archive, as a build does. The inner error states why base
/// images cannot be made from packages.
///
/// # Errors
/// If the target is unknown.
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
    fn setup_installs_on_linux_only() {
        let options = SetupOptions { engine: true, ..SetupOptions::default() };
        let set_up = |exec: &Exec, system: &'static str| {
            let mut there = fixture::debian_12().programs(&["/usr/bin/docker"]);
            there.machine.system = system;
            let before = doctor::examine(exec, &there.machine, fixture::IMAGE);
            provision(exec, &there.machine, fixture::IMAGE, before, &options, true)
        };
        let error = set_up(&fixture::no_engine(), "macos").unwrap_err();
        assert!(error.to_string().contains("macos") && error.to_string().contains("  engine: "));
        assert!(UserError::hint_of(error.as_ref()).unwrap().contains("colima"));
        // With Docker Desktop, `--setup` has nothing to do.
        set_up(&fixture::fine(), "macos").unwrap();
    }
}
