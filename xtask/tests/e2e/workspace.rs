//! A copy of this repository's build files in a temporary folder.

use std::process::{Command, Output};

use camino::{Utf8Path, Utf8PathBuf};

/// A workspace with this repository's `docker/` and `scripts/`, and the test's `wheels.toml`.
pub(crate) struct Workspace {
    _dir: tempfile::TempDir,
    pub(crate) root: Utf8PathBuf,
}

pub(crate) fn repository() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

impl Workspace {
    /// With this repository's `wheels.toml`, changed by `edit`.
    pub(crate) fn new(edit: impl FnOnce(String) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(dir.path().canonicalize().unwrap()).unwrap().join("repo");
        for folder in ["docker", "scripts"] {
            for entry in walkdir::WalkDir::new(repository().join(folder)) {
                let entry = entry.unwrap();
                let path = Utf8Path::from_path(entry.path()).unwrap();
                let copy = root.join(path.strip_prefix(repository()).unwrap());
                if entry.file_type().is_dir() {
                    fs_err::create_dir_all(copy).unwrap();
                } else {
                    fs_err::copy(path, copy).unwrap();
                }
            }
        }
        let toml = fs_err::read_to_string(repository().join("wheels.toml")).unwrap();
        fs_err::write(root.join("wheels.toml"), edit(toml)).unwrap();
        Self { _dir: dir, root }
    }

    /// Changes one of the tool's build files, such as `scripts/build.sh`, with `edit`.
    pub(crate) fn replace(&self, name: &str, edit: impl FnOnce(String) -> String) {
        let text = fs_err::read_to_string(repository().join(name)).unwrap();
        let path = self.root.join("xtask/assets").join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, edit(text)).unwrap();
    }

    /// With a configuration for another package: `source` is the line of `[source]`, `check` the whole table.
    pub(crate) fn of_package(source: &str, check: &str) -> Self {
        let toml = format!(
            "[source]\n{source}\n[build]\npythons = [\"cp311\"]\n[check]\nnative = true\n{check}\n\
             [[target]]\nname = \"debian12\"\nimage = \"debian:12\"\nfamily = \"apt\"\n\
             glibc = \"2.36\"\nplatforms = [\"linux/amd64\"]\n\
             bootstrap = {{ tool = \"mmdebstrap\", suite = \"bookworm\" }}\n"
        );
        Self::new(|_| toml)
    }

    /// Commits everything, on a fixed day.
    #[cfg(feature = "e2e-full")]
    pub(crate) fn commit(&self) {
        let of = |args: &[&str]| {
            let mut command = Command::new("git");
            command.args([
                "-C",
                self.root.as_str(),
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@a.example",
            ]);
            command.args(args).env("GIT_COMMITTER_DATE", "2026-11-01T12:00:00Z");
            ran(&command.output().unwrap(), 0);
        };
        of(&["init", "--quiet"]);
        of(&["add", "--all"]);
        of(&["commit", "--quiet", "--message", "files"]);
    }

    /// A clone of the repository in another folder.
    #[cfg(feature = "e2e-full")]
    pub(crate) fn cloned(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let top = Utf8PathBuf::try_from(dir.path().canonicalize().unwrap()).unwrap();
        let root = top.join("elsewhere/clone");
        sh("git", &["clone", "--quiet", self.root.as_str(), root.as_str()]);
        Self { _dir: dir, root }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(args)
            .current_dir(&self.root)
            .env("CARGO_MANIFEST_DIR", self.root.join("xtask").as_str());
        command
    }

    /// Runs xtask; returns its outputs as text, and its exit status.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], code: i32) -> (String, String) {
        ran(&self.command(args).output().unwrap(), code)
    }

    pub(crate) fn dist(&self) -> Utf8PathBuf {
        self.root.join("dist")
    }

    /// The names of the wheels in one folder of `dist/`.
    pub(crate) fn wheels(&self, folder: &str) -> Vec<String> {
        let entries = fs_err::read_dir(self.dist().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> =
            names.filter(|name| Utf8Path::new(name).extension() == Some("whl")).collect();
        names.sort();
        names
    }

    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_slice(&fs_err::read(self.dist().join(path)).unwrap()).unwrap()
    }
}

#[track_caller]
pub(crate) fn ran(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{stdout}\nstderr:\n{stderr}");
    (stdout, stderr)
}

/// Runs a command of the test, which must succeed; returns its standard output.
#[track_caller]
pub(crate) fn sh(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    ran(&output, 0).0
}

/// The name of the Debian 12 image in this machine's engine.
pub(crate) fn debian_12() -> String {
    let w = Workspace::new(|toml| toml);
    let (stdout, _) = w.run(&["build-info", "debian:12", "--json"], 0);
    let info: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    info[0]["image"]["reference"].as_str().unwrap().to_owned()
}

/// Runs the shell script `fixture` with `shell` in Debian 12 with `package`; returns its output. The scripts are in
/// `/xtask`. Without a network, unless `options` of `docker run` add one.
#[track_caller]
pub(crate) fn run_in_debian_12(
    package: &str,
    fixture: &str,
    shell: &[&str],
    options: &[&str],
) -> String {
    let dir = tempfile::tempdir().unwrap();
    let dockerfile = format!(
        "FROM {}\nRUN apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install --yes \
         --no-install-recommends {package}\n",
        debian_12()
    );
    fs_err::write(dir.path().join("Dockerfile"), dockerfile).unwrap();
    let folder = dir.path().display().to_string();
    let image = sh("docker", &["build", "--quiet", &folder]).trim().to_owned();
    let script = dir.path().join("test.sh");
    fs_err::write(&script, fixture).unwrap();
    let scripts = format!("{}/scripts:/xtask:ro", repository());
    let test = format!("{}:/test.sh:ro", script.display());
    let has_network = options.iter().any(|option| option.starts_with("--network="));
    let network: &[&str] = if has_network { &[] } else { &["--network=none"] };
    let args = ["run", "--rm", "--volume", &scripts, "--volume", &test];
    sh("docker", &[&args[..], network, options, &[&image], shell, &["/test.sh"]].concat())
}
