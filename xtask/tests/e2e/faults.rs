//! Deliberate failures with the real engine: of steps in the containers, and of hosts.

use std::net::TcpListener;

use crate::workspace::{Workspace, ran, sh};

#[test]
fn an_interpreter_that_fails_to_compile_is_named() {
    let w = Workspace::new(|toml| {
        toml.replace(
            "providers = [\"distro\", \"managed\", \"source\"]",
            "providers = [\"distro\", \"source\"]",
        )
    });
    // A mirror with a source archive whose `configure` fails, under a version of its own.
    let mirror = w.root.join("mirror/3.13.99");
    fs_err::create_dir_all(mirror.join("Python-3.13.99")).unwrap();
    fs_err::write(
        mirror.join("Python-3.13.99/configure"),
        "#!/bin/sh\necho broken compiler >&2\nexit 1\n",
    )
    .unwrap();
    let script = format!(
        "cd {mirror} && chmod +x Python-3.13.99/configure && tar -cJf Python-3.13.99.tar.xz Python-3.13.99 && sha256sum Python-3.13.99.tar.xz"
    );
    let sha256 = sh("sh", &["-c", &script])[..64].to_owned();
    let pin = serde_json::json!({ "version": "3.13.99", "sha256": sha256 });
    w.replace("docker/python-sources.json", |text| {
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        // A series has one or several pins.
        let several = json["sources"]["3.13"].is_array();
        json["sources"]["3.13"] = if several { serde_json::json!([pin]) } else { pin };
        json.to_string()
    });
    let port = crate::managed::serve(&w.root.join("mirror"));
    let args =
        ["wheels", "debian:12", "linux/amd64", "--python", "cp311,cp313", "--network", "host"];
    let mut command = w.command(&args);
    command.env("PYTHON_SOURCE_MIRROR", format!("http://127.0.0.1:{port}"));
    command.env("no_proxy", "127.0.0.1").env("NO_PROXY", "127.0.0.1");
    let (stdout, stderr) = ran(&command.output().unwrap(), 1);
    assert!(stdout.contains("1 of 2 wheels"), "{stdout}\n{stderr}");
    assert!(stderr.contains("no provider has cp313") && stderr.contains("source: "), "{stderr}");
    assert_eq!(w.wheels("debian12-amd64").len(), 1);
}

#[test]
fn an_unreachable_index_is_reported() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let held: Vec<_> = silent.incoming().take(20).collect();
        drop(held);
    });
    // A source that no earlier build has fetched.
    let w = Workspace::of_package(
        &format!("sdist = \"markupsafe==3.0.1\"\nsha256 = \"{}\"", "0".repeat(64)),
        "",
    );
    let mut command = w.command(&["wheels", "debian:12", "linux/amd64", "--network", "host"]);
    command.env("PIP_INDEX_URL", format!("http://127.0.0.1:{port}/simple"));
    command.env("PIP_DEFAULT_TIMEOUT", "3").env("PIP_RETRIES", "1");
    command.env("no_proxy", "127.0.0.1").env("NO_PROXY", "127.0.0.1");
    let (_, stderr) = ran(&command.output().unwrap(), 1);
    assert!(stderr.contains("timed out") || stderr.contains("Timeout"), "{stderr}");
    // Either the step of the tools or the step of the source reaches the index first.
    assert!(stderr.contains("127.0.0.1") && stderr.contains("failed: exit code: 1"), "{stderr}");
}

const SETUP: &str = r#"
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

OPTIONAL = False

class Build(build_ext):
    def run(self):
        super().run()
        import nosuchmodule

setup(packages=["demo"], cmdclass={"build_ext": Build},
      ext_modules=[Extension("demo._bad", ["bad.c"], optional=OPTIONAL)])
"#;

/// The output of a failed build of this package: the error, the lines of the step, and the text after them.
fn failed_build(setup: &str) -> [String; 3] {
    let w = Workspace::of_package("path = \".\"", "");
    let pyproject = "[build-system]\nrequires = [\"setuptools\"]\n\
        build-backend = \"setuptools.build_meta\"\n[project]\nname = \"demo\"\nversion = \"1\"\n";
    fs_err::create_dir(w.root.join("demo")).unwrap();
    for (name, text) in [
        ("pyproject.toml", pyproject),
        ("setup.py", setup),
        ("demo/__init__.py", ""),
        ("bad.c", "int broken(void) { return 1 }\n"),
    ] {
        fs_err::write(w.root.join(name), text).unwrap();
    }
    sh("git", &["-C", w.root.as_str(), "init", "--quiet"]);
    let (_, stderr) = w.run(&["wheels", "debian:12", "linux/amd64", "--python", "cp311"], 1);
    let (_, message) = stderr.split_once("\nerror: ").unwrap();
    let is_shown = |line: &&str| line.starts_with("  | ");
    let shown: Vec<_> = message.lines().skip(1).take_while(is_shown).collect();
    let after = message.lines().skip(1 + shown.len()).collect::<Vec<_>>().join("\n");
    [message.lines().next().unwrap().to_owned(), shown.join("\n"), after]
}

#[test]
fn a_failed_build_shows_the_compilers_error_log_and_hint() {
    let [error, shown, after] = failed_build(SETUP);
    let last = shown.lines().last().unwrap();
    assert!(error.contains("bad.c:1:28") && error.contains("expected"), "{error}");
    assert!(shown.contains("bad.c:1:28: error: ") && shown.contains("| int broken(void)"));
    assert!(last.trim_matches(['|', ' ']) == ";", "{shown}");
    assert!(after.starts_with("step `[wheel-builder "), "{after}");
    assert!(after.contains("\nlog: /") && after.contains("\n\nhint: "), "{after}");
}

#[test]
fn an_optional_extension_that_fails_first_does_not_hide_the_cause() {
    let [error, shown, _] = failed_build(&SETUP.replace("OPTIONAL = False", "OPTIONAL = True"));
    assert!(shown.ends_with("ModuleNotFoundError: No module named 'nosuchmodule'"), "{shown}");
    assert!(error.contains("No module named 'nosuchmodule'"), "{error}");
    assert!(!shown.contains("bad.c"), "{shown}");
}
