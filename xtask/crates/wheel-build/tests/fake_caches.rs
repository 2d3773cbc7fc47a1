//! Configured caches and engines: the arguments of the engine's client, and the messages if they cannot work, with a
//! fake engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Ran, Workspace, wheel};

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];

fn configure(w: &Workspace, lines: &str) {
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    fs_err::write(path, format!("{lines}\n{toml}")).unwrap();
}

fn calls(w: &Workspace) -> String {
    fs_err::read_to_string(w.fake.join("log")).unwrap_or_default()
}

#[test]
fn defect_03_each_job_reads_and_writes_its_own_scope() {
    let w = Workspace::new();
    // Wheels that no other interpreter can use: with a shared wheel, the second job may not build.
    for python in ["cp311", "cp313"] {
        let name = format!("demo-1.0-{python}-{python}-linux_x86_64.whl");
        fs_err::write(w.fake.join(&name), wheel(&name, false, &[("demo.py", b"")]).1).unwrap();
    }
    let build = r#"case "$*" in *PYTHONS=cp311*) python=cp311 ;; *) python=cp313 ;; esac
        if [ $target = smoke ]; then smoke_passed; exit; fi
        cp "$FAKE/export/build-info.json" "$FAKE"/*-$python-*.whl "$dest/""#;
    w.on("bake", build);
    configure(&w, "[cache]\nfrom = [\"r.example/cache\"]\nto = [\"type=local,dest=../cache\"]");
    let args = [&WHEELS[..], &["--python", "cp311,cp313"]].concat();
    w.run(&args)
        .code(0)
        .reports(&["cache from registry r.example/cache", "cache to local ../cache"]);
    let calls = calls(&w);
    for python in ["cp311", "cp313"] {
        let scope = format!("debian12-amd64-{python}");
        let to = format!(
            "wheel-builder.cache-to=type=local,dest=../cache/{scope},mode=max,ignore-error=true"
        );
        let from = format!("wheel-builder.cache-from=type=registry,ref=r.example/cache:{scope} ");
        assert_eq!(calls.matches(&to).count(), 1, "{to} in {calls}");
        assert_eq!(calls.matches(&from).count(), 1, "{from} in {calls}");
        assert!(
            calls.contains(&format!("smoke.cache-from=type=registry,ref=r.example/cache:{scope}"))
        );
    }
    // The stages that interpreters share have a separate scope, written by one of them: a folder would store them
    // twice.
    let shared = "wheel-builder.cache-from=type=registry,ref=r.example/cache:debian12-amd64 ";
    assert_eq!(calls.matches(shared).count(), 2, "{calls}");
    assert_eq!(calls.matches("wheel-builder.cache-to=").count(), 2, "{calls}");
    assert!(
        !calls.contains("smoke.cache-to"),
        "a folder would hold the interpreter twice: {calls}"
    );
}

#[test]
fn the_smoke_test_reads_its_own_cache_scope_first() {
    let w = Workspace::new();
    let both = ["--cache-from", "r.example/c", "--cache-to", "r.example/c"];
    w.run(&[&WHEELS[..], &["--python", "cp311"], &both].concat()).code(0);
    let calls = calls(&w);
    let places = |attribute: &str| -> Vec<String> {
        let words = calls.split_whitespace().filter_map(|word| word.strip_prefix(attribute));
        words.map(|word| word.replace("type=registry,ref=r.example/c:", "")).collect()
    };
    let own = "debian12-amd64-cp311-smoke";
    assert_eq!(
        places("smoke.cache-from="),
        [own, "debian12-amd64-cp311", "debian12-amd64"],
        "{calls}"
    );
    assert_eq!(places("smoke.cache-to="), [format!("{own},mode=max,ignore-error=true")], "{calls}");
    let written = places("wheel-builder.cache-to=");
    assert!(!written.is_empty() && !written.iter().any(|it| it.starts_with(own)), "{written:?}");
}

#[test]
fn the_command_line_overrides_the_configured_caches() {
    let w = Workspace::new();
    configure(&w, "[cache]\nfrom = [\"r.example/cache\"]");
    let args = [&WHEELS[..], &["--cache-from", "other.example/c:v1"]].concat();
    w.run(&args).code(0).reports(&["cache from registry other.example/c:v1"]);
    assert!(calls(&w).contains("ref=other.example/c:v1-debian12-amd64-cp311"));
    assert!(!calls(&w).contains("r.example/cache"));
    let none = Workspace::new();
    configure(&none, "[cache]\nfrom = [\"r.example/cache\"]\nto = [\"r.example/cache\"]");
    let args = [&WHEELS[..], &["--cache-from", "none", "--cache-to", "none"]].concat();
    none.run(&args).code(0);
    assert_eq!(calls(&none).matches(".cache-").count(), 0);
}

#[test]
fn only_the_first_interpreter_writes_the_shared_cache() {
    let w = Workspace::new();
    let args = [&WHEELS[..], &["--python", "cp311,cp313", "--cache-to", "r.example/c"]].concat();
    w.run(&args).code(0);
    let written =
        calls(&w).matches("cache-to=type=registry,ref=r.example/c:debian12-amd64,").count();
    assert_eq!(written, 1, "{}", calls(&w));
}

/// Reports a cache that cannot work before anything is built.
#[track_caller]
fn refused(w: &Workspace, switches: &[&str], words: &[&str]) {
    let ran = w.run(&[&WHEELS[..], switches].concat()).code(2).reports(words);
    assert!(ran.stderr.contains("hint: ") || !words.contains(&"hint"), "{}", ran.stderr);
    assert_eq!(w.bakes("wheel-builder"), 0);
}

#[test]
fn defect_19_an_unusable_cache_fails_before_the_build() {
    let w = Workspace::new();
    let gha =
        ["ACTIONS_RUNTIME_TOKEN", "ACTIONS_RESULTS_URL", "ACTIONS_CACHE_SERVICE_V2", "hint: "];
    refused(&w, &["--cache-to", "type=gha"], &gha);
    refused(&w, &["--cache-from", "type=gha"], &gha);
    refused(&w, &["--cache-to", "type=s3,bucket=b"], &["`s3`", "type=registry"]);
    refused(&w, &["--cache-to", "type=local,src=c"], &["type=local", "`dest=`"]);
    fs_err::write(w.root.join("file"), "").unwrap();
    refused(&w, &["--cache-to", "type=local,dest=file/c"], &["cannot be written"]);
    configure(&w, "[cache]\nto = [\"type=nowhere\"]");
    refused(&w, &[], &["wheels.toml", "line 2", "`nowhere`"]);
}

#[test]
fn defect_19_an_engine_that_cannot_export_a_cache_is_reported() {
    let w = Workspace::new();
    let classic = r#"{"ServerVersion":"28.2.2","DriverStatus":[["Backing Filesystem","extfs"]]}"#;
    fs_err::write(w.fake.join("info.json"), classic).unwrap();
    let to = ["--cache-to", "r.example/c"];
    w.on("inspect", "printf 'Name: default\\nDriver: docker\\nPlatforms: linux/amd64\\n'");
    refused(&w, &to, &["driver `docker`", "containerd-snapshotter"]);
    // A builder with another driver exports caches, and pulls its base image itself.
    w.on("inspect", "printf 'Name: b\\nDriver: remote\\nPlatforms: linux/amd64\\n'");
    w.on("image", "echo 'Error: No such image' >&2; exit 1");
    w.on("imagetools", r#"echo '{"digest":"sha256:2","manifests":[]}'"#);
    w.run(&[&WHEELS[..], &to, &["--builder", "b"]].concat()).code(0);
    assert!(calls(&w).contains("docker/docker-bake.hcl --builder b "));
    assert!(calls(&w).contains("BASE_IMAGE=debian@sha256:2 ") && !calls(&w).contains("\npull "));
}

#[test]
fn the_github_cache_requires_its_token() {
    let w = Workspace::new();
    let command = |second: bool| {
        let mut command = w.command(&[&WHEELS[..], &["--cache-to", "type=gha"]].concat());
        command.env("ACTIONS_RUNTIME_TOKEN", "hunter2");
        command.env("ACTIONS_RESULTS_URL", "https://x.example");
        if second {
            command.env("ACTIONS_CACHE_SERVICE_V2", "true");
        }
        Ran::of(command.output().unwrap())
    };
    // buildx would use the first version of the protocol for that URL.
    command(false).code(2).reports(&["ACTIONS_CACHE_SERVICE_V2 is not set"]);
    let ran = command(true).code(0);
    assert!(!ran.stderr.contains("hunter2") && !calls(&w).contains("hunter2"));
    assert!(calls(&w).contains("cache-to=type=gha,scope=debian12-amd64-cp311,timeout=1m,mode=max"));
}

#[test]
fn a_failing_cache_registry_is_reported_and_fails_no_wheel() {
    let w = Workspace::new();
    w.on(
        "bake",
        r#"mkdir -p "$dest"
        progress "importing cache manifest from r.example/c" "500 Internal Server Error"
        case $target in
        smoke) smoke_passed ;;
        *) cp "$FAKE"/export/* "$dest/"; progress "exporting cache to registry" "429 Too Many Requests" ;;
        esac"#,
    );
    let args = [&WHEELS[..], &["--cache-from", "r.example/c", "--cache-to", "r.example/c"]];
    w.run(&args.concat()).code(0).reports(&[
        "a cache that failed: importing cache manifest from r.example/c: 500",
        "a cache that failed: exporting cache to registry: 429 Too Many Requests",
    ]);
}

#[test]
fn a_lost_cache_layer_is_rebuilt_but_a_failed_step_is_not() {
    let w = Workspace::new();
    w.on(
        "bake",
        r#"mkdir -p "$dest"
        case "$*" in *cache-from*) progress "[base 1/1] RUN sh /xtask/toolchain.sh" "blob sha256:1 not found"; exit 1 ;; esac
        case $target in smoke) smoke_passed ;; *) cp "$FAKE"/export/* "$dest/" ;; esac"#,
    );
    let from = [&WHEELS[..], &["--cache-from", "r.example/c"]].concat();
    w.run(&from).code(0).reports(&["a cache that failed", "blob sha256:1 not found"]);
    assert_eq!(w.bakes("wheel-builder"), 2);
    let failing = Workspace::new();
    failing.on(
        "bake",
        r#"progress "[wheel-builder 1/1] RUN sh /xtask/build.sh" \
            'process did not complete successfully: exit code: 1'; exit 1"#,
    );
    failing.run(&from).code(1);
    assert_eq!(failing.bakes("wheel-builder"), 1);
}

#[test]
fn a_platform_is_built_on_its_configured_engine() {
    let w = Workspace::new();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let both = toml.replace("[\"linux/amd64\"]", "[\"linux/amd64\", \"linux/arm64\"]");
    fs_err::write(w.root.join("wheels.toml"), both).unwrap();
    // This engine runs only amd64. The other one is arm64, and has no image yet.
    w.on(
        "inspect",
        r#"echo "inspect at ${DOCKER_HOST-}" >>"$FAKE/hosts"
        case ${DOCKER_HOST-} in ssh:*) echo "Platforms: linux/arm64" ;; *) echo "Platforms: linux/amd64" ;; esac"#,
    );
    w.on(
        "image",
        r#"case ${DOCKER_HOST-} in ssh:*) arch=arm64 ;; *) arch=amd64 ;; esac
        echo '{"Architecture":"'$arch'","Id":"sha256:1","RepoDigests":["debian@sha256:2"]}'"#,
    );
    w.on(
        "bake",
        r#"echo "$target at ${DOCKER_HOST-here}: $*" >>"$FAKE/hosts"; mkdir -p "$dest"
        case $target in smoke) smoke_passed ;; *) cp "$FAKE"/export/* "$dest/" ;; esac"#,
    );
    let args = ["wheels", "debian:12", "--engine-host", "linux/arm64=ssh://me@arm-box"];
    w.run(&args).code(0).reports(&["engine for linux/arm64: ssh://me@arm-box"]);
    let hosts = fs_err::read_to_string(w.fake.join("hosts")).unwrap();
    let at = |line: &str| hosts.lines().any(|l| l.starts_with(line));
    assert!(at("wheel-builder at ssh://me@arm-box: ") && at("smoke at ssh://me@arm-box: "));
    assert!(at("wheel-builder at here: ") && at("smoke at here: "), "{hosts}");
    for line in hosts.lines().filter(|line| line.contains("at ssh")) {
        assert!(!line.contains("platform=linux/amd64"), "{line}");
    }
}

#[test]
fn an_unreachable_remote_engine_ends_the_run_with_its_error() {
    let w = Workspace::new();
    w.on("inspect", "echo 'ERROR: error during connect: ssh: no route to arm-box' >&2; exit 1");
    let args = [&WHEELS[..], &["--engine-host", "ssh://me@arm-box"]].concat();
    w.run(&args).code(2).reports(&["does not answer", "no route to arm-box"]);
    let wrong = [&WHEELS[..], &["--engine-host", "ftp://x"]].concat();
    w.run(&wrong).code(2).reports(&["`ftp://x`", "ssh://user@host"]);
}

#[test]
fn host_network_adds_the_entitlement_for_newer_clients() {
    let w = Workspace::new();
    let args = [&WHEELS[..], &["--network", "host"]].concat();
    w.run(&args).code(0);
    let laid_over = "docker/host-network.yaml";
    let calls_now = calls(&w);
    assert_eq!(calls_now.matches(&format!("{laid_over} --allow network.host ")).count(), 2);
    w.on("buildx-version", "echo 'github.com/docker/buildx v0.13.1 x'");
    w.run(&[&args[..], &["--force"]].concat()).code(0);
    let later = calls(&w);
    assert_eq!(later[calls_now.len()..].matches(laid_over).count(), 2);
    assert!(!later[calls_now.len()..].contains("--allow"));
    w.run(&[&WHEELS[..], &["--network", "none"]].concat()).code(2);
}
