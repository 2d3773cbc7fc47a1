//! A folder with the wheels of several systems: each system's pip chooses its own.

use std::process::Command;

use camino::Utf8Path;

use crate::common::{machine, wheel};
use crate::workspace::{Workspace, ran};

/// Runs Debian's pip in a container of `image` with `index` as a folder of links and as an index; returns the names
/// of the chosen files.
fn taken(image: &str, index: &Utf8Path) -> Vec<String> {
    let script = "{ apt-get -q update && apt-get -q install -y --no-install-recommends python3-pip; } \
                  >&2 && pip --version >&2 && \
                  pip -q download --no-deps --no-index --find-links /index -d /one demo >&2 && \
                  pip -q download --no-deps --index-url file:///index/simple -d /two demo >&2 && \
                  ls /one /two";
    let volume = format!("{index}:/index:ro");
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--network", "host", "--volume", &volume]);
    for name in ["http_proxy", "https_proxy", "no_proxy"] {
        command.args(["--env", name]);
    }
    let (stdout, _) = ran(&command.args([image, "sh", "-c", script]).output().unwrap(), 0);
    stdout.lines().filter(|line| line.starts_with("demo-")).map(str::to_owned).collect()
}

#[test]
fn pip_installs_the_wheel_built_for_its_system() {
    let w = Workspace::new(|toml| toml);
    for (target, glibc) in
        [("rocky9", "2_34"), ("debian12", "2_36"), ("ubuntu24.04", "2_39"), ("debian13", "2_41")]
    {
        // For any interpreter, so that only the system distinguishes them.
        let name = format!("demo-1.0-py3-none-manylinux_{glibc}_x86_64.whl");
        let wheel = wheel(&name, false, &[("demo/__init__.py", target.as_bytes())]);
        machine::add(&w.dist(), target, &["cp311"], &wheel);
    }
    let index = w.root.with_file_name("index");
    w.run(&["index", index.as_str()], 0);
    for (image, glibc) in [("debian:12", "2_36"), ("debian:13", "2_41")] {
        let (stdout, _) = w.run(&["build-info", image, "--json"], 0);
        let info: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        let reference = info[0]["image"]["reference"].as_str().unwrap();
        let own = format!("demo-1.0-py3-none-manylinux_{glibc}_x86_64.whl");
        assert_eq!(taken(reference, &index), [own.clone(), own], "{image}");
    }
}
