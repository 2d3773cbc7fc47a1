//! Starts an installed engine and waits until it answers.

use anyhow::bail;
use std::thread;
use std::time::{Duration, Instant};
use wheel_audit::UserError;

use camino::Utf8Path;

use crate::exec::{Exec, ExecError, Step, interrupt};

/// Maximum duration of one query.
const QUERY_LIMIT: Duration = Duration::from_secs(5);
/// Pause between two queries.
const PAUSE: Duration = Duration::from_millis(200);
/// Number of the log's last lines in an error.
const TAIL_LINES: usize = 10;

/// Allows images of several platforms under one name. Default since docker 29.
pub(super) const CONFIG: &str =
    "{\n  \"features\": {\n    \"containerd-snapshotter\": true\n  }\n}\n";

/// The causes of a failed start, by words at the end of the log.
const CAUSES: [(&str, &str); 6] = [
    ("no space left", "the disk is full"),
    ("cgroup", "control groups are not mounted: `mount -t cgroup2 none /sys/fs/cgroup` as root"),
    (
        "iptables",
        "the kernel or this container has no NAT for bridge networks; use a machine or container that may change its network",
    ),
    ("overlay", "the file system of the data folder does not support overlays"),
    (
        "operation not permitted",
        "this container lacks privileges: start it with `docker run --privileged`",
    ),
    (
        "unable to configure",
        "`/etc/docker/daemon.json` is invalid: `dockerd --validate` names the line",
    ),
];

/// Returns whether the engine answers `question`.
pub(super) fn answers(exec: &Exec, question: &Step) -> Result<bool, ExecError> {
    match exec.capture(&question.clone().timeout(QUERY_LIMIT)) {
        Ok(answer) => Ok(answer.success),
        Err(ExecError::Interrupted) => Err(ExecError::Interrupted),
        Err(_) => Ok(false),
    }
}

/// Repeats `question` until it is answered, the log, if there is one, shows a failed start, or `limit`
/// is over.
pub(super) fn wait(
    exec: &Exec,
    question: &Step,
    log: Option<&Utf8Path>,
    limit: Duration,
) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        if answers(exec, question)? {
            return Ok(());
        }
        if interrupt::received() {
            return Err(ExecError::Interrupted.into());
        }
        let text = log.map(|log| fs_err::read_to_string(log).unwrap_or_default());
        let died = text.as_deref().is_some_and(has_died);
        if died || start.elapsed() >= limit {
            let tail = tail(text.as_deref().unwrap_or_default());
            let log = log.map_or("journalctl --unit docker --lines 20", Utf8Path::as_str);
            let end = if died {
                "stopped immediately".to_owned()
            } else {
                format!("does not answer after {} s", limit.as_secs())
            };
            bail!(UserError::new(format!("the engine {end}\n{tail}")).hint(cause(&tail, log)));
        }
        thread::sleep(PAUSE.min(limit));
    }
}

/// Returns whether the log ends with a fatal message. If another daemon is just starting, it will
/// answer.
fn has_died(log: &str) -> bool {
    log.lines().any(|line| {
        let fatal = line.starts_with("failed to ") || line.starts_with("unable to ");
        fatal && !line.contains("is still running") && !line.contains("pid file found")
    })
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn cause(tail: &str, log: &str) -> String {
    // The last line contains the cause; earlier lines may be unrelated.
    let last = tail.lines().last().unwrap_or_default().to_lowercase();
    let found = CAUSES.iter().find(|(word, _)| last.contains(word));
    found.map_or_else(|| format!("see the whole log: `{log}`"), |(_, cause)| (*cause).to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::exec::Captured;

    fn log_of(text: &str) -> (tempfile::TempDir, camino::Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let log = Utf8Path::from_path(dir.path()).unwrap().join("dockerd.log");
        fs_err::write(&log, text).unwrap();
        (dir, log)
    }

    fn silent() -> Exec {
        Exec::fake(|_| Ok(Captured::failed("Cannot connect to the Docker daemon")))
    }

    #[test]
    fn an_engine_that_stops_is_reported_with_its_last_lines() {
        let (_dir, log) = log_of(
            "time=\"x\" level=info msg=\"Starting up\"\n\
             failed to start daemon: Error initializing network controller: error creating default \
             \"bridge\" network: iptables failed: iptables: No chain/target/match by that name\n",
        );
        let question = Step::new("docker", ["version"]);
        let limit = Duration::from_secs(60);
        let error = wait(&silent(), &question, Some(&log), limit).unwrap_err();
        assert!(error.to_string().starts_with("the engine stopped immediately\n"), "{error}");
        assert!(UserError::hint_of(error.as_ref()).unwrap().contains("NAT"), "{error}");
    }

    #[test]
    fn an_engine_that_does_not_answer_is_abandoned_after_the_limit() {
        let (_dir, log) = log_of("level=info msg=\"Starting up\"\n");
        let question = Step::new("docker", ["version"]);
        let limit = Duration::from_millis(10);
        let error = wait(&silent(), &question, Some(&log), limit).unwrap_err();
        assert!(error.to_string().starts_with("the engine does not answer after 0 s\n"), "{error}");
        assert!(UserError::hint_of(error.as_ref()).unwrap().contains(log.as_str()), "{error}");
    }

    #[test]
    fn the_last_line_of_the_log_determines_the_cause() {
        for (line, part) in [
            ("write /var/lib/docker/x: no space left on device", "disk"),
            ("Devices cgroup isn't mounted", "`mount -t cgroup2 none /sys/fs/cgroup`"),
            ("error initializing graphdriver: driver not supported: overlay2", "overlays"),
            ("mount proc: operation not permitted", "`docker run --privileged`"),
            ("unable to configure the Docker daemon", "`/etc/docker/daemon.json`"),
            ("unable to configure the Docker daemon", "`dockerd --validate`"),
            ("another cause", "`/w/log`"),
        ] {
            let hint = cause(&format!("iptables\n{line}"), "/w/log");
            assert!(hint.contains(part), "{line}: {hint}");
        }
    }

    #[test]
    fn a_daemon_that_is_just_starting_is_waited_for() {
        let taken = "failed to start daemon, ensure docker is not running or delete \
            /var/run/docker.pid: process with PID 71 is still running";
        assert!(!has_died(taken));
        assert!(has_died(
            "unable to configure the Docker daemon with file /etc/docker/daemon.json"
        ));
    }
}
