//! The causes of failed engine calls that have their own type and hint.

use std::fmt::Write as _;

use thiserror::Error;
use wheel_audit::UserError;

use super::headline::headline;
use super::progress::{FailedStep, short_name};
use super::source_down::source_down;

/// Why an engine call failed.
#[derive(Debug, Error)]
pub(crate) enum EngineError {
    /// The engine does not answer.
    #[error("{0}")]
    Gone(#[source] UserError),
    /// The engine's disk or this machine's disk is full.
    #[error("{0}")]
    DiskFull(#[source] UserError),
    /// A build step failed.
    #[error("{error}")]
    Step {
        /// The step and the lines that show its error.
        step: Box<FailedStep>,
        /// The host that did not answer, if that is the cause.
        down: Option<String>,
        /// The step and the reason, with a hint if the output suggests one.
        #[source]
        error: UserError,
    },
    /// The client failed outside of the build.
    #[error("`docker buildx` failed ({status}): {message}")]
    Client {
        /// Exit status as text.
        status: String,
        /// The client's last message.
        message: String,
    },
    /// The command could not be started.
    #[error(transparent)]
    Exec(#[from] crate::exec::ExecError),
    /// A file of xtask could not be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// This engine does not support the request.
    #[error("{0}")]
    Unusable(#[source] UserError),
    /// The base image is not available.
    #[error("{0}")]
    Base(#[source] UserError),
}

impl EngineError {
    /// The step that failed, if the cause is a step.
    pub(crate) fn step(&self) -> Option<&FailedStep> {
        match self {
            Self::Step { step, .. } => Some(step),
            _ => None,
        }
    }

    /// The hint, if there is one.
    pub(crate) fn hint(&self) -> Option<&str> {
        UserError::hint_of(self)
    }

    fn of_step(step: FailedStep) -> Self {
        let mut message =
            format!("step `{}` failed: {}", short_name(&step.name), reason(&step.error));
        let down = if tests_the_package(&step.name) { None } else { source_down(&step.tail) };
        if let Some(host) = &down {
            let _ = write!(message, ": `{host}` does not answer");
        }
        let hint = advice_on_tests(&step).or_else(|| advice(&step));
        let hint = hint.or_else(|| down.as_deref().map(again));
        let hint = match &step.clipped {
            Some(limit) => {
                let _ = write!(message, "; BuildKit dropped output beyond {limit}");
                let is_shown = headline(&step.tail).is_some_and(|found| found.is_error);
                hint.or_else(|| (!is_shown).then(|| UNCLIPPED.to_owned()))
            }
            None => hint,
        };
        Self::Step { step: Box::new(step), down, error: UserError { message, hint } }
    }

    /// The host that did not answer, if that is the cause.
    pub(crate) fn source_down(&self) -> Option<String> {
        let text = match self {
            Self::Step { down, .. } => return down.clone(),
            Self::Base(error) => &error.message,
            Self::Client { message, .. } => message,
            _ => return None,
        };
        source_down(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    /// Returns whether the machine is the cause, rather than the package.
    pub(crate) fn could_not_run(&self) -> bool {
        self.ends_run() || matches!(self, Self::Base(_) | Self::Unusable(_))
    }

    /// Returns whether a cache outside of the engine may be the cause: no program of the build failed.
    pub(super) fn may_be_the_cache(&self) -> bool {
        match self {
            Self::Step { step, .. } => !exited_normally(step),
            Self::Client { .. } | Self::Gone(_) => true,
            _ => false,
        }
    }

    /// Returns whether further jobs on the same engine would fail for the same reason.
    pub(crate) fn ends_run(&self) -> bool {
        use crate::exec::ExecError;
        matches!(
            self,
            Self::Gone(_)
                | Self::DiskFull(_)
                | Self::Exec(ExecError::Interrupted | ExecError::NotFound { .. })
        )
    }
}

/// Returns whether a step runs the package's own code and downloads nothing. Its messages about hosts do not count.
fn tests_the_package(name: &str) -> bool {
    ["smoke-run", "/smoke.sh", "test-run", "/test.sh", "repair-run", "/repair.sh"]
        .iter()
        .any(|step| name.contains(step))
}

/// The hint for a source that did not answer.
pub(crate) fn again(host: &str) -> String {
    format!(
        "run the command again when `{host}` answers; finished wheels are kept. `cargo xtask doctor` shows how \
         to set a mirror for each kind of source. In GitHub Actions, use \"Re-run failed jobs\" or \
         `gh run rerun --failed`"
    )
}

/// `BuildKit`'s message without the command, which the step's name already contains.
fn reason(error: &str) -> &str {
    error.rsplit_once("did not complete successfully: ").map_or(error, |(_, reason)| reason)
}

/// The hint for output that `BuildKit` dropped.
const UNCLIPPED: &str = "the log lacks the dropped output, too. Run the command in `cargo xtask shell --last-failed`, \
     or raise the limits: `BUILDKIT_STEP_LOG_MAX_SIZE=-1` and `BUILDKIT_STEP_LOG_MAX_SPEED=-1` in the environment \
     of dockerd, or `--driver-opt env.NAME=-1` of `docker buildx create`";

/// Messages of clients if no engine answers.
const ENGINE_STOPPED: [&str; 7] = [
    "Cannot connect to the Docker daemon",
    "Is the docker daemon running",
    "error reading from server: EOF",
    "connection reset by peer",
    "error during connect",
    "transport is closing",
    "failed to dial",
];

/// Messages about a full disk.
const FULL: [&str; 2] = ["no space left on device", "No space left on device"];

/// Determines the cause of a failed call from the source of each message. The output of a step is no evidence about
/// the engine. Only the solver's message about the step counts, or the client's if no step exited by itself.
pub(crate) fn diagnose(status: &str, step: Option<FailedStep>, output: &[String]) -> EngineError {
    let step = match step {
        // The client repeats the step's output, so its messages do not count here.
        Some(step) if exited_normally(&step) => return EngineError::of_step(step),
        other => other,
    };
    let engine_words = || step.iter().map(|step| &step.error).chain(output);
    let found = |words: &[&str]| {
        let line = engine_words().find(|line| words.iter().any(|word| line.contains(word)))?;
        Some(without_level(line).to_owned())
    };
    if let Some(output) = found(&FULL) {
        let message = format!("no space is left on the engine's disk: {output}");
        return EngineError::DiskFull(UserError::new(message).hint(
            "`docker system df` shows the usage, and `docker buildx prune` empties the build cache",
        ));
    }
    if let Some(output) = found(&ENGINE_STOPPED) {
        let message = format!("the container engine does not answer: {output}");
        return EngineError::Gone(UserError::new(message).hint(
            "run `cargo xtask setup` to install and start the missing parts on this machine, and `cargo xtask \
             doctor` for details; start an engine of `--engine-host`, `DOCKER_HOST` or a context on its \
             own machine",
        ));
    }
    let last = output.iter().rev().find(|line| !line.trim().is_empty());
    let last = last.map(|line| without_level(line).to_owned()).unwrap_or_default();
    match step {
        Some(step) => EngineError::of_step(step),
        None if last.contains("no builder ") && last.contains(" found") => {
            EngineError::Unusable(UserError::new(last).hint(
                "`docker buildx ls` lists the builders; without `--builder` the engine's own builder \
                 is used",
            ))
        }
        None => EngineError::Client { status: status.to_owned(), message: last },
    }
}

/// The client's message without its `ERROR: ` prefix, because xtask adds its own.
fn without_level(line: &str) -> &str {
    let line = line.trim();
    ["ERROR: ", "error: ", "Error: "]
        .iter()
        .find_map(|level| line.strip_prefix(level))
        .unwrap_or(line)
}

/// Returns whether the step's program exited by itself (`exit code: 1` of `BuildKit`,
/// `exit status 1` of podman).
fn exited_normally(step: &FailedStep) -> bool {
    ["exit code: ", "exit status "].iter().any(|start| reason(&step.error).starts_with(start))
}

/// Returns whether the step exited with this status.
fn exited(step: &FailedStep, code: u8) -> bool {
    let status = reason(&step.error).trim_start_matches(|c: char| !c.is_ascii_digit());
    let digits = status.split(|c: char| !c.is_ascii_digit()).next();
    exited_normally(step) && digits.and_then(|digits| digits.parse().ok()) == Some(code)
}

/// The hint for package tests that lack something.
fn advice_on_tests(step: &FailedStep) -> Option<String> {
    let lacks = |line: &String| {
        line.contains("ModuleNotFoundError: No module named ")
            || line.starts_with("sh: ") && line.ends_with("not found")
            || line.contains(": No module named ")
    };
    let no_library = |line: &String| {
        line.starts_with("FAIL ") && line.contains("cannot open shared object file")
    };
    if step.tail.iter().any(no_library) {
        return Some(
            "a minimal system lacks a library that the wheel's tag allows as external; if its users have it, add \
             its package to `[test]` in wheels.toml: `system_packages = { apt = [\"libgl1\"] }`"
                .to_owned(),
        );
    }
    (step.name.contains("/test.sh") && step.tail.iter().any(lacks)).then(|| {
        "in `[test]` of wheels.toml, `requires = [\"pytest\"]`, `extras` and `groups` install packages; if the \
         tests import the source instead of the wheel, set `sources = [\"tests\"]` and `command = \"pytest \
         tests\"`"
            .to_owned()
    })
}

fn advice(step: &FailedStep) -> Option<String> {
    let any =
        |words: &[&str]| step.tail.iter().any(|line| words.iter().any(|word| line.contains(word)));
    if any(&["CERTIFICATE_VERIFY_FAILED", "certificate verify failed", "UnknownIssuer"]) {
        return Some(
            "the container does not trust the index's certificate; `cargo xtask doctor` shows the CA \
             bundle of the containers, and `SSL_CERT_FILE` selects another"
                .to_owned(),
        );
    }
    if any(&["no provider has"]) {
        return None;
    }
    if any(&["is excluded by the package: `Requires-Python"]) {
        return Some(
            "remove the interpreter from `pythons` in wheels.toml, or choose others with `--python`"
                .to_owned(),
        );
    }
    if step.tail.iter().any(|line| line.to_lowercase().contains("justfile does not contain recipe"))
    {
        return Some(
            "set `[build] recipe` in wheels.toml to a recipe of the source's justfile or of \
             `docker/justfile` [default: `build-all`]"
                .to_owned(),
        );
    }
    if any(&["no trusted hash was provided"]) {
        return Some(
            "the build backend requires more than the file of `[build] requirements` pins; add the \
             package with `uv pip compile --generate-hashes`, or remove the key \
             `requirements`"
                .to_owned(),
        );
    }
    if any(&["exec format error", "Exec format error"]) {
        return Some("this machine cannot run that platform; run `cargo xtask doctor`".to_owned());
    }
    if any(&["unable to find CPU model", "can't apply global"]) {
        return Some(
            "the emulator is too old for the processor of `[check] isa` or `QEMU_CPU`; QEMU 6.0 \
             supports all of them; `cargo xtask binfmt status` shows who registered the emulator"
                .to_owned(),
        );
    }
    if any(&["no space left on device", "No space left on device"]) {
        return Some(
            "a file system of this step is full. `/tmp` and `/dev/shm` of a step are in memory: write \
             large files below `/var/tmp`, or increase the engine's memory. `docker system df` shows \
             the usage of the engine's disk"
                .to_owned(),
        );
    }
    let killed =
        ["Killed signal terminated program", "signal: 9, SIGKILL", "died with <Signals.SIGKILL"];
    if any(&killed) || step.tail.iter().any(|line| line.trim() == "Killed") || exited(step, 137) {
        return Some(
            "the system killed a program, probably because memory ran out. Run one job at a time (`wheels --jobs 1`), \
             set `env = { MAKEFLAGS = \"-j1\", CARGO_BUILD_JOBS = \"1\" }` in `[build]` of wheels.toml, \
             or increase the engine's memory"
                .to_owned(),
        );
    }
    let crashed = [
        "internal compiler error",
        "the compiler unexpectedly panicked",
        "PLEASE submit a bug report",
    ];
    if any(&crashed) || exited(step, 139) {
        return Some(
            "the compiler crashed, probably because of the memory or the emulator. \
             Try `wheels --jobs 1`; for an emulated platform, try a native machine or a newer QEMU \
             (`cargo xtask binfmt status`)"
                .to_owned(),
        );
    }
    // 128 plus the number of the signal. QEMU prints the signal's name.
    if any(&["Illegal instruction"]) || exited(step, 132) {
        return Some(
            "a program uses instructions that the processor lacks. Remove flags such as `-march=native`. An \
             emulated processor has the level of `[check] isa`: raise the level if the system itself needs more"
                .to_owned(),
        );
    }
    if step.tail.iter().any(|line| line.starts_with("FAIL import ")) {
        return Some(
            "`[check] imports` in wheels.toml selects the modules to import [default: every extension \
             module of the wheel]"
                .to_owned(),
        );
    }
    any(&["does not appear to be a Python project"]).then(|| {
        "set `package` in `[source]` of wheels.toml to the folder with pyproject.toml or setup.py".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "the parameter type of `diagnose`")]
    fn step(tail: &[&str], error: &str) -> Option<FailedStep> {
        let tail = tail.iter().map(|&line| line.to_owned()).collect();
        Some(FailedStep { name: "RUN x".to_owned(), error: error.to_owned(), tail, clipped: None })
    }

    #[test]
    fn only_messages_of_the_engine_end_the_run() {
        for words in FULL.iter().chain(&ENGINE_STOPPED) {
            let printed = format!("cc: {words}");
            let failed =
                step(&[&printed], r#"process "x" did not complete successfully: exit code: 1"#);
            let repeated = [format!("0.1 {printed}"), "ERROR: failed to solve".to_owned()];
            let error = diagnose("1", failed, &repeated);
            assert!(matches!(error, EngineError::Step { .. }) && !error.ends_run(), "{error}");
            for failed in [step(&[], &format!("failed to copy: {words}")), None] {
                let output = [format!("ERROR: failed to solve: {words}")];
                assert!(diagnose("1", failed, &output).ends_run(), "{words}");
            }
        }
    }

    #[test]
    fn dropped_output_is_reported() {
        let of = |tail: &str, limit: Option<&str>| {
            let failed = step(&[tail], "exit code: 1");
            let clipped = limit.map(str::to_owned);
            diagnose("1", failed.map(|it| FailedStep { clipped, ..it }), &[])
        };
        let cut = of("copying a.py", Some("2MiB"));
        assert!(cut.to_string().matches("2MiB").count() == 1, "{cut}");
        assert!(cut.hint().is_some_and(|hint| hint.contains("BUILDKIT_STEP_LOG_MAX_SIZE")));
        let shown = of("a.c:1:1: error: b", Some("2MiB"));
        assert!(shown.to_string().contains("2MiB") && shown.hint().is_none(), "{shown}");
        assert!(of("copying a.py", None).hint().is_none());
    }

    #[test]
    fn a_failed_import_has_a_hint() {
        let error =
            diagnose("1", step(&["FAIL import a._b: ImportError: no"], "exit code: 1"), &[]);
        assert!(error.hint().is_some_and(|hint| hint.contains("`[check] imports`")), "{error}");
        let line = "FAIL import a._b: ImportError: libGL.so.1: cannot open shared object file: No such file";
        let error = diagnose("1", step(&[line], "exit code: 1"), &[]);
        assert!(error.hint().is_some_and(|hint| hint.contains("`[test]`")), "{error}");
    }

    #[test]
    fn a_source_without_a_package_has_a_hint() {
        let hint = |line: &str| {
            let error = diagnose("1", step(&[line], "exit code: 1"), &[]);
            error.hint().unwrap_or_default().to_owned()
        };
        assert!(hint("`/x` does not appear to be a Python project").contains("`package`"));
        assert_eq!(hint("open: No such file or directory"), "");
    }

    #[test]
    fn a_full_file_system_a_kill_and_a_crash_have_hints() {
        let hint = |tail: &[&str], error: &str| {
            let error = diagnose("1", step(tail, error), &[]);
            assert!(!error.ends_run(), "{error}");
            error.hint().unwrap_or_default().to_owned()
        };
        assert!(hint(&["write: No space left on device"], "exit code: 1").contains("/tmp"));
        let kill = "g++: fatal error: Killed signal terminated program cc1plus";
        for (tail, status) in
            [(kill, "exit code: 1"), ("", "exit code: 137"), ("Killed", "exit status 2")]
        {
            assert!(hint(&[tail], status).contains("--jobs"), "{tail} {status}");
        }
        for (tail, status) in
            [("a.c:1: internal compiler error: x", "exit code: 1"), ("", "exit code: 139")]
        {
            assert!(hint(&[tail], status).contains("emulat"), "{tail} {status}");
        }
        assert!(hint(&["Killed"], "exit code: 1").contains("memory"));
        assert_eq!(hint(&[], "exit code: 1"), "");
    }

    #[test]
    fn an_impossible_setting_has_a_hint_with_its_key() {
        let hint = |line: &str| {
            let error = diagnose("1", step(&[line], "exit code: 1"), &[]);
            error.hint().unwrap_or_default().to_owned()
        };
        let excluded =
            "error: `cp310` is excluded by the package: `Requires-Python: >=3.11` in a.tar.gz";
        assert!(hint(excluded).contains("`pythons`"));
        for word in ["Justfile", "justfile"] {
            let output = format!("error: {word} does not contain recipe `nope`");
            assert!(hint(&output).contains("`[build] recipe`"), "{output}");
        }
    }

    #[test]
    fn a_stopped_engine_is_reported_as_gone() {
        let output = ["ERROR: rpc error: code = Unavailable desc = error reading from server: EOF"];
        let error = diagnose("1", None, &output.map(str::to_owned));
        assert!(matches!(error, EngineError::Gone(_)), "{error}");
        assert!(error.ends_run());
    }

    #[test]
    fn an_unknown_builder_has_a_hint_to_list_builders() {
        let error = diagnose("1", None, &["ERROR: no builder \"nosuch\" found".to_owned()]);
        assert!(error.hint().is_some_and(|hint| hint.contains("docker buildx ls")), "{error}");
        assert!(!error.to_string().contains("ERROR: "), "{error}");
        assert!(matches!(diagnose("1", None, &[]), EngineError::Client { .. }));
    }

    #[test]
    fn a_network_error_in_a_container_is_not_an_engine_error() {
        let error = diagnose("1", step(&["pip: connection reset by peer"], "exit code: 1"), &[]);
        assert!(matches!(error, EngineError::Step { .. }), "{error}");
    }

    #[test]
    fn an_illegal_instruction_has_a_hint() {
        let output = "qemu: uncaught target signal 4 (Illegal instruction) - core dumped";
        for failed in [step(&[output], "exit code: 1"), step(&[], "exit code: 132")] {
            let error = diagnose("1", failed, &[]);
            assert!(error.hint().is_some_and(|hint| hint.contains("[check] isa")), "{error}");
        }
    }

    #[test]
    fn a_silent_source_is_reported_unless_the_package_prints_it() {
        let line = "E: Failed to fetch http://deb.example/x  Could not resolve 'deb.example'";
        let of = |name: &str| {
            let failed = step(&[line], "exit code: 100")
                .map(|it| FailedStep { name: name.to_owned(), ..it });
            diagnose("1", failed, &[])
        };
        let error = of("[system 1/1] RUN sh /xtask/system-packages.sh");
        assert_eq!(error.source_down().as_deref(), Some("deb.example"));
        assert!(error.to_string().contains("`deb.example`") && error.hint().is_some(), "{error}");
        assert!(!error.could_not_run(), "other targets may have other sources");
        assert_eq!(of("[test-run 1/1] RUN sh /xtask/test.sh").source_down(), None);
    }

    #[test]
    fn an_untrusted_certificate_has_a_hint() {
        let error = diagnose("1", step(&["[SSL: CERTIFICATE_VERIFY_FAILED]"], "exit code: 1"), &[]);
        assert!(error.hint().is_some_and(|hint| hint.contains("SSL_CERT_FILE")));
    }
}
