//! Pulls base images from a registry on this machine.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use crate::workspace::{Workspace, debian_12, sh};

/// Debian's `docker-registry`, on a free port of the loopback interface, stopped at the end.
pub(crate) struct Registry {
    child: Child,
    pub(crate) port: u16,
    _dir: tempfile::TempDir,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/data\n\
             http:\n  addr: 127.0.0.1:{port}\n"
        );
        fs_err::write(folder.join("config.yml"), config).unwrap();
        let child = Command::new(program(&folder))
            .args(["serve", folder.join("config.yml").as_str()])
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "the registry did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, port, _dir: dir }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The registry's program: the installed one, else unpacked from Debian's package into `folder`.
fn program(folder: &Utf8Path) -> Utf8PathBuf {
    for path in ["/usr/bin/docker-registry", "/usr/bin/registry"] {
        if Utf8Path::new(path).exists() {
            return path.into();
        }
    }
    let script = "apt-get download docker-registry || { apt-get update && apt-get download \
                  docker-registry; }; dpkg-deb -x docker-registry_*.deb .";
    let output = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    crate::workspace::ran(&output, 0);
    folder.join("usr/bin/docker-registry")
}

/// A workspace whose Debian 12 is `image`, pinned to `digest`.
fn workspace(image: &str, digest: Option<&str>, bootstrap: bool) -> Workspace {
    Workspace::new(|toml| {
        let toml: String = toml
            .lines()
            .filter(|line| !line.starts_with("digest."))
            .fold(String::new(), |text, line| text + line + "\n");
        let pin = digest.map_or_else(String::new, |digest| {
            format!("digest = {{ \"linux/amd64\" = \"{digest}\" }}\n")
        });
        let toml = toml.replace("image = \"debian:12\"\n", &format!("image = \"{image}\"\n{pin}"));
        if bootstrap {
            return toml;
        }
        let lines = toml.lines().filter(|line| !line.contains("suite = \"bookworm\""));
        lines.collect::<Vec<_>>().join("\n")
    })
}

const WHEELS: [&str; 5] = ["wheels", "debian12", "linux/amd64", "--python", "cp311"];

#[test]
fn a_base_image_is_pulled_only_by_its_correct_digest() {
    let registry = Registry::start();
    let image = format!("127.0.0.1:{}/debian:12", registry.port);
    let digest = push(&image);
    let w = workspace(&image, Some(&digest), false);
    let (_, stderr) = w.run(&WHEELS, 0);
    assert!(stderr.contains("pulling"), "{stderr}");
    let info = w.json("debian12-amd64/build-info.json");
    assert_eq!(info["image"]["origin"], "pulled");
    assert_eq!(info["image"]["digest"], digest.as_str());

    let wrong = format!("sha256:{}", "0".repeat(64));
    let w = workspace(&image, Some(&wrong), true);
    let (_, stderr) = w.run(&WHEELS, 2);
    assert!(stderr.contains(&wrong) && stderr.contains("correct `digest."), "{stderr}");
    assert!(!w.dist().exists(), "a pin that does not hold is no reason to build in another image");
    let _ = Command::new("docker").args(["image", "rm", &format!("{image}@{digest}")]).output();
}

/// Pushes this machine's Debian 12 as `image`; returns its digest.
fn push(image: &str) -> String {
    sh("docker", &["tag", &debian_12(), image]);
    sh("docker", &["push", "--quiet", image]);
    let digest = sh("docker", &["image", "inspect", "--format", "{{index .RepoDigests 0}}", image]);
    sh("docker", &["image", "rm", image]);
    digest.trim().split_once('@').unwrap().1.to_owned()
}

#[cfg(feature = "e2e-full")]
#[test]
fn pin_writes_the_digest_of_a_registry_or_reports_its_error() {
    let registry = Registry::start();
    let image = format!("127.0.0.1:{}/debian:12", registry.port);
    let digest = push(&image);
    let w = workspace(&image, None, false);
    let pin = ["pin", "debian12", "linux/amd64"];
    let (stdout, _) = w.run(&[&pin[..], &["--check"]].concat(), 1);
    assert!(stdout.contains("not pinned"), "{stdout}");
    w.run(&pin, 0);
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    assert!(toml.contains(&format!("digest.\"linux/amd64\" = \"{digest}\"")), "{toml}");
    w.run(&[&pin[..], &["--check"]].concat(), 0);
    let (stdout, _) = w.run(&["pin", "debian12", "linux/arm64"], 1);
    assert!(stdout.contains("no image for linux/arm64"), "{stdout}");
    drop(registry);
    let (stdout, _) = w.run(&pin, 2);
    assert!(stdout.contains("connection refused"), "{stdout}");
    for (answer, word) in [(Some(BROKEN), "500"), (None, "no answer within 30 s")] {
        let w = workspace(&format!("127.0.0.1:{}/debian:12", server(answer)), None, false);
        let (stdout, _) = w.run(&pin, 2);
        assert!(stdout.contains("no answer") && stdout.contains(word), "{stdout}");
    }
}

const BROKEN: &str =
    "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Answers every request with `answer`, or not at all.
fn server(answer: Option<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming().take(200) {
            let Ok(mut stream) = stream else { continue };
            match answer {
                Some(answer) => {
                    let _ = stream.read(&mut [0; 4096]);
                    let _ = stream.write_all(answer.as_bytes());
                }
                None => silent.push(stream),
            }
        }
    });
    port
}

#[test]
fn a_failing_registry_is_named_and_the_image_bootstrapped() {
    for (answer, word) in [(Some(BROKEN), "500"), (None, "no answer within")] {
        let image = format!("127.0.0.1:{}/debian:12", server(answer));
        let w = workspace(&image, None, false);
        let (_, stderr) = w.run(&WHEELS, 2);
        assert!(stderr.contains("no base image for") && stderr.contains(word), "{stderr}");
        let w = workspace(&image, None, true);
        if Utf8Path::new("/usr/bin/mmdebstrap").exists() {
            let (stdout, _) = w.run(&WHEELS, 0);
            assert!(stdout.contains("1 of 1 wheels"), "{stdout}");
        } else {
            let (_, stderr) = w.run(&WHEELS, 2);
            assert!(stderr.contains("`mmdebstrap` is needed"), "{stderr}");
        }
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let w = workspace(&format!("127.0.0.1:{port}/debian:12"), None, false);
    let (_, stderr) = w.run(&WHEELS, 2);
    assert!(stderr.contains("connection refused"), "{stderr}");
}
