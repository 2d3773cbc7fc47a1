//! The command line: wrong options, completions and man pages. `docs/commands.md` shows the help texts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

fn help(args: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_wheel-build"))
        .args(args)
        .arg("--help")
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    // clap pads the empty line in a list of values.
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_command_has_a_short_line_and_the_exit_statuses_are_listed() {
    let text = help(&[]);
    for word in ["  wheels ", "  init ", "  man ", "--config <FILE>", "Exit status: 0 "] {
        assert!(text.contains(word), "{word}: {text}");
    }
    // A description of several lines starts below the others.
    let long = text.lines().filter(|line| line.starts_with("                   ")).count();
    assert_eq!(long, 0, "{text}");
}

#[test]
fn common_tasks_name_commands_that_exist() {
    let text = help(&[]);
    let tasks = text.split("Common tasks:").nth(1).unwrap();
    let names =
        tasks.split("cargo xtask ").skip(1).map(|rest| rest.split([' ', '\n']).next().unwrap());
    // `help` fails for another name.
    assert!(names.map(|name| help(&[name])).filter(|text| !text.is_empty()).count() > 5, "{tasks}");
}

#[test]
fn an_unknown_option_exits_with_could_not_run() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_wheel-build"))
        .args(["wheels", "--no-such-switch"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn an_option_of_another_command_has_a_hint() {
    for switch in ["--max", "--target"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_wheel-build"))
            .args(["verify", switch, "2.17", "some.whl"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(switch) && text.contains("`check-glibc --max"), "{text}");
    }
}

#[test]
fn completions_and_man_pages_have_every_command() {
    let program = |args: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_wheel-build")).args(args).output().unwrap()
    };
    for shell in ["bash", "zsh", "fish"] {
        let output = program(&["completions", shell]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("check-glibc"), "{shell}");
        assert!(!text.contains("cargo xtask__"), "one name for the program");
    }
    let folder = tempfile::tempdir().unwrap();
    // `_cargo` is a fake for the completion of cargo's own words.
    let script = folder.path().join("bash");
    fs_err::write(&script, program(&["completions", "bash"]).stdout).unwrap();
    let completed = |words: &str| {
        let text = format!(
            "_cargo() {{ COMPREPLY=(own); }}; . \"$0\"; COMP_WORDS=({words}); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _xtask_or_cargo cargo \
             \"${{COMP_WORDS[COMP_CWORD]}}\" x; echo \"${{COMPREPLY[@]}}\""
        );
        let mut bash = std::process::Command::new("bash");
        let output = bash.args(["--norc", "-c", &text]).arg(&script).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    assert_eq!(completed("cargo xtask bui"), "build-info");
    assert_eq!(completed("cargo xtask wheels --jo"), "--jobs");
    assert_eq!(completed("cargo xtask binfmt unin"), "uninstall");
    assert_eq!(completed("cargo bui"), "own");
    let fish = String::from_utf8(program(&["completions", "fish"]).stdout).unwrap();
    assert!(fish.contains("complete -c cargo -n") && !fish.contains("-c cargo-xtask"));
    let output = program(&["man", folder.path().join("man1").to_str().unwrap()]);
    assert!(output.status.success());
    let pages = fs_err::read_dir(folder.path().join("man1")).unwrap();
    let pages: std::collections::BTreeSet<String> =
        pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    for page in ["cargo-xtask.1", "cargo-xtask-wheels.1", "cargo-xtask-binfmt-install.1"] {
        assert!(pages.contains(page), "{pages:?}");
    }
}

/// The source of the program without comments and tests, with the lines of each string joined.
fn sources() -> Vec<(String, String)> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let files = walkdir::WalkDir::new(root).into_iter().map(|file| file.unwrap().into_path());
    let files = files.filter(|file| file.extension().is_some_and(|it| it == "rs"));
    let files = files.filter(|file| !file.to_string_lossy().contains("tests"));
    let text = |file: &std::path::Path| {
        let text = fs_err::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let lines = lines.map(|line| line.trim_start().strip_suffix('\\').unwrap_or(line));
        lines.collect::<Vec<_>>().join(" ")
    };
    files
        .map(|file| (file.file_stem().unwrap().to_string_lossy().into_owned(), text(&file)))
        .collect()
}

#[test]
fn every_option_that_a_message_names_exists() {
    let wrong = |own: &str| common::hints::wrong_options(own, &[]);
    assert_eq!(wrong("`cargo xtask matrix --python cp311`").len(), 1);
    assert_eq!(wrong("cargo xtask setup --emulate arm64 --method x, or no").len(), 1);
    assert!(wrong("`binfmt install --method package`, `git add --all`").is_empty());
    let mut found = 0;
    for (name, text) in sources() {
        // The messages of `commands/NAME.rs` belong to the command NAME.
        let wrong = common::hints::wrong_options(&text, &[&name.replace('_', "-")]);
        assert!(wrong.is_empty(), "{name}.rs: {wrong:?}");
        found += text.matches("`cargo xtask ").count();
    }
    assert!(found > 50, "{found}");
}
