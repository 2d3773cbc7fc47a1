//! Runs the generated workflow with the real engine: from a push to a wheel that pip installs from an index.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use toml_edit::{DocumentMut, value};

use crate::runner::compiler;
use crate::runner::engine;
use crate::runner::event::Event;
use crate::runner::hub::Hub;
use crate::runner::run::Conclusion::Skipped;
use crate::runner::run::{Machine, Run};
use crate::workspace::{ran, repository, run_in_debian_12, sh};

/// `pypiserver` on a free port of the loopback interface, stopped at the end.
struct Index {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Index {
    /// Without files. Uploads require no password.
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("python3");
        command.args(["-m", "pypiserver", "run", "--disable-fallback", "-P", ".", "-a", "."]);
        command.args(["--interface", "127.0.0.1", "--port", &port.to_string()]).arg(dir.path());
        command.env("PYTHONPATH", server().as_str());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let index = Self { child, port, _dir: dir };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "the index did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        index
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The files that runs share, like GitHub's cache of the compiled tool.
fn kept() -> Utf8PathBuf {
    repository().join("target/replay")
}

/// The folder of `pypiserver`, by the hashes of `check-tools.txt`.
fn server() -> Utf8PathBuf {
    let pins = fs_err::read_to_string(repository().join("xtask/check-tools.txt")).unwrap();
    let folder =
        kept().join(format!("index-{}", &wheel_audit::digest::of_bytes(pins.as_bytes())[..12]));
    if !folder.exists() {
        let new = kept().join("index-new");
        let _ = fs_err::remove_dir_all(&new);
        fs_err::create_dir_all(&new).unwrap();
        let names = ["defusedxml", "importlib-resources", "packaging", "pypiserver"];
        let joined = pins.replace("\\\n", " ");
        let wanted = joined
            .lines()
            .filter(|line| line.split_once("==").is_some_and(|(name, _)| names.contains(&name)));
        let list = wanted.collect::<Vec<_>>().join("\n");
        fs_err::write(new.join("requirements.txt"), list).unwrap();
        let requirements = new.join("requirements.txt");
        let install = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"];
        let from = ["--target", new.as_str(), "--requirement", requirements.as_str()];
        sh("python3", &[&install[..], &["--only-binary=:all:"], &from].concat());
        fs_err::rename(new, &folder).unwrap();
    }
    folder
}

/// A clean clone of this repository with its changes, reduced to one wheel; `edit` changes wheels.toml further.
pub(crate) fn fill(hub: &Hub, edit: impl FnOnce(&mut DocumentMut)) {
    let origin = hub.origin();
    let list = [
        "-C",
        repository().as_str(),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    for name in sh("git", &list).split_terminator('\0') {
        let from = repository().join(name);
        // git still lists a deleted file.
        if from.is_file() {
            fs_err::create_dir_all(origin.join(name).parent().unwrap()).unwrap();
            fs_err::copy(from, origin.join(name)).unwrap();
        }
    }
    let path = origin.join("wheels.toml");
    let mut toml: DocumentMut = fs_err::read_to_string(&path).unwrap().parse().unwrap();
    toml["build"]["pythons"] = one("cp311");
    toml["ci"]["targets"] = one("debian12");
    let targets = toml["target"].as_array_of_tables_mut().unwrap();
    let target = targets.iter_mut().find(|it| it["name"].as_str() == Some("debian12")).unwrap();
    target["platforms"] = one("linux/amd64");
    edit(&mut toml);
    fs_err::write(&path, toml.to_string()).unwrap();
    let mut write = Command::new(env!("CARGO_BIN_EXE_xtask"));
    write.args(["workflow", "write"]).current_dir(&origin);
    write.env("CARGO_MANIFEST_DIR", origin.join("xtask"));
    ran(&write.output().unwrap(), 0);
}

fn one(word: &str) -> toml_edit::Item {
    value(toml_edit::Array::from_iter([word]))
}

/// True if the job `tool` compiles. That takes minutes, and the program differs from the tested one only by its
/// profile.
const COMPILES: bool = cfg!(feature = "e2e-full");

/// A runner. If it `compiles`, runs share crates, so that it compiles only the workspace's own crates again.
pub(crate) fn machine(bin: &Utf8Path, compiles: bool) -> Machine {
    compiler::write(bin, compiles);
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let env = [("PATH", &*path), ("PROGRAM", env!("CARGO_BIN_EXE_xtask"))];
    let env = env.into_iter().chain([("CARGO_PROGRAM", env!("CARGO"))]);
    let checked_out = move |workspace: &Utf8Path| {
        let to = kept().join("release");
        if compiles {
            fs_err::create_dir_all(&to).unwrap();
            fs_err::create_dir_all(workspace.join("target/tool")).unwrap();
            fs_err::os::unix::fs::symlink(to, workspace.join("target/tool/release")).unwrap();
        }
    };
    Machine {
        labels: &["ubuntu-24.04"],
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        inherits: true,
        service: BTreeMap::new(),
        checked_out: Box::new(checked_out),
    }
}

/// Prints a line, even if the test passes.
pub(crate) fn report(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// The number of the engine's steps, and the number of cached ones.
pub(crate) struct Layers {
    pub(crate) cached: usize,
    pub(crate) all: usize,
}

/// Prints the duration of each job, and returns the layers of the build job.
pub(crate) fn report_times(title: &str, run: &Run<'_>) -> Layers {
    report(&format!("replay: {title}"));
    for (name, record) in &run.jobs {
        for job in &record.instances {
            report(&format!("  {name:<8} {:6.1} s", job.seconds()));
        }
    }
    let build = run.job("build");
    let compile = engine::seconds_of(&build.engine, "wheel-builder");
    let start = build.engine.first().map_or(0.0, |(time, _)| *time);
    let plan = run.job("plan").step("matrix").seconds;
    let (cached, all) = engine::cached(&build.engine);
    report(&format!(
        "  build: {:.1} s outside of the package's compile ({compile:.1} s); the tool's own part: matrix {plan:.1} s, \
         start to the engine's first step {start:.1} s; {cached} of {all} steps cached",
        build.seconds() - compile
    ));
    Layers { cached, all }
}

#[test]
fn a_push_is_released_and_a_tag_is_published() {
    let index = Index::start();
    let mut hub = Hub::new(COMPILES.then(|| kept().join("caches")));
    hub.index = Some(format!("127.0.0.1:{}", index.port));
    fill(&hub, |_| ());
    let machine = machine(&hub.folder.join("machine"), COMPILES);
    let push = |reference: &str, sha: &str, changed: &[String]| {
        let run = Run::of(&hub, &machine, Event::push(reference, sha, changed));
        run.unwrap_or_else(|| panic!("the push of {reference} starts no run"))
    };
    let (sha, changed) = hub.commit("one");
    let first = push("refs/heads/main", &sha, &changed);
    first.ends(&[("publish", Skipped)]);
    report_times("push to the default branch", &first);
    let (_, files) = hub.release("wheels-latest").unwrap();
    let wheel =
        files.iter().find(|name| Utf8Path::new(name).extension() == Some("whl")).unwrap().clone();
    assert!(wheel.ends_with("-cp311-cp311-manylinux_2_36_x86_64.whl"), "{files:?}");
    let words: Vec<_> = wheel.split('-').collect();
    let (project, version) = (words[0], words[1]);

    // Nothing changed: every layer is in the cache.
    let tag = format!("v{version}");
    hub.git(&["tag", &tag]);
    let tagged = push(&format!("refs/tags/{tag}"), &sha, &[]);
    tagged.ends(&[]);
    let layers = report_times("push of a tag, nothing changed", &tagged);
    assert!(layers.all > 20, "{} steps", layers.all);
    let uploaded = hub.folder.join("uploaded").join(&wheel);
    let sha256 = wheel_audit::digest::of_file(&uploaded).unwrap();
    let released = hub.folder.join("releases").join(&tag).join("assets").join(&wheel);
    assert_eq!(wheel_audit::digest::of_file(&released).unwrap(), sha256);

    let (port, project) = (format!("PORT={}", index.port), format!("PROJECT={project}"));
    let options = ["--network=host", "--env", &port, "--env", &project];
    let modules = ["--env", "MODULES=_nvx_utf8validator _nvx_xormasker"];
    let packages = "python3-venv python3-cffi-backend";
    let script = include_str!("../fixtures/install.sh");
    let options = [&options[..], &modules].concat();
    let installed = run_in_debian_12(packages, script, &["sh"], &options);
    let installed: serde_json::Value = serde_json::from_str(&installed).unwrap();
    assert_eq!(installed[0]["archive_info"]["hashes"]["sha256"], sha256.as_str(), "{installed}");
    let url = installed[0]["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("http://127.0.0.1:{}/", index.port)), "{url}");

    assert!(layers.cached * 2 > layers.all, "{} of {} steps", layers.cached, layers.all);
    if COMPILES {
        // Only the compile step changed. The second build takes a minute.
        let path = hub.origin().join("wheels.toml");
        let mut toml: DocumentMut = fs_err::read_to_string(&path).unwrap().parse().unwrap();
        toml["build"]["env"]["REPLAY"] = value(hub.folder.as_str());
        fs_err::write(&path, toml.to_string()).unwrap();
        let (sha, changed) = hub.commit("two");
        let second = push("refs/heads/main", &sha, &changed);
        second.ends(&[("publish", Skipped)]);
        let changed = report_times("push with another build", &second);
        assert_eq!(hub.git(&["rev-parse", "wheels-latest"]), sha);
        assert!(changed.cached * 2 > changed.all, "{} of {} steps", changed.cached, changed.all);
    }
}
