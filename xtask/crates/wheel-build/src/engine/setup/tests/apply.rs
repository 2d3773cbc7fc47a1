//! Tests of `apply`.

use super::*;

/// Applies the plan for a fresh Debian 12 in a temporary folder. `exec` plays apt and the engine.
fn applied(machine: &Fixture, exec: &Exec) -> Result<Vec<String>, String> {
    let (_dir, root) = fixture::scratch();
    let facts = machine.facts(&fixture::no_engine());
    let mut plan = plan(&facts, &options(), &Folders::of(&root)).unwrap();
    for action in &mut plan.actions {
        if let Kind::Daemon { limit, .. } = &mut action.kind {
            *limit = Duration::from_millis(5);
        }
    }
    let mut events = Vec::new();
    let done = apply(&plan, exec, &mut |event| {
        events.push(match event {
            Event::Started(action) => action.what.split(' ').next().unwrap_or_default().to_owned(),
            Event::Forecast(forecast) => format!("{} new", forecast.new.len()),
            Event::Done(_) => return,
        });
    });
    done.map(|()| events)
        .map_err(|error| UserError::explain(error.as_ref()).replace(root.as_str(), "/w"))
}

/// An apt that fails with `stderr` in the call with the argument `verb`.
fn failing(verb: &'static str, stderr: &'static str) -> Exec {
    Exec::fake(move |step| {
        let hit = step.args.iter().any(|arg| arg == verb);
        Ok(if hit { Captured::failed(stderr) } else { Captured::ok("") })
    })
}

#[test]
fn a_plan_runs_in_order() {
    let exec = fixture::answers(&[
        ("apt-get", Captured::ok("Inst tini (0.19.0-1 Debian:13.1/stable [amd64])\n")),
        ("install", Captured::ok("")),
        ("docker version", Captured::ok("26.1.5")),
        ("sh -c", Captured::ok("")),
    ]);
    let events = applied(&fixture::debian_12(), &exec).unwrap();
    assert_eq!(events, ["fetch", "simulate", "1 new", "write", "install", "start", "set"]);
}

#[test]
fn failures_of_apt_are_reported_with_its_last_lines_and_a_hint() {
    let fresh = fixture::debian_12();
    let lock =
        "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (apt-get)";
    insta::assert_snapshot!(applied(&fresh, &failing("--yes", lock)).unwrap_err(), @r"
    another process is installing packages: `DEBIAN_FRONTEND=noninteractive LC_ALL=C NEEDRESTART_SUSPEND=1 apt-get --config-file=/w/target/xtask/apt/apt.conf --yes --no-remove install docker-buildx/trixie docker-cli/trixie docker.io/trixie iproute2 mmdebstrap` failed
    E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (apt-get)

    hint: wait until it finishes, then run the same command again; `fuser /var/lib/dpkg/lock-frontend` as root shows the process
    ");
    let away = "W: something\nE: Failed to fetch http://me:secret@mirror.example/InRelease  Temporary \
        failure resolving 'mirror.example'";
    insta::assert_snapshot!(applied(&fresh, &failing("update", away)).unwrap_err(), @r"
    the package mirror cannot be reached: `LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf update` failed
    E: Failed to fetch http://mirror.example/InRelease  Temporary failure resolving 'mirror.example'

    hint: run `apt-get update` as root to check the machine's own sources
    ");
}

#[test]
fn an_installation_that_upgrades_the_machine_is_rejected() {
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
fn an_engine_that_does_not_start_is_an_error() {
    let exec = fixture::answers(&[("apt-get", Captured::ok("")), ("install", Captured::ok(""))]);
    let silent = Exec::fake(move |step| {
        if step.program.ends_with("dockerd") { Ok(Captured::ok("")) } else { exec.capture(step) }
    });
    let error = applied(&fixture::debian_12(), &silent).unwrap_err();
    assert!(error.starts_with("the engine does not answer after 0 s"), "{error}");
}

#[test]
fn without_privileges_the_error_has_the_commands_to_run() {
    let machine = fixture::debian_12().user();
    let exec = Exec::fake(|step| panic!("{step} was run"));
    insta::assert_snapshot!(applied(&machine, &exec).unwrap_err(), @r"
    neither root nor `sudo`; run these as root:
      LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf update
      LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf --simulate install docker-buildx/trixie docker-cli/trixie docker.io/trixie iproute2 mmdebstrap
      install -D --mode=0644 /w/target/xtask/engine/daemon.json /etc/docker/daemon.json
      DEBIAN_FRONTEND=noninteractive LC_ALL=C NEEDRESTART_SUSPEND=1 apt-get --config-file=/w/target/xtask/apt/apt.conf --yes --no-remove install docker-buildx/trixie docker-cli/trixie docker.io/trixie iproute2 mmdebstrap
      BUILDKIT_STEP_LOG_MAX_SIZE=67108864 BUILDKIT_STEP_LOG_MAX_SPEED=-1 PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin dockerd
      sh -c 'test ! -e /sys/class/net/docker0 || grep -qx 3 /sys/class/net/docker0/addr_assign_type || ip link set dev docker0 address 02:42:ac:11:00:01'

    hint: contact the administrator of this machine
    ");
}

#[test]
fn pip_is_installed_if_it_is_missing() {
    let only = SetupOptions { pip: true, ..SetupOptions::default() };
    let plan = |machine: &Fixture| planned(machine, &fixture::fine(), &only).unwrap();
    let done = plan(&fixture::debian_12()).describe();
    assert!(done.contains(&"install python3-pip".to_owned()), "{done:?}");
    assert!(plan(&fixture::debian_12().programs(&["/usr/bin/pip3"])).is_empty());
}
