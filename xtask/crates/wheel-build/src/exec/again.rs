//! Commands that are run again where a network or a server failed for a moment.

use std::time::Duration;

use super::{Exec, ExecError, Step};

/// Seconds between the tries.
const PAUSES: [u64; 2] = [1, 3];

/// What clients print about a failure that may pass: the server's own words (HTTP status), and connections that
/// broke. A host that cannot be reached (timeouts, unknown names) is not tried again: the client waited long enough.
const MAY_PASS: [&str; 16] = [
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

/// Whether the client's output shows a failure that may pass.
pub(crate) fn may_pass(said: &str) -> bool {
    MAY_PASS.iter().any(|words| said.contains(words))
}

impl Exec {
    /// As [`Exec::read`], up to three times if the command's output shows a failure that may pass. For commands that
    /// have the same effect when they run twice.
    ///
    /// # Errors
    /// As [`Exec::read`], of the last try.
    pub(crate) fn read_again(&self, step: &Step) -> Result<String, ExecError> {
        for pause in PAUSES {
            match self.read(step) {
                Err(error) if may_pass(error.stderr()) => self.pause(pause)?,
                other => return other,
            }
        }
        self.read(step)
    }

    /// Waits, unless this is a fake or the run is ending.
    fn pause(&self, seconds: u64) -> Result<(), ExecError> {
        if self.fake.is_some() {
            return Ok(());
        }
        for _ in 0..seconds * 10 {
            if super::interrupt::asked() {
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

    /// How often a command that first fails with each of `answers` is run, and whether it succeeds.
    fn runs(answers: &[&str]) -> (usize, bool) {
        let answers: Vec<String> = answers.iter().map(|&text| text.to_owned()).collect();
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let exec = Exec::fake(move |_| {
            let at = counter.fetch_add(1, Ordering::SeqCst);
            Ok(answers.get(at).map_or_else(|| Captured::ok("x"), |said| Captured::failed(said)))
        });
        let success = exec.read_again(&Step::new("gh", ["api"])).is_ok();
        (count.load(Ordering::SeqCst), success)
    }

    #[test]
    fn a_failure_that_may_pass_is_tried_three_times_and_another_once() {
        assert_eq!(runs(&[]), (1, true));
        assert_eq!(runs(&["HTTP 502: Bad Gateway", "read: connection reset by peer"]), (3, true));
        assert_eq!(runs(&["HTTP 503"; 4]), (3, false));
        for said in ["HTTP 404: Not Found", "HTTP 401", "lookup host: no such host", "i/o timeout"]
        {
            assert_eq!(runs(&[said]), (1, false), "{said}");
        }
    }
}
