//! Machines for tests: a folder as `/`, and programs with fixed answers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Diagnosis, Facts, Machine};
use crate::exec::{Captured, Exec};

/// The image in tests.
pub(crate) const IMAGE: &str = "debian:12";

/// A machine in a folder.
pub(crate) struct Fixture {
    _dir: tempfile::TempDir,
    pub(crate) machine: Machine,
}

impl Fixture {
    fn new(os_release: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine {
            root: Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap(),
            vars: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            is_root: true,
            arch: "x86_64",
            system: "linux",
            workspace: "/repo".into(),
            free: |_| Some(40 << 30),
        };
        Self { _dir: dir, machine }.file("/etc/os-release", os_release).file("/repo/x", "")
    }

    /// Adds a file.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.machine.at(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        self
    }

    /// Adds programs.
    pub(crate) fn programs(mut self, paths: &[&str]) -> Self {
        for path in paths {
            self = self.file(path, "");
            let mode = std::fs::Permissions::from_mode(0o755);
            fs_err::set_permissions(self.machine.at(path), mode).unwrap();
        }
        self
    }

    /// Makes the user an ordinary one.
    pub(crate) fn user(mut self) -> Self {
        self.machine.is_root = false;
        self
    }

    /// Sets an environment variable.
    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.machine.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn facts(&self, exec: &Exec) -> Facts {
        Facts::collect(exec, &self.machine, IMAGE)
    }

    pub(crate) fn diagnosis(&self, exec: &Exec) -> Diagnosis {
        Diagnosis::of(self.facts(exec))
    }
}

fn deb822(suites: &str, components: &str) -> String {
    format!(
        "Types: deb\nURIs: http://mirror.example/linux\nSuites: {suites}\n\
         Components: {components}\nSigned-By: /usr/share/keyrings/archive.gpg\n"
    )
}

/// A fresh Debian 12 with only apt.
pub(crate) fn debian_12() -> Fixture {
    let os = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n\
        VERSION_CODENAME=bookworm\n";
    Fixture::new(os)
        .file(
            "/etc/apt/sources.list.d/debian.sources",
            &deb822("bookworm bookworm-updates", "main"),
        )
        .file(
            "/etc/apt/sources.list",
            "deb http://mirror.example/security bookworm-security main\n",
        )
        .programs(&["/usr/bin/apt-get"])
}

/// A fresh Debian 13, run by systemd.
pub(crate) fn debian_13() -> Fixture {
    let os = "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\nVERSION_ID=\"13\"\n\
        VERSION_CODENAME=trixie\n";
    Fixture::new(os)
        .file("/etc/apt/sources.list.d/debian.sources", &deb822("trixie trixie-updates", "main"))
        .file("/run/systemd/system/x", "")
        .programs(&["/usr/bin/apt-get"])
}

/// A fresh Ubuntu 24.04, run by systemd.
pub(crate) fn ubuntu_24() -> Fixture {
    let os = "PRETTY_NAME=\"Ubuntu 24.04.3 LTS\"\nID=ubuntu\nVERSION_ID=\"24.04\"\n\
        VERSION_CODENAME=noble\n";
    Fixture::new(os)
        .file("/etc/apt/sources.list.d/ubuntu.sources", &deb822("noble noble-updates", "main"))
        .file("/run/systemd/system/x", "")
        .programs(&["/usr/bin/apt-get"])
}

/// A fresh Rocky Linux 9.
pub(crate) fn rocky_9() -> Fixture {
    Fixture::new("PRETTY_NAME=\"Rocky Linux 9.4\"\nID=rocky\nVERSION_ID=\"9.4\"\n")
}

/// All programs fail.
pub(crate) fn no_engine() -> Exec {
    Exec::fake(|_| Ok(Captured::failed("no such thing here")))
}

/// A client without an engine and without buildx.
pub(crate) fn client_only() -> Exec {
    let json = r#"{"Client":{"Version":"28.2.2","Context":"default"},"Server":null}"#;
    let stderr = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.";
    answers(&[("docker version", Captured { stdout: json.to_owned(), ..Captured::failed(stderr) })])
}

/// A good client, engine and buildx; neither the registry nor the index answers.
pub(crate) fn fine() -> Exec {
    engine("26.1.5+dfsg1", "0.13.1+ds1")
}

/// The same with other versions.
pub(crate) fn engine(engine: &str, buildx: &str) -> Exec {
    let version = format!(
        r#"{{"Client":{{"Version":"{engine}","Context":"default"}},"Server":{{"Version":"{engine}"}}}}"#
    );
    let info = r#"{"DockerRootDir":"/var/lib/docker","DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]]}"#;
    let refused = "Could not fetch URL http://u:p@index.example/pip/: connection error: \
        (Caused by NewConnectionError('<x>: [Errno 111] Connection refused')) - skipping";
    answers(&[
        ("docker version", Captured::ok(&version)),
        ("docker info", Captured::ok(info)),
        ("docker buildx version", Captured::ok(&format!("github.com/docker/buildx {buildx} x"))),
        ("docker buildx inspect", Captured::ok("Name:   default\nDriver: docker\n")),
        ("docker buildx imagetools", Captured::failed("ERROR: registry.example: no such host")),
        ("python3", Captured { stdout: refused.to_owned(), ..Captured::failed("") }),
    ])
}

/// Programs answer if their call starts with the words in the table, and otherwise fail.
pub(crate) fn answers(table: &[(&'static str, Captured)]) -> Exec {
    let table = table.to_vec();
    Exec::fake(move |step| {
        let call = format!("{} {}", step.program, step.args.join(" "));
        let answer = table.iter().find(|(start, _)| call.starts_with(start));
        Ok(answer.map_or_else(|| Captured::failed("no answer"), |(_, answer)| answer.clone()))
    })
}

/// A folder in the workspace for tests that write.
pub(crate) fn scratch() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(dir.path()).unwrap().to_owned();
    (dir, path)
}
