//! `cargo xtask reproduce`: builds twice and compares the bytes.

use std::fmt::Write as _;
use std::process::ExitCode;

use camino::Utf8PathBuf;

use super::engine_args::BuildArgs;
use super::selection::Selection;
use super::wheels::{Session, WheelsArgs};
use super::{COULD_NOT_RUN, FINDINGS, Workspace, engine_args, setup};
use crate::config::ConfigFile;
use crate::engine::base::BasePolicy;
use crate::exec::Exec;
use crate::live::{Detail, Live};
use crate::pipeline::{self, Against, Reproduction, Verdict};
use wheel_audit::report;

const HEAD: [&str; 6] = ["target", "platform", "python", "time", "verdict", "sha256"];
/// Maximum number of differences that the text report lists for each wheel.
const MAX_LISTED: usize = 20;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ReproduceArgs {
    #[command(flatten)]
    pub selection: Selection,
    /// Compare with this wheel, or with the wheels in this folder, instead of a second build
    #[arg(long, value_name = "WHEEL|FOLDER")]
    pub against: Option<Utf8PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Choose how to obtain base images
    #[arg(long, value_enum, default_value_t)]
    pub base: BasePolicy,
    /// Compile for foreign platforms under emulation, so that the second build can vary everything there as well
    #[arg(long)]
    pub no_accelerate: bool,
    #[command(flatten)]
    pub engine: BuildArgs,
    /// Show the output of build steps
    #[arg(long, short)]
    pub verbose: bool,
    /// Hide progress
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
}

impl ReproduceArgs {
    fn wheels(&self) -> WheelsArgs {
        WheelsArgs {
            selection: self.selection.clone(),
            base: self.base,
            no_accelerate: self.no_accelerate,
            engine: self.engine.clone(),
            quiet: self.quiet,
            ..WheelsArgs::default()
        }
    }

    fn detail(&self) -> Detail {
        match (self.quiet, self.verbose) {
            (true, _) => Detail::Quiet,
            (_, true) => Detail::Verbose,
            _ => Detail::Steps,
        }
    }
}

/// Runs the subcommand.
///
/// # Errors
/// If the run cannot start, e.g. for an unknown target or a missing engine.
pub(crate) fn run(args: &ReproduceArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace, wheels) = (Exec::real(), Workspace::of(file)?, args.wheels());
    let session = Session::open(&exec, &workspace, &wheels, None)?;
    let mut engine = args.engine.engine(&exec, &workspace, &session.config)?;
    let survey = pipeline::survey(
        &session.context(&engine, &workspace, &wheels, None),
        &session.plan,
        args.base,
    )?;
    if args.against.is_none() || !survey.all_done() {
        let platforms = session.plan.jobs.iter().map(|job| &job.platform);
        let image = session.plan.jobs.first().map_or("debian:12", |job| &job.target.image);
        setup::require_platforms(&engine, &workspace.root, image, platforms)?;
        engine_args::announce(&engine)?;
        engine.host.cores = Some(pipeline::share(&engine, 1));
    }
    let context = session.context(&engine, &workspace, &wheels, None);
    let live = Live::new(args.detail());
    let against = args.against.clone().map_or(Against::Itself, Against::Other);
    let jobs =
        pipeline::reproduce(&context, &session.plan, survey.done(), (&against, args.base), &live);
    if args.json {
        report::json(&serde_json::json!({ "schema_version": 1, "jobs": jobs }))?;
    } else {
        report::text(&table(&jobs));
    }
    let is = |wanted: fn(&Verdict) -> bool| jobs.iter().any(|job| wanted(&job.verdict));
    let status = if is(|verdict| matches!(verdict, Verdict::Failed(_))) {
        COULD_NOT_RUN
    } else if is(|verdict| matches!(verdict, Verdict::Different { .. })) {
        FINDINGS
    } else {
        0
    };
    Ok(ExitCode::from(status))
}

fn table(jobs: &[Reproduction]) -> String {
    let row = |job: &Reproduction| {
        let sha256 = match &job.verdict {
            Verdict::Identical { sha256, .. } => sha256[..16].to_owned(),
            Verdict::Different { comparison, .. } => {
                format!("{} / {}", &comparison.first.sha256[..16], &comparison.second.sha256[..16])
            }
            Verdict::Failed(_) => "-".to_owned(),
        };
        let time = format!("{:.1} s", job.seconds);
        let place = [&job.target, &job.platform, &job.interpreter].map(Clone::clone);
        let rest = [time, pipeline::word(&job.verdict).to_owned(), sha256];
        place.into_iter().chain(rest).collect::<Vec<_>>()
    };
    let mut text = report::table(&HEAD, &jobs.iter().map(row).collect::<Vec<_>>(), report::width());
    for job in jobs {
        let title = format!("{} {} {}", job.target, job.platform, job.interpreter);
        match &job.verdict {
            Verdict::Identical { .. } => {}
            Verdict::Different { of, comparison } => {
                let _ = write!(text, "\n\n{title}: {of} differ");
                for each in comparison.differences.iter().filter(|it| !it.follows).take(MAX_LISTED)
                {
                    let member = each.member.as_deref().unwrap_or(&comparison.first.file);
                    let section =
                        each.section.as_ref().map_or_else(String::new, |it| format!(" {it}"));
                    let _ = write!(
                        text,
                        "\n  {member}{section}: {}: {}",
                        each.cause.as_str(),
                        each.detail
                    );
                }
            }
            Verdict::Failed(failure) => {
                let _ = write!(text, "\n\n{title}: {}\n  log: {}", failure.message, failure.log);
                for line in &failure.tail {
                    let _ = write!(text, "\n  {line}");
                }
                if let Some(hint) = &failure.hint {
                    let _ = write!(text, "\n  hint: {hint}");
                }
            }
        }
    }
    let identical =
        jobs.iter().filter(|job| matches!(job.verdict, Verdict::Identical { .. })).count();
    let _ = write!(text, "\n\n{identical} of {} identical", jobs.len());
    let mut varied: Vec<&[&str]> = jobs.iter().map(|job| job.varied.as_slice()).collect();
    varied.sort_unstable();
    varied.dedup();
    for each in varied.iter().filter(|it| !it.is_empty()) {
        let _ = write!(text, "; varied: {}", each.join(", "));
    }
    text
}
