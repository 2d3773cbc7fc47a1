//! A temporary workspace with a fake engine on PATH and generated wheels.
#![allow(
    clippy::unwrap_used,
    clippy::format_push_string,
    dead_code,
    reason = "a test fails by panicking; not each uses all"
)]

pub(crate) mod hints;
pub(crate) mod machine;
pub(crate) mod skip;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};

/// A workspace with one target and a fake engine.
pub(crate) struct Workspace {
    _dir: tempfile::TempDir,
    pub(crate) root: Utf8PathBuf,
    pub(crate) fake: Utf8PathBuf,
}

/// The program under test: this repository's xtask, or the tool alone.
pub(crate) const PROGRAM: &str = match option_env!("CARGO_BIN_EXE_xtask") {
    Some(xtask) => xtask,
    None => match option_env!("CARGO_BIN_EXE_wheel-build") {
        Some(tool) => tool,
        None => panic!("a test of this workspace has one of them"),
    },
};

const WHEELS_TOML: &str = r#"
[source]
sdist = "demo==1.0"
sha256 = "6c69fca89106567060941c5568e67a5369738813d883db4e3d62b76f0a2c497e"
[build]
pythons = ["cp311"]
[[target]]
name = "debian12"
image = "debian:12"
family = "apt"
glibc = "2.36"
platforms = ["linux/amd64"]
"#;

pub(crate) const BUILD_INFO: &str = r#"{"schema_version": 1, "target": "debian12",
 "platform": "linux/amd64", "libc": {"family": "glibc", "version": "2.36"},
 "image": {"digest": "sha256:2"}, "source": {"sha256": "6c69"},
 "interpreters": [{"id": "cp311", "provider": "distro", "version": "3.11.2"}]}"#;

impl Workspace {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let top = Utf8PathBuf::try_from(dir.path().canonicalize().unwrap()).unwrap();
        let (root, fake) = (top.join("repo"), top.join("fake"));
        for folder in [&root, &fake.join("export")] {
            fs_err::create_dir_all(folder).unwrap();
        }
        fs_err::write(root.join("wheels.toml"), WHEELS_TOML).unwrap();
        let script = include_str!("../fixtures/fake-docker.sh");
        fs_err::create_dir_all(top.join("bin")).unwrap();
        let docker = top.join("bin/docker");
        fs_err::write(&docker, script).unwrap();
        fs_err::set_permissions(&docker, std::fs::Permissions::from_mode(0o755)).unwrap();
        let version = r#"{"Client":{"Version":"28.2.2"},"Server":{"Version":"28.2.2",
            "ApiVersion":"1.50","Os":"linux","Arch":"amd64"}}"#;
        fs_err::write(fake.join("version.json"), version).unwrap();
        let info = r#"{"ServerVersion":"28.2.2","Driver":"overlayfs","DockerRootDir":"/",
            "DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]],
            "OSType":"linux","Architecture":"x86_64"}"#;
        fs_err::write(fake.join("info.json"), info).unwrap();
        fs_err::write(fake.join("export/build-info.json"), BUILD_INFO).unwrap();
        let workspace = Self { _dir: dir, root, fake };
        workspace.export(&pure_wheel("demo-1.0-py3-none-any.whl"));
        workspace
    }

    /// Writes `wheel` to the folder that the fake build exports.
    pub(crate) fn export(&self, wheel: &(String, Vec<u8>)) {
        fs_err::write(self.fake.join("export").join(&wheel.0), &wheel.1).unwrap();
    }

    /// Makes the fake engine run `script` for `command`.
    pub(crate) fn on(&self, command: &str, script: &str) {
        fs_err::write(self.fake.join(format!("on-{command}")), script).unwrap();
    }

    /// Replaces the tool's build file `name`.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        let path = self.root.join("xtask/assets").join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    /// Removes the script of `command`.
    pub(crate) fn as_usual(&self, command: &str) {
        fs_err::remove_file(self.fake.join(format!("on-{command}"))).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        let bin = self.fake.with_file_name("bin");
        command
            .args(args)
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", format!("{bin}:/usr/bin:/bin"))
            .env("HOME", self.fake.as_str())
            .env("FAKE", self.fake.as_str())
            .env("CARGO_MANIFEST_DIR", self.root.join("xtask").as_str());
        command
    }

    /// Runs the program. Each hint must name only options that the command has.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let ran = Ran::of(self.command(args).output().unwrap());
        hints::check(&ran.stderr, args);
        hints::check(&ran.stdout, args);
        ran
    }

    /// The number of the engine's builds of `target`.
    pub(crate) fn bakes(&self, target: &str) -> usize {
        let log = fs_err::read_to_string(self.fake.join("log")).unwrap_or_default();
        log.lines().filter(|l| l.contains("buildx bake") && l.ends_with(target)).count()
    }

    /// The files of `dist/`, relative to it and sorted.
    pub(crate) fn dist(&self) -> Vec<String> {
        files(&self.root.join("dist"))
    }
}

pub(crate) fn files(folder: &Utf8Path) -> Vec<String> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    walk.filter_map(Result::ok)
        .filter(|entry| !entry.file_type().is_dir())
        .map(|e| e.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned())
        .collect()
}

/// The result of a run of xtask.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn reports(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not in:\n{}", self.stderr);
        }
        self
    }
}

/// Printed commands, each on one line.
pub(crate) fn unfolded(text: &str) -> String {
    text.replace(" \\\n    ", " ")
}

/// A wheel without code that passes every check: its name and bytes.
pub(crate) fn pure_wheel(name: &str) -> (String, Vec<u8>) {
    wheel(name, true, &[("demo/__init__.py", b"")])
}

/// The file whose lines [`wheel`] adds to the metadata.
pub(crate) const MORE_METADATA: &str = "METADATA+";

/// A wheel named `name` with `files`.
pub(crate) fn wheel(name: &str, pure: bool, files: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let stem: Vec<&str> = name.trim_end_matches(".whl").split('-').collect();
    let info = format!("{}-{}.dist-info", stem[0], stem[1]);
    let tag = stem[2..].join("-");
    let mut meta = format!("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", stem[0], stem[1]);
    // Not a member, but lines of the metadata.
    for (_, lines) in files.iter().filter(|(name, _)| *name == MORE_METADATA) {
        meta.push_str(&String::from_utf8_lossy(lines));
    }
    let files = files.iter().filter(|(name, _)| *name != MORE_METADATA);
    let whl = format!("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {pure}\nTag: {tag}\n");
    let mut all: Vec<(String, Vec<u8>)> =
        files.map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    all.push((format!("{info}/METADATA"), meta.into_bytes()));
    all.push((format!("{info}/WHEEL"), whl.into_bytes()));
    let mut record = String::new();
    for (name, bytes) in &all {
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(bytes));
        record += &format!("{name},sha256={hash},{}\n", bytes.len());
    }
    record += &format!("{info}/RECORD,,\n");
    all.push((format!("{info}/RECORD"), record.into_bytes()));
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in &all {
        zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    (name.to_owned(), zip.finish().unwrap().into_inner())
}
