//! `cargo xtask ci`: every check of this repository, quickest first, then a build with the real
//! engine.

mod outcome;
mod tools;
mod workflows;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use self::outcome::{Checked, Outcome};
use self::tools::Missing;

use crate::docs;
use wheel_audit::report;
use wheel_build::own::{
    Exec, ExecError, FINDINGS, Step, Stream, Workspace, archive_lists, interrupt,
};
use wheel_build::run as tool;

/// Arguments of `ci`.
#[derive(Debug, clap::Args)]
pub(crate) struct CiArgs {
    /// First install and start the missing parts on this machine
    #[arg(long)]
    pub setup: bool,
    /// Skip everything that needs an engine
    #[arg(long, conflicts_with_all = ["setup", "only"])]
    pub no_engine: bool,
    /// Also run the slow checks, such as interpreters from source
    #[arg(long, conflicts_with = "no_engine")]
    pub full: bool,
    /// Fail if a check or a part of one is skipped
    #[arg(long)]
    pub strict: bool,
    /// Run only the checks of these groups
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    pub only: Vec<Group>,
}

/// Groups of checks. Hosted CI has a job for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Group {
    /// Format, clippy, documentation, scripts, workflows
    Lint,
    /// The tests that need no engine
    Test,
    /// The fuzz targets, which otherwise need `--full`
    Fuzz,
    /// Wheels, and the tests that need an engine
    Engine,
}

impl CiArgs {
    /// Returns whether the checks of `group` are requested.
    fn has(&self, group: Group) -> bool {
        self.only.is_empty() || self.only.contains(&group)
    }
}

/// Maximum wait for an answer of Ubuntu's archive.
const ARCHIVE_LIMIT: Duration = Duration::from_secs(60);

/// The pinned Python packages that tests import.
const PACKAGES: [&str; 13] = [
    "boolean.py",
    "cyclonedx-python-lib",
    "defusedxml",
    "fastjsonschema",
    "in-toto-attestation",
    "license-expression",
    "packageurl-python",
    "packaging",
    "protobuf",
    "py-serializable",
    "sortedcontainers",
    "typing-extensions",
    "uv",
];

/// A check with its group, name and command. An optional one is skipped on a machine without its tool.
struct Check {
    group: Group,
    name: &'static str,
    step: Step,
    optional: bool,
}

impl Check {
    fn new(name: &'static str, program: &str, args: &[&str]) -> Self {
        let step = Step::new(program, args.iter().copied());
        Self { group: Group::Lint, name, step, optional: false }
    }

    fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// The checks without an engine. Tools in `tools` take precedence over the machine's own.
fn checks(scripts: &[String], tools: &Utf8Path) -> Vec<Check> {
    let flags = ["--shell=sh", "--external-sources"];
    let shellcheck: Vec<&str> =
        flags.into_iter().chain(scripts.iter().map(String::as_str)).collect();
    let packages = PACKAGES.iter().filter_map(|name| tools::package(tools, name));
    let packages: Vec<String> = packages.map(Utf8PathBuf::into_string).collect();
    let mut tests = Step::new("cargo", ["test", "--workspace", "--no-fail-fast"]);
    if !packages.is_empty() {
        tests = tests.env("PYTHONPATH", packages.join(":"));
    }
    let tool =
        |name, args: &[&str]| Check::new(name, &tools::program(tools, name), args).optional();
    vec![
        Check::new("format", "cargo", &["fmt", "--all", "--check"]),
        Check::new(
            "clippy",
            "cargo",
            &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
        ),
        Check { group: Group::Test, name: "tests", step: tests, optional: false },
        Check {
            group: Group::Lint,
            step: Step::new(
                "cargo",
                ["doc", "--workspace", "--no-deps", "--document-private-items"],
            )
            .env("RUSTDOCFLAGS", "-D warnings"),
            name: "rustdoc",
            optional: false,
        },
        tool("shellcheck", &shellcheck),
        tool("hadolint", &["docker/Dockerfile.wheels"]),
    ]
}

/// Runs the subcommand.
///
/// # Errors
/// If there is no workspace, or xtask was interrupted. Failed checks, and those that cannot run, only change the exit
/// status.
pub(crate) fn run(args: &CiArgs) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::find()?);
    let mut results = Vec::new();
    let (scripts, tools) = (shell_scripts(&workspace)?, tools::folder(&workspace)?);
    let mut missing = Missing::default();
    if args.setup {
        let install = || {
            missing = tools::install(&exec, &workspace, &tools)?;
            Ok(Outcome::of(true))
        };
        results.push(timed("tools", install)?);
    }
    for Check { group, name, step, optional } in checks(&scripts, &tools) {
        if args.has(group) {
            let missing = optional.then_some(&missing);
            results.push(timed(name, || run_step(&exec, &workspace, step, missing))?);
        }
    }
    if args.has(Group::Fuzz) {
        results.push(fuzz(&exec, &workspace, args)?);
    }
    if args.has(Group::Lint) {
        results.push(timed("docs", || Ok(Outcome::of(docs::check(&workspace.root)?)))?);
        results.push(timed("book", || book(&exec, &workspace, &tools, &missing))?);
        results.push(timed("workflow", || command(&["workflow", "check"]))?);
        let zizmor = || workflows::zizmor(&exec, &workspace, &tools, &missing);
        results.push(timed("zizmor", zizmor)?);
        let schemas = || workflows::schemas(&exec, &workspace, &tools, &missing);
        results.push(timed("schemas", schemas)?);
    }
    if args.has(Group::Engine) {
        results.extend(with_engine(&exec, &workspace, args)?);
    }
    let rows: Vec<_> = results.iter().flat_map(Checked::rows).collect();
    report::text(&report::table(&["check", "time", "result"], &rows, report::width()));
    let good = outcome::is_good(&results, args.strict);
    Ok(ExitCode::from(if good { 0 } else { FINDINGS }))
}

/// Compiles the fuzz targets and runs each for some seconds. Compiling takes minutes.
fn fuzz(exec: &Exec, workspace: &Workspace, args: &CiArgs) -> anyhow::Result<Checked> {
    if !args.full && args.only.is_empty() {
        let outcome = Outcome::NotRequested("--full");
        return Ok(Checked { name: "fuzz", outcome, seconds: 0.0 });
    }
    let step = Step::new("python3", ["xtask/fuzz/run.py", "target/fuzz", "--seconds", "5"]);
    timed("fuzz", || match exec.capture(&Step::new("c++", ["--version"])) {
        Err(ExecError::NotFound { .. }) => {
            let reason = "libFuzzer needs `c++`; install the system package `g++`";
            Ok(Outcome::Skipped(reason.to_owned()))
        }
        _ => run_step(exec, workspace, step, None),
    })
}

/// Runs the checks that need an engine.
fn with_engine(exec: &Exec, workspace: &Workspace, args: &CiArgs) -> anyhow::Result<Vec<Checked>> {
    if args.no_engine {
        let skipped = || Ok(Outcome::Skipped("`--no-engine`".to_owned()));
        return Ok(vec![timed("engine", skipped)?]);
    }
    let mut results = vec![
        timed("wheels", || build(args))?,
        timed("wheels ubuntu", || build_ubuntu(exec, workspace, args))?,
    ];
    // Most steps of a build use one core or wait for the network. Second engines run one at a time.
    let (features, threads) = if args.full { ("xtask/e2e-full", "1") } else { ("xtask/e2e", "2") };
    // With `--package xtask`, cargo would compile the libraries again, for the features of fewer crates.
    let step = ["test", "--workspace", "--features", features, "--test", "e2e"];
    let step = Step::new("cargo", step).args(["--", "--nocapture", "--test-threads", threads]);
    results.push(timed("end to end", || run_step(exec, workspace, step, None))?);
    if !args.full {
        let outcome = Outcome::NotRequested("--full");
        results.push(Checked { name: "end to end, full", outcome, seconds: 0.0 });
    }
    Ok(results)
}

/// Runs a command of the tool, as a user types it.
fn command(words: &[&str]) -> anyhow::Result<Outcome> {
    Ok(Outcome::of(tool(words)? == ExitCode::SUCCESS))
}

/// Renders the book of `docs/`.
fn book(
    exec: &Exec,
    workspace: &Workspace,
    folder: &Utf8Path,
    missing: &Missing,
) -> anyhow::Result<Outcome> {
    let program = tools::program(folder, "mdbook");
    Ok(match docs::book(exec, workspace, &program)? {
        Some(is_good) => Outcome::of(is_good),
        None => Outcome::Skipped(missing.reason("mdbook")),
    })
}

fn timed(
    name: &'static str,
    check: impl FnOnce() -> anyhow::Result<Outcome>,
) -> anyhow::Result<Checked> {
    report::note(&format!("\n==> {name}"));
    let start = Instant::now();
    let outcome = match check().with_context(|| format!("check `{name}` could not be run")) {
        Ok(outcome) => outcome,
        Err(error) if interrupt::received() => return Err(error),
        Err(error) => {
            report::error(error.as_ref());
            Outcome::Failed
        }
    };
    if let Outcome::Skipped(reason) = &outcome {
        report::note(&format!("skipped: {reason}"));
    }
    Ok(Checked { name, outcome, seconds: start.elapsed().as_secs_f64() })
}

fn run_step(
    exec: &Exec,
    workspace: &Workspace,
    step: Step,
    optional: Option<&Missing>,
) -> anyhow::Result<Outcome> {
    let step = step.cwd(&workspace.root);
    let mut skipped = Vec::new();
    // Keep the tool's stream: a test runner's closing lines are on stdout.
    let mut print = |stream, line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        skipped.extend(outcome::skipped(&line).map(str::to_owned));
        match stream {
            Stream::Stdout => report::relay(&line, false),
            Stream::Stderr => report::relay(&line, true),
        }
    };
    match exec.lines(&step, 1 << 20, &mut print) {
        Ok(finished) if finished.success => Ok(Outcome::Passed { skipped }),
        Ok(_) => Ok(Outcome::Failed),
        Err(error) => match (&error, optional) {
            (ExecError::NotFound { program }, Some(missing)) => {
                Ok(Outcome::Skipped(missing.reason(program)))
            }
            _ => Err(error.into()),
        },
    }
}

/// The main job, as a user types it.
fn build(args: &CiArgs) -> anyhow::Result<Outcome> {
    if args.setup {
        // Even if the wheel exists already, because the following tests need the engine and some need arm64.
        tool(&["setup", "debian:12", "--emulate", "arm64"])?;
    }
    command(&["wheels", "debian:12", "linux/amd64", "--python", "cp311"])
}

/// A target of another distribution, if its packages can be fetched.
fn build_ubuntu(exec: &Exec, workspace: &Workspace, args: &CiArgs) -> anyhow::Result<Outcome> {
    const TARGET: &str = "ubuntu:24.04";
    if args.setup {
        tool(&["setup", TARGET])?;
    }
    let lists = match archive_lists(workspace, TARGET)? {
        Ok(step) => step.timeout(ARCHIVE_LIMIT),
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    let silence = match exec.capture(&lists) {
        Ok(output) if output.success => {
            return command(&["wheels", TARGET, "linux/amd64", "--python", "cp312"]);
        }
        Ok(output) => {
            let Some(line) = outcome::unreachable(&output.stderr) else {
                output.stderr.lines().for_each(|line| report::relay(line, true));
                return Ok(Outcome::Failed);
            };
            line.to_owned()
        }
        Err(error @ ExecError::TimedOut { .. }) => error.to_string(),
        Err(ExecError::NotFound { program }) => {
            let hint = "run `cargo xtask ci --setup`";
            return Ok(Outcome::Skipped(format!("`{program}` is not installed; {hint}")));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Outcome::Skipped(format!("Ubuntu's archive does not answer: {silence}")))
}

/// The shell scripts of `scripts/`, relative to the workspace.
fn shell_scripts(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut folders = vec!["scripts".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(workspace.root.join(&folder))? {
            let entry = entry?;
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push(name);
            } else if Utf8Path::new(&name).extension() == Some("sh") {
                names.push(name);
            }
        }
    }
    names.sort();
    Ok(names)
}
