//! Progress over many files, on stderr: nothing for the first second, then a bar in a terminal and a
//! line now and then elsewhere.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// So long a run may take without a word.
const PATIENCE: Duration = Duration::from_secs(1);
/// Seconds between two lines where stderr is no terminal.
const LINES: u64 = 10;

/// Counts what is done.
pub struct Count {
    bar: Option<ProgressBar>,
    total: u64,
    done: AtomicU64,
    started: Instant,
    said: AtomicU64,
    quiet: bool,
}

impl Count {
    /// Progress over `total` files, or none if `quiet`.
    pub fn new(total: usize, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && !quiet;
        let bar = terminal.then(|| {
            let bar =
                ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::hidden());
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self {
            bar,
            total: total as u64,
            done: AtomicU64::new(0),
            started: Instant::now(),
            said: AtomicU64::new(0),
            quiet,
        }
    }

    /// One more is done.
    pub fn done(&self, name: &str) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let waited = self.started.elapsed();
        if self.quiet || waited < PATIENCE || done == self.total {
            return;
        }
        if let Some(bar) = &self.bar {
            if bar.is_hidden() {
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            bar.set_message(name.escape_debug().to_string());
            bar.set_position(done);
        } else {
            let (now, said) = (waited.as_secs(), self.said.load(Ordering::Relaxed));
            let due = said == 0 || now >= said + LINES;
            if due
                && self
                    .said
                    .compare_exchange(said, now.max(1), Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            {
                super::note(&format!("{done} of {} read", self.total));
            }
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
