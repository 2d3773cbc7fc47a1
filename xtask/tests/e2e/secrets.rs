//! No layer, log or metadata contains secrets of the host.

use std::io::Read as _;
use std::process::Command;

use camino::Utf8Path;

use crate::workspace::{Workspace, sh};

/// Words that no layer should contain.
const SETTING: &str = "canary-setting-5f1c.example";
const NETRC: &str = "canary-netrc-77ab";
const CERTIFICATE: &str = "canary-certificate-c0de";

#[test]
fn no_layer_log_or_metadata_contains_a_secret() {
    let w = Workspace::new(|toml| toml);
    let home = w.root.with_file_name("home");
    fs_err::create_dir_all(&home).unwrap();
    fs_err::write(home.join(".netrc"), format!("machine h.example login u password {NETRC}\n"))
        .unwrap();
    let bundle = home.join("ca.pem");
    let trusted = std::env::var("SSL_CERT_FILE")
        .unwrap_or_else(|_| "/etc/ssl/certs/ca-certificates.crt".to_owned());
    let trusted = fs_err::read_to_string(trusted).unwrap_or_default();
    fs_err::write(&bundle, format!("{trusted}\n# {CERTIFICATE}\n")).unwrap();
    // A system package that no other test installs: nothing comes from an earlier build's cache.
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let packages = "system_packages = { apt = [\"sl\"] }\n[toolchain]";
    let toml = toml.replace("[toolchain]", packages);
    fs_err::write(w.root.join("wheels.toml"), toml).unwrap();
    let args =
        ["wheels", "debian:12", "linux/amd64", "--python", "cp311", "--verbose", "--no-cache"];
    let mut command = w.command(&args);
    // An unused extra host: the setting is active, and names the canary.
    command.env("PIP_TRUSTED_HOST", SETTING).env("NO_PROXY", SETTING);
    command.env("HOME", home.as_str()).env("SSL_CERT_FILE", bundle.as_str());
    command.env("DOCKER_CONFIG", home.join(".docker").as_str());
    let output = command.output().unwrap();
    let shown = [output.stdout.clone(), output.stderr.clone()].concat();
    crate::workspace::ran(&output, 0);
    clean("the output", &shown);
    for folder in [w.dist(), w.root.join("target/xtask/logs"), w.root.join("target/xtask/jobs")] {
        for entry in walkdir::WalkDir::new(&folder).into_iter().filter_map(Result::ok) {
            if entry.file_type().is_file() {
                let path = Utf8Path::from_path(entry.path()).unwrap();
                clean(path.as_str(), &fs_err::read(path).unwrap());
            }
        }
    }
    for stage in ["wheel-builder", "smoke-env"] {
        assert_layers_are_clean(&w, stage);
    }
    assert_base_image_is_clean(&w, &|command| {
        command.env("PIP_TRUSTED_HOST", SETTING).env("NO_PROXY", SETTING);
        command.env("HOME", home.as_str()).env("SSL_CERT_FILE", bundle.as_str());
    });
}

/// Exports the same steps as an image: its layers, its configuration and its labels.
fn assert_base_image_is_clean(w: &Workspace, inherit: &dyn Fn(&mut Command)) {
    let args = ["base-image", "build", "debian:12", "linux/amd64", "--python", "cp311", "--json"];
    let mut command = w.command(&args);
    inherit(&mut command);
    let (stdout, _) = crate::workspace::ran(&command.output().unwrap(), 0);
    let made: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let reference = made[0]["reference"].as_str().unwrap();
    let archive = w.root.join("kept.tar");
    sh("docker", &["save", "--output", archive.as_str(), reference]);
    sh("docker", &["image", "rm", reference]);
    read_all(&archive, "the kept base image");
}

/// Reads every file of an image archive, including archives in it.
fn read_all(archive: &Utf8Path, what: &str) {
    let mut interpreter = false;
    let mut tar = tar::Archive::new(fs_err::File::open(archive).unwrap());
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let packed = std::mem::take(&mut bytes);
            flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut bytes).unwrap();
        }
        interpreter |= holds(&bytes, "python3.11");
        clean(&format!("{name} of {what}"), &bytes);
    }
    // The control: the same search finds an expected file.
    assert!(interpreter, "{what}: no interpreter found");
}

fn clean(name: &str, bytes: &[u8]) {
    for word in [SETTING, NETRC, CERTIFICATE] {
        assert!(!holds(bytes, word), "`{word}` is in {name}");
    }
}

fn holds(bytes: &[u8], word: &str) -> bool {
    memchr::memmem::find(bytes, word.as_bytes()).is_some()
}

/// Exports the stage that the run left in the engine's cache, and reads every layer.
fn assert_layers_are_clean(w: &Workspace, stage: &str) {
    let log = fs_err::read_to_string(w.root.join("target/xtask/logs/debian12-amd64-cp311.log"));
    let log = log.unwrap();
    let target = if stage == "smoke-env" { "smoke" } else { "wheel-builder" };
    // An argument can have several lines.
    let (set, end) = (format!("--set {target}.output="), format!(" {target}\n"));
    let call = log.split("\n$ ").find(|call| call.contains(&set)).unwrap();
    let call = &call[..call.find(&end).unwrap() + end.len() - 1];
    let archive = w.root.join(format!("{stage}.tar"));
    // The printed command with another stage and another output, without its secrets and without `--no-cache`:
    // everything comes from the cache that the run filled.
    let command = call
        .trim_start_matches("$ ")
        .replace(" --no-cache", "")
        .replace("--progress rawjson", "--progress quiet")
        .replace("$(cargo xtask host-settings settings)", "x")
        .replace("$(cargo xtask host-settings netrc)", "x")
        .replace("$(cargo xtask host-settings cargo_config)", "x")
        .replace("$(cargo xtask host-settings apt_conf)", "x")
        .replace("$(cargo xtask host-settings cores)", "1");
    let (head, _) = command.rsplit_once(' ').unwrap();
    let head: String = head.to_owned();
    let output = format!("--set {target}.output=");
    let start = head.find(&output).unwrap();
    let end =
        head[start + output.len()..].find(' ').map_or(head.len(), |i| start + output.len() + i);
    let command = format!(
        "{}--set {target}.output=type=oci,dest={archive},compression=uncompressed,force-compression=true \
         --set {target}.target={stage}{} {target}",
        &head[..start],
        &head[end..]
    );
    sh("sh", &["-c", &command]);
    read_all(&archive, stage);
}
