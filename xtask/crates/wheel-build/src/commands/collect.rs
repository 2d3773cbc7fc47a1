//! `cargo xtask collect`: merges the `dist/` folders of several machines.

use std::process::ExitCode;
use wheel_audit::UserError;

use camino::Utf8PathBuf;
use serde::Serialize;

mod markdown;

use super::{FINDINGS, Workspace};
use crate::config::{Config, ConfigFile};
use crate::pipeline;
use crate::ship::changes::{self, Changes};
use crate::ship::collect::{self, Collected, Collection, FOLDER};
use crate::ship::missing::Missing;
use crate::ship::published;
use crate::store::{Lock, Store};
use wheel_audit::audit::{self, Expectations, Inputs, Report, Verdict};
use wheel_audit::report::{self, Annotation};
use wheel_audit::text::shown;

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct CollectArgs {
    /// `dist/` folders, or folders that directly contain several of them
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<Utf8PathBuf>,
    /// Let incoming wheels replace wheels of `dist/` that have other bytes
    #[arg(long)]
    pub replace: bool,
    /// Accept a collection with missing required wheels
    #[arg(long)]
    pub partial: bool,
    /// Report changes since the release in this folder (see `last-release`)
    #[arg(long, value_name = "FOLDER")]
    pub against: Option<Utf8PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Print the report as Markdown, for a job summary
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Fail at once if another run holds the lock of `dist/`
    #[arg(long)]
    pub no_wait: bool,
}

/// The JSON output of `collect`.
#[derive(Serialize)]
struct CollectOutput<'a> {
    #[serde(flatten)]
    collection: &'a Collection,
    /// Report of `verify` on `dist/` after the merge; absent if nothing was merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    verify: Option<&'a Report>,
    /// Changes since the release of `--against`, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a Changes>,
}

/// Merges the folders, verifies `dist/`, and reports.
///
/// # Errors
/// If there is nothing to collect, or `dist/` cannot be written.
pub(crate) fn run(args: &CollectArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::of(file)?;
    let config = workspace.config()?;
    let _lock = Lock::take(&workspace.work, !args.no_wait, |holder| {
        report::note(&format!("waiting for another run ({holder})"));
    })?;
    let store = Store::new(&workspace.dist, &workspace.work);
    if store.recover()? {
        report::note("recovered `dist/` after an interrupted run");
    }
    // If no machine delivered a folder, report the missing wheels.
    let (folders, absent): (Vec<_>, Vec<_>) =
        args.folders.iter().cloned().partition(|folder| folder.exists());
    for folder in &absent {
        report::failed(&UserError::new(format!("`{folder}` is not a folder")).hint(FOLDER));
    }
    let collection = collect::collect(&config, &store, &folders, args.replace)?;
    let is_judged = collection.accepted() && workspace.dist.exists();
    let verified = if is_judged { Some(verify(&config, &workspace)?) } else { None };
    let verify = verified.as_ref();
    let changes = changes(args, &config, &store)?;
    if args.json {
        let changes = changes.as_ref();
        report::json(&CollectOutput { collection: &collection, verify, changes })?;
    } else if args.markdown {
        let page = markdown::page(&collection, verify, args.against.is_some(), changes.as_ref());
        report::data(&page);
    } else {
        report::text(&table(&collection));
    }
    report_problems(&collection, verify, args.partial);
    report::annotate(&annotations(&collection, verify, args.partial));
    let good = collection.accepted()
        && absent.is_empty()
        && (args.partial || !collection.lacks_required())
        && verify.is_some_and(|report| report.verdict == Verdict::Pass);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// Report of `verify` on `dist/`.
fn verify(config: &Config, workspace: &Workspace) -> anyhow::Result<Report> {
    let mut inputs = Inputs::find(std::slice::from_ref(&workspace.dist))?;
    inputs.requested = Some(pipeline::requested(config));
    let isa = config.check.isa.values().copied().collect();
    let expectations = Expectations { isa, ..Expectations::default() };
    let settings = pipeline::settings(config)?;
    Ok(audit::audit_inputs(&inputs, &expectations, &settings, &|_| {}))
}

/// Changes since the release of `--against`; `None` without wheels to compare.
fn changes(args: &CollectArgs, config: &Config, store: &Store) -> anyhow::Result<Option<Changes>> {
    let Some(folder) = &args.against else { return Ok(None) };
    // Other output reports wheels that cannot be published.
    let Ok(wheels) = published::select(config, &store.manifest()?) else { return Ok(None) };
    changes::since(folder, store.dist(), &wheels)
}

fn row(wheel: &Collected, accepted: bool) -> Vec<String> {
    vec![
        wheel.target.clone(),
        wheel.platform.clone(),
        wheel.interpreters.join(", "),
        wheel.path.rsplit('/').next().unwrap_or_default().to_owned(),
        wheel.smoke.text(wheel.claimed),
        shown(wheel.from.as_str()).to_string(),
        if accepted { wheel.state.as_str() } else { "rejected" }.to_owned(),
    ]
}

const HEAD: [&str; 7] = ["target", "platform", "python", "wheel", "smoke", "from", "state"];

fn table(collection: &Collection) -> String {
    let accepted = collection.accepted();
    let rows: Vec<_> = collection.wheels.iter().map(|wheel| row(wheel, accepted)).collect();
    format!("{}\n\n{}", report::table(&HEAD, &rows, report::width()), closing(collection))
}

fn closing(collection: &Collection) -> String {
    let wheels = report::counted(collection.wheels.len(), "wheel");
    let inputs = report::counted(collection.inputs.len(), "folder");
    let what = if collection.accepted() { "now in" } else { "rejected, nothing changed in" };
    format!("{wheels} of {inputs}: {what} {}", collection.dist)
}

fn lacks(missing: &Missing) -> String {
    format!("{} {}: {}", missing.target, missing.platform, missing.interpreters.join(", "))
}

/// Problems and missing wheels as annotations of a hosted run.
fn annotations(collection: &Collection, verify: Option<&Report>, partial: bool) -> Vec<Annotation> {
    let mut all = Vec::new();
    for problem in &collection.problems {
        all.push(Annotation::error(format!("{} is rejected", problem.path), &problem.message));
    }
    for conflict in &collection.conflicts {
        let message = format!("{}\nhint: {}", conflict.message, conflict.hint);
        all.push(Annotation::error(format!("{} is rejected", conflict.path), message));
    }
    for missing in &collection.missing {
        let is_error = missing.required && !partial;
        let title = if missing.required { "missing wheel" } else { "missing wheel, not required" };
        all.push(Annotation { is_error, ..Annotation::warning(title, missing.to_string()) });
    }
    for wheel in &collection.left_out {
        let title = format!("{} is skipped", wheel.path);
        all.push(Annotation::warning(title, wheel.reasons.join("\n")));
    }
    all.extend(verify.map(report::annotations).unwrap_or_default());
    all
}

/// Reports problems and missing wheels, with a hint last.
fn report_problems(collection: &Collection, verify: Option<&Report>, partial: bool) {
    for problem in &collection.problems {
        let (folder, path) = (shown(problem.folder.as_str()), shown(&problem.path));
        report::note(&format!("error: `{folder}/{path}`: {}", problem.message));
    }
    if !collection.problems.is_empty() {
        report::hint("nothing was merged: download these folders again, or rebuild them");
    }
    for conflict in &collection.conflicts {
        let message = format!("`{}`: {}", shown(&conflict.path), conflict.message);
        report::failed(&UserError::new(message).hint(conflict.hint));
    }
    if let Some(found) = verify.filter(|found| found.verdict == Verdict::Fail) {
        report::note(&report::verify_text(found, report::width()));
    }
    if !collection.accepted() {
        return;
    }
    for wheel in &collection.left_out {
        let path = shown(&wheel.path);
        report::note(&format!("warning: `{path}` is skipped: {}", wheel.reasons.join("; ")));
    }
    for missing in &collection.missing {
        let word = if partial { "note" } else { missing.word() };
        report::note(&format!("{word}: {missing}"));
    }
    if collection.lacks_required() && !partial {
        report::hint(
            "collect the folders of the machines that built them, or use `--partial`; `[ci] \
             required` in wheels.toml lists the wheels that a release requires",
        );
    }
}
