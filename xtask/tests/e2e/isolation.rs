//! Code of a package builds without a network, secrets and caches, and with its requirements.

use crate::workspace::Workspace;

/// Returns a further requirement, fails if it finds a network, secrets or a cache, and changes each setuptools that
/// it can write.
const BACKEND: &str = r#"import os, socket, sysconfig
from setuptools import build_meta
from setuptools.build_meta import *


def get_requires_for_build_wheel(settings=None):
    return ["iniconfig"]


def build_wheel(folder, settings=None, metadata=None):
    import iniconfig
    for address in ["1.1.1.1", "example.org"]:
        try:
            socket.create_connection((address, 443), 5)
        except OSError:
            continue
        raise SystemExit("the build has a network")
    assert not os.path.exists("/run/secrets"), os.listdir("/run/secrets")
    assert "PIP_INDEX_URL" not in os.environ
    wheel = build_meta.build_wheel(folder, settings, metadata)
    for top in ["/opt", "/var/cache", "/root", "/tmp", "/fetched", os.environ["UV_CACHE_DIR"]]:
        for place, _, files in os.walk(top):
            if place.endswith("setuptools") and "build_meta.py" in files:
                try:
                    with open(os.path.join(place, "build_meta.py"), "a") as out:
                        out.write("\nraise SystemExit('a changed setuptools runs')\n")
                except OSError:
                    pass
    return wheel
"#;

const PYPROJECT: &str = "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"backend\"\n\
    backend-path = [\".\"]\n[project]\nname = \"attacker\"\nversion = \"1.0\"\n\
    [tool.setuptools]\npy-modules = [\"module\"]\n";

#[test]
fn package_code_has_no_network_and_affects_no_other_build() {
    let w = Workspace::of_package("path = \".\"", "");
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    fs_err::write(w.root.join("wheels.toml"), toml.replace("native = true", "native = false"))
        .unwrap();
    let write = |name: &str, text: &str| fs_err::write(w.root.join(name), text).unwrap();
    write("pyproject.toml", PYPROJECT);
    write("backend.py", BACKEND);
    write("module.py", "");
    w.run(&["wheels", "debian:12", "linux/amd64", "--no-smoke"], 0);
    let info = w.json("debian12-amd64/build-info.json");
    let required = info["interpreters"][0]["requirements"]["build"].as_array().unwrap();
    let names: Vec<_> = required.iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["iniconfig", "setuptools"]);
    // A later build installs the requirements again.
    let clean = PYPROJECT.replace("\"setuptools\"]", "\"setuptools\", \"iniconfig\"]");
    write("pyproject.toml", &clean.replace("\"backend\"\n", "\"setuptools.build_meta\"\n"));
    write("backend.py", "");
    w.run(&["wheels", "debian:12", "linux/amd64", "--no-smoke"], 0);
    // With the network, on request.
    let text = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    write("wheels.toml", &text.replace("[build]\n", "[build]\nnetwork = true\nbefore-build = \"pip download --quiet --dest /tmp/x iniconfig\"\n"));
    let (stdout, stderr) = w.run(&["wheels", "debian:12", "linux/amd64", "--no-smoke"], 0);
    assert!(format!("{stdout}{stderr}").contains("not isolated"), "{stdout}{stderr}");
}

/// The frontends that create the environment themselves.
#[test]
fn each_frontend_receives_the_further_requirements_of_a_backend() {
    for setting in ["build-frontend = \"build\"", "env = { PIP_CONSTRAINT = \"none.txt\" }"] {
        let w = Workspace::of_package("path = \".\"", "");
        let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
        let toml = toml.replace("native = true", "native = false");
        let toml = toml.replace("[build]\n", &format!("[build]\n{setting}\n"));
        let write = |name: &str, text: &str| fs_err::write(w.root.join(name), text).unwrap();
        write("wheels.toml", &toml);
        write("pyproject.toml", PYPROJECT);
        write("backend.py", BACKEND);
        write("module.py", "");
        w.run(&["wheels", "debian:12", "linux/amd64", "--no-smoke"], 0);
        let info = w.json("debian12-amd64/build-info.json");
        let required = info["interpreters"][0]["requirements"]["build"].to_string();
        assert!(required.contains("iniconfig"), "{setting}: {required}");
    }
}

/// A backend whose build fails, and whose hook then fails in another way.
const FAILS: &str = r#"import os, sys


def get_requires_for_build_wheel(settings=None):
    if os.path.exists("built"):
        sys.exit("a.c:1: error: second")
    return []


def build_wheel(folder, settings=None, metadata=None):
    open("built", "w").close()
    sys.exit("first reason")
"#;

#[test]
fn a_failed_build_is_not_hidden_by_the_search_for_further_requirements() {
    let w = Workspace::of_package("path = \".\"", "");
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let toml = toml.replace("[build]\n", "[build]\nbuild-frontend = \"build\"\n");
    let write = |name: &str, text: &str| fs_err::write(w.root.join(name), text).unwrap();
    write("wheels.toml", &toml.replace("native = true", "native = false"));
    write("pyproject.toml", PYPROJECT);
    write("backend.py", FAILS);
    let (stdout, stderr) = w.run(&["wheels", "debian:12", "linux/amd64", "--no-smoke"], 1);
    assert!(stderr.contains("first reason") && !stderr.contains("second"), "{stdout}{stderr}");
}
