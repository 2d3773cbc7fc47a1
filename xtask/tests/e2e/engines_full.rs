//! Other engines, base images and caches that move between engines through a registry, and podman. Minutes each:
//! `cargo xtask ci --full`.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use camino::Utf8Path;

use crate::common::skip::unless_skipped;
use crate::engines::{CP311, build_log};
use crate::interrupt;
use crate::registry::Registry;
use crate::second::{Second, may_start_engines};
use crate::workspace::{Workspace, debian_12, ran, sh};

/// The builder inside an engine, as a separate `buildkitd`: the driver `remote` uses the protocol of `dockerd`'s
/// `/grpc` (docker/docker, `api/server/router/grpc`).
fn offer_builder(engine: &Utf8Path, socket: &Utf8Path) {
    let listener = UnixListener::bind(socket).unwrap();
    let engine = engine.to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming().take(1000) {
            let (Ok(client), engine) = (client, engine.clone()) else { continue };
            std::thread::spawn(move || relay(client, &engine));
        }
    });
}

fn relay(client: UnixStream, engine: &Utf8Path) {
    let Ok(mut server) = UnixStream::connect(engine) else { return };
    let upgrade = "POST /grpc HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    server.write_all(upgrade.as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && server.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    let copy = |mut from: UnixStream, mut to: UnixStream| {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let other = std::thread::spawn(move || copy(up, down));
    copy(server, client);
    let _ = other.join();
}

/// A workspace whose Debian 12 is `image`, and which builds no base image.
fn pulling(image: &str) -> Workspace {
    Workspace::new(|toml| {
        let toml = toml.replace("image = \"debian:12\"\n", &format!("image = \"{image}\"\n"));
        // Neither built here nor pinned to other registries' images.
        let kept =
            |line: &&str| !line.contains("suite = \"bookworm\"") && !line.starts_with("digest.");
        let lines = toml.lines().filter(kept);
        lines.collect::<Vec<_>>().join("\n")
    })
}

fn target(args: &[&'static str]) -> Vec<&'static str> {
    args.iter().map(|&word| if word == "debian:12" { "debian12" } else { word }).collect()
}

#[test]
fn a_second_engine_pulls_base_images_and_caches() {
    if !may_start_engines() {
        return;
    }
    let registry = Registry::start();
    let image = format!("127.0.0.1:{}/debian:12", registry.port);
    sh("docker", &["tag", &debian_12(), &image]);
    sh("docker", &["push", "--quiet", &image]);
    sh("docker", &["image", "rm", &image]);
    let cache = format!("127.0.0.1:{}/cache", registry.port);
    let bases = format!("127.0.0.1:{}/bases", registry.port);

    let first = pulling(&image);
    let args = [&target(&CP311)[..], &["--cache-to", &cache]].concat();
    first.run(&args, 0);
    let push = ["base-image", "push", "debian12", "linux/amd64", "--python", "cp311"];
    first.run(&[&push[..], &["--to", &bases]].concat(), 0);

    let second = Second::start();
    let host = second.host();
    // From the cache: no step of the build runs.
    let w = pulling(&image);
    let with = ["--engine-host", &host, "--cache-from", &cache];
    let (_, stderr) = w.run(&[&target(&CP311)[..], &with, &["--no-smoke"]].concat(), 0);
    assert!(!stderr.contains("a cache that failed"), "{stderr}");
    let log = build_log(&w);
    for step in ["system-packages.sh", "toolchain.sh", "interpreter.sh", "build.sh"] {
        let line = log.lines().find(|line| line.starts_with("== ") && line.contains(step));
        assert!(line.is_some_and(|line| line.ends_with("(cached)")), "{step}: {log}");
    }
    // From the base image: only the steps after it run.
    ran(&second.docker(&["builder", "prune", "--all", "--force"]), 0);
    let w = pulling(&image);
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let toml = format!("{toml}\n[base-image]\nrepository = \"{bases}\"\n");
    fs_err::write(w.root.join("wheels.toml"), toml).unwrap();
    let with = ["--engine-host", &host, "--network", "host"];
    let (_, stderr) = w.run(&[&target(&CP311)[..], &with].concat(), 0);
    assert!(stderr.contains(&format!("using the base image {bases}:debian12-amd64-cp311-")));
    assert!(!build_log(&w).contains("system-packages.sh"));
    let info = w.json("debian12-amd64/build-info.json");
    assert_eq!(info["image"]["origin"], "pulled");
    assert_eq!(w.wheels("debian12-amd64").len(), 1);
}

#[test]
fn a_killed_engine_is_reported_and_leaves_no_wheel() {
    if !may_start_engines() {
        return;
    }
    let mut second = Second::start();
    let w = interrupt::workspace("gone");
    let stderr = w.root.with_file_name("stderr");
    let host = second.host();
    let args = [&CP311[..], &["--engine-host", &host, "--network", "host"]].concat();
    let mut command = w.command(&args);
    let file = fs_err::File::create(&stderr).unwrap().into_parts().0;
    let mut child = interrupt::started(command.stdout(Stdio::null()).stderr(file), "gone");
    second.child.kill().unwrap();
    second.child.wait().unwrap();
    let code = child.wait().unwrap().code();
    let stderr = fs_err::read_to_string(stderr).unwrap();
    // The files of a killed run.
    let containerd = fs_err::read_to_string(second.folder.join("exec/containerd/containerd.pid"));
    for process in interrupt::steps("gone").into_iter().chain(containerd) {
        let _ = Command::new("kill").args(["-9", process.trim()]).output();
    }
    let mounts = fs_err::read_to_string("/proc/mounts").unwrap();
    for place in mounts.lines().filter_map(|line| line.split(' ').nth(1)) {
        if place.starts_with(second.folder.as_str()) {
            let _ = Command::new("umount").args(["--lazy", place]).output();
        }
    }
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("the container engine does not answer"), "{stderr}");
    assert!(!w.dist().join("manifest.json").exists());
    // They do not block the next run.
    w.run(&CP311, 0);
}

#[test]
fn a_builder_without_the_engines_images_uses_layouts() {
    if !may_start_engines() {
        return;
    }
    let second = Second::start();
    let socket = second.folder.join("buildkit.sock");
    offer_builder(&second.folder.join("docker.sock"), &socket);
    let config = second.folder.join("buildx");
    let docker = |args: &[&str]| {
        let mut command = Command::new("docker");
        ran(&command.args(args).env("BUILDX_CONFIG", config.as_str()).output().unwrap(), 0).0
    };
    docker(&[
        "buildx",
        "create",
        "--name",
        "far",
        "--driver",
        "remote",
        &format!("unix://{socket}"),
    ]);
    let w = Workspace::new(|toml| toml);
    let with = ["--builder", "far", "--network", "host"];
    let mut command = w.command(&[&CP311[..], &with].concat());
    let output = command.env("BUILDX_CONFIG", config.as_str()).output().unwrap();
    let (stdout, stderr) = ran(&output, 0);
    assert!(stderr.contains("into a builder that does not see the engine's images"), "{stderr}");
    assert!(stdout.contains("passed"), "{stdout}");
    let info = w.json("debian12-amd64/build-info.json");
    assert!(info["image"]["digest"].as_str().unwrap().starts_with("sha256:"));
    let current = docker(&["buildx", "inspect"]);
    let driver = current.lines().find(|line| line.starts_with("Driver:"));
    let driver = driver.and_then(|line| line.split_whitespace().last());
    assert_eq!(driver, Some("docker"), "defect 21: {current}");
}

#[test]
fn podman_builds_the_same_wheel() {
    // A machine may lack podman.
    if !unless_skipped(Utf8Path::new("/usr/bin/podman").exists(), "podman is not installed") {
        return;
    }
    let by_docker = Workspace::new(|toml| toml);
    by_docker.run(&CP311, 0);
    let w = Workspace::new(|toml| toml);
    let with = ["--engine", "podman", "--network", "host"];
    let (stdout, _) = w.run(&[&CP311[..], &with].concat(), 0);
    assert!(stdout.contains("passed"), "{stdout}");
    let name = &w.wheels("debian12-amd64")[0];
    let wheel = |w: &Workspace| fs_err::read(w.dist().join("debian12-amd64").join(name)).unwrap();
    assert!(wheel(&w) == wheel(&by_docker), "the two differ");
}
