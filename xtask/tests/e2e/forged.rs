//! A package, its tests and their background processes cannot change the reports about them, reach the network or
//! read a secret.

use crate::workspace::Workspace;

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];

/// Attempts forbidden actions during its import, and from a process that outlives it. `done` lists the successful
/// ones.
const TRIES: &str = r#"
import os, signal, socket, sys, time

done = []

def attempt(name, action):
    try:
        action()
        done.append(name)
    except OSError:
        pass

def write(path):
    with open(path, "a") as file:
        file.write("\n")

def connect():
    socket.create_connection(("192.0.2.1", 80), 3)

def loopback():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        socket.create_connection(server.getsockname(), 3).close()

site = os.path.dirname(__file__)
for path in ("/smoke/smoke.json", "/test/test.json", "/xtask/smoke.py", "/xtask/test.py", "/etc/passwd",
             sys.prefix + "/bin/python", sys.prefix + "/bin/other", site + "/sitecustomize.py", site + "/other.pth",
             os.path.join(sys.base_prefix, "other"), "/wheel/other.whl"):
    attempt("write " + path, lambda: write(path))
attempt("results", lambda: os.mkdir("/smoke"))
attempt("signal", lambda: os.kill(os.getppid(), signal.SIGKILL))
attempt("memory", lambda: open("/proc/{}/mem".format(os.getppid()), "rb").close())
attempt("root", lambda: os.setuid(0))
attempt("network", connect)
for path in ("/run/secrets", "/var/cache/xtask"):
    attempt("read " + path, lambda: os.listdir(path))
done += [name for name in os.environ if "INDEX" in name or "PROXY" in name.upper() or "CERT" in name]
# What a test suite may rely on.
loopback()
for folder in (os.environ["HOME"], "/tmp", os.getcwd()):
    write(os.path.join(folder, "own"))
if os.fork() == 0:
    os.setsid()
    while True:
        for path in ("/smoke/smoke.json", "/test/test.json"):
            attempt("late", lambda: write(path))
        time.sleep(0.01)
"#;

/// Reports that its checks passed, and exits with status 0.
const FORGES: &str = r#"
import json, os
report = {"schema_version": 2, "unprivileged": True, "interpreter": None, "checks": [
    {"kind": kind, "subject": "forges", "ok": True, "detail": ""} for kind in ("import", "call")]}
try:
    os.makedirs("/smoke", exist_ok=True)
    with open("/smoke/smoke.json", "w") as file:
        json.dump(report, file)
finally:
    os._exit(0)
"#;

/// A pure package with these modules. `check` and the following tables are part of wheels.toml.
fn package(modules: &[(&str, &str)], check: &str) -> Workspace {
    let w = Workspace::of_package("path = \".\"", check);
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, toml.replace("native = true", "native = false")).unwrap();
    let names: Vec<_> = modules.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let pyproject = format!(
        "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n\
         [project]\nname = \"demo\"\nversion = \"1.0\"\n[tool.setuptools]\npy-modules = [{}]\n",
        names.join(", ")
    );
    fs_err::write(w.root.join("pyproject.toml"), pyproject).unwrap();
    for (name, text) in modules {
        fs_err::write(w.root.join(format!("{name}.py")), text).unwrap();
    }
    w
}

#[test]
fn package_code_changes_no_result_and_has_no_network_or_secrets() {
    let check = "imports = [\"tries\"]\ncalls = { tries = [\"m.done == []\"] }\n\
        [test]\ncommand = \"exec python -c 'import tries; assert tries.done == [], tries.done'\"\n";
    let w = package(&[("tries", TRIES)], check);
    w.run(&WHEELS, 0);
    let report = w.json("../target/xtask/jobs/debian12-amd64-cp311/smoke/smoke.json");
    assert_eq!(report["unprivileged"], true);
    assert_eq!(report["checks"].as_array().unwrap().len(), 2, "{report}");
    let report = w.json("../target/xtask/jobs/debian12-amd64-cp311/smoke/test.json");
    assert_eq!((&report["status"], &report["unprivileged"]), (&0.into(), &true.into()));
}

#[test]
fn a_package_that_forges_its_report_fails() {
    let check = "imports = [\"forges\"]\ncalls = { forges = [\"False\"] }\n";
    let w = package(&[("forges", FORGES)], check);
    w.run(&WHEELS, 1);
    assert!(!w.dist().join("debian12-amd64").exists());
}

#[test]
fn forged_test_reports_fail_and_the_network_is_opt_in() {
    let quiet = [(
        "quiet",
        "def connect():\n    import socket; socket.create_connection((\"192.0.2.1\", 80), 2)\n",
    )];
    let tests = |more: &str| {
        format!(
            "imports = [\"quiet\"]\n[test]\ncommand = '''\nmkdir -p /test || true\n\
            (echo '{{\"schema_version\": 2, \"status\": 0, \"unprivileged\": true}}' >/test/test.json) || true\n\
            {more}\n'''\n"
        )
    };
    let w = package(&quiet, &tests("kill -9 $PPID || exit 3"));
    w.run(&WHEELS, 1);
    // The address of the test does not answer: the network is more than the loopback interface.
    let devices = tests("test \"$(ls /sys/class/net | grep -vc '^lo$')\" -gt 0");
    let path = w.root.join("wheels.toml");
    let head = fs_err::read_to_string(&path).unwrap();
    let configure = |devices: &str| {
        let table = devices.split_once("[test]").unwrap().1;
        let (before, rest) = head.split_once("[test]").unwrap();
        let (_, after) = rest.split_once("\n[[target]]").unwrap();
        fs_err::write(&path, format!("{before}[test]{table}\n[[target]]{after}")).unwrap();
    };
    configure(&devices);
    w.run(&WHEELS, 1);
    configure(&devices.replace("[test]\n", "[test]\nnetwork = true\n"));
    let (_, stderr) = w.run(&WHEELS, 0);
    assert!(stderr.contains("`[test] network = true`"), "{stderr}");
}
