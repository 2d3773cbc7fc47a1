//! Interpreters and their providers.

use crate::workspace::Workspace;

#[test]
fn an_interpreter_that_nobody_gives_is_named_with_every_providers_reason() {
    let w = Workspace::new(|toml| toml);
    let args = ["wheels", "debian:12", "linux/amd64", "--python", "cp310,cp311"];
    let (stdout, stderr) = w.run(&args, 1);
    assert!(stderr.contains("no provider gives cp310"), "{stderr}");
    for provider in ["distro: ", "managed: ", "source: "] {
        assert!(stderr.contains(provider), "{provider} has no reason in:\n{stderr}");
    }
    assert!(stdout.contains("1 of 2 wheels"), "the other one is kept: {stdout}");
    assert_eq!(w.wheels("debian12-amd64").len(), 1);
}

/// Minutes each: `cargo xtask ci --full`.
#[cfg(feature = "e2e-full")]
#[test]
fn interpreters_are_compiled_from_their_source_and_a_free_threaded_one_is_one() {
    let w = Workspace::new(|toml| {
        toml.replace("[\"distro\", \"managed\", \"source\"]", "[\"source\"]")
    });
    let args = ["wheels", "debian:12", "linux/amd64", "--python", "cp313,cp314,cp314t"];
    w.run(&args, 0);
    let tags = ["cp313-cp313", "cp314-cp314", "cp314-cp314t"];
    let names = tags.map(|tag| format!("autobahn-26.10.2-{tag}-manylinux_2_36_x86_64.whl"));
    assert_eq!(w.wheels("debian12-amd64"), names);
}
