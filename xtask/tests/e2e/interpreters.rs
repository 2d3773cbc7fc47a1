//! Interpreters and their providers.

use crate::workspace::{Workspace, repository, run_in_debian_12};

#[test]
fn a_broken_provider_is_an_error() {
    let sources = format!("{}/docker/python-sources.json:/sources.json:ro", repository());
    let fixture = include_str!("../fixtures/providers.sh");
    let options = ["--volume", &sources, "--env", "SOURCES=/sources.json"];
    run_in_debian_12("python3", fixture, &["sh"], &options);
}

#[test]
fn a_missing_interpreter_lists_the_reason_of_each_provider() {
    let w = Workspace::new(|toml| toml);
    let args = ["wheels", "debian:12", "linux/amd64", "--python", "cp320,cp311"];
    let (stdout, stderr) = w.run(&args, 1);
    assert!(stderr.contains("no provider has cp320"), "{stderr}");
    for provider in ["image: ", "distro: ", "managed: ", "source: "] {
        assert!(stderr.contains(provider), "{provider} has no reason in:\n{stderr}");
    }
    assert!(stdout.contains("1 of 2 wheels"), "the other one is kept: {stdout}");
    assert_eq!(w.wheels("debian12-amd64").len(), 1);
}

/// Minutes each: `cargo xtask ci --full`.
#[cfg(feature = "e2e-full")]
mod from_source {
    use super::Workspace;
    use crate::sources::lay_out_package;

    fn only_source(toml: &str) -> String {
        toml.replace("[build]\n", "[build]\nproviders = [\"source\"]\n")
    }

    #[test]
    fn autobahn_is_built_with_an_interpreter_compiled_in_the_target() {
        let w = Workspace::new(|toml| {
            toml.replace("[\"image\", \"distro\", \"managed\", \"source\"]", "[\"source\"]")
        });
        w.run(&["wheels", "debian:12", "linux/amd64", "--python", "cp313"], 0);
        let name = "autobahn-26.10.2-cp313-cp313-manylinux_2_36_x86_64.whl";
        assert_eq!(w.wheels("debian12-amd64"), [name]);
        let info = w.json("debian12-amd64/build-info.json");
        assert_eq!(info["interpreters"][0]["provider"], "source");
    }

    #[test]
    fn a_free_threaded_interpreter_builds_a_free_threaded_wheel() {
        let check = "imports = [\"inplace\"]\ncalls = { inplace = [\"m.answer() == 42\"] }";
        let w = Workspace::of_package("path = \".\"", check);
        lay_out_package(&w.root, "42");
        let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
        fs_err::write(w.root.join("wheels.toml"), only_source(&toml)).unwrap();
        w.run(&["wheels", "debian:12", "linux/amd64", "--python", "cp313t"], 0);
        let name = "inplace-1.0-cp313-cp313t-manylinux_2_36_x86_64.whl";
        assert_eq!(w.wheels("debian12-amd64"), [name]);
    }
}
