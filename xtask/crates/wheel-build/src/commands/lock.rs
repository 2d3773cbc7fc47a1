//! `cargo xtask lock`: records exact versions of everything that enters the wheels.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::SystemTime;

use serde::Serialize;
use wheel_audit::UserError;
use wheel_audit::files;
use wheel_audit::report;
use wheel_audit::sys::permissions;
use wheel_audit::wheel::Interpreter;

use super::engine_args::BuildArgs;
use super::locking::Locking;
use super::selection::Selection;
use super::titles::titles;
use super::wheels::{self, WheelsArgs, summary};
use super::{COULD_NOT_RUN, FINDINGS, Workspace};
use crate::config::{Config, ConfigFile, Platform, Target, build_identifier};
use crate::engine::base::BasePolicy;
use crate::exec::Exec;
use crate::lock::{Difference, Environment, LockFile};
use crate::pipeline::RunReport;

/// `--upgrade` without a name.
const ALL: &str = "";

#[derive(Debug, clap::Args)]
pub(crate) struct LockArgs {
    /// Jobs to lock; without targets, all of wheels.toml.
    #[command(flatten)]
    selection: Selection,
    /// Upgrade everything, or one system package or requirement, to its newest version; other entries keep their
    /// versions
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = ALL)]
    upgrade: Option<String>,
    /// Exit with 1 if a job lacks an entry, or an entry lacks a job; build nothing
    #[arg(long, conflicts_with_all = ["upgrade", "words", "python", "only", "skip"])]
    check: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Install and start missing programs first, as `cargo xtask setup` does
    #[arg(long)]
    setup: bool,
    /// Limit the number of concurrent jobs [default: as many as cores and memory allow]
    #[arg(long, value_name = "N", value_parser = wheels::jobs)]
    jobs: Option<usize>,
    /// Choose how to obtain base images
    #[arg(long, value_enum, default_value_t)]
    base: BasePolicy,
    /// Compile and install packages for foreign platforms under emulation
    #[arg(long)]
    no_accelerate: bool,
    #[command(flatten)]
    engine: BuildArgs,
    /// Show the output of build steps
    #[arg(long, short)]
    verbose: bool,
    /// Hide progress
    #[arg(long, short, conflicts_with = "verbose")]
    quiet: bool,
}

/// The changes of a run, for programs.
#[derive(Debug, Serialize)]
struct LockReport {
    schema_version: u32,
    file: String,
    /// The recorded jobs: target, platform, interpreter.
    recorded: Vec<String>,
    changes: Vec<Change>,
    /// Removed entries, which wheels.toml no longer has.
    removed: Vec<String>,
}

/// A difference between two states of a lock file.
#[derive(Debug, Serialize)]
struct Change {
    job: String,
    #[serde(flatten)]
    difference: Difference,
}

/// Builds, and records every version.
///
/// # Errors
/// If the run cannot start, or the lock file cannot be read or written.
pub(crate) fn run(args: &LockArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::of(file)?;
    if args.check {
        return check(args, &workspace);
    }
    let mut kept = workspace.lock_file()?.unwrap_or_default();
    match args.upgrade.as_deref() {
        None => {}
        Some(ALL) => kept = LockFile::default(),
        Some(name) => anyhow::ensure!(
            kept.release(name),
            UserError::new(format!("`{}` has no `{name}`", file.lock_name()))
                .hint("name a system package or a Python requirement that is in the lock file")
        ),
    }
    kept.loosen();
    let stamp = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let locking = Locking { file: kept, stamp, recorded: Mutex::default() };
    let report = build(args, &workspace, &locking)?;
    let recorded = locking.recorded.into_inner().unwrap_or_default();
    let made = write(&workspace, recorded)?;
    if args.json {
        report::json(&made)?;
    } else {
        report::data(text(&made).trim_end());
    }
    if !report.success() {
        for text in &summary::failures(&report) {
            report::note(text);
        }
    }
    Ok(ExitCode::from(match (report.success(), report.could_not_run()) {
        (true, _) => 0,
        (false, false) => FINDINGS,
        (false, true) => COULD_NOT_RUN,
    }))
}

/// Builds like `wheels`, in its own work folder. The wheels are tested and do not enter `dist/`.
fn build(args: &LockArgs, workspace: &Workspace, locking: &Locking) -> anyhow::Result<RunReport> {
    let mut selection = args.selection.clone();
    selection.all |= selection.words.iter().all(|word| word.starts_with("linux/"));
    let wheels = WheelsArgs {
        selection,
        setup: args.setup,
        jobs: args.jobs,
        force: true,
        base: args.base,
        no_accelerate: args.no_accelerate,
        engine: args.engine.clone(),
        verbose: args.verbose,
        quiet: args.quiet,
        ..WheelsArgs::default()
    };
    let work = workspace.work.join("locking");
    files::remove_folder(&work.join("jobs"))?;
    let place = Workspace {
        root: workspace.root.clone(),
        dist: workspace.work.join("locking/dist"),
        work,
        file: workspace.file.clone(),
    };
    let report = wheels::build(&Exec::real(), &place, &wheels, Some(locking))?;
    report.ok_or_else(|| anyhow::anyhow!("the run built nothing"))
}

/// Writes `all` to the lock file, and removes entries that wheels.toml no longer has.
fn write(workspace: &Workspace, all: Vec<Environment>) -> anyhow::Result<LockReport> {
    let name = workspace.file.lock_name();
    let earlier = workspace.lock_file()?;
    let mut file = earlier.clone().unwrap_or_default();
    let mut wanted: BTreeSet<String> = jobs(&workspace.config()?.targets).map(title).collect();
    let (mut recorded, mut changes) = (Vec::new(), Vec::new());
    for each in all {
        let id = each.interpreters.first().map_or("", |it| it.id.as_str());
        let job = format!("{} {} {id}", each.name, each.platform);
        wanted.insert(job.clone());
        let found = file.record(each);
        changes.extend(found.into_iter().map(|it| Change { job: job.clone(), difference: it }));
        recorded.push(job);
    }
    recorded.sort();
    let removed =
        file.retain(|target, platform, id| wanted.contains(&format!("{target} {platform} {id}")));
    if earlier.as_ref() != Some(&file) && (earlier.is_some() || !recorded.is_empty()) {
        let draft = tempfile::NamedTempFile::new_in(&workspace.root)?;
        fs_err::write(draft.path(), file.text())?;
        fs_err::set_permissions(draft.path(), permissions(0o644))?;
        draft.persist(workspace.root.join(&name)).map_err(|error| error.error)?;
    }
    Ok(LockReport { schema_version: 1, file: name, recorded, changes, removed })
}

/// The jobs of `targets`.
fn jobs<'a>(
    targets: impl IntoIterator<Item = &'a Target>,
) -> impl Iterator<Item = (&'a Target, &'a Platform, Interpreter)> {
    targets.into_iter().flat_map(|target| {
        let platforms = target.platforms.iter();
        platforms.flat_map(move |it| target.pythons.iter().map(move |id| (target, it, *id)))
    })
}

fn title((target, platform, id): (&Target, &Platform, Interpreter)) -> String {
    format!("{} {platform} {id}", target.name)
}

/// The jobs with an entry in `file`.
fn entries(file: &LockFile) -> BTreeSet<String> {
    file.entries().map(|(target, platform, id)| format!("{target} {platform} {id}")).collect()
}

/// The warning about jobs of the hosted workflow that an existing lock file lacks.
///
/// # Errors
/// If the lock file cannot be read.
pub(super) fn unlocked_in_ci(
    workspace: &Workspace,
    config: &Config,
) -> anyhow::Result<Option<String>> {
    let Some(file) = workspace.lock_file()? else { return Ok(None) };
    let (name, entries) = (workspace.file.lock_name(), entries(&file));
    let missing: Vec<_> =
        jobs(config.ci_targets()).filter(|&job| !entries.contains(&title(job))).collect();
    if missing.is_empty() {
        return Ok(None);
    }
    let titles = titles(missing.iter().map(|&job| title(job)));
    let identifiers: Vec<_> = missing
        .iter()
        .map(|(target, platform, id)| build_identifier(*id, target, platform))
        .collect();
    Ok(Some(format!(
        "warning: `{name}` has no entry for {titles}: the workflow runs `wheels --locked`, and these \
         builds fail\n\nhint: run `cargo xtask lock --only {}`",
        identifiers.join(",")
    )))
}

fn text(made: &LockReport) -> String {
    let mut text = String::new();
    let mut changes: Vec<(&Difference, Vec<&String>)> = Vec::new();
    for Change { job, difference } in &made.changes {
        match changes.iter_mut().find(|(other, _)| *other == difference) {
            Some((_, jobs)) => jobs.push(job),
            None => changes.push((difference, vec![job])),
        }
    }
    for (difference, mut jobs) in changes {
        jobs.sort();
        let _ = writeln!(text, "{}: {difference}", titles(jobs));
    }
    if !made.removed.is_empty() {
        let _ = writeln!(text, "removed {}: wheels.toml has no such job", titles(&made.removed));
    }
    let jobs = report::counted(made.recorded.len(), "job");
    text + &format!("{}: recorded {jobs}\n", made.file)
}

/// Reports jobs without an entry and entries without a job.
fn check(args: &LockArgs, workspace: &Workspace) -> anyhow::Result<ExitCode> {
    let name = workspace.file.lock_name();
    let file = workspace.lock_file()?;
    let config = workspace.config()?;
    let entries = file.as_ref().map(entries).unwrap_or_default();
    let wanted: BTreeSet<String> = jobs(&config.targets).map(title).collect();
    let missing: Vec<_> = wanted.difference(&entries).collect();
    let unused: Vec<_> = entries.difference(&wanted).collect();
    if args.json {
        report::json(&serde_json::json!({
            "schema_version": 1, "file": name, "missing": missing, "unused": unused
        }))?;
    } else if file.is_none() {
        let jobs = report::counted(missing.len(), "job");
        report::prose(&format!("`{name}` does not exist, and wheels.toml has {jobs}"));
    } else {
        if !missing.is_empty() {
            report::prose(&format!("{name} has no entry for {}", titles(&missing)));
        }
        if !unused.is_empty() {
            report::prose(&format!(
                "wheels.toml has no job for the entries of {name} for {}",
                titles(&unused)
            ));
        }
    }
    if missing.is_empty() && unused.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    report::note("hint: `cargo xtask lock` records missing entries and removes unused ones");
    Ok(ExitCode::from(FINDINGS))
}
