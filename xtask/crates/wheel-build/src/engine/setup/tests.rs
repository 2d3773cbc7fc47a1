#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use super::*;
use crate::engine::doctor::fixture::{self, Fixture};
use crate::exec::{Captured, Exec};
use wheel_audit::UserError;

mod apply;

fn options() -> SetupOptions {
    SetupOptions { engine: true, bootstrap: true, ..SetupOptions::default() }
}

fn folders() -> Folders {
    Folders::of(Utf8Path::new("/w"))
}

fn planned(machine: &Fixture, exec: &Exec, options: &SetupOptions) -> anyhow::Result<SetupPlan> {
    plan(&machine.facts(exec), options, &folders())
}

fn script(machine: &Fixture, exec: &Exec, options: &SetupOptions) -> String {
    planned(machine, exec, options).unwrap().script()
}

fn refusal(machine: &Fixture, exec: &Exec, options: &SetupOptions) -> String {
    UserError::explain(planned(machine, exec, options).unwrap_err().as_ref())
}

#[test]
fn a_fresh_debian_12_borrows_the_engine_from_the_next_release() {
    let text = script(&fixture::debian_12(), &fixture::no_engine(), &options());
    insta::assert_snapshot!(text, @r"
    # fetch the package lists of `bookworm` and of `trixie` for packages that `bookworm` lacks, into `/w/target/xtask/apt`
    # (with /w/target/xtask/apt/apt.conf)
    # (with /w/target/xtask/apt/sources.list.d/machine.sources)
    # (with /w/target/xtask/apt/preferences)
    LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf update
    # simulate the installation, and stop if it would change existing packages
    LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf --simulate install docker-buildx/trixie docker-cli/trixie docker.io/trixie iproute2 mmdebstrap
    # write `/etc/docker/daemon.json`: several platforms under one image name
    # (with /w/target/xtask/engine/daemon.json)
    install -D --mode=0644 /w/target/xtask/engine/daemon.json /etc/docker/daemon.json
    # install docker-buildx/trixie, docker-cli/trixie, docker.io/trixie, iproute2, mmdebstrap
    DEBIAN_FRONTEND=noninteractive LC_ALL=C NEEDRESTART_SUSPEND=1 apt-get --config-file=/w/target/xtask/apt/apt.conf --yes --no-remove install docker-buildx/trixie docker-cli/trixie docker.io/trixie iproute2 mmdebstrap
    # start the engine, with its log in `/w/target/xtask/engine/dockerd.log` (without systemd, it does not start at boot)
    BUILDKIT_STEP_LOG_MAX_SIZE=67108864 BUILDKIT_STEP_LOG_MAX_SPEED=-1 PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin setsid dockerd > /w/target/xtask/engine/dockerd.log 2>&1 &
    # set a fixed address for the engine's network
    sh -c 'test ! -e /sys/class/net/docker0 || grep -qx 3 /sys/class/net/docker0/addr_assign_type || ip link set dev docker0 address 02:42:ac:11:00:01'
    ");
}

#[test]
fn the_separate_sources_add_the_next_release_to_the_machines() {
    let plan = planned(&fixture::debian_12(), &fixture::no_engine(), &options()).unwrap();
    let files = plan.actions.iter().flat_map(|action| &action.files);
    let text: Vec<_> = files.map(|(path, text)| format!("== {path}\n{text}")).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    == /w/target/xtask/apt/apt.conf
    // Written by `cargo xtask setup`: apt with a separate list of sources.
    Dir::Etc::SourceList "/dev/null";
    Dir::Etc::SourceParts "/w/target/xtask/apt/sources.list.d";
    Dir::Etc::Preferences "/w/target/xtask/apt/preferences";
    Dir::State::Lists "/w/target/xtask/apt/lists";
    // The simulation and the installation share one cache.
    Dir::Cache::pkgcache "/w/target/xtask/apt/pkgcache.bin";
    Dir::Cache::srcpkgcache "";
    APT::Sandbox::User "root";
    APT::Install-Recommends "false";
    APT::Update::Error-Mode "any";
    Acquire::Retries "2";
    Acquire::http::Timeout "30";
    Acquire::https::Timeout "30";
    DPkg::Lock::Timeout "60";
    // The system's own lists do not change, so no hooks run after an update.
    #clear APT::Update::Post-Invoke;
    #clear APT::Update::Post-Invoke-Success;

    == /w/target/xtask/apt/sources.list.d/machine.sources
    Types: deb
    URIs: http://mirror.example/security
    Suites: bookworm-security
    Components: main
    Architectures: amd64
    Targets: Packages
    Languages: none

    Types: deb
    URIs: http://mirror.example/linux
    Suites: bookworm bookworm-updates
    Components: main
    Architectures: amd64
    Targets: Packages
    Languages: none
    signed-by: /usr/share/keyrings/archive.gpg

    Types: deb
    URIs: http://mirror.example/security
    Suites: trixie-security
    Components: main
    Architectures: amd64
    Targets: Packages
    Languages: none

    Types: deb
    URIs: http://mirror.example/linux
    Suites: trixie trixie-updates
    Components: main
    Architectures: amd64
    Targets: Packages
    Languages: none
    signed-by: /usr/share/keyrings/archive.gpg


    == /w/target/xtask/apt/preferences
    Package: *
    Pin: release n=trixie*
    Pin-Priority: 50

    == /w/target/xtask/engine/daemon.json
    {
      "features": {
        "containerd-snapshotter": true
      }
    }
    "#);
}

#[test]
fn a_client_without_an_engine_is_kept_and_completed() {
    let machine = fixture::debian_12().programs(&["/usr/bin/docker", "/usr/bin/mmdebstrap"]);
    let plan = planned(&machine, &fixture::client_only(), &options()).unwrap();
    insta::assert_debug_snapshot!(plan.describe(), @r#"
    [
        "fetch the package lists of `bookworm` and of `trixie` for packages that `bookworm` lacks, into `/w/target/xtask/apt`",
        "simulate the installation, and stop if it would change existing packages",
        "write `/etc/docker/daemon.json`: several platforms under one image name",
        "install docker-buildx/trixie, docker.io/trixie, iproute2",
        "start the engine, with its log in `/w/target/xtask/engine/dockerd.log` (without systemd, it does not start at boot)",
        "set a fixed address for the engine's network",
    ]
    "#);
}

#[test]
fn debian_13_installs_everything_from_its_own_release() {
    insta::assert_snapshot!(script(&fixture::debian_13(), &fixture::no_engine(), &options()), @r"
    # fetch the package lists of `trixie`, into `/w/target/xtask/apt`
    # (with /w/target/xtask/apt/apt.conf)
    # (with /w/target/xtask/apt/sources.list.d/machine.sources)
    # (with /w/target/xtask/apt/preferences)
    LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf update
    # simulate the installation, and stop if it would change existing packages
    LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf --simulate install docker-buildx docker-cli docker.io mmdebstrap
    # write `/etc/docker/daemon.json`: several platforms under one image name
    # (with /w/target/xtask/engine/daemon.json)
    install -D --mode=0644 /w/target/xtask/engine/daemon.json /etc/docker/daemon.json
    # install docker-buildx, docker-cli, docker.io, mmdebstrap
    DEBIAN_FRONTEND=noninteractive LC_ALL=C NEEDRESTART_SUSPEND=1 apt-get --config-file=/w/target/xtask/apt/apt.conf --yes --no-remove install docker-buildx docker-cli docker.io mmdebstrap
    # start the engine's service
    systemctl start docker
    ");
}

#[test]
fn bootstrap_tools_are_installed_if_the_distribution_has_them() {
    let bootstrap = |text: &str| toml::from_str::<Bootstrap>(text).unwrap();
    let ubuntu = "tool = 'mmdebstrap'\nsuite = 'noble'\n\
                  keyring = '/usr/share/keyrings/ubuntu-archive-keyring.gpg'";
    let el = "tool = 'dnf'\nsuite = '9'\nrepositories = ['https://repo']\nkeyring = '/key'\npackages = ['dnf']";
    let installed = |machine: &Fixture, text: &str| {
        let options = SetupOptions { bootstraps: vec![bootstrap(text)], ..options() };
        let plan = planned(machine, &fixture::no_engine(), &options).unwrap();
        plan.describe().into_iter().find(|line| line.starts_with("install ")).unwrap()
    };
    let trixie = fixture::debian_13();
    assert!(installed(&trixie, ubuntu).ends_with("mmdebstrap, ubuntu-keyring"));
    assert!(installed(&trixie, el).contains("dnf, "));
    let keyring = "/usr/share/keyrings/ubuntu-archive-keyring.gpg";
    assert!(!installed(&fixture::debian_13().file(keyring, "x"), ubuntu).contains("keyring"));
    // Debian 12 does not have the package.
    assert!(
        installed(&fixture::debian_12(), ubuntu).ends_with("mmdebstrap, ubuntu-keyring/trixie")
    );
}

#[test]
fn a_key_that_no_package_contains_is_missing() {
    let bootstrap = |key: &str| {
        let text = format!("tool = 'mmdebstrap'\nsuite = 'noble'\nkeyring = '{key}'");
        toml::from_str::<Bootstrap>(&text).unwrap()
    };
    let ubuntu = "/usr/share/keyrings/ubuntu-archive-keyring.gpg";
    let bootstraps = ["/mine.gpg", "/there.gpg", "/mine.gpg", ubuntu].map(bootstrap).to_vec();
    let options = SetupOptions { bootstraps, ..options() };
    let missing = |options: &SetupOptions| missing_keys(options, |path| path == "/there.gpg");
    assert_eq!(missing(&options), ["`/mine.gpg`"]);
    assert_eq!(missing(&SetupOptions { bootstrap: false, ..options }), [""; 0]);
}

#[test]
fn ubuntu_installs_everything_from_its_release_and_universe() {
    let machine = fixture::ubuntu_24();
    insta::assert_snapshot!(script(&machine, &fixture::no_engine(), &options()), @r"
    # fetch the package lists of `noble`, into `/w/target/xtask/apt`
    # (with /w/target/xtask/apt/apt.conf)
    # (with /w/target/xtask/apt/sources.list.d/machine.sources)
    # (with /w/target/xtask/apt/preferences)
    LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf update
    # simulate the installation, and stop if it would change existing packages
    LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf --simulate install docker-buildx docker.io mmdebstrap
    # write `/etc/docker/daemon.json`: several platforms under one image name
    # (with /w/target/xtask/engine/daemon.json)
    install -D --mode=0644 /w/target/xtask/engine/daemon.json /etc/docker/daemon.json
    # install docker-buildx, docker.io, mmdebstrap
    DEBIAN_FRONTEND=noninteractive LC_ALL=C NEEDRESTART_SUSPEND=1 apt-get --config-file=/w/target/xtask/apt/apt.conf --yes --no-remove install docker-buildx docker.io mmdebstrap
    # start the engine's service
    systemctl start docker
    ");
    let plan = planned(&machine, &fixture::no_engine(), &options()).unwrap();
    let files: Vec<_> = plan.actions.iter().flat_map(|action| &action.files).collect();
    assert!(files.iter().any(|(_, text)| text.contains("Components: main universe\n")));
}

#[test]
fn a_complete_machine_stays_unchanged() {
    let machine = fixture::debian_12().programs(&["/usr/bin/docker", "/usr/bin/mmdebstrap"]);
    assert!(planned(&machine, &fixture::fine(), &options()).unwrap().is_empty());
    assert!(
        planned(&fixture::rocky_9(), &fixture::no_engine(), &SetupOptions::default())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn the_bridge_of_an_engine_has_a_fixed_address() {
    let kind = "/sys/class/net/docker0/addr_assign_type";
    let fine = |kind_of: &str| {
        let machine = fixture::debian_12().programs(&["/usr/bin/docker", "/usr/bin/mmdebstrap"]);
        machine.programs(&["/usr/sbin/ip"]).file(kind, kind_of)
    };
    let text = script(&fine("1\n"), &fixture::fine(), &options());
    insta::assert_snapshot!(text, @r"
    # set a fixed address for the engine's network
    sh -c 'test ! -e /sys/class/net/docker0 || grep -qx 3 /sys/class/net/docker0/addr_assign_type || /usr/sbin/ip link set dev docker0 address 02:42:ac:11:00:01'
    ");
    assert!(planned(&fine("3\n"), &fixture::fine(), &options()).unwrap().is_empty());
    // A remote engine does not use it.
    let elsewhere = fine("1\n").var("DOCKER_HOST", "tcp://far.example");
    assert!(planned(&elsewhere, &fixture::fine(), &options()).unwrap().is_empty());
    let item = |kind_of: &str| {
        let items = fine(kind_of).diagnosis(&fixture::fine()).items;
        items.into_iter().find(|item| item.name == "engine network")
    };
    assert_eq!(item("1\n").unwrap().hint.as_deref(), Some("cargo xtask setup"));
    assert_eq!(item("3\n"), None);
}

#[test]
fn without_apt_setup_lists_the_parts_and_their_sources() {
    insta::assert_snapshot!(refusal(&fixture::rocky_9(), &fixture::no_engine(), &options()), @r"
    `setup` requires apt, which Rocky Linux 9.4 does not have; missing:
      buildx 0.13.0 or later: https://docs.docker.com/engine/install/ (docker-buildx-plugin)
      client `docker`: https://docs.docker.com/engine/install/
      engine, docker 23.0.0 or later: https://docs.docker.com/engine/install/
      mmdebstrap: the distribution's `mmdebstrap`

    hint: install them, then run `cargo xtask doctor`
    ");
    // Starting an installed engine needs no packages.
    let stopped = fixture::rocky_9()
        .programs(&["/usr/bin/docker", "/usr/bin/dockerd"])
        .file("/run/systemd/system/x", "");
    let exec = fixture::answers(&[
        ("docker version", Captured::failed("Cannot connect to the Docker daemon")),
        ("docker buildx version", Captured::ok("github.com/docker/buildx v0.30.0 abc")),
    ]);
    let only_engine = SetupOptions { engine: true, ..SetupOptions::default() };
    let plan = planned(&stopped, &exec, &only_engine).unwrap();
    assert_eq!(plan.describe(), ["start the engine's service"]);
}

#[test]
fn settings_and_images_of_the_user_stay_unchanged() {
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
    insta::assert_snapshot!(script(&stopped(), &exec, &options()), @r"
    # start the engine, with its log in `/w/target/xtask/engine/dockerd.log` (without systemd, it does not start at boot)
    # (with /w/target/xtask/engine/daemon.json)
    BUILDKIT_STEP_LOG_MAX_SIZE=67108864 BUILDKIT_STEP_LOG_MAX_SPEED=-1 PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin setsid /usr/sbin/dockerd --config-file=/w/target/xtask/engine/daemon.json > /w/target/xtask/engine/dockerd.log 2>&1 &
    ");
    for path in ["/etc/docker/daemon.json", "/var/lib/docker/overlay2/x"] {
        let text = script(&stopped().file(path, "{}"), &exec, &options());
        assert!(!text.contains("--config-file"), "{text}");
    }
}

#[test]
fn setup_does_not_replace_installed_programs() {
    let machine = || fixture::debian_12().programs(&["/usr/bin/docker"]);
    let old = refusal(&machine(), &fixture::engine("20.10.24", "v0.13.1"), &options());
    assert!(
        old.contains("the engine") && old.contains("20.10.24") && old.contains("23.0.0"),
        "{old}"
    );
    let old = refusal(&machine(), &fixture::engine("28.2.2", "v0.9.1"), &options());
    assert!(old.starts_with("buildx ") && old.contains("0.9.1") && old.contains("0.13.0"), "{old}");
    let upstream = machine().file("/var/lib/dpkg/info/docker-ce.list", "");
    let makers = refusal(&upstream, &fixture::client_only(), &options());
    assert!(
        makers.contains("hint: ")
            && makers.contains("`sudo apt-get install docker-buildx-plugin docker-ce`"),
        "{makers}"
    );
    let elsewhere = machine().var("DOCKER_HOST", "tcp://me:secret@engine.example");
    let text = refusal(&elsewhere, &fixture::client_only(), &options());
    assert!(text.starts_with("`DOCKER_HOST` ") && text.contains("`unset DOCKER_HOST`"), "{text}");
    let denied = Captured::failed("permission denied while trying to connect");
    let text = refusal(&machine(), &fixture::answers(&[("docker version", denied)]), &options());
    assert!(text.contains("usermod -aG docker"), "{text}");
    let podman =
        Captured { stderr: "Emulate Docker CLI using podman.".to_owned(), ..Captured::ok("{}") };
    let text = refusal(&machine(), &fixture::answers(&[("docker version", podman)]), &options());
    assert!(text.contains("`podman-docker`"), "{text}");
}

#[test]
fn emulators_are_registered_if_their_package_does_not_do_it() {
    let only =
        SetupOptions { emulators: BTreeSet::from(["arm64".to_owned()]), ..SetupOptions::default() };
    let machine = fixture::debian_12();
    insta::assert_snapshot!(script(&machine, &fixture::fine(), &only), @r"
    # fetch the package lists of `bookworm`, into `/w/target/xtask/apt`
    # (with /w/target/xtask/apt/apt.conf)
    # (with /w/target/xtask/apt/sources.list.d/machine.sources)
    # (with /w/target/xtask/apt/preferences)
    LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf update
    # simulate the installation, and stop if it would change existing packages
    LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf --simulate install arch-test qemu-user-static
    # install arch-test, qemu-user-static
    DEBIAN_FRONTEND=noninteractive LC_ALL=C NEEDRESTART_SUSPEND=1 apt-get --config-file=/w/target/xtask/apt/apt.conf --yes --no-remove install arch-test qemu-user-static
    # mount `/proc/sys/fs/binfmt_misc`
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    # register the emulator for linux/arm64
    sh -c 'test -e /proc/sys/fs/binfmt_misc/qemu-aarch64 || cat /usr/lib/binfmt.d/qemu-aarch64.conf > /proc/sys/fs/binfmt_misc/register'
    ");
    let native =
        SetupOptions { emulators: BTreeSet::from(["amd64".to_owned()]), ..SetupOptions::default() };
    assert!(planned(&machine, &fixture::fine(), &native).unwrap().is_empty());
    let unknown =
        SetupOptions { emulators: BTreeSet::from(["z80".to_owned()]), ..SetupOptions::default() };
    assert!(refusal(&machine, &fixture::fine(), &unknown).contains("`z80`"));
}

#[test]
fn etc_apt_is_written_only_on_request() {
    let permanent = SetupOptions { permanent: true, ..options() };
    let text = script(&fixture::debian_12(), &fixture::no_engine(), &permanent);
    let lines: Vec<_> = text.lines().filter(|line| line.contains("/etc/apt")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    # write `/etc/apt/sources.list.d/xtask-trixie.sources`
    install -D --mode=0644 /w/target/xtask/apt/permanent/xtask-trixie.sources /etc/apt/sources.list.d/xtask-trixie.sources
    # write `/etc/apt/preferences.d/xtask-trixie`
    install -D --mode=0644 /w/target/xtask/apt/permanent/xtask-trixie /etc/apt/preferences.d/xtask-trixie
    ");
    let text = script(&fixture::debian_12(), &fixture::no_engine(), &options());
    assert!(!text.contains("/etc/apt"), "{text}");
    let text = script(&fixture::debian_13(), &fixture::no_engine(), &permanent);
    assert!(!text.contains("/etc/apt"), "{text}");
}

#[test]
fn root_commands_use_sudo() {
    let machine = fixture::debian_12().user().programs(&["/usr/bin/sudo"]);
    let exec = fixture::answers(&[("sudo -n true", Captured::ok(""))]);
    insta::assert_snapshot!(script(&machine, &exec, &options()), @r"
    # fetch the package lists of `bookworm` and of `trixie` for packages that `bookworm` lacks, into `/w/target/xtask/apt`
    # (with /w/target/xtask/apt/apt.conf)
    # (with /w/target/xtask/apt/sources.list.d/machine.sources)
    # (with /w/target/xtask/apt/preferences)
    LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf update
    # simulate the installation, and stop if it would change existing packages
    LC_ALL=C apt-get --config-file=/w/target/xtask/apt/apt.conf --simulate install docker-buildx/trixie docker-cli/trixie docker.io/trixie iproute2 mmdebstrap
    # write `/etc/docker/daemon.json`: several platforms under one image name
    # (with /w/target/xtask/engine/daemon.json)
    sudo -n install -D --mode=0644 /w/target/xtask/engine/daemon.json /etc/docker/daemon.json
    # install docker-buildx/trixie, docker-cli/trixie, docker.io/trixie, iproute2, mmdebstrap
    sudo -n env DEBIAN_FRONTEND=noninteractive LC_ALL=C NEEDRESTART_SUSPEND=1 apt-get --config-file=/w/target/xtask/apt/apt.conf --yes --no-remove install docker-buildx/trixie docker-cli/trixie docker.io/trixie iproute2 mmdebstrap
    # start the engine, with its log in `/w/target/xtask/engine/dockerd.log` (without systemd, it does not start at boot)
    setsid sudo -n env BUILDKIT_STEP_LOG_MAX_SIZE=67108864 BUILDKIT_STEP_LOG_MAX_SPEED=-1 PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin dockerd > /w/target/xtask/engine/dockerd.log 2>&1 &
    # set a fixed address for the engine's network
    sudo -n sh -c 'test ! -e /sys/class/net/docker0 || grep -qx 3 /sys/class/net/docker0/addr_assign_type || ip link set dev docker0 address 02:42:ac:11:00:01'
    ");
}
