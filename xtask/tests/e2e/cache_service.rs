//! A fake of GitHub's cache service (`cache_service.py`), and the programs that use its protocol.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use camino::{Utf8Path, Utf8PathBuf};

use crate::common::skip::unless_skipped;
use crate::second::may_start_engines;
use crate::workspace::sh;

/// The branch whose caches every run can read.
pub(crate) const MAIN: &str = "refs/heads/main";
/// A pull request, which can read its own caches and those of [`MAIN`].
pub(crate) const PULL_REQUEST: &str = "refs/pull/1/merge";

/// The service on a free port of the loopback interface, stopped at the end.
pub(crate) struct CacheService {
    child: Child,
    port: String,
    folder: Utf8PathBuf,
    _dir: tempfile::TempDir,
}

impl CacheService {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        let mut child = Command::new("python3")
            .args(["-B", "-c", include_str!("cache_service.py"), folder.as_str()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().to_owned(), folder, _dir: dir }
    }

    /// Changes the answers of the service to `mode`.
    pub(crate) fn set(&self, mode: &str) {
        fs_err::write(self.folder.join("mode"), mode).unwrap();
    }

    /// The requests so far.
    pub(crate) fn counts(&self) -> Counts {
        let text = fs_err::read(self.folder.join("counts.json"));
        Counts(text.map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default())
    }

    /// The environment of a build step in a run for `branch`.
    pub(crate) fn environment(&self, branch: &str) -> [(&'static str, String); 3] {
        [
            ("ACTIONS_CACHE_SERVICE_V2", "true".to_owned()),
            ("ACTIONS_RESULTS_URL", format!("http://127.0.0.1:{}/", self.port)),
            ("ACTIONS_RUNTIME_TOKEN", token(branch)),
        ]
    }

    /// Stops the service.
    pub(crate) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for CacheService {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The service's counts of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<String, u64>);

impl Counts {
    pub(crate) fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// The increase of `what` since `earlier`.
    pub(crate) fn since(&self, earlier: &Self, what: &str) -> u64 {
        self.of(what) - earlier.of(what)
    }
}

/// A token for a run of `branch`. The client reads only its claims.
fn token(branch: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut access = vec![serde_json::json!({ "Scope": branch, "Permission": 3 })];
    if branch != MAIN {
        access.push(serde_json::json!({ "Scope": MAIN, "Permission": 1 }));
    }
    let access = serde_json::Value::from(access).to_string();
    let claims = serde_json::json!({ "ac": access, "nbf": now - 60, "exp": now + 3600 });
    let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let head = serde_json::json!({ "alg": "HS256", "typ": "JWT" });
    format!("{}.{}.{}", part(&head), part(&claims), BASE64_URL_SAFE_NO_PAD.encode("none"))
}

/// An engine, a client and a buildx that support the second version of the protocol.
pub(crate) struct Programs {
    pub(crate) dockerd: String,
    /// The prefix of `PATH`, and the client's configuration.
    client: Option<(Utf8PathBuf, Utf8PathBuf)>,
}

impl Programs {
    /// Like [`Self::find`]; reports a skipped test if no engine can start or none supports the protocol.
    pub(crate) fn find_or_skip() -> Option<Self> {
        let programs = may_start_engines().then(Self::find)?;
        unless_skipped(programs.is_some(), "no engine that speaks the cache's protocol");
        programs
    }

    /// The machine's programs if they are new enough, else those of a newer Debian, unpacked below `target/`. `None`
    /// if no Debian archive is known.
    fn find() -> Option<Self> {
        let own = Command::new("dockerd").arg("--version").output().ok();
        let own = own.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        if own.is_some_and(|text| major(&text) >= 28) {
            return Some(Self { dockerd: "dockerd".to_owned(), client: None });
        }
        let folder = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("newer-engine");
        if !folder.exists() {
            let work = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let script = include_str!("newer_engine.sh");
            let output =
                Command::new("sh").args(["-ec", script]).current_dir(&work).output().unwrap();
            if output.status.code() == Some(3) {
                return None;
            }
            crate::workspace::ran(&output, 0);
            fs_err::rename(work.path().join("root"), &folder).unwrap();
        }
        let config = folder.join("config");
        Some(Self {
            dockerd: folder.join("usr/sbin/dockerd").into_string(),
            client: Some((folder.join("usr/bin"), config)),
        })
    }

    /// Makes `command` use the client and its buildx.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.envs(self.environment(&std::env::var("PATH").unwrap_or_default()));
    }

    /// The variables for a command whose `PATH` is `path`.
    pub(crate) fn environment(&self, path: &str) -> Vec<(&'static str, String)> {
        let Some((programs, config)) = &self.client else { return Vec::new() };
        vec![("PATH", format!("{programs}:{path}")), ("DOCKER_CONFIG", config.to_string())]
    }
}

/// The first number in the output of `dockerd --version`.
fn major(text: &str) -> u32 {
    let digits = text.split(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty());
    digits.and_then(|part| part.parse().ok()).unwrap_or_default()
}

/// Removes all layers and images of the engine at `host`.
pub(crate) fn empty(host: &str) {
    sh("docker", &["--host", host, "builder", "prune", "--all", "--force"]);
    sh("docker", &["--host", host, "system", "prune", "--all", "--force"]);
}
