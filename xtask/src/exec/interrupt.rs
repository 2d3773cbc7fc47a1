//! One flag for the whole process: has the user (or the system) asked xtask to stop?

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Installs the handler for SIGINT, SIGTERM and SIGHUP: the first one asks every running step to
/// stop in good order, a second one ends xtask at once.
///
/// # Errors
/// When the system refuses the handler, or one is there already.
pub fn install() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })
}

/// Whether xtask was asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
