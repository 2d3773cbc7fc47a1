//! Ctrl-C and kill, with a real build under way.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::workspace::{Workspace, sh};

const WHEELS: [&str; 6] = ["wheels", "debian:12", "linux/amd64", "--python", "cp311", "--no-cache"];

/// Starts a build and waits until a step of it runs in a container.
fn start(w: &Workspace) -> std::process::Child {
    let mut command = w.command(&WHEELS);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while steps_running() == 0 {
        assert!(start.elapsed() < Duration::from_secs(120), "no step began");
        std::thread::sleep(Duration::from_millis(100));
    }
    child
}

/// How many containers of ours run a script now: each has its command line in the host's `/proc`.
fn steps_running() -> usize {
    let processes = fs_err::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|entry| fs_err::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.windows(7).any(|bytes| bytes == b"/xtask/")).count()
}

fn gone_within(limit: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if steps_running() == 0 {
            return true;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    false
}

#[test]
fn ctrl_c_leaves_no_container_behind() {
    let w = Workspace::new(|toml| toml);
    let mut child = start(&w);
    sh("kill", &["-s", "INT", &child.id().to_string()]);
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert!(gone_within(Duration::from_secs(20)), "a container still runs");
    assert!(!w.dist().exists());
}

#[test]
fn after_a_kill_the_next_run_ends_well() {
    let w = Workspace::new(|toml| toml);
    let mut child = start(&w);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!w.dist().exists());
    w.run(&WHEELS[..5], 0);
    assert_eq!(w.wheels("debian12-amd64").len(), 1);
}
