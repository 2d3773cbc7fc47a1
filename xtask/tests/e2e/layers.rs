//! Layers that the hosted workflow keeps between its runs, in a fake of GitHub's cache (`cache_service.py`) and with
//! an engine that supports its protocol. Minutes: `cargo xtask ci --full`.

use std::collections::BTreeSet;

use crate::cache_service::{CacheService, Counts, MAIN, PULL_REQUEST, Programs, empty};
use crate::registry::Registry;
use crate::second::Second;
use crate::workspace::{Workspace, debian_12, ran, sh};

const JOB: [&str; 3] = ["wheels", "debian12", "linux/amd64"];
const PYPROJECT: &str = "[build-system]\nrequires = [\"setuptools\"]\n\
    build-backend = \"setuptools.build_meta\"\n[project]\nname = \"demo\"\nversion = \"1.0\"\n\
    [tool.setuptools]\next-modules = [{ name = \"demo\", sources = [\"demo.c\"] }]\npy-modules = []\n";
const C: &str = "#include <Python.h>\n\
    static struct PyModuleDef d = {PyModuleDef_HEAD_INIT, \"demo\", 0, -1, 0};\n\
    PyMODINIT_FUNC PyInit_demo(void) { return PyModule_Create(&d); }\n";
/// The steps whose layers do not depend on the package.
const STEPS: [&str; 3] =
    ["sh /xtask/system-packages.sh", "sh /xtask/toolchain.sh", "sh /xtask/interpreter.sh"];

/// A runner: a separate engine, the cache service, and a registry with the base image.
struct Runner {
    registry: Registry,
    programs: Programs,
    engine: Second,
    service: CacheService,
}

impl Runner {
    fn start() -> Option<Self> {
        let (programs, registry) = (Programs::find_or_skip()?, Registry::start());
        push_debian_12(&registry);
        let engine = Second::of(&programs.dockerd);
        Some(Self { registry, programs, engine, service: CacheService::start() })
    }

    /// A small package for the base image in the registry.
    fn workspace(&self) -> Workspace {
        let w = Workspace::of_package("path = \".\"", "imports = [\"demo\"]\n");
        let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
        let toml = toml.replace("debian:12", &image(&self.registry));
        let toml: Vec<_> = toml.lines().filter(|line| !line.starts_with("bootstrap")).collect();
        fs_err::write(w.root.join("wheels.toml"), toml.join("\n")).unwrap();
        fs_err::write(w.root.join("pyproject.toml"), PYPROJECT).unwrap();
        fs_err::write(w.root.join("demo.c"), C).unwrap();
        w
    }

    /// One build job of a run for `branch`, in an engine without layers.
    #[track_caller]
    fn job(&self, w: &Workspace, branch: &str, more: &[&str], code: i32) -> (String, Counts) {
        let before = self.service.counts();
        empty(&self.engine.host());
        let host = self.engine.host();
        let with = ["--engine-host", &host, "--network", "host", "--no-smoke", "--force"];
        let mut command = w.command(&[&JOB[..], &with, more].concat());
        self.programs.apply(command.envs(self.service.environment(branch)));
        let (_, stderr) = ran(&command.output().unwrap(), code);
        (stderr, before)
    }
}

/// Pushes the base image to `registry`.
pub(crate) fn push_debian_12(registry: &Registry) {
    let image = image(registry);
    sh("docker", &["tag", &debian_12(), &image]);
    sh("docker", &["push", "--quiet", &image]);
    sh("docker", &["image", "rm", &image]);
}

/// Its name in the registry.
pub(crate) fn image(registry: &Registry) -> String {
    format!("127.0.0.1:{}/debian:12", registry.port)
}

/// The steps of [`STEPS`] that the log of a job reports as cached.
fn cached(w: &Workspace, python: &str) -> BTreeSet<&'static str> {
    let log = w.root.join(format!("target/xtask/logs/debian12-amd64-{python}.log"));
    let log = fs_err::read_to_string(log).unwrap();
    let is_cached = |step: &&str| {
        log.lines().any(|line| {
            line.starts_with("== ") && line.contains(*step) && line.ends_with("(cached)")
        })
    };
    STEPS.into_iter().filter(is_cached).collect()
}

const BOTH: [&str; 4] = ["--cache-from", "type=gha", "--cache-to", "type=gha"];

#[test]
fn the_second_run_reads_its_layers_from_the_github_cache() {
    let Some(runner) = Runner::start() else { return };
    // The first run fills the cache. Its two scopes have the same layers, and the service rejects duplicates.
    let w = runner.workspace();
    let fill = ["--python", "cp311", "--cache-to", "type=gha"];
    runner.job(&w, MAIN, &fill, 0);
    let filled = runner.service.counts();
    assert!(filled.of("stored layer") >= 3, "{filled:?}");
    assert_eq!(filled.of("stored list of debian12-amd64-cp311"), 1, "{filled:?}");
    assert_eq!(filled.of("stored list of debian12-amd64"), 1, "{filled:?}");

    // The second run, in an empty engine, runs none of the steps.
    let w = runner.workspace();
    let (stderr, before) = runner.job(&w, MAIN, &[&["--python", "cp311"][..], &BOTH].concat(), 0);
    assert!(!stderr.contains("a cache that failed"), "{stderr}");
    assert_eq!(cached(&w, "cp311"), BTreeSet::from(STEPS));
    let counts = runner.service.counts();
    assert!(counts.since(&before, "hit layer") > 0, "{counts:?}");
    assert_eq!(counts.since(&before, "miss layer"), 0, "{counts:?}");
    assert_eq!(counts.since(&before, "stored layer"), 0, "{counts:?}");

    // A new interpreter has no scope yet, and reads the shared one.
    let w = runner.workspace();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let both = "pythons = [\"cp311\", \"cp313\"]\nproviders = [\"distro\"]";
    fs_err::write(w.root.join("wheels.toml"), toml.replace("pythons = [\"cp311\"]", both)).unwrap();
    let (_, before) = runner.job(&w, MAIN, &[&["--python", "cp313"][..], &BOTH].concat(), 1);
    assert_eq!(cached(&w, "cp313"), BTreeSet::from([STEPS[0], STEPS[1]]));
    let counts = runner.service.counts();
    assert_eq!(counts.since(&before, "hit list of debian12-amd64-cp313"), 0, "{counts:?}");

    // A pull request reads the caches of the default branch, but not the reverse.
    let changed = || {
        let w = runner.workspace();
        fs_err::write(w.root.join("demo.c"), format!("{C}// changed\n")).unwrap();
        w
    };
    let w = changed();
    let (_, before) =
        runner.job(&w, PULL_REQUEST, &[&["--python", "cp311"][..], &BOTH].concat(), 0);
    assert_eq!(cached(&w, "cp311"), BTreeSet::from(STEPS));
    let counts = runner.service.counts();
    assert!(counts.since(&before, &format!("read of {MAIN}")) > 0, "{counts:?}");
    assert!(counts.since(&before, &format!("stored by {PULL_REQUEST}")) > 0, "{counts:?}");
    assert_eq!(counts.since(&before, &format!("stored by {MAIN}")), 0, "{counts:?}");
    let w = changed();
    let from = ["--python", "cp311", "--cache-from", "type=gha"];
    let (_, before) = runner.job(&w, MAIN, &from, 0);
    assert_eq!(cached(&w, "cp311"), BTreeSet::from(STEPS));
    let counts = runner.service.counts();
    assert_eq!(counts.since(&before, &format!("read of {PULL_REQUEST}")), 0, "{counts:?}");
}

#[test]
fn a_failing_cache_does_not_prevent_the_wheel() {
    let Some(mut runner) = Runner::start() else { return };
    // No job below then waits for the system's packages.
    let layers = format!("127.0.0.1:{}/layers", runner.registry.port);
    let fill = ["--python", "cp311", "--cache-to", &layers];
    runner.job(&runner.workspace(), MAIN, &fill, 0);
    let cache = "type=gha,timeout=5s";
    let python = ["--python", "cp311", "--cache-from", cache, "--cache-from", &layers];
    let both = [&python[..], &["--cache-to", cache]].concat();
    let build = |runner: &Runner, mode: &str| {
        let w = runner.workspace();
        let (stderr, before) = runner.job(&w, MAIN, &both, 0);
        assert_eq!(w.wheels("debian12-amd64").len(), 1, "{mode}: {stderr}");
        before
    };
    for mode in ["throttled", "expired", "full"] {
        runner.service.set(mode);
        let before = build(&runner, mode);
        let counts = runner.service.counts();
        assert_eq!(counts.since(&before, "stored layer"), 0, "{mode}: {counts:?}");
        assert_ne!(counts, before, "{mode}: no request");
    }
    runner.service.set("works");
    let before = build(&runner, "works");
    assert!(runner.service.counts().since(&before, "stored layer") > 0);
    // The lists of layers exist, but not the layers.
    for mode in ["lost", "broken"] {
        runner.service.set(mode);
        build(&runner, mode);
    }
    runner.service.stop();
    build(&runner, "gone");
}
