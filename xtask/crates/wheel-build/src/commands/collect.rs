//! `cargo xtask collect`: the `dist/` folders of many machines made one.

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

/// Arguments of `collect`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct CollectArgs {
    /// `dist/` folders, or folders with several of them right below
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<Utf8PathBuf>,
    /// What is brought takes the place of what is in `dist/` with other bytes
    #[arg(long)]
    pub replace: bool,
    /// Do not mind that wheels are missing
    #[arg(long)]
    pub partial: bool,
    /// Also report what changed since the release whose files are in this folder (`last-release`)
    #[arg(long, value_name = "FOLDER")]
    pub against: Option<Utf8PathBuf>,
    /// Report on stdout as JSON
    #[arg(long)]
    pub json: bool,
    /// Report on stdout as Markdown, for a job summary
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Fail at once where another run holds `dist/`
    #[arg(long)]
    pub no_wait: bool,
}

/// Everything that `collect` has to say.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    collection: &'a Collection,
    /// What `verify` says of `dist/` afterwards; absent where nothing was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    verify: Option<&'a Report>,
    /// What changed since the release of `--against`, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a Changes>,
}

/// Collects, judges `dist/` anew, and reports.
///
/// # Errors
/// When there is nothing to collect, or `dist/` cannot be written.
pub(crate) fn run(args: &CollectArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::of(file)?;
    let config = workspace.config()?;
    let _lock = Lock::take(&workspace.work, !args.no_wait, |holder| {
        report::note(&format!("waiting for another run ({holder})"));
    })?;
    let store = Store::new(&workspace.dist, &workspace.work);
    if store.recover()? {
        report::note("finished what an earlier run was killed in");
    }
    // Where no machine handed anything over, the wheels that are missing are what has to be reported.
    let (folders, absent): (Vec<_>, Vec<_>) =
        args.folders.iter().cloned().partition(|folder| folder.exists());
    for folder in &absent {
        report::failed(&UserError::new(format!("there is no folder `{folder}`")).hint(FOLDER));
    }
    let collection = collect::collect(&config, &store, &folders, args.replace)?;
    let is_judged = collection.accepted() && workspace.dist.exists();
    let verified = if is_judged { Some(verify(&config, &workspace)?) } else { None };
    let verify = verified.as_ref();
    let changes = changes(args, &config, &store)?;
    if args.json {
        let changes = changes.as_ref();
        report::json(&Told { collection: &collection, verify, changes })?;
    } else if args.markdown {
        let page = markdown::page(&collection, verify, args.against.is_some(), changes.as_ref());
        report::data(&page);
    } else {
        report::text(&table(&collection));
    }
    complain(&collection, verify, args.partial);
    report::annotate(&annotations(&collection, verify, args.partial));
    let good = collection.accepted()
        && absent.is_empty()
        && (args.partial || !collection.lacks_required())
        && verify.is_some_and(|report| report.verdict == Verdict::Pass);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// What `verify` says of `dist/` now.
fn verify(config: &Config, workspace: &Workspace) -> anyhow::Result<Report> {
    let mut inputs = Inputs::find(std::slice::from_ref(&workspace.dist))?;
    inputs.asked = Some(pipeline::asked(config));
    let isa = config.check.isa.values().copied().collect();
    let expectations = Expectations { isa, ..Expectations::default() };
    let settings = pipeline::settings(config)?;
    Ok(audit::judge(&inputs, &expectations, &settings, &|_| {}))
}

/// What changed since the release of `--against`; none without wheels to compare.
fn changes(args: &CollectArgs, config: &Config, store: &Store) -> anyhow::Result<Option<Changes>> {
    let Some(folder) = &args.against else { return Ok(None) };
    // What cannot be published is reported elsewhere.
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
        if accepted { wheel.state.as_str() } else { "refused" }.to_owned(),
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
    let what = if collection.accepted() { "now in" } else { "refused, nothing changed in" };
    format!("{wheels} of {inputs}: {what} {}", collection.dist)
}

fn lacks(missing: &Missing) -> String {
    format!("{} {}: {}", missing.target, missing.platform, missing.interpreters.join(", "))
}

/// What went wrong and what is missing, as a hosted run shows it.
fn annotations(collection: &Collection, verify: Option<&Report>, partial: bool) -> Vec<Annotation> {
    let mut all = Vec::new();
    for problem in &collection.problems {
        all.push(Annotation::error(format!("{} is refused", problem.path), &problem.message));
    }
    for conflict in &collection.conflicts {
        let message = format!("{}\nhint: {}", conflict.message, conflict.hint);
        all.push(Annotation::error(format!("{} is refused", conflict.path), message));
    }
    for missing in &collection.missing {
        let is_error = missing.required && !partial;
        let title = if missing.required { "missing wheel" } else { "missing wheel, not required" };
        all.push(Annotation { is_error, ..Annotation::warning(title, missing.to_string()) });
    }
    for wheel in &collection.left_out {
        let title = format!("{} is left out", wheel.path);
        all.push(Annotation::warning(title, wheel.reasons.join("\n")));
    }
    all.extend(verify.map(report::annotations).unwrap_or_default());
    all
}

/// What went wrong, in an order that ends with what to do.
fn complain(collection: &Collection, verify: Option<&Report>, partial: bool) {
    for problem in &collection.problems {
        let (folder, path) = (shown(problem.folder.as_str()), shown(&problem.path));
        report::note(&format!("error: `{folder}/{path}`: {}", problem.message));
    }
    if !collection.problems.is_empty() {
        report::hint("bring these folders again, or build them again; nothing was taken");
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
        report::note(&format!("warning: `{path}` is left out: {}", wheel.reasons.join("; ")));
    }
    for missing in &collection.missing {
        let word = if partial { "note" } else { missing.word() };
        report::note(&format!("{word}: {missing}"));
    }
    if collection.lacks_required() && !partial {
        report::hint(
            "bring the folders of the machines that built them, or use `--partial`; `[ci] required` in \
             wheels.toml names the wheels that a release needs",
        );
    }
}
