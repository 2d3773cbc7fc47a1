//! The outcomes of checks. Pure.

use std::fmt;

/// Prefix of the line in which a test reports a skip (`tests/common/skip.rs`).
const SKIPPED: &str = "xtask test skipped: ";

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It ran and found nothing. `skipped` lists the reasons of tests that skipped something.
    Passed { skipped: Vec<String> },
    /// It ran and found a problem.
    Failed,
    /// It did not run, with the reason.
    Skipped(String),
    /// It requires this option.
    NotRequested(&'static str),
}

impl Outcome {
    /// The outcome of a complete check.
    pub(super) fn of(success: bool) -> Self {
        if success { Self::Passed { skipped: Vec::new() } } else { Self::Failed }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed { skipped } if skipped.is_empty() => f.write_str("passed"),
            Self::Passed { skipped } => write!(f, "passed, {} skipped", skipped.len()),
            Self::Failed => f.write_str("FAILED"),
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
            Self::NotRequested(option) => write!(f, "not requested (`{option}`)"),
        }
    }
}

/// A check with its name, outcome and duration.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    pub(super) seconds: f64,
}

impl Checked {
    /// The rows of the table: the check's own, and one for each test that skipped something.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let row = |name: &str, time: String, result: String| vec![name.to_owned(), time, result];
        let ran = !matches!(self.outcome, Outcome::NotRequested(_));
        let time = if ran { format!("{:.1} s", self.seconds) } else { String::new() };
        let mut rows = vec![row(self.name, time, self.outcome.to_string())];
        if let Outcome::Passed { skipped } = &self.outcome {
            let of_test = |reason: &String| row("", String::new(), format!("skipped: {reason}"));
            rows.extend(skipped.iter().map(of_test));
        }
        rows
    }
}

/// The reason in a line of a test that skips something.
pub(super) fn skipped(line: &str) -> Option<&str> {
    // The line may start with output of the test runner.
    line.split_once(SKIPPED).map(|(_, reason)| reason.trim())
}

/// apt's line about an archive that cannot be reached. An answer of the archive, such as a missing file, does not
/// count.
pub(super) fn unreachable(stderr: &str) -> Option<&str> {
    let line = stderr.lines().find(|line| line.starts_with("E: Failed to fetch "))?;
    // apt writes two spaces after a status.
    let refused = line.split_whitespace().any(|word| matches!(word, "404" | "410"));
    (!refused).then_some(line)
}

/// Returns whether a run with these `results` is good. With `strict`, a requested check that did not run counts as
/// failed.
pub(super) fn is_good(results: &[Checked], strict: bool) -> bool {
    results.iter().all(|checked| match &checked.outcome {
        Outcome::Passed { skipped } => !strict || skipped.is_empty(),
        Outcome::Failed => false,
        Outcome::Skipped(_) => !strict,
        Outcome::NotRequested(_) => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(outcome: Outcome) -> [Checked; 1] {
        [Checked { name: "tests", outcome, seconds: 1.0 }]
    }

    #[test]
    fn only_a_strict_run_fails_because_of_skips() {
        let whole = checked(Outcome::of(true));
        let tool = checked(Outcome::Skipped("not installed".to_owned()));
        let test = checked(Outcome::Passed { skipped: vec!["a.rs:1: not root".to_owned()] });
        assert!(is_good(&whole, false) && is_good(&whole, true));
        assert!(is_good(&tool, false) && !is_good(&tool, true));
        assert!(is_good(&test, false) && !is_good(&test, true));
        assert!(!is_good(&checked(Outcome::Failed), false));
        let full = checked(Outcome::NotRequested("--full"));
        assert!(is_good(&full, false) && is_good(&full, true));
    }

    #[test]
    fn an_unrequested_check_has_a_row_with_its_option() {
        let [full] = checked(Outcome::NotRequested("--full"));
        assert_eq!(full.rows(), [["tests", "", "not requested (`--full`)"]]);
    }

    #[test]
    fn a_skip_is_found_anywhere_in_the_runners_line() {
        assert_eq!(skipped("xtask test skipped: a.rs:1: why"), Some("a.rs:1: why"));
        assert_eq!(skipped("test a ... xtask test skipped: why"), Some("why"));
        assert_eq!(skipped("test skipped ... ok"), None);
    }

    #[test]
    fn an_archive_that_responds_is_reachable() {
        let url = "http://archive.example/dists/noble/InRelease";
        for reason in [
            "Could not resolve 'archive.example'",
            "Could not connect to archive.example:80 (192.0.2.1). - connect (111: Connection refused)",
            "503  Service Unavailable [IP: 192.0.2.1 80]",
        ] {
            let line = format!("E: Failed to fetch {url}  {reason}");
            assert_eq!(
                unreachable(&format!("I: running apt-get update...\n{line}\nE: x")),
                Some(&*line)
            );
        }
        for text in [
            "E: The repository 'http://archive.example nosuite Release' does not have a Release file.",
            "E: Failed to fetch http://archive.example/main/Packages  404  Not Found [IP: 192.0.2.1 80]",
            "E: keyring \"/k.gpg\" does not exist",
            "",
        ] {
            assert_eq!(unreachable(text), None, "{text}");
        }
    }

    #[test]
    fn every_reason_has_its_row() {
        let skipped = vec!["a.rs:1: not root".to_owned(), "b.rs:2: no podman".to_owned()];
        let [checked] = checked(Outcome::Passed { skipped });
        let results: Vec<_> = checked.rows().into_iter().filter_map(|mut row| row.pop()).collect();
        let expected =
            ["passed, 2 skipped", "skipped: a.rs:1: not root", "skipped: b.rs:2: no podman"];
        assert_eq!(results, expected);
    }
}
