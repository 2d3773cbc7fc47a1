//! A second engine on this machine.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use crate::common::skip::unless_skipped;
use crate::workspace::sh;

/// A second engine with its own folders, stopped at the end. It has its own bridge, too: with `--bridge=none`,
/// `dockerd` removes that of the first engine.
pub(crate) struct Second {
    pub(crate) child: Child,
    pub(crate) folder: Utf8PathBuf,
    bridge: String,
    _dir: tempfile::TempDir,
}

impl Second {
    /// The machine's programs.
    pub(crate) fn start() -> Self {
        Self::of("dockerd")
    }

    /// The engine `dockerd`, with the machine's containerd and runc.
    pub(crate) fn of(dockerd: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Utf8PathBuf::try_from(dir.path().canonicalize().unwrap()).unwrap();
        let bridge = format!("xtask{}", std::process::id());
        // The bridge has an address: otherwise it has that of any container, and the others lose the network.
        let address = ["address", "02:42:0a:d5:4d:01"];
        sh("ip", &[&["link", "add", &bridge][..], &address, &["type", "bridge"]].concat());
        sh("ip", &["addr", "add", "10.213.77.1/24", "dev", &bridge]);
        let features = r#"{"features": {"containerd-snapshotter": true}}"#;
        fs_err::write(folder.join("daemon.json"), features).unwrap();
        let child = Command::new(dockerd)
            .args(["--config-file", folder.join("daemon.json").as_str()])
            .args(["--data-root", folder.join("data").as_str()])
            .args(["--exec-root", folder.join("exec").as_str()])
            .args(["--pidfile", folder.join("pid").as_str()])
            .args(["--host", &format!("unix://{folder}/docker.sock")])
            .args(["--bridge", &bridge, "--iptables=false", "--ip6tables=false"])
            .stdout(Stdio::null())
            .stderr(fs_err::File::create(folder.join("log")).unwrap().into_parts().0)
            .spawn()
            .unwrap();
        let second = Self { child, folder, bridge, _dir: dir };
        let start = Instant::now();
        while !second.docker(&["info"]).status.success() {
            let log = fs_err::read_to_string(second.folder.join("log")).unwrap_or_default();
            assert!(start.elapsed() < Duration::from_secs(60), "no second engine:\n{log}");
            std::thread::sleep(Duration::from_millis(200));
        }
        second
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}/docker.sock", self.folder)
    }

    pub(crate) fn docker(&self, args: &[&str]) -> std::process::Output {
        Command::new("docker").args(args).env("DOCKER_HOST", self.host()).output().unwrap()
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        // SIGTERM, so that it ends its containerd and its mounts.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = Command::new("ip").args(["link", "del", &self.bridge]).status();
    }
}

/// Only root can start engines.
#[track_caller]
pub(crate) fn may_start_engines() -> bool {
    unless_skipped(rustix::process::geteuid().is_root(), "only root starts a second engine")
}
