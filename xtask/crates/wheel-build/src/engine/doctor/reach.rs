//! Tests if a remote service answers.

use std::time::Duration;

use super::docker::first_line;
use crate::exec::{Captured, ExecError};

/// Maximum duration of one query.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Reachability of a remote service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It answers.
    Yes,
    /// It does not answer, with the reason.
    No(String),
    /// It could not be tested, with the reason.
    Untried(&'static str),
}

/// The answer of a program that queries the service.
pub(super) fn reach(answer: Result<Captured, ExecError>) -> Reach {
    match answer {
        Ok(answer) if answer.success => Reach::Yes,
        Ok(answer) => {
            let error = answer.stderr.lines().rev().find_map(|line| line.strip_prefix("ERROR: "));
            Reach::No(first_line(error.unwrap_or(&answer.stderr)))
        }
        Err(ExecError::TimedOut { limit, .. }) => {
            Reach::No(format!("no answer within {} s", limit.as_secs()))
        }
        Err(error) => Reach::No(first_line(&error.to_string())),
    }
}
