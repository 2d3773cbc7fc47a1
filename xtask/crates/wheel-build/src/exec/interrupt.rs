//! One flag for the whole process: whether the user or the system interrupted xtask.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

static ASKED: AtomicBool = AtomicBool::new(false);
/// Number of children that own the terminal now; their user ends them.
static ATTACHED: AtomicUsize = AtomicUsize::new(0);
/// How long xtask may take to stop in good order; longer than a child may.
const LIMIT: Duration = Duration::from_secs(15);
/// What a shell calls a process that SIGINT ended.
const STATUS: i32 = 130;

/// Installs the handler for SIGINT, SIGTERM and SIGHUP: the first one stops every running
/// step in good order, a second one ends xtask at once. Without a second one, xtask ends after
/// `LIMIT`, whatever it waits for: the system may block a thread that opens or reads a file.
///
/// # Errors
/// When the system refuses the handler, or one is there already.
pub fn install() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(STATUS);
        }
        // The handler's own thread must receive the second signal.
        std::thread::spawn(|| {
            std::thread::sleep(LIMIT);
            while ATTACHED.load(Ordering::SeqCst) > 0 {
                std::thread::sleep(LIMIT);
            }
            std::process::exit(STATUS);
        });
    })
}

/// Whether xtask was interrupted.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// A child owns the terminal as long as this lives.
pub(super) struct Attached;

impl Attached {
    pub(super) fn new() -> Self {
        ATTACHED.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        ATTACHED.fetch_sub(1, Ordering::SeqCst);
    }
}
