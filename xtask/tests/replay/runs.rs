//! Whole runs with a fake engine: failures, and steps that must not run.

use std::collections::BTreeMap;
use std::process::Command;

use crate::common::{PROGRAM, Workspace, pure_wheel};
use crate::runner::compiler;
use crate::runner::event::Event;
use crate::runner::hub::Hub;
use crate::runner::run::Conclusion::{Failure, Skipped, Success};
use crate::runner::run::{Machine, Run};

const TOML: &str = r#"
[source]
sdist = "demo==1.0"
sha256 = "6c69fca89106567060941c5568e67a5369738813d883db4e3d62b76f0a2c497e"
[build]
pythons = ["cp311"]
[publish]
environment = "pypi"
[[target]]
name = "debian12"
image = "debian:12"
family = "apt"
glibc = "2.36"
platforms = ["linux/amd64"]
"#;

/// A repository on GitHub, and a runner with a fake engine.
struct Site {
    hub: Hub,
    machine: Machine,
    /// The engine's answers.
    fake: Workspace,
}

impl Site {
    fn new() -> Self {
        let (hub, fake) = (Hub::new(None), Workspace::new());
        let bin = fake.fake.with_file_name("bin");
        compiler::write(&bin, false);
        let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
        let env = [("PATH", &*path), ("HOME", fake.fake.as_str()), ("FAKE", fake.fake.as_str())];
        let env = env.into_iter().chain([("PROGRAM", PROGRAM)]);
        let machine = Machine {
            labels: &["ubuntu-24.04"],
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            inherits: false,
            service: BTreeMap::new(),
            checked_out: Box::new(|_| ()),
        };
        let site = Self { hub, machine, fake };
        site.configure(TOML);
        site
    }

    /// Writes wheels.toml, and generates the workflow from it.
    fn configure(&self, toml: &str) {
        let origin = self.hub.origin();
        fs_err::write(origin.join("wheels.toml"), toml).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["workflow", "write"]).current_dir(&origin);
        command.env("CARGO_MANIFEST_DIR", origin.join("xtask"));
        crate::common::Ran::of(command.output().unwrap()).code(0);
    }

    /// Pushes all changes to the default branch.
    fn push(&self) -> Run<'_> {
        let (sha, changed) = self.hub.commit("change");
        let event = Event::push("refs/heads/main", &sha, &changed);
        Run::of(&self.hub, &self.machine, event).unwrap()
    }

    /// Pushes a tag of the newest commit.
    fn tag(&self, name: &str) -> Run<'_> {
        self.hub.git(&["tag", name]);
        let sha = self.hub.git(&["rev-parse", "HEAD"]);
        let event = Event::push(&format!("refs/tags/{name}"), &sha, &[]);
        Run::of(&self.hub, &self.machine, event).unwrap()
    }

    /// The files that were uploaded to the index.
    fn uploaded(&self) -> Vec<String> {
        crate::common::files(&self.hub.folder.join("uploaded"))
    }
}

const WHEEL: &str = "demo-1.0-py3-none-any.whl";

#[test]
fn a_push_replaces_the_pre_release_and_a_tag_publishes() {
    let site = Site::new();
    let run = site.push();
    run.ends(&[("publish", Skipped)]);
    let names = ["checksums", "dist", "upload", "wheels-debian12-amd64", "xtask-ubuntu-24.04"];
    assert_eq!(run.artifacts.names(), names);
    let compiles = |run: &Run<'_>| {
        let jobs = run.jobs.iter().filter(|(_, record)| {
            let mut steps = record.instances.iter().flat_map(|job| &job.steps);
            steps.any(|step| step.title.starts_with("cargo ") && step.outcome != Skipped)
        });
        jobs.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(compiles(&run), ["tool"]);
    assert!(run.job("collect").summary.contains(WHEEL), "{}", run.job("collect").summary);
    let (release, files) = site.hub.release("wheels-latest").unwrap();
    assert_eq!(release["prerelease"], true);
    assert!(files.contains(&WHEEL.to_owned()) && files.contains(&"SHA256SUMS".to_owned()));
    let tagged = || site.hub.git(&["rev-parse", "wheels-latest"]);
    assert_eq!(tagged(), run.event.sha);
    assert_eq!(site.uploaded(), [""; 0]);

    let mut tag = site.tag("v1.0");
    tag.ends(&[]);
    // An index rejects a duplicate file.
    tag.again("publish");
    tag.ends(&[]);
    assert_eq!(compiles(&tag), [""; 0], "the program is in the cache of the default branch");
    let (release, files) = site.hub.release("v1.0").unwrap();
    assert_eq!((&release["prerelease"], files.len()), (&false.into(), 7));
    let attested = fs_err::read_to_string(site.hub.folder.join("attested")).unwrap();
    let attested = attested.lines().map(|line| line.split_once("  ").unwrap().1);
    let others = files.iter().filter(|name| *name != "SHA256SUMS");
    assert_eq!(attested.collect::<Vec<_>>(), others.collect::<Vec<_>>());
    assert_eq!(site.uploaded(), [WHEEL]);

    fs_err::remove_file(site.fake.fake.join("export").join(WHEEL)).unwrap();
    site.fake.export(&pure_wheel("demo-1.1-py3-none-any.whl"));
    site.configure(&TOML.replace("demo==1.0", "demo==1.1"));
    let second = site.push();
    second.ends(&[("publish", Skipped)]);
    let (_, files) = site.hub.release("wheels-latest").unwrap();
    assert!(files.contains(&"demo-1.1-py3-none-any.whl".to_owned()), "{files:?}");
    assert!(!files.contains(&WHEEL.to_owned()), "{files:?}");
    assert_eq!(tagged(), second.event.sha);
}

#[test]
fn only_collect_and_release_receive_the_token() {
    let site = Site::new();
    let run = site.push();
    let tag = site.tag("v1.0");
    for run in [&run, &tag] {
        for (name, record) in &run.jobs {
            for instance in &record.instances {
                let with_token = instance.steps.iter().filter(|step| step.received_token);
                let with_token: Vec<_> = with_token.map(|step| step.title.as_str()).collect();
                let is_expected = ["collect", "release"].contains(&name.as_str());
                assert!(with_token.is_empty() || is_expected, "{name}: {with_token:?}");
                let may = |name: &str| instance.permissions.get(name).map(String::as_str);
                assert_eq!(may("contents") == Some("write"), name == "release", "{name}");
                assert_eq!(
                    may("id-token"),
                    ["attest", "publish"].contains(&&**name).then_some("write"),
                    "{name}"
                );
            }
        }
        assert_eq!(run.job("release").steps.iter().filter(|step| step.received_token).count(), 1);
    }
}

#[test]
fn a_failed_build_keeps_its_logs_and_prevents_the_release() {
    let site = Site::new();
    site.fake.on("bake", "progress \"[wheel-builder 1/1] RUN x\" \"exit code: 1\"\nexit 1\n");
    let mut run = site.push();
    let no_release = [("release", Skipped), ("attest", Skipped), ("publish", Skipped)];
    run.ends(&[&[("build", Failure), ("collect", Failure)][..], &no_release].concat());
    assert!(run.artifacts.names().contains(&"logs-debian12-amd64".to_owned()));
    let log = run.artifacts.folder("logs-debian12-amd64").join("debian12-amd64-cp311.log");
    assert!(fs_err::read_to_string(log).unwrap().contains("wheel-builder"));
    assert!(run.job("collect").log().contains("cp311"), "{}", run.job("collect").log());
    assert_eq!(site.hub.release("wheels-latest"), None);
    // Repeats the failed job, and the jobs that need it, on a working machine.
    site.fake.as_usual("bake");
    run.again("build");
    run.ends(&[("publish", Skipped)]);
    assert_eq!(run.attempt, 2);
    assert!(site.hub.release("wheels-latest").unwrap().1.contains(&WHEEL.to_owned()));
}

/// A second target whose builds fail.
const ROCKY: &str = "[[target]]\nname = \"rocky9\"\nimage = \"rockylinux:9\"\nfamily = \"dnf\"\n\
                     glibc = \"2.34\"\nplatforms = [\"linux/amd64\"]\n";
const ROCKY_FAILS: &str = r#"
case "$*" in *TARGET_NAME=rocky9*) progress "[wheel-builder 1/1] RUN x" "exit code: 1"; exit 1 ;; esac
[ -z "$dest" ] || mkdir -p "$dest"
case $target in
published) printf '{"file": null}' >"$dest/published.json" ;;
smoke) smoke_passed ;;
*) cp "$FAKE"/export/* "$dest/" ;;
esac
"#;

#[test]
fn a_failed_optional_build_does_not_prevent_the_release() {
    let site = Site::new();
    site.fake.on("bake", ROCKY_FAILS);
    site.configure(&format!("{TOML}{ROCKY}"));
    let all = [
        ("build", Failure),
        ("collect", Failure),
        ("release", Skipped),
        ("attest", Skipped),
        ("publish", Skipped),
    ];
    site.push().ends(&all);
    assert_eq!(site.hub.release("wheels-latest"), None);
    let required = "[ci]\nrequired = [\"*-debian12_*\"]\n[publish]";
    site.configure(&format!("{}{ROCKY}", TOML.replace("[publish]", required)));
    let run = site.push();
    run.ends(&[("publish", Skipped)]);
    let results: Vec<_> = run.jobs["build"].instances.iter().map(|job| job.result).collect();
    assert_eq!(results, [Success, Failure]);
    assert!(site.hub.release("wheels-latest").unwrap().1.contains(&WHEEL.to_owned()));
}

#[test]
fn a_missing_artifact_prevents_the_release_until_a_rerun() {
    let site = Site::new();
    let mut run = site.push();
    fs_err::remove_dir_all(site.hub.folder.join("releases/wheels-latest")).unwrap();
    run.artifacts.delete("wheels-debian12-amd64").unwrap();
    run.again("collect");
    run.ends(&[
        ("collect", Failure),
        ("release", Skipped),
        ("attest", Skipped),
        ("publish", Skipped),
    ]);
    assert_eq!(site.hub.release("wheels-latest"), None);
    // With other bytes, to distinguish the two files.
    let bytes = crate::common::wheel(WHEEL, true, &[("demo/__init__.py", b"again = 1\n")]);
    site.fake.export(&bytes);
    run.again("build");
    run.ends(&[("publish", Skipped)]);
    let asset = site.hub.folder.join("releases/wheels-latest/assets").join(WHEEL);
    let built = run.artifacts.folder("wheels-debian12-amd64").join("debian12-amd64").join(WHEEL);
    assert_eq!(fs_err::read(&asset).unwrap(), fs_err::read(built).unwrap());
    // A re-run of one job overwrites the upload of an earlier attempt.
    site.fake.export(&pure_wheel(WHEEL));
    let before = fs_err::read(&asset).unwrap();
    run.again("build");
    run.ends(&[("publish", Skipped)]);
    assert_ne!(fs_err::read(&asset).unwrap(), before);
}

#[test]
fn a_tag_of_another_version_releases_and_publishes_nothing() {
    let site = Site::new();
    site.push();
    let run = site.tag("v1.1");
    run.ends(&[("release", Failure), ("attest", Skipped), ("publish", Skipped)]);
    assert_eq!((site.hub.release("v1.1"), site.uploaded().len()), (None, 0));
    let log = &run.job("release").log();
    assert!(log.contains("v1.1") && log.contains("1.0"), "{log}");
}

#[test]
fn a_pull_request_and_a_fork_release_nothing() {
    let site = Site::new();
    let (sha, changed) = site.hub.commit("change");
    for from_fork in [false, true] {
        let event = Event::pull_request(&sha, &changed, from_fork);
        let run = Run::of(&site.hub, &site.machine, event).unwrap();
        run.ends(&[("release", Skipped), ("attest", Skipped), ("publish", Skipped)]);
        let writes = |instance: &crate::runner::job::Instance| {
            instance.permissions.values().any(|level| level == "write")
        };
        let mut all = run.jobs.values().flat_map(|record| &record.instances);
        assert!(!all.any(writes), "the token of a pull request only reads");
    }
    for reference in ["refs/heads/main", "refs/tags/v1.0"] {
        let event = Event { in_fork: true, ..Event::push(reference, &sha, &changed) };
        let run = Run::of(&site.hub, &site.machine, event).unwrap();
        run.ends(&[("release", Skipped), ("attest", Skipped), ("publish", Skipped)]);
    }
    assert!(crate::common::files(&site.hub.folder.join("releases")).is_empty());
}

#[test]
fn only_relevant_branches_tags_and_files_start_a_run() {
    let site = Site::new();
    let (sha, _) = site.hub.commit("change");
    let starts = |reference: &str, changed: &str| {
        let event = Event::push(reference, &sha, &[changed.to_owned()]);
        event.triggers(&Run::workflow(&site.hub, &event)).unwrap()
    };
    assert!(starts("refs/heads/main", "wheels.toml") && starts("refs/tags/v1.0", "README.md"));
    assert!(!starts("refs/heads/main", "README.md"), "the wheels are those of a source archive");
    assert!(!starts("refs/heads/topic", "wheels.toml"));
    assert!(!starts("refs/tags/wheels-latest", "wheels.toml"), "the tag of the pre-release");
}

#[test]
fn a_workflow_with_unsupported_syntax_is_rejected() {
    let site = Site::new();
    let path = site.hub.origin().join(".github/workflows/wheels-docker.yml");
    let text = fs_err::read_to_string(&path).unwrap();
    let (sha, changed) = site.hub.commit("change");
    let event = Event::push("refs/heads/main", &sha, &changed);
    for (from, to) in [
        ("uses: actions/checkout@", "uses: actions/other@"),
        ("persist-credentials: false", "persist-credential: false"),
        ("needs.plan.outputs.matrix", "needs.plans.outputs.matrix"),
        ("steps.matrix.outputs", "steps.other.outputs"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        fs_err::write(&path, changed).unwrap();
        let (sha, _) = site.hub.commit("change");
        let event = Event { sha, ..event.clone() };
        let run = Run::try_of(&site.hub, &site.machine, event);
        assert!(run.is_err(), "{to}");
    }
}
