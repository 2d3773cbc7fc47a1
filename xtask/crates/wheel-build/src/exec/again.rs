//! Retries commands after temporary failures of a network or a server.

use std::time::Duration;

use super::{Exec, ExecError, Step};

/// Seconds between the tries.
const PAUSES: [u64; 2] = [1, 3];

/// Messages of clients about temporary failures: an HTTP status of the server, and broken connections. Unreachable
/// hosts (timeouts, unknown names) are not retried, because the client has already waited.
const TEMPORARY: [&str; 16] = [
    "HTTP 429",
    "HTTP 500",
    "HTTP 502",
    "HTTP 503",
    "HTTP 504",
    "429 Too Many Requests",
    "toomanyrequests",
    "500 Internal Server Error",
    "502 Bad Gateway",
    "503 Service Unavailable",
    "504 Gateway Time",
    "connection reset by peer",
    "unexpected EOF",
    "TLS handshake timeout",
    "http2: server sent GOAWAY",
    "stream error: stream ID",
];

/// Returns whether the client's output shows a temporary failure.
pub(crate) fn is_temporary(stderr: &str) -> bool {
    TEMPORARY.iter().any(|words| stderr.contains(words))
}

impl Exec {
    /// Like [`Exec::read`], with up to three tries if the command's output shows a temporary failure. Only for
    /// commands that can run twice.
    ///
    /// # Errors
    /// As [`Exec::read`], of the last try.
    pub(crate) fn read_again(&self, step: &Step) -> Result<String, ExecError> {
        for pause in PAUSES {
            match self.read(step) {
                Err(error) if is_temporary(error.stderr()) => self.pause(pause)?,
                other => return other,
            }
        }
        self.read(step)
    }

    /// Waits, unless this is a fake or xtask is interrupted.
    fn pause(&self, seconds: u64) -> Result<(), ExecError> {
        if self.fake.is_some() {
            return Ok(());
        }
        for _ in 0..seconds * 10 {
            if super::interrupt::received() {
                return Err(ExecError::Interrupted);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::exec::Captured;

    /// The number of runs of a command that first fails with each of `answers`, and whether it succeeds.
    fn runs(answers: &[&str]) -> (usize, bool) {
        let answers: Vec<String> = answers.iter().map(|&text| text.to_owned()).collect();
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let exec = Exec::fake(move |_| {
            let at = counter.fetch_add(1, Ordering::SeqCst);
            Ok(answers.get(at).map_or_else(|| Captured::ok("x"), |stderr| Captured::failed(stderr)))
        });
        let success = exec.read_again(&Step::new("gh", ["api"])).is_ok();
        (count.load(Ordering::SeqCst), success)
    }

    #[test]
    fn only_a_temporary_failure_is_retried() {
        assert_eq!(runs(&[]), (1, true));
        assert_eq!(runs(&["HTTP 502: Bad Gateway", "read: connection reset by peer"]), (3, true));
        assert_eq!(runs(&["HTTP 503"; 4]), (3, false));
        for stderr in
            ["HTTP 404: Not Found", "HTTP 401", "lookup host: no such host", "i/o timeout"]
        {
            assert_eq!(runs(&[stderr]), (1, false), "{stderr}");
        }
    }
}
