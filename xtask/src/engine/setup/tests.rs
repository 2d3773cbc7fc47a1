#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::engine::doctor::fixture::{self, Fixture};
use crate::exec::{Captured, Exec};

fn wants() -> Wants {
    Wants { engine: true, bootstrap: true, ..Wants::default() }
}

fn folders() -> Folders {
    Folders::of(Utf8Path::new("/w"))
}

fn planned(machine: &Fixture, exec: &Exec, wants: &Wants) -> Result<SetupPlan, SetupError> {
    plan(&machine.facts(exec), wants, &folders())
}

fn script(machine: &Fixture, exec: &Exec, wants: &Wants) -> String {
    planned(machine, exec, wants).unwrap().script()
}

fn refusal(machine: &Fixture, exec: &Exec, wants: &Wants) -> String {
    planned(machine, exec, wants).unwrap_err().to_string()
}

#[test]
fn a_fresh_debian_12_borrows_the_engine_from_the_next_release() {
    let text = script(&fixture::debian_12(), &fixture::no_engine(), &wants());
    insta::assert_snapshot!(text, @"");
}

#[test]
fn the_private_sources_are_the_machines_own_and_the_next_releases() {
    let plan = planned(&fixture::debian_12(), &fixture::no_engine(), &wants()).unwrap();
    let files = plan.actions.iter().flat_map(|action| &action.files);
    let text: Vec<_> = files.map(|(path, text)| format!("== {path}\n{text}")).collect();
    insta::assert_snapshot!(text.join("\n"), @"");
}

#[test]
fn a_client_alone_gets_an_engine_and_keeps_the_client() {
    let machine = fixture::debian_12().programs(&["/usr/bin/docker", "/usr/bin/mmdebstrap"]);
    let plan = planned(&machine, &fixture::client_only(), &wants()).unwrap();
    insta::assert_debug_snapshot!(plan.describe(), @"");
}

#[test]
fn debian_13_takes_everything_from_its_own_release() {
    insta::assert_snapshot!(script(&fixture::debian_13(), &fixture::no_engine(), &wants()), @"");
}

#[test]
fn ubuntu_takes_everything_from_its_own_release_with_universe() {
    let machine = fixture::ubuntu_24();
    insta::assert_snapshot!(script(&machine, &fixture::no_engine(), &wants()), @"");
    let plan = planned(&machine, &fixture::no_engine(), &wants()).unwrap();
    let files: Vec<_> = plan.actions.iter().flat_map(|action| &action.files).collect();
    assert!(files.iter().any(|(_, text)| text.contains("Components: main universe\n")));
}

#[test]
fn a_machine_that_is_fine_is_not_touched() {
    let machine = fixture::debian_12().programs(&["/usr/bin/docker", "/usr/bin/mmdebstrap"]);
    assert!(planned(&machine, &fixture::fine(), &wants()).unwrap().is_empty());
    assert!(
        planned(&fixture::rocky_9(), &fixture::no_engine(), &Wants::default()).unwrap().is_empty()
    );
}

#[test]
fn a_system_without_apt_is_told_each_part_and_where_it_comes_from() {
    insta::assert_snapshot!(refusal(&fixture::rocky_9(), &fixture::no_engine(), &wants()), @"");
    // Starting what is installed needs no packages.
    let stopped = fixture::rocky_9()
        .programs(&["/usr/bin/docker", "/usr/bin/dockerd"])
        .file("/run/systemd/system/x", "");
    let exec = fixture::answers(&[
        ("docker version", Captured::failed("Cannot connect to the Docker daemon")),
        ("docker buildx version", Captured::ok("github.com/docker/buildx v0.30.0 abc")),
    ]);
    let only_engine = Wants { engine: true, ..Wants::default() };
    let plan = planned(&stopped, &exec, &only_engine).unwrap();
    assert_eq!(plan.describe(), ["start the engine's service"]);
}

#[test]
fn settings_and_images_of_the_user_are_respected() {
    let exec = fixture::answers(&[
        ("docker version", Captured::failed("Cannot connect to the Docker daemon")),
        ("docker buildx version", Captured::ok("github.com/docker/buildx v0.30.0 abc")),
    ]);
    let stopped = || {
        fixture::debian_12().programs(&[
            "/usr/bin/docker",
            "/usr/sbin/dockerd",
            "/usr/bin/mmdebstrap",
        ])
    };
    insta::assert_snapshot!(script(&stopped(), &exec, &wants()), @"");
    for path in ["/etc/docker/daemon.json", "/var/lib/docker/overlay2/x"] {
        let text = script(&stopped().file(path, "{}"), &exec, &wants());
        assert!(!text.contains("--config-file"), "{text}");
    }
}

#[test]
fn what_is_not_ours_is_not_replaced() {
    let machine = || fixture::debian_12().programs(&["/usr/bin/docker"]);
    let old = refusal(&machine(), &fixture::engine("20.10.24", "v0.13.1"), &wants());
    assert!(
        old.starts_with("the engine is too old: docker 20.10.24 found, 23.0.0 or later"),
        "{old}"
    );
    let old = refusal(&machine(), &fixture::engine("28.2.2", "v0.9.1"), &wants());
    assert!(old.starts_with("buildx is too old: 0.9.1 found"), "{old}");
    let upstream = machine().file("/var/lib/dpkg/info/docker-ce.list", "");
    let makers = refusal(&upstream, &fixture::client_only(), &wants());
    assert!(
        makers.ends_with("hint: `sudo apt-get install docker-ce docker-buildx-plugin`"),
        "{makers}"
    );
    let elsewhere = machine().var("DOCKER_HOST", "tcp://me:secret@engine.example");
    let text = refusal(&elsewhere, &fixture::client_only(), &wants());
    assert!(text.starts_with("`DOCKER_HOST` names an engine that does not answer"), "{text}");
    let denied = Captured::failed("permission denied while trying to connect");
    let text = refusal(&machine(), &fixture::answers(&[("docker version", denied)]), &wants());
    assert!(text.starts_with("this user may not talk to the engine"), "{text}");
    let podman =
        Captured { stderr: "Emulate Docker CLI using podman.".to_owned(), ..Captured::ok("{}") };
    let text = refusal(&machine(), &fixture::answers(&[("docker version", podman)]), &wants());
    assert!(text.starts_with("`docker` is podman's stand-in"), "{text}");
}

#[test]
fn emulators_are_installed_and_registered_where_the_package_did_not() {
    let only = Wants { emulators: BTreeSet::from(["arm64".to_owned()]), ..Wants::default() };
    let machine = fixture::debian_12();
    insta::assert_snapshot!(script(&machine, &fixture::fine(), &only), @"");
    let native = Wants { emulators: BTreeSet::from(["amd64".to_owned()]), ..Wants::default() };
    assert!(planned(&machine, &fixture::fine(), &native).unwrap().is_empty());
    let unknown = Wants { emulators: BTreeSet::from(["z80".to_owned()]), ..Wants::default() };
    assert!(refusal(&machine, &fixture::fine(), &unknown).starts_with("no emulator for `z80`"));
}

#[test]
fn etc_apt_is_written_only_when_asked() {
    let permanent = Wants { permanent: true, ..wants() };
    let text = script(&fixture::debian_12(), &fixture::no_engine(), &permanent);
    let lines: Vec<_> = text.lines().filter(|line| line.contains("/etc/apt")).collect();
    insta::assert_snapshot!(lines.join("\n"), @"");
    let text = script(&fixture::debian_12(), &fixture::no_engine(), &wants());
    assert!(!text.contains("/etc/apt"), "{text}");
    let text = script(&fixture::debian_13(), &fixture::no_engine(), &permanent);
    assert!(!text.contains("/etc/apt"), "{text}");
}

#[test]
fn sudo_stands_before_what_only_root_may_do() {
    let machine = fixture::debian_12().user().programs(&["/usr/bin/sudo"]);
    let exec = fixture::answers(&[("sudo -n true", Captured::ok(""))]);
    insta::assert_snapshot!(script(&machine, &exec, &wants()), @"");
}

/// Applies the plan for a fresh Debian 12 in a folder of its own, apt and engine played by `exec`.
fn applied(machine: &Fixture, exec: &Exec) -> Result<Vec<String>, String> {
    let (_dir, root) = fixture::scratch();
    let facts = machine.facts(&fixture::no_engine());
    let mut plan = plan(&facts, &wants(), &Folders::of(&root)).unwrap();
    for action in &mut plan.actions {
        if let Kind::Daemon { limit, .. } = &mut action.kind {
            *limit = Duration::from_millis(5);
        }
    }
    let mut events = Vec::new();
    let done = apply(&plan, exec, &mut |event| {
        events.push(match event {
            Event::Started(_) => return,
            Event::Forecast(forecast) => format!("{} new", forecast.new.len()),
            Event::Done(action, _) => action.what.split(' ').next().unwrap_or_default().to_owned(),
        });
    });
    done.map(|()| events).map_err(|error| error.to_string().replace(root.as_str(), "/w"))
}

/// An apt that fails in the call whose arguments hold `verb`, saying `stderr`.
fn failing(verb: &'static str, stderr: &'static str) -> Exec {
    Exec::fake(move |step| {
        let hit = step.args.iter().any(|arg| arg == verb);
        Ok(if hit { Captured::failed(stderr) } else { Captured::ok("") })
    })
}

#[test]
fn a_plan_is_carried_out_in_order() {
    let exec = fixture::answers(&[
        ("apt-get", Captured::ok("Inst tini (0.19.0-1 Debian:13.1/stable [amd64])\n")),
        ("install", Captured::ok("")),
        ("docker info", Captured::ok("26.1.5")),
    ]);
    let events = applied(&fixture::debian_12(), &exec).unwrap();
    assert_eq!(events, ["write", "fetch", "1 new", "install", "start"]);
}

#[test]
fn failures_of_apt_are_named_with_its_last_lines_and_a_hint() {
    let fresh = fixture::debian_12();
    let lock =
        "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (apt-get)";
    insta::assert_snapshot!(applied(&fresh, &failing("--yes", lock)).unwrap_err(), @"");
    let away = "W: something\nE: Failed to fetch http://me:secret@mirror.example/InRelease  Temporary \
        failure resolving 'mirror.example'";
    insta::assert_snapshot!(applied(&fresh, &failing("update", away)).unwrap_err(), @"");
}

#[test]
fn an_installation_that_would_upgrade_the_machine_is_refused_before_it_begins() {
    let upgrade = "Inst libc6 [2.36-9+deb12u10] (2.41-12 Debian:13.1/stable [amd64])\n";
    let exec = Exec::fake(move |step| {
        assert!(!step.args.iter().any(|arg| arg == "--yes"), "{step}");
        let simulation = step.args.iter().any(|arg| arg == "--simulate");
        Ok(Captured::ok(if simulation { upgrade } else { "" }))
    });
    let error = applied(&fixture::debian_12(), &exec).unwrap_err();
    assert!(error.contains("libc6 (2.36-9+deb12u10 to 2.41-12)"), "{error}");
}

#[test]
fn an_engine_that_does_not_come_up_is_an_error() {
    let exec = fixture::answers(&[("apt-get", Captured::ok("")), ("install", Captured::ok(""))]);
    let silent = Exec::fake(move |step| {
        if step.program.ends_with("dockerd") { Ok(Captured::ok("")) } else { exec.capture(step) }
    });
    let error = applied(&fixture::debian_12(), &silent).unwrap_err();
    assert!(error.starts_with("the engine does not answer after 0 s"), "{error}");
}

#[test]
fn without_privileges_nothing_is_run_and_the_commands_are_named() {
    let machine = fixture::debian_12().user();
    let exec = Exec::fake(|step| panic!("{step} was run"));
    insta::assert_snapshot!(applied(&machine, &exec).unwrap_err(), @"");
}
