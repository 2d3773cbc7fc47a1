//! What the commands say of themselves.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

fn help(args: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_wheel-build"))
        .args(args)
        .arg("--help")
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    // clap pads the empty line of a list of values.
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_commands_and_the_exit_status_are_explained() {
    insta::assert_snapshot!(help(&[]), @r"
    Builds Python wheels inside the Linux systems their users run, proves and ships them

    Usage: cargo xtask [OPTIONS] <COMMAND>

    Commands:
      wheels         Build, audit and smoke-test wheels into `dist/`
      lock           Record what goes into the wheels, in exact versions, in wheels.lock
      reproduce      Build wheels twice in different circumstances, and compare them to the byte
      plan           Show what would be built, and each job's settings
      check-glibc    Report which C library wheels and files need, and which symbols require it
      verify         Check wheels: archive, metadata, tags, ABI, libraries, machine code
      rules          List the rules of `verify`, or explain one: meaning, reason, example, fix, sources
      try            Install and load wheels on clean systems, and compare the results with what
                     `verify` predicts
      collect        Make the `dist/` folders of many machines one
      pin            Ask registries for the digests of base images and write them into wheels.toml
      index          Fill a folder with the published wheels, for installers or an upload
      release-notes  Print the notes of a release of what is in `dist/`
      last-release   Download the files of the last GitHub release, to compare with (`gh`)
      release        Make a GitHub release of what is in `dist/`, or bring it up to date (`gh`)
      workflow       Write the hosted workflow from wheels.toml, or check it
      matrix         Show what hosted CI builds on which machine
      build-info     Show what a target's build environment is
      source         Show which files of the repository the build gets, and why
      shell          Open the builder of a target as the build sees it, also where a build step failed
      base-image     Build base images beforehand: build, push, list
      doctor         Say what this machine has and lacks, each missing part with its cure
      setup          Install and start what is missing (apt systems)
      binfmt         Emulate foreign architectures: install, status, uninstall
      assets         Write the build files of the tool where they can be changed: export
      clean          Remove what xtask made: work folders, `dist/`, images, build cache
      init           Let another repository use this tool, or bring it up to date
      completions    Print a shell's completions of this command line
      man            Write a man page for each command
      help           Print this message or the help of the given subcommand(s)

    Options:
          --config <FILE>  Use another configuration of the repository: `wheels-NAME.toml`, whose wheels
                           go to `dist-NAME/` [default: wheels.toml]
      -h, --help           Print help
      -V, --version        Print version

    Exit status: 0 good, 1 findings or a missing wheel, 2 could not run.
    ");
}

#[test]
fn wheels_explains_its_words_and_switches() {
    insta::assert_snapshot!(help(&["wheels"]), @r"
    Build, audit and smoke-test wheels into `dist/`

    Usage: cargo xtask wheels [OPTIONS] [TARGET|PLATFORM]...

    Arguments:
      [TARGET|PLATFORM]...
              Base images or target names, and platforms: `debian:12 linux/amd64`

    Options:
          --all
              Every target of wheels.toml; what cannot run on this machine is reported, and the rest is
              built

          --config <FILE>
              Use another configuration of the repository: `wheels-NAME.toml`, whose wheels go to
              `dist-NAME/` [default: wheels.toml]

          --python <TAG>
              Interpreters, e.g. `cp311,cp314t`; all of wheels.toml where absent

          --only <PATTERN>
              Build identifiers or patterns of them, e.g. `cp313-*`; without targets, of all in
              wheels.toml

          --skip <PATTERN>
              Build identifiers or patterns of them that are left out, e.g. `*-debian13_*`

          --print-build-identifiers
              Print the build identifiers of what would be built, and build nothing

          --setup
              First install and start what is missing on this machine

          --dry-run
              Print the exact commands and run none of them

          --json
              Report on stdout as JSON

          --markdown
              Report on stdout as Markdown, for a job summary

          --jobs <N>
              Jobs at the same time; as many as cores and memory allow where absent

          --fail-fast
              Stop at the first failure, and the jobs that are running too

          --force
              Build again what is there already

          --no-cache
              Let the engine use none of its cached results

          --locked
              Fail where a build differs from the lock file; without it, report differences

          --no-smoke
              Skip the smoke test and the package's own tests

          --base <BASE>
              How base images may be obtained

              Possible values:
              - auto:      In the engine, pulled, bootstrapped: the first that works
              - pull:      Pulled from its registry, or an error
              - bootstrap: Made from the distribution's packages, or an error

              [default: auto]

          --accelerate
              Have emulated compilers' and apt's work done by native ones, wherever the result is the
              same; this is so by default, and said aloud where it cannot be

          --no-accelerate
              Compile and install packages for foreign platforms under emulation

          --engine <ENGINE>
              The program that builds; docker where it is there, else podman

              Possible values:
              - docker: `docker` with buildx
              - podman: `podman build`

          --engine-host <[PLATFORM=]ENGINE>
              The engine: an address (`ssh://user@host`) or a docker context, for every platform or
              (`linux/arm64=ssh://user@host`) for one

          --builder <NAME>
              buildx builder to use; the current one where absent, and never switched

          --network <NETWORK>
              Network of the build steps; the engine's own where absent

              Possible values:
              - host: That of the engine's machine

          --cache-from <CACHE>
              Read this build cache: `type=local,src=DIR`, `type=registry,ref=NAME` (or NAME alone),
              `type=gha`; each job has its own scope in it. `none` uses none of wheels.toml

          --cache-to <CACHE>
              Write this build cache: `type=local,dest=DIR`, `type=registry,ref=NAME` (or NAME alone),
              `type=gha`; `none` uses none of wheels.toml

          --no-wait
              Fail at once where another run holds `dist/`

      -v, --verbose
              Show what the build steps print

      -q, --quiet
              Show no progress

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn a_wrong_switch_exits_with_could_not_run() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_wheel-build"))
        .args(["wheels", "--no-such-switch"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn switches_of_another_command_are_answered_with_it() {
    for switch in ["--max", "--target"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_wheel-build"))
            .args(["verify", switch, "2.17", "some.whl"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(switch) && said.contains("`check-glibc --max"), "{said}");
    }
}

#[test]
fn shells_and_man_know_every_command() {
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
    // `_cargo` stands for the completion of cargo's own words.
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
