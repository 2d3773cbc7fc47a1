//! Progress over many files, on stderr: nothing for the first second, then one line that changes in
//! a terminal, and a line now and then elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time before the first line.
const DELAY: Duration = Duration::from_secs(1);
/// Milliseconds between two updates of the line in a terminal.
const FRAME: u64 = 100;
/// Milliseconds between two lines where stderr is not a terminal.
const LINES: u64 = 10_000;
/// Maximum number of characters of a file's name.
const NAME: usize = 50;
/// Moves to the start of the line and clears it (ECMA-48, EL).
const CLEAR: &str = "\r\x1b[K";

/// Progress over a number of files.
pub struct Count {
    terminal: bool,
    total: u64,
    done: AtomicU64,
    started: Instant,
    /// Time of the last line, in milliseconds after the start; 0 before the first one.
    printed: AtomicU64,
    quiet: bool,
}

impl Count {
    /// Progress over `total` files, or none if `quiet`.
    pub fn new(total: usize, quiet: bool) -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            total: total as u64,
            done: AtomicU64::new(0),
            started: Instant::now(),
            printed: AtomicU64::new(0),
            quiet,
        }
    }

    /// Counts one more file.
    pub fn done(&self, name: &str) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let waited = self.started.elapsed();
        if self.quiet || waited < DELAY || done == self.total {
            return;
        }
        let now = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        let printed = self.printed.load(Ordering::Relaxed);
        let pause = if self.terminal { FRAME } else { LINES };
        let is_due = printed == 0 || now >= printed + pause;
        // Of several threads, one prints.
        if !is_due
            || self
                .printed
                .compare_exchange(printed, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
        {
            return;
        }
        let text = format!("{done} of {} read", self.total);
        if self.terminal {
            let name: String = name.escape_debug().take(NAME).collect();
            let _ = write!(std::io::stderr().lock(), "{CLEAR}{text}: {name}");
        } else {
            super::note(&text);
        }
    }

    /// Removes the line.
    pub fn finish(&self) {
        if self.terminal && self.printed.load(Ordering::Relaxed) > 0 {
            let _ = write!(std::io::stderr().lock(), "{CLEAR}");
        }
    }
}
