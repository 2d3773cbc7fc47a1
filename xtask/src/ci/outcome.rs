//! What became of a check: pure.

use std::fmt;

/// How the line begins by which a test reports what it skips (`tests/common/skip.rs`).
const SKIPPED: &str = "xtask test skipped: ";

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It ran and found nothing; the tests that skipped something are named with their reasons.
    Passed { skipped: Vec<String> },
    /// It ran and found something.
    Failed,
    /// It did not run, and why.
    Skipped(String),
    /// It runs with this option only.
    NotRequested(&'static str),
}

impl Outcome {
    /// A check that ran whole.
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

/// A check with its name, outcome and time.
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

/// The reason in a line that a test prints where it skips something.
pub(super) fn skipped(line: &str) -> Option<&str> {
    // The test runner may have begun the line.
    line.split_once(SKIPPED).map(|(_, reason)| reason.trim())
}

/// The line of apt's that says that an archive cannot be reached. What the archive answers, such as that it has
/// no such file, is no such line.
pub(super) fn unreachable(stderr: &str) -> Option<&str> {
    let line = stderr.lines().find(|line| line.starts_with("E: Failed to fetch "))?;
    // apt writes a status with two spaces behind it.
    let refused = line.split_whitespace().any(|word| matches!(word, "404" | "410"));
    (!refused).then_some(line)
}

/// Whether a run with these `results` is good; with `strict` a requested check that did not run is as bad as
/// one that failed.
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
    fn only_a_strict_run_fails_for_what_was_skipped() {
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
    fn a_check_that_was_not_requested_has_a_row_that_names_its_option() {
        let [full] = checked(Outcome::NotRequested("--full"));
        assert_eq!(full.rows(), [["tests", "", "not requested (`--full`)"]]);
    }

    #[test]
    fn what_a_test_skips_is_read_wherever_the_runner_is_in_its_line() {
        assert_eq!(skipped("xtask test skipped: a.rs:1: why"), Some("a.rs:1: why"));
        assert_eq!(skipped("test a ... xtask test skipped: why"), Some("why"));
        assert_eq!(skipped("test skipped ... ok"), None);
    }

    #[test]
    fn an_archive_that_answers_is_not_out_of_reach() {
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
        for said in [
            "E: The repository 'http://archive.example nosuite Release' does not have a Release file.",
            "E: Failed to fetch http://archive.example/main/Packages  404  Not Found [IP: 192.0.2.1 80]",
            "E: keyring \"/k.gpg\" does not exist",
            "",
        ] {
            assert_eq!(unreachable(said), None, "{said}");
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
