//! One flag for the whole process: whether the user or the system interrupted xtask.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

static RECEIVED: AtomicBool = AtomicBool::new(false);
/// Number of children that own the terminal. The user ends them.
static ATTACHED: AtomicUsize = AtomicUsize::new(0);
/// Maximum time to stop; longer than that of a child.
const LIMIT: Duration = Duration::from_secs(15);
/// A shell's status for a process that SIGINT ended.
const STATUS: i32 = 130;

/// Installs the handler for SIGINT, SIGTERM and SIGHUP. The first signal stops all running steps, a second one ends
/// xtask at once. Without a second one, xtask ends after `LIMIT`, because the system may block a thread that opens or
/// reads a file.
///
/// # Errors
/// If the system rejects the handler, or a handler exists already.
pub fn install() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if RECEIVED.swap(true, Ordering::SeqCst) {
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

/// Returns whether xtask was interrupted.
pub fn received() -> bool {
    RECEIVED.load(Ordering::SeqCst)
}

/// A child owns the terminal until this value is dropped.
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
