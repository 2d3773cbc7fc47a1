//! `cargo xtask ci`: every check of this repository, in the order of what fails quickest, then the
//! real thing with the real engine.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;

use super::setup::{self, Asked};
use super::wheels::{self, WheelsArgs};
use super::workflow::{self, WorkflowAction, WorkflowArgs};
use super::{FINDINGS, Workspace};
use crate::exec::{Exec, ExecError, Step, Stream};
use crate::report;

/// Arguments of `ci`.
#[derive(Debug, clap::Args)]
pub struct CiArgs {
    /// First install and start what is missing on this machine
    #[arg(long)]
    pub setup: bool,
    /// Leave out everything that needs an engine
    #[arg(long, conflicts_with = "setup")]
    pub no_engine: bool,
    /// Everything that this machine can run, however long it takes (interpreters from source)
    #[arg(long, conflicts_with = "no_engine")]
    pub full: bool,
}

/// One check: its name, its command, and whether a machine without the tool goes on.
struct Check {
    name: &'static str,
    step: Step,
    optional: bool,
}

impl Check {
    fn new(name: &'static str, program: &str, args: &[&str]) -> Self {
        Self { name, step: Step::new(program, args.iter().copied()), optional: false }
    }

    fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// The checks that need no engine.
fn checks(scripts: &[String]) -> Vec<Check> {
    let shellcheck = ["--shell=sh", "--external-sources"];
    let shellcheck: Vec<&str> =
        shellcheck.into_iter().chain(scripts.iter().map(String::as_str)).collect();
    vec![
        Check::new("format", "cargo", &["fmt", "--all", "--check"]),
        Check::new(
            "clippy",
            "cargo",
            &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
        ),
        Check::new("tests", "cargo", &["test", "--workspace"]),
        Check {
            step: Step::new(
                "cargo",
                ["doc", "--workspace", "--no-deps", "--document-private-items"],
            )
            .env("RUSTDOCFLAGS", "-D warnings"),
            name: "docs",
            optional: false,
        },
        Check::new("shellcheck", "shellcheck", &shellcheck).optional(),
        Check::new("hadolint", "hadolint", &["docker/Dockerfile.wheels"]).optional(),
    ]
}

/// Runs the subcommand.
///
/// # Errors
/// When a check could not be run at all; one that fails is in the exit code.
pub fn run(args: &CiArgs) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::find()?);
    let mut results = Vec::new();
    let scripts = shell_scripts(&workspace)?;
    for check in checks(&scripts) {
        let Check { name, step, optional } = check;
        results.push(timed(name, || run_step(&exec, &workspace, step, optional))?);
    }
    results.push(timed("workflow", is_workflow_current)?);
    if args.no_engine {
        report::note("engine: left out (`--no-engine`)");
    } else {
        results.push(timed("wheels", || build(&exec, &workspace, args))?);
        let mut features = vec!["e2e"];
        features.extend(args.full.then_some("e2e-full"));
        let features = features.join(",");
        let step = ["test", "--package", "xtask", "--features", &features, "--test", "e2e"];
        let step = Step::new("cargo", step).arg("--").arg("--test-threads=1").arg("--nocapture");
        results.push(timed("end to end", || run_step(&exec, &workspace, step, false))?);
    }
    let rows: Vec<_> = results
        .iter()
        .map(|(name, result, seconds)| {
            vec![(*name).to_owned(), format!("{seconds:.1} s"), result.clone()]
        })
        .collect();
    report::data(&report::table(&["check", "time", "result"], &rows));
    let failed = results.iter().any(|(_, result, _)| result == FAILED);
    Ok(ExitCode::from(if failed { FINDINGS } else { 0 }))
}

/// Whether the hosted workflow is what wheels.toml asks for.
fn is_workflow_current() -> anyhow::Result<String> {
    let current = workflow::run(&WorkflowArgs { action: WorkflowAction::Check })?;
    Ok(if current == ExitCode::SUCCESS { "passed" } else { FAILED }.to_owned())
}

const FAILED: &str = "FAILED";

type Timed = (&'static str, String, f64);

fn timed(
    name: &'static str,
    check: impl FnOnce() -> anyhow::Result<String>,
) -> anyhow::Result<Timed> {
    report::note(&format!("\n==> {name}"));
    let start = Instant::now();
    let result = check().with_context(|| format!("check `{name}` could not be run"))?;
    Ok((name, result, start.elapsed().as_secs_f64()))
}

fn run_step(
    exec: &Exec,
    workspace: &Workspace,
    step: Step,
    optional: bool,
) -> anyhow::Result<String> {
    let step = step.cwd(&workspace.root);
    // Each where the tool itself put it: a test runner's closing lines are on stdout.
    let mut print = |stream, line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        match stream {
            Stream::Stdout => report::relay(&line, false),
            Stream::Stderr => report::relay(&line, true),
        }
    };
    match exec.lines(&step, 1 << 20, &mut print) {
        Ok(finished) if finished.success => Ok("passed".to_owned()),
        Ok(_) => Ok(FAILED.to_owned()),
        Err(ExecError::NotFound { program }) if optional => {
            report::note(&format!("`{program}` is not installed: left out"));
            Ok("not installed".to_owned())
        }
        Err(error) => Err(error.into()),
    }
}

/// The main job, as its user types it.
fn build(exec: &Exec, workspace: &Workspace, args: &CiArgs) -> anyhow::Result<String> {
    if args.setup {
        // Also where the wheel is there already: the tests that follow need the engine, and some arm64.
        let emulators = ["arm64".to_owned()].into();
        let asked = Asked { bootstrap: true, emulators, ..Asked::default() };
        setup::ensure(exec, &workspace.root, "debian:12", &asked, false)?;
    }
    let words = ["debian:12", "linux/amd64"].map(str::to_owned).to_vec();
    let python = vec!["cp311".to_owned()];
    let args = WheelsArgs { words, python, ..WheelsArgs::default() };
    Ok(if wheels::build_and_report(exec, workspace, &args)? == 0 { "passed" } else { FAILED }
        .to_owned())
}

/// The shell scripts of `scripts/`, relative to the workspace.
fn shell_scripts(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(workspace.root.join("scripts"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if camino::Utf8Path::new(&name).extension() == Some("sh") {
            names.push(format!("scripts/{name}"));
        }
    }
    names.sort();
    Ok(names)
}
