//! Ctrl-C and kill during a real build.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::workspace::{Workspace, sh};

const WHEELS: [&str; 6] = ["wheels", "debian:12", "linux/amd64", "--python", "cp311", "--no-cache"];

/// A workspace whose containers differ from those of every other build on the engine: their environment contains the
/// target's name.
pub(crate) fn workspace(name: &str) -> Workspace {
    let name = format!("\"{}\"", scope(name));
    // `[ci]` and `[publish]` name the target, too.
    Workspace::new(|toml| toml.replace("\"debian12\"", &name))
}

fn scope(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

fn start(w: &Workspace, name: &str) -> std::process::Child {
    started(w.command(&WHEELS).stdout(Stdio::null()).stderr(Stdio::null()), name)
}

/// Starts a build and waits until a step runs in a container.
pub(crate) fn started(command: &mut Command, name: &str) -> std::process::Child {
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    while steps_running(name) == 0 {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended before a step began: {ended:?}");
        assert!(start.elapsed() < Duration::from_secs(120), "no step began");
        std::thread::sleep(Duration::from_millis(100));
    }
    child
}

/// The number of processes in this test's containers. The host's `/proc` lists them all, but only root can read their
/// owners; other users count every build's processes.
fn steps_running(name: &str) -> usize {
    steps(name).len()
}

/// Their ids.
pub(crate) fn steps(name: &str) -> Vec<String> {
    let (file, word) = if rustix::process::geteuid().is_root() {
        ("environ", format!("CACHE_SCOPE={}\0", scope(name)))
    } else {
        ("cmdline", "\0/xtask/".to_owned())
    };
    let processes = fs_err::read_dir("/proc").unwrap().filter_map(Result::ok);
    let is_step = |entry: &fs_err::DirEntry| {
        let text = fs_err::read(entry.path().join(file)).unwrap_or_default();
        memchr::memmem::find(&text, word.as_bytes()).is_some()
    };
    processes.filter(is_step).map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn gone_within(name: &str, limit: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if steps_running(name) == 0 {
            return true;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    false
}

#[test]
fn ctrl_c_leaves_no_container_behind() {
    let w = workspace("stop");
    let mut child = start(&w, "stop");
    sh("kill", &["-s", "INT", &child.id().to_string()]);
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert!(gone_within("stop", Duration::from_secs(20)), "a container still runs");
    assert!(!w.dist().exists());
}

#[test]
fn after_a_kill_the_next_run_succeeds() {
    let w = workspace("kill");
    let mut child = start(&w, "kill");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!w.dist().exists());
    w.run(&WHEELS[..5], 0);
    assert_eq!(w.wheels(&format!("{}-amd64", scope("kill"))).len(), 1);
}
