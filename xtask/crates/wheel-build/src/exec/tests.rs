#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use wheel_audit::UserError;

fn sh(script: &str) -> Step {
    Step::new("sh", ["-c", script])
}

#[test]
fn a_printed_step_can_be_pasted_and_hides_secrets() {
    let step = Step::new("docker", ["buildx", "bake", "--set", "*.args.X=a b", "it's"])
        .env("PLATFORM", "linux/amd64")
        .secret_env(
            "SETTINGS",
            "PIP_INDEX_URL=token".to_owned(),
            "$(cargo xtask host-settings settings)",
        );
    assert_eq!(
        step.to_string(),
        "PLATFORM=linux/amd64 SETTINGS=\"$(cargo xtask host-settings settings)\" \
         docker buildx bake --set '*.args.X=a b' 'it'\\''s'"
    );
    assert!(!format!("{step:?}").contains("token"));
}

#[test]
fn a_printed_step_hides_passwords_of_urls_and_tokens_of_caches() {
    for (arg, shown) in [
        ("http://me:pa55@mirror.example/debian", "http://me:****@mirror.example/debian"),
        ("deb http://a:p@b/x y http://c:q@d", "deb http://a:****@b/x y http://c:****@d"),
        (
            "*.cache-to=type=gha,token=t0k,ghtoken=g,scope=s",
            "*.cache-to=type=gha,token=****,ghtoken=****,scope=s",
        ),
        ("linux/arm64=ssh://me@box", "linux/arm64=ssh://me@box"),
        ("http://host:80/a@b:c", "http://host:80/a@b:c"),
        ("a.args.X=token=1,b=2", "a.args.X=token=1,b=2"),
    ] {
        let (step, shown) = (Step::new("x", [arg]), format!("x {}", quote(shown)));
        assert_eq!((step.to_string(), step.folded(80)), (shown.clone(), shown));
    }
}

#[test]
fn a_folded_step_is_the_same_command() {
    let mut args: Vec<String> = ["buildx", "bake", "--progress=plain"].map(str::to_owned).into();
    args.extend(
        (0..9).flat_map(|n| ["--set".to_owned(), format!("stage.args.NAME{n}=a b{n}\nc'd")]),
    );
    let hostile = [
        "", "\\", "a\\\n", "--x", "-", "--", "$(b)`c`", "!d", "#e", "~", "*?[f]", "\"'", "g\n# h",
        "\t",
    ];
    args.extend(hostile.map(str::to_owned));
    args.push("x".repeat(120));
    let step = Step::new("printf", ["%s\\n"]).args(args).env("PLATFORM", "linux/amd64");
    let folded = step.folded(60);
    let output = |script: &str| Exec::real().read(&sh(script)).unwrap();
    assert_eq!(output(&folded), output(&step.to_string()));
    let want = step.args.iter().skip(1).fold(String::new(), |text, arg| text + arg + "\n");
    assert_eq!(output(&folded), want);
    let is_long = |line: &&str| line.chars().count() > 60;
    let long: Vec<_> = folded.lines().filter(is_long).collect();
    assert!(long.len() == 1 && long[0].ends_with('x'), "{folded}");
    assert!(folded.lines().count() > 5, "{folded}");
}

#[test]
fn a_failure_contains_command_status_and_end_of_stderr() {
    let error = Exec::real().read(&sh("echo first; echo why >&2; exit 3").hint("do this"));
    let text = UserError::explain(&error.unwrap_err());
    assert!(text.contains("exit status: 3"), "{text}");
    assert!(text.ends_with("why\n\nhint: do this"), "{text}");
}

#[test]
fn a_missing_program_is_named() {
    let error = Exec::real().capture(&Step::new("no-such-program-here", ["x"])).unwrap_err();
    assert_eq!(error.to_string(), "`no-such-program-here` is not installed or not on PATH");
}

#[test]
fn a_step_is_stopped_at_its_time_limit() {
    let step = sh("sleep 60 & wait").timeout(Duration::from_millis(200));
    let error = Exec::real().capture(&step).unwrap_err();
    assert!(matches!(error, ExecError::TimedOut { .. }), "{error}");
}

#[test]
fn a_stop_ends_steps_of_clones_and_prevents_new_ones() {
    let exec = Exec::real();
    let clone = exec.clone();
    let running = std::thread::spawn(move || clone.capture(&sh("sleep 60")));
    std::thread::sleep(Duration::from_millis(100));
    exec.stop();
    let error = running.join().unwrap().unwrap_err();
    assert!(matches!(error, ExecError::Stopped), "{error}");
    assert!(matches!(exec.capture(&sh("true")), Err(ExecError::Stopped)));
    assert!(Exec::real().capture(&sh("true")).is_ok());
}

#[test]
fn lines_of_both_streams_are_whole_and_long_ones_are_split() {
    let mut seen = Vec::new();
    let step = sh("printf 'a\\nb'; printf 'longer than eight\\n' >&2");
    Exec::real()
        .lines(&step, 8, &mut |stream, line| {
            seen.push((stream == Stream::Stderr, String::from_utf8_lossy(line).into_owned()));
        })
        .unwrap();
    seen.sort();
    let text = |line: &str| line.to_owned();
    assert_eq!(seen, [(false, text("a")), (false, text("b")), (true, text("longer than eight"))]);
}

#[test]
fn a_file_is_read_as_standard_input() {
    let dir = tempfile::tempdir().unwrap();
    let file = Utf8PathBuf::from_path_buf(dir.path().join("in")).unwrap();
    fs_err::write(&file, "hello").unwrap();
    assert_eq!(Exec::real().read(&Step::new("cat", [""; 0]).stdin(&file)).unwrap(), "hello");
}

#[test]
fn a_secret_is_read_completely_and_never_shown() {
    // Larger than a pipe, so that the child must read while this process writes.
    let secret: Arc<[u8]> = b"a secret\n".repeat(50_000).into();
    let step = Step::new("sha256sum", [""; 0]).secret_stdin(&secret);
    let hash = Exec::real().read(&step).unwrap();
    assert_eq!(hash.split(' ').next(), Some(&*wheel_audit::digest::of_bytes(&secret)));
    assert!(!format!("{step} {step:?}").contains("a secret"), "{step}");
    // A child that reads nothing is no error.
    Exec::real().read(&Step::new("true", [""; 0]).secret_stdin(&secret)).unwrap();
}
