//! `cargo xtask collect`: the `dist/` folders of many machines made one.

use std::process::ExitCode;
use wheel_audit::UserError;

use camino::Utf8PathBuf;
use serde::Serialize;

use super::{FINDINGS, Workspace};
use crate::config::{Config, ConfigFile};
use crate::pipeline;
use crate::ship::collect::{self, Collected, Collection, Missing};
use crate::store::{Lock, Store};
use wheel_audit::audit::{self, Expectations, Inputs, Report, Verdict};
use wheel_audit::report;
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
    let collection = collect::collect(&config, &store, &args.folders, args.replace)?;
    let verified = if collection.accepted() { Some(verify(&config, &workspace)?) } else { None };
    let verify = verified.as_ref();
    if args.json {
        report::json(&Told { collection: &collection, verify })?;
    } else if args.markdown {
        report::data(&markdown(&collection));
    } else {
        report::data(&table(&collection));
    }
    complain(&collection, verify, args.partial);
    let good = collection.accepted()
        && (args.partial || collection.missing.is_empty())
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
    format!("{}\n\n{}", report::table(&HEAD, &rows), closing(collection))
}

fn closing(collection: &Collection) -> String {
    let wheels = report::counted(collection.wheels.len(), "wheel");
    let inputs = report::counted(collection.inputs.len(), "folder");
    let what = if collection.accepted() { "now in" } else { "refused, nothing changed in" };
    format!("{wheels} of {inputs}: {what} {}", collection.dist)
}

fn markdown(collection: &Collection) -> String {
    let mark = if collection.accepted() && collection.missing.is_empty() { "✓" } else { "✗" };
    let mut lines = vec![
        format!("### {mark} {}", report::markdown_text(&closing(collection))),
        format!("\n| {} |\n|{}", HEAD.join(" | "), "---|".repeat(HEAD.len())),
    ];
    let accepted = collection.accepted();
    let text = |text: &str| report::markdown_text(text);
    let cells = |wheel: &Collected| {
        let cells: Vec<_> = row(wheel, accepted).iter().map(|cell| text(cell)).collect();
        format!("| {} |", cells.join(" | "))
    };
    lines.extend(collection.wheels.iter().map(cells));
    let missing =
        collection.missing.iter().map(|each| format!("- missing: {}", text(&lacks(each))));
    let problems = collection.problems.iter();
    let problems = problems.map(|it| {
        let place = format!("{}/{}", it.folder, it.path);
        format!("- {}: {}", text(&place), text(&it.message))
    });
    let conflicts = collection.conflicts.iter();
    let conflicts = conflicts
        .map(|it| format!("- {}: {}; {}", text(&it.path), text(&it.message), text(it.hint)));
    let mut rest: Vec<String> = missing.chain(problems).chain(conflicts).collect();
    if let Some(first) = rest.first_mut() {
        first.insert(0, '\n');
    }
    lines.append(&mut rest);
    lines.join("\n")
}

fn lacks(missing: &Missing) -> String {
    format!("{} {}: {}", missing.target, missing.platform, missing.interpreters.join(", "))
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
        report::note(&report::verify_text(found));
    }
    if !collection.accepted() {
        return;
    }
    let word = if partial { "note" } else { "error" };
    for missing in &collection.missing {
        report::note(&format!("{word}: there is no wheel for {}", lacks(missing)));
    }
    if !collection.missing.is_empty() && !partial {
        report::hint(
            "wheels.toml asks for these (`[ci] targets`, `pythons`): bring the folders of the \
             machines that built them, or say `--partial`",
        );
    }
}
