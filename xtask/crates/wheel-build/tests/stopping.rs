//! Signals that stop xtask, and the signals that its children inherit.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use wheel_build::own::{Exec, Step};

#[test]
fn a_signal_ends_an_endless_read() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wheel-build"))
        .args(["verify", "-"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // A pipe holds less, so the program reads and waits for more.
    child.stdin.as_mut().unwrap().write_all("\0".repeat(1 << 20).as_bytes()).unwrap();
    assert!(child.try_wait().unwrap().is_none(), "it does not wait at all");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(status.code(), Some(130));
}

#[test]
fn no_git_variable_of_the_caller_reaches_a_child() {
    const INNER: &str = "XTASK_TEST_INNER";
    if std::env::var_os(INNER).is_some() {
        let seen = Exec::real().read(&Step::new("env", [""; 0])).unwrap();
        assert!(!seen.lines().any(|line| line.starts_with("GIT_")), "{seen}");
        let own = Step::new("env", [""; 0]).env("GIT_OWN", "1");
        assert!(Exec::real().read(&own).unwrap().contains("GIT_OWN=1"));
        return;
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "no_git_variable_of_the_caller_reaches_a_child"])
        .env(INNER, "1")
        .env("GIT_DIR", "/nowhere")
        .env("GIT_INDEX_FILE", "/nowhere")
        .status()
        .unwrap();
    assert!(status.success());
}
