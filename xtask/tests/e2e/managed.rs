//! Provider `managed`, with a mirror on this machine.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use camino::Utf8Path;
use sha2::{Digest as _, Sha256};

use crate::workspace::{Workspace, debian_12, ran, repository};

/// Packs the distribution's interpreter like uv's builds: one relocatable folder `python`.
const PACK: &str = r"ARG BASE
FROM ${BASE} AS pack
RUN apt-get update && apt-get install -y --no-install-recommends python3.11 python3.11-dev
RUN mkdir -p /python/bin /python/lib /python/include \
 && cp -L /usr/bin/python3.11 /python/bin/ && ln -s python3.11 /python/bin/python3 \
 && cp -RL /usr/lib/python3.11 /python/lib/ && cp -RL /usr/include/python3.11 /python/include/ \
 && tar -C / -czf /python.tar.gz python
FROM scratch
COPY --from=pack /python.tar.gz /
";

/// Serves the files of `folder` on the loopback interface; returns the port.
pub(crate) fn serve(folder: &Utf8Path) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(100) {
            let Ok(mut stream) = stream else { continue };
            let mut request = vec![0; 8192];
            let length = stream.read(&mut request).unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let name = text.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
            let body = fs_err::read(folder.join(&name));
            let (status, body) = match body {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    port
}

/// The environment for a target whose cp311 only the mirror has, in the host's network.
fn interpreter(base: &str, mirror: &Utf8Path, out: &Utf8Path) -> std::process::Output {
    let settings = mirror.join("settings");
    Command::new("docker")
        .args(["buildx", "build", "--network=host", "--progress=plain", "--target=build-info"])
        .args(["--file", "docker/Dockerfile.wheels"])
        .args(["--build-arg", &format!("BASE_IMAGE={base}")])
        .args(["--build-arg", "CACHE_SCOPE=debian12", "--build-arg", "SOURCE_KIND=none"])
        .args(["--build-arg", "PYTHONS=cp311", "--build-arg", "PROVIDERS=managed"])
        .args(["--secret", &format!("id=settings,src={settings}")])
        .args(["--secret", "id=ca,src=target/xtask/host/ca.pem"])
        .args(["--no-cache-filter", "interpreter"])
        .args(["--output", &format!("type=local,dest={out}"), "."])
        .current_dir(repository())
        .output()
        .unwrap()
}

#[test]
fn an_interpreter_from_a_mirror_needs_the_correct_hash() {
    let base = debian_12();
    let w = Workspace::new(|toml| toml);
    let mirror = w.root.with_file_name("mirror");
    fs_err::create_dir_all(&mirror).unwrap();
    fs_err::write(mirror.join("Dockerfile"), PACK).unwrap();
    let pack = Command::new("docker")
        .args(["buildx", "build", "--progress=plain", "--build-arg", &format!("BASE={base}")])
        .args(["--output", &format!("type=local,dest={mirror}"), mirror.as_str()])
        .output()
        .unwrap();
    ran(&pack, 0);
    let archive = fs_err::read(mirror.join("python.tar.gz")).unwrap();
    let hash = Sha256::digest(&archive).iter().fold(String::new(), |t, b| format!("{t}{b:02x}"));
    let port = serve(&mirror);
    let offer = |sha256: &str| {
        let arch = std::env::consts::ARCH;
        let json = serde_json::json!({
            format!("cpython-3.11.2-linux-{arch}-gnu"): {
                "name": "cpython", "arch": { "family": arch, "variant": null },
                "os": "linux", "libc": "gnu", "major": 3, "minor": 11, "patch": 2,
                "prerelease": "", "variant": null, "build": null, "sha256": sha256,
                "url": format!("http://127.0.0.1:{port}/python.tar.gz"),
            }
        });
        fs_err::write(mirror.join("downloads.json"), json.to_string()).unwrap();
    };
    let settings = format!("UV_PYTHON_DOWNLOADS_JSON_URL=http://127.0.0.1:{port}/downloads.json\n");
    fs_err::write(mirror.join("settings"), settings).unwrap();

    offer(&"0".repeat(64));
    let (_, stderr) = ran(&interpreter(&base, &mirror, &mirror), 1);
    assert!(
        stderr.contains("no provider has cp311") && stderr.contains("Hash mismatch"),
        "{stderr}"
    );

    offer(&hash);
    ran(&interpreter(&base, &mirror, &mirror), 0);
    let info = fs_err::read(mirror.join("build-info.json")).unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
    assert_eq!(info["interpreters"][0]["provider"], "managed");
    assert_eq!(info["interpreters"][0]["version"], "3.11.2");
}
