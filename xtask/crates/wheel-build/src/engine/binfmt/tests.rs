#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camino::Utf8PathBuf;
use wheel_audit::UserError;

use super::status::State;
use super::*;
use crate::engine::doctor::binfmt::{Arch, MOUNT};
use crate::engine::doctor::fixture::{self, Fixture};
use crate::exec::{Captured, Exec, Step};

const ARM64: &str = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\n\
    flags: POF\noffset 0\nmagic 7f454c460201010000000000000000000200b700\n\
    mask ffffffffffffff00fffffffffffffffffeffffff\n";

/// A Debian 12 with the kernel's list mounted.
fn mounted() -> Fixture {
    fixture::debian_12()
        .file(&format!("{MOUNT}/status"), "enabled\n")
        .file(&format!("{MOUNT}/register"), "")
}

/// Foreign programs exit with `status`; the engine answers correctly.
fn exec(status: &'static str) -> Exec {
    let fine = fixture::fine();
    Exec::fake(move |step| {
        if step.program.ends_with("/program") {
            return Ok(Captured { status: status.to_owned(), ..Captured::failed("") });
        }
        if step.args.iter().any(|arg| arg.contains("SecurityOptions")) {
            return Ok(Captured::ok("[\"name=seccomp,profile=builtin\"]"));
        }
        fine.capture(step)
    })
}

fn fails() -> Exec {
    exec("exit status: 126")
}

fn arm64() -> Vec<&'static Arch> {
    vec![Arch::find("arm64").unwrap()]
}

fn row(machine: &Fixture, exec: &Exec) -> Row {
    examine(exec, &machine.machine, &arm64()).unwrap().architectures.remove(0)
}

fn planned(machine: &Fixture, method: InstallMethod) -> Result<String, String> {
    let exec = fails();
    let status = examine(&exec, &machine.machine, &arm64()).unwrap();
    let plan = install(&exec, &machine.machine, &machine.facts(&exec), &status, method);
    let root = machine.machine.root.as_str();
    plan.map(|plan| plan.script().replace(root, ""))
        .map_err(|error| UserError::explain(error.as_ref()))
}

/// The last line of a plan, which registers the emulator.
fn registers(machine: &Fixture) -> String {
    planned(machine, InstallMethod::Auto).unwrap().lines().last().unwrap().to_owned()
}

#[test]
fn a_state_depends_on_the_registration_and_on_a_test_program() {
    let entry = |text: &str| mounted().file(&format!("{MOUNT}/qemu-aarch64"), text);
    let ran = || exec("exit status: 42");
    let state = |machine: &Fixture, exec: &Exec| row(machine, exec).state;
    assert_eq!(state(&mounted(), &fails()), State::Absent);
    assert_eq!(state(&mounted(), &ran()), State::Native);
    assert_eq!(state(&entry(ARM64), &ran()), State::Emulated);
    assert_eq!(state(&entry(ARM64), &fails()), State::Broken);
    assert_eq!(state(&entry(&ARM64.replace("POF", "PO")), &ran()), State::HostOnly);
    let off = row(&entry(&ARM64.replace("enabled", "disabled")), &fails());
    assert_eq!((off.state, &*off.why.unwrap()), (State::Broken, "registered, but disabled"));
    let mut arm = fixture::debian_12();
    arm.machine.arch = "aarch64";
    assert_eq!(state(&arm, &ran()), State::Native);
    assert_eq!(state(&arm, &fails()), State::Broken);
}

#[test]
fn the_owner_of_a_registration_is_reported() {
    let by = |machine: Fixture| row(&machine, &fails()).emulators[0].by.clone();
    let entry = |name: &str| mounted().file(&format!("{MOUNT}/{name}"), ARM64);
    let program = "/usr/libexec/qemu-binfmt/aarch64-binfmt-P";
    let list = "/var/lib/dpkg/info/qemu-user-static.list";
    assert_eq!(by(entry("xtask-aarch64")), "cargo xtask binfmt");
    assert_eq!(by(entry("qemu-aarch64")), "a container image");
    assert_eq!(by(entry("qemu-aarch64").programs(&[program])), "another program");
    let image = row(&entry("qemu-aarch64"), &fails()).emulators[0].image_removal().unwrap();
    assert!(image.ends_with(" --uninstall qemu-aarch64"), "{image}");
    assert_eq!(row(&entry("xtask-aarch64"), &fails()).emulators[0].image_removal(), None);
    let packaged = entry("qemu-aarch64").file(list, &format!("/.\n{program}\n"));
    assert_eq!(by(packaged), "package qemu-user-static");
}

#[test]
fn a_bare_machine_requires_package_mount_and_registration() {
    let bare = fixture::debian_12().file(&format!("{MOUNT}/.x"), "");
    insta::assert_snapshot!(planned(&bare, InstallMethod::Auto).unwrap(), @r"
    # fetch the package lists of `bookworm`, into `/repo/target/xtask/apt`
    # (with /repo/target/xtask/apt/apt.conf)
    # (with /repo/target/xtask/apt/sources.list.d/machine.sources)
    # (with /repo/target/xtask/apt/preferences)
    LC_ALL=C apt-get --config-file=/repo/target/xtask/apt/apt.conf update
    # simulate the installation, and stop if it would change existing packages
    LC_ALL=C apt-get --config-file=/repo/target/xtask/apt/apt.conf --simulate install qemu-user-static
    # install qemu-user-static
    DEBIAN_FRONTEND=noninteractive LC_ALL=C NEEDRESTART_SUSPEND=1 apt-get --config-file=/repo/target/xtask/apt/apt.conf --yes --no-remove install qemu-user-static
    # mount `/proc/sys/fs/binfmt_misc`
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    # register the emulator for arm64 as `xtask-aarch64`
    sh -c 'test -e /proc/sys/fs/binfmt_misc/qemu-aarch64 || printf %s '\'':xtask-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:F'\'' > /proc/sys/fs/binfmt_misc/register'
    ");
}

#[test]
fn only_missing_steps_are_planned() {
    let ready = || mounted().programs(&["/usr/bin/qemu-aarch64-static"]);
    let script = planned(&ready(), InstallMethod::Auto).unwrap();
    assert_eq!(script.lines().count(), 2, "{script}");
    assert!(registers(&ready()).contains("test -e /proc/sys/fs/binfmt_misc/qemu-aarch64 || "));
    // Other programs' registrations stay, and ours comes first.
    let host_only = ready().file(&format!("{MOUNT}/qemu-aarch64"), &ARM64.replace("POF", "PO"));
    assert!(!registers(&host_only).contains("test -e"));
    // Our own registration is replaced.
    let broken = ready().file(&format!("{MOUNT}/xtask-aarch64"), ARM64);
    let script = planned(&broken, InstallMethod::Auto).unwrap();
    assert!(script.contains("sh -c 'printf %s -1 > /proc/sys/fs/binfmt_misc/xtask-aarch64'"));
    let good = exec("exit status: 42");
    let status = examine(&good, &ready().machine, &arm64()).unwrap();
    let none =
        install(&good, &ready().machine, &ready().facts(&good), &status, InstallMethod::Image);
    assert!(none.unwrap().is_empty());
}

#[test]
fn the_image_is_used_if_the_package_cannot_be_installed() {
    let (name, digest) = image();
    let image = format!("{name}@{}", digest.unwrap());
    let image = format!("docker run --privileged --rm {image} --install arm64");
    let last = |machine: &Fixture, method: InstallMethod| {
        planned(machine, method).unwrap().lines().last().unwrap().to_owned()
    };
    let client = &["/usr/bin/docker"];
    assert_eq!(last(&mounted().user().programs(client), InstallMethod::Auto), image);
    assert_eq!(last(&mounted().programs(client), InstallMethod::Image), image);
    assert!(last(&mounted().programs(client), InstallMethod::Auto).starts_with("sh -c "));
    let elsewhere = mounted().user().programs(client).var("DOCKER_HOST", "tcp://far.example");
    assert!(last(&elsewhere, InstallMethod::Auto).starts_with("sh -c "));
}

#[test]
fn an_impossible_installation_is_rejected_with_a_hint() {
    let refusal = |machine: &Fixture, method: InstallMethod| planned(machine, method).unwrap_err();
    let none = refusal(&fixture::debian_12(), InstallMethod::Auto);
    assert!(none.contains("`binfmt_misc`"), "{none}");
    let module = fixture::debian_12()
        .file("/proc/sys/kernel/osrelease", "6.1.0\n")
        .file("/lib/modules/6.1.0/modules.dep", "kernel/fs/binfmt_misc.ko:\n");
    let script = planned(&module, InstallMethod::Package).unwrap();
    assert!(script.contains("\nmodprobe binfmt_misc\n"), "{script}");
    let engine = refusal(&mounted(), InstallMethod::Image);
    assert!(engine.contains("hint: ") && engine.contains("`cargo xtask setup`"), "{engine}");
    let rocky = fixture::rocky_9().file(&format!("{MOUNT}/status"), "enabled\n");
    assert!(refusal(&rocky, InstallMethod::Auto).contains("Rocky Linux 9.4"));
    let rootless = Exec::fake(|step: &Step| {
        let is_query = step.args.iter().any(|arg| arg.contains("SecurityOptions"));
        if is_query { Ok(Captured::ok("[\"name=rootless\"]")) } else { fails().capture(step) }
    });
    let machine = mounted().user().programs(&["/usr/bin/docker"]);
    let status = examine(&rootless, &machine.machine, &arm64()).unwrap();
    let facts = machine.facts(&rootless);
    let error =
        install(&rootless, &machine.machine, &facts, &status, InstallMethod::Auto).unwrap_err();
    assert!(error.to_string().contains("rootless"), "{error}");
}

#[test]
fn without_privileges_the_error_contains_the_commands() {
    let machine = mounted().user().programs(&["/usr/bin/qemu-aarch64-static"]);
    let status = examine(&fails(), &machine.machine, &arm64()).unwrap();
    let facts = machine.facts(&fails());
    let plan = install(&fails(), &machine.machine, &facts, &status, InstallMethod::Auto).unwrap();
    let error = crate::engine::setup::apply(&plan, &fails(), &mut |_| {}).unwrap_err().to_string();
    assert!(error.starts_with("neither root nor `sudo`; run these as root:\n  sh -c "));
}

/// Runs a plan for real, with a folder in place of the kernel's.
#[test]
fn only_our_registrations_are_removed_from_the_kernel() {
    let machine = mounted()
        .programs(&["/usr/bin/qemu-aarch64-static"])
        .file(&format!("{MOUNT}/xtask-riscv64"), &ARM64.replace("b700", "f300"));
    let at = |name: &str| -> Utf8PathBuf { machine.machine.at(&format!("{MOUNT}/{name}")) };
    let read = |name: &str| fs_err::read_to_string(at(name)).unwrap();
    let facts = machine.facts(&fails());
    let status = examine(&fails(), &machine.machine, &arm64()).unwrap();
    let plan =
        install(&fails(), &machine.machine, &facts, &status, InstallMethod::Package).unwrap();
    let real = Exec::real();
    crate::engine::setup::apply(&plan, &real, &mut |_| {}).unwrap();
    let line = read("register");
    assert!(line.starts_with(r":xtask-aarch64:M::\x7f\x45\x4c\x46\x02"), "{line}");
    assert!(line.ends_with(":/usr/bin/qemu-aarch64-static:F"), "{line}");

    fs_err::write(at("qemu-aarch64"), ARM64).unwrap();
    let all: Vec<_> = Arch::all().collect();
    let status = examine(&fails(), &machine.machine, &all).unwrap();
    crate::engine::setup::apply(&uninstall(&machine.machine, &facts, &status), &real, &mut |_| {})
        .unwrap();
    assert_eq!(read("xtask-riscv64"), "-1");
    assert_eq!(read("qemu-aarch64"), ARM64);
}
