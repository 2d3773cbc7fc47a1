//! Output to a terminal, a pipe and a file: widths and colors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Ran, Workspace};

const ESCAPE: char = '\u{1b}';

/// A workspace whose targets have long names.
fn workspace() -> Workspace {
    let w = Workspace::new();
    let path = w.root.join("wheels.toml");
    let text = fs_err::read_to_string(&path).unwrap();
    let more = "[[target]]\nname = \"a-distribution-with-a-long-name-24.04\"\n\
        image = \"registry.example/a-team/a-distribution-with-a-long-name:24.04\"\n\
        family = \"apt\"\nglibc = \"2.36\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n";
    fs_err::write(path, text + more).unwrap();
    w
}

/// Fails for each line of more than 80 columns that could be broken.
#[track_caller]
fn fits(text: &str) {
    for line in text.lines().filter(|line| line.chars().count() > 80) {
        let words = line.split('`').step_by(2).flat_map(str::split_whitespace);
        let longest = words.map(|word| word.chars().count()).max().unwrap_or(0);
        assert!(longest > 40, "{line}");
    }
}

#[test]
fn every_report_fits_80_columns() {
    let w = workspace();
    let commands: &[&[&str]] = &[
        &["wheels", "--all", "linux/amd64"],
        &["plan", "--all"],
        &["matrix"],
        &["doctor"],
        &["pin", "--check"],
        &["rules"],
        &["rules", "ELF003"],
        &["verify"],
        &["check-glibc"],
        &["lock", "--check"],
        &["binfmt", "status"],
        &["base-image", "list"],
        &["collect"],
        &["clean", "--dry-run"],
    ];
    for command in commands {
        let ran = w.run(command);
        fits(&ran.stdout);
        assert!(!(ran.stdout + &ran.stderr).contains(ESCAPE), "{command:?}");
    }
}

#[test]
fn color_applies_to_reports_and_messages_but_not_to_data() {
    let w = Workspace::new();
    let colored = |words: &[&str]| w.run(&[words, &["--color", "always"]].concat());
    let list = colored(&["rules"]);
    assert!(list.stdout.contains(ESCAPE), "{}", list.stdout);
    assert!(colored(&["plan", "nosuch"]).stderr.contains(ESCAPE));
    assert!(colored(&["plan", "--no-such-option"]).stderr.contains(ESCAPE));
    assert!(colored(&["plan", "--help"]).stdout.contains(ESCAPE));
    for data in [
        &["rules", "--json"][..],
        &["rules", "--markdown"],
        &["plan", "--json"],
        &["plan"],
        &["wheels", "--print-build-identifiers", "--all"],
        &["wheels", "debian:12", "linux/amd64", "--dry-run"],
        &["completions", "bash"],
    ] {
        assert!(!colored(data).stdout.contains(ESCAPE), "{data:?}");
    }
    assert!(colored(&["wheels", "debian:12", "linux/amd64", "--markdown"]).stderr.contains(ESCAPE));
    let log = fs_err::read_to_string(w.root.join("target/xtask/logs/debian12-amd64-cp311.log"));
    assert!(!log.unwrap().contains(ESCAPE));
}

#[test]
fn with_auto_the_environment_determines_color() {
    let w = Workspace::new();
    let run = |variables: &[(&str, &str)], words: &[&str]| {
        let mut command = w.command(words);
        command.envs(variables.iter().copied());
        Ran::of(command.output().unwrap()).stdout.contains(ESCAPE)
    };
    assert!(!run(&[], &["rules"]));
    assert!(run(&[("CLICOLOR_FORCE", "1")], &["rules"]));
    assert!(!run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &["rules"]));
    assert!(run(&[("NO_COLOR", "1")], &["rules", "--color", "always"]));
    assert!(!run(&[("CLICOLOR_FORCE", "1")], &["rules", "--color", "never"]));
}
