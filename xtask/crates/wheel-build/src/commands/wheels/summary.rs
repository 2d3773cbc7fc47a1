//! The end of a run: a table of all jobs, then the failures with their reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::commands::titles as names;
use crate::engine::headline::{Headline, headline, without_interpreter};
use crate::pipeline::{
    Failure, FailureReason, Findings, JobReport, Outcome, RunReport, Warning, listed,
};
use wheel_audit::dist::{Entry, Kind, Manifest, Reproduced, Smoke, Tests};
use wheel_audit::report::{self, Annotation};
use wheel_audit::text;

const HEAD: [&str; 6] = ["folder", "python", "tag", "smoke", "time", "outcome"];
/// Column of the smoke test, and of the package's own tests if there are any.
const TESTED: usize = 3;

/// The table of all jobs in lines of `width` columns, and the number of wheels.
pub(super) fn table(report: &RunReport, width: usize) -> String {
    let has_tests = report.jobs.iter().any(|job| tests(job) != Tests::None);
    let rows: Vec<_> = report.jobs.iter().map(|job| row(job, has_tests)).collect();
    let mut head = HEAD;
    if has_tests {
        head[TESTED] = "tests";
    }
    let good = report.jobs.iter().filter(|job| job.failure().is_none()).count();
    let end = format!(
        "{good} of {} wheels in {} after {:.1} s",
        report.jobs.len(),
        report.dist,
        report.seconds
    );
    format!("{}\n\n{}", report::table(&head, &rows, width), report::fold(&end, width))
}

/// The package's own tests of a job.
fn tests(job: &JobReport) -> Tests {
    let (Outcome::Built { wheel } | Outcome::Unchanged { wheel }) = &job.outcome else {
        return Tests::None;
    };
    wheel.build(&job.interpreter).map_or(Tests::None, |build| build.tests)
}

/// The row of a job. With `has_tests`, `passed` covers the smoke test and the package's own tests.
fn row(job: &JobReport, has_tests: bool) -> Vec<String> {
    let arch = job.platform.trim_start_matches("linux/").replace('/', "");
    let place = [format!("{}-{arch}", job.target), job.interpreter.clone()];
    let (facts, outcome) = match &job.outcome {
        Outcome::Built { wheel } => {
            let by = wheel.build(&job.interpreter).and_then(|build| build.built_by.as_deref());
            let word = by.map_or_else(|| "built".to_owned(), |by| format!("built by {by}"));
            (wheel_cells(wheel, &job.interpreter), word)
        }
        Outcome::Unchanged { wheel } => {
            let build = wheel.build(&job.interpreter).filter(|build| !build.claimed);
            let word = match build.map(|build| build.reproduced) {
                Some(Reproduced::Identical) => "unchanged, reproduced",
                Some(Reproduced::Different) => "unchanged, not reproducible",
                Some(Reproduced::Unknown) | None => "unchanged",
            };
            (wheel_cells(wheel, &job.interpreter), word.to_owned())
        }
        Outcome::Failed(failure) => {
            let word = if failure.consequence { "stopped" } else { "FAILED" };
            (["-"; 5].map(str::to_owned), word.to_owned())
        }
    };
    let [_, tag, _, smoke, _] = facts;
    let is_smoke_only = has_tests && tests(job) != Tests::Passed;
    let tested = if is_smoke_only { smoke.replace("passed", "smoke only") } else { smoke };
    let mut outcome = vec![outcome];
    outcome.extend((!job.isolated).then(|| "not isolated".to_owned()));
    outcome.extend(job.findings.iter().flat_map(remarks));
    let lacks_audit = job.findings.is_none() && !matches!(job.outcome, Outcome::Failed(_));
    outcome.extend(lacks_audit.then(|| "audit unreadable".to_owned()));
    let end = [tag, tested, format!("{:.1} s", job.seconds), outcome.join(", ")];
    place.into_iter().chain(end).collect()
}

/// The next useful command after a run that built every wheel.
pub(super) fn next(report: &RunReport) -> Option<String> {
    let is_built = |job: &JobReport| matches!(job.outcome, Outcome::Built { .. });
    let dist = report.dist.file_name()?;
    let is_next = report.success() && report.jobs.iter().any(is_built);
    is_next.then(|| format!("next: `cargo xtask try {dist}` loads the wheels on other systems"))
}

/// "1 warning", "2 ignored"
fn remarks(findings: &Findings) -> Vec<String> {
    let (warnings, ignored) = (findings.warnings.len(), findings.ignored);
    let warnings = (warnings > 0).then(|| report::counted(warnings, "warning"));
    warnings.into_iter().chain((ignored > 0).then(|| format!("{ignored} ignored"))).collect()
}

/// "pass, 1 warning, 2 ignored"
pub(super) fn verdict(findings: &Findings) -> String {
    let remarks = remarks(findings);
    std::iter::once("pass".to_owned()).chain(remarks).collect::<Vec<_>>().join(", ")
}

/// The warnings, each once with all of its jobs.
pub(super) fn warnings(report: &RunReport) -> Vec<String> {
    let mut found: BTreeMap<&Warning, Vec<&JobReport>> = BTreeMap::new();
    for job in &report.jobs {
        let warnings = job.findings.iter().flat_map(|findings| &findings.warnings);
        for warning in warnings.collect::<BTreeSet<_>>() {
            found.entry(warning).or_default().push(job);
        }
    }
    // A message about many files of the same wheels is one warning.
    let mut groups: BTreeMap<[String; 4], Vec<&str>> = BTreeMap::new();
    for (warning, jobs) in found {
        let Warning { code, path, message, hint } = warning;
        let key = [titles(&jobs), code.clone(), message.clone(), hint.clone()];
        groups.entry(key).or_default().push(path);
    }
    let text = |([jobs, code, message, hint], paths): ([String; 4], Vec<&str>)| {
        format!("\nwarning: {jobs}: {code}: {}: {message}\nhint: {hint}", listed(&paths))
    };
    groups.into_iter().map(text).collect()
}

/// Floor, tag, size, smoke test, tests.
pub(super) fn wheel_cells(entry: &Entry, interpreter: &str) -> [String; 5] {
    let name = entry.path.rsplit('/').next().unwrap_or_default();
    let tag = name.trim_end_matches(".whl").rsplit('-').next().unwrap_or_default().to_owned();
    let size = text::file_size(entry.size);
    match &entry.kind {
        Kind::Wheel { floor, .. } => {
            let build = entry.build(interpreter);
            let smoke = build.map_or(Smoke::Skipped, |build| build.smoke);
            let smoke = smoke.text(build.is_some_and(|build| build.claimed));
            let tests = build.map_or(Tests::None, |build| build.tests).text().to_owned();
            [floor.clone(), tag, size, smoke, tests]
        }
        Kind::Metadata => [String::new(), tag, size, String::new(), String::new()],
    }
}

/// The errors of a run, each cause once with all of its jobs: the error, the step, the log, the hint.
pub(in crate::commands) fn failures(report: &RunReport) -> Vec<String> {
    causes(report).iter().map(|(failure, jobs)| explain(failure, jobs)).collect()
}

/// Each cause with its failed jobs.
pub(super) fn causes(report: &RunReport) -> Vec<(&Failure, Vec<&JobReport>)> {
    let mut causes: Vec<(&Failure, Vec<&JobReport>)> = Vec::new();
    for job in &report.jobs {
        let Some(failure) = job.failure() else { continue };
        let same = |other: &&mut (&Failure, _)| is_same(other.0, failure);
        match causes.iter_mut().find(same) {
            Some((_, jobs)) => jobs.push(job),
            None => causes.push((failure, vec![job])),
        }
    }
    // Consequences come first, so that the cause is the last message on the screen.
    causes.sort_by_key(|(failure, _)| !failure.consequence);
    causes
}

/// Returns the line of the output that explains a failure. The last line explains only that of a step.
fn head(failure: &Failure) -> Option<Headline> {
    headline(&failure.tail).filter(|found| found.is_error || failure.step.is_some())
}

/// Returns whether two jobs failed for the same reason; the interpreter may be in the paths of the output.
fn is_same(one: &Failure, other: &Failure) -> bool {
    let error = |failure: &Failure| {
        let found = headline(&failure.tail).filter(|found| found.is_error)?;
        Some((without_interpreter(&found.text), failure.step.clone(), failure.hint.clone()))
    };
    let is_equal = one.message == other.message && one.tail == other.tail;
    is_equal
        || one.message == other.message && error(one).is_some_and(|it| error(other) == Some(it))
}

/// The failures and warnings of a run as annotations of a hosted run.
pub(super) fn annotations(report: &RunReport) -> Vec<Annotation> {
    let failures = causes(report).into_iter().map(|(failure, jobs)| {
        let title = match failure.reason {
            FailureReason::Network => format!("{}: a host does not answer", titles(&jobs)),
            _ => format!("no wheel for {}", titles(&jobs)),
        };
        let found = head(failure);
        let mut message = found.map_or_else(String::new, |found| found.text + "\n");
        message.push_str(&failure.message);
        for line in &failure.tail {
            let _ = write!(message, "\n  | {line}");
        }
        if let Some(hint) = &failure.hint {
            let _ = write!(message, "\nhint: {hint}");
        }
        Annotation::error(title, message)
    });
    let warning = |text: String| {
        let text = text.trim_start().trim_start_matches("warning: ").to_owned();
        let title = text.split(": ").take(2).collect::<Vec<_>>().join(": ");
        Annotation::warning(title, text)
    };
    failures.chain(warnings(report).into_iter().map(warning)).collect()
}

/// The wheels of `manifest` that stay because the job that replaces them failed.
pub(super) fn left_over(report: &RunReport, manifest: &Manifest) -> Vec<String> {
    let failed = report.jobs.iter().filter(|job| job.failure().is_some());
    let old = failed.filter_map(|job| {
        let of_it = |entry: &&Entry| match &entry.kind {
            Kind::Wheel { target, platform, .. } => {
                *target == job.target
                    && *platform == job.platform
                    && entry.build(&job.interpreter).is_some()
            }
            Kind::Metadata => false,
        };
        let entry = manifest.files.iter().find(of_it)?;
        let path = report.dist.join(text::shown(&entry.path).to_string());
        Some(format!("note: `{path}` is the wheel of an earlier build"))
    });
    old.collect()
}

/// Maximum number of lines of a step's output below its error.
const QUOTED: usize = 12;

/// The error of the failed tool, the lines around it, the step, the log and the hint.
fn explain(failure: &Failure, jobs: &[&JobReport]) -> String {
    let found = head(failure);
    let error = found.as_ref().map_or(failure.message.as_str(), |found| found.text.as_str());
    let mut text = format!("\nerror: {}: {}", titles(jobs), error.trim_start_matches("error: "));
    let at = found.as_ref().filter(|found| found.is_error).map(|found| found.at);
    for line in quoted(&failure.tail, at) {
        text.push_str("\n  | ");
        text.push_str(line);
    }
    if found.is_some() {
        let _ = write!(text, "\n{}", failure.message);
    }
    if !failure.consequence {
        let more = match jobs.len() {
            1 => String::new(),
            more => {
                let more = report::counted(more - 1, "more job");
                format!(" (the same folder has the logs of {more})")
            }
        };
        let _ = write!(text, "\nlog: {}{more}", failure.log);
    }
    let of_step = "`cargo xtask shell --last-failed` opens a shell before that step";
    let of_step = (failure.step.is_some() && !failure.consequence).then_some(of_step);
    if let Some(hint) = failure.hint.as_deref().or(of_step) {
        let _ = write!(text, "\n\nhint: {hint}");
    }
    text
}

/// The lines around the error at `at`; all of them if it is unknown.
fn quoted(tail: &[String], at: Option<usize>) -> &[String] {
    let Some(at) = at else { return tail };
    let most = tail.len().saturating_sub(QUOTED);
    let start = at.saturating_sub(QUOTED * 2 / 3).min(most);
    let quoted = &tail[start..tail.len().min(start + QUOTED)];
    let blank = quoted.iter().take_while(|line| line.trim().is_empty()).count();
    &quoted[blank..]
}

/// The names of `jobs` in one line.
pub(super) fn titles(jobs: &[&JobReport]) -> String {
    let title = |job: &&JobReport| format!("{} {} {}", job.target, job.platform, job.interpreter);
    names::titles(jobs.iter().map(title))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn job(target: &str, python: &str, failure: Failure) -> JobReport {
        JobReport {
            isolated: true,
            target: target.to_owned(),
            platform: "linux/amd64".to_owned(),
            interpreter: python.to_owned(),
            seconds: 1.0,
            findings: None,
            outcome: Outcome::Failed(failure),
        }
    }

    fn failure(message: &str) -> Failure {
        Failure {
            message: message.to_owned(),
            step: None,
            tail: vec!["last line".to_owned()],
            log: "logs/a.log".into(),
            hint: None,
            reason: FailureReason::Step,
            source: None,
            could_not_run: false,
            ends_run: false,
            consequence: message.starts_with("not begun"),
        }
    }

    #[test]
    fn a_warning_is_shown_once_and_ignored_findings_are_counted() {
        let warning = |path: &str| Warning {
            code: "ELF012".to_owned(),
            path: path.to_owned(),
            message: "needs libx.so.1".to_owned(),
            hint: "ship it".to_owned(),
        };
        let with = |python, warnings, ignored| JobReport {
            findings: Some(Findings { warnings, ignored }),
            ..job("debian12", python, failure(""))
        };
        let jobs = vec![
            with("cp311", vec![warning("a.so"), warning("b.so")], 0),
            with("cp313", vec![warning("a.so")], 2),
            job("rocky9", "cp311", failure("no base image")),
        ];
        assert_eq!(
            jobs[1].findings.as_ref().map(verdict).as_deref(),
            Some("pass, 1 warning, 2 ignored")
        );
        let report =
            RunReport { schema_version: 2, dist: "dist".into(), source: None, jobs, seconds: 1.0 };
        let found = warnings(&report);
        assert_eq!(found.len(), 2, "{found:?}");
        for part in ["cp311, cp313", "ELF012", "a.so", "needs libx.so.1"] {
            assert!(found[1].contains(part), "{part} is not in {}", found[1]);
        }
        assert!(found[0].contains("b.so") && !found[0].contains("cp313"), "{}", found[0]);
        let many: Vec<_> = (0..300).map(|index| warning(&format!("{index}.so"))).collect();
        let report = RunReport { jobs: vec![with("cp311", many, 0)], ..report };
        let found = warnings(&report);
        assert_eq!(found.len(), 1, "one message about many files");
        assert!(found[0].contains("0.so, ") && found[0].contains(" and 290 more"), "{}", found[0]);
    }

    #[test]
    fn a_wheel_without_a_readable_audit_is_marked() {
        let wheel = Entry {
            path: "debian12-amd64/demo.whl".to_owned(),
            sha256: String::new(),
            size: 1,
            kind: Kind::Metadata,
        };
        let with = |findings| JobReport {
            findings,
            outcome: Outcome::Built { wheel: wheel.clone() },
            ..job("debian12", "cp311", failure(""))
        };
        let outcome = |job: &JobReport| row(job, false).pop().unwrap();
        assert_eq!(outcome(&with(Some(Findings::default()))), "built");
        assert_eq!(outcome(&with(None)), "built, audit unreadable");
        assert_eq!(outcome(&job("debian12", "cp311", failure(""))), "FAILED");
    }

    #[test]
    fn a_table_with_tests_has_one_line_for_each_job_of_80_columns() {
        let job = |smoke: &str, tests: &str| {
            let wheel = serde_json::json!({
                "path": "ubuntu24.04-arm64/demo-1.0-cp314-cp314t-manylinux_2_39_aarch64.whl",
                "sha256": "", "size": 1, "kind": "wheel", "target": "ubuntu24.04",
                "platform": "linux/arm64", "verdict": "pass", "floor": "2.17",
                "builds": [{ "interpreter": "cp314t", "job": "", "smoke": smoke, "tests": tests }],
            });
            JobReport {
                platform: "linux/arm64".to_owned(),
                seconds: 1275.3,
                findings: Some(Findings::default()),
                outcome: Outcome::Unchanged { wheel: serde_json::from_value(wheel).unwrap() },
                ..job("ubuntu24.04", "cp314t", failure(""))
            }
        };
        let jobs = vec![job("passed", "passed"), job("skipped", "none")];
        let dist = "dist".into();
        let mut report = RunReport { schema_version: 1, dist, source: None, jobs, seconds: 1.0 };
        insta::assert_snapshot!(table(&report, 80), @"
        folder             python  tag                     tests    time      outcome
        ubuntu24.04-arm64  cp314t  manylinux_2_39_aarch64  passed   1275.3 s  unchanged
        ubuntu24.04-arm64  cp314t  manylinux_2_39_aarch64  skipped  1275.3 s  unchanged

        2 of 2 wheels in dist after 1.0 s
        ");
        report.jobs.push(job("passed", "skipped"));
        assert!(table(&report, 100).contains("smoke only"));
    }

    #[test]
    fn a_cause_appears_once_with_its_jobs_after_its_consequences() {
        let jobs = vec![
            job("rocky9", "cp311", failure("no base image")),
            job("rocky9", "cp313", failure("no base image")),
            job("debian12", "cp311", failure("not begun")),
            job("alma9", "cp311", failure("no base image")),
        ];
        let report =
            RunReport { schema_version: 1, dist: "dist".into(), source: None, jobs, seconds: 1.0 };
        insta::assert_snapshot!(failures(&report).join("\n"), @"

        error: debian12 linux/amd64 cp311: not begun
          | last line

        error: rocky9 linux/amd64 cp311, cp313; alma9 linux/amd64 cp311: no base image
          | last line
        log: logs/a.log (the same folder has the logs of 2 more jobs)
        ");
    }

    #[test]
    fn the_excerpt_the_log_and_the_hint_come_in_this_order() {
        let of_step = Failure { step: Some("RUN x".to_owned()), ..failure("step failed") };
        let advice = Failure { hint: Some("more memory".to_owned()), ..of_step.clone() };
        for (failure, hint) in [(of_step, "--last-failed"), (advice, "memory")] {
            let text = explain(&failure, &[&job("debian12", "cp311", failure.clone())]);
            let (before, log) = text.split_once("\nlog: logs/a.log\n\n").unwrap();
            assert!(
                before.contains("\n  | last line\nstep failed") && !before.contains("hint: "),
                "{text}"
            );
            assert!(log.starts_with("hint: ") && log.contains(hint), "{text}");
            assert_eq!(text.matches("hint: ").count(), 1, "{text}");
        }
    }
}
