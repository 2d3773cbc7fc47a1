//! Native compilers for emulated platforms: when builds use them, and the fallback without them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Workspace, unfolded};

const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

/// A workspace whose registry has the image for every platform, and whose engine has none.
fn workspace() -> Workspace {
    let w = Workspace::new();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let both = toml.replace("[\"linux/amd64\"]", "[\"linux/amd64\", \"linux/arm64\"]");
    fs_err::write(w.root.join("wheels.toml"), both).unwrap();
    w.on("image", "echo 'Error: No such image' >&2; exit 1");
    w.on("imagetools", &format!("echo '{{\"digest\":\"{DIGEST}\"}}'"));
    w.on("pull", "exit 0");
    let info = common::BUILD_INFO.replace("linux/amd64", "linux/arm64");
    fs_err::write(w.fake.join("export/build-info.json"), info).unwrap();
    w
}

/// The values of the arguments that begin with one of `names`, in each bake call of a printed plan.
fn settings(text: &str, names: &[&str]) -> Vec<Vec<String>> {
    let text = unfolded(text);
    let calls = text.lines().filter(|line| line.contains("buildx bake"));
    let ours = |line: &str| {
        let words = line.split_whitespace().filter_map(|word| word.split_once(".args."));
        let words = words.map(|(_, word)| word.trim_end_matches('\''));
        let words = words.filter(|word| names.iter().any(|name| word.starts_with(name)));
        words.map(str::to_owned).collect()
    };
    calls.map(ours).collect()
}

#[test]
fn jobs_for_a_foreign_platform_use_the_native_image() {
    let w = workspace();
    let plan = |more: &[&str]| {
        let words = [&["wheels", "debian:12", "--dry-run"], more].concat();
        settings(&w.run(&words).code(0).stdout, &["ACCELERATE", "NATIVE_IMAGE"])
    };
    let on = vec!["ACCELERATE=on".to_owned(), "NATIVE_IMAGE=debian:12".to_owned()];
    // The build and the smoke test of a job.
    assert_eq!(plan(&["linux/arm64"]), [on.clone(), on.clone()]);
    assert_eq!(plan(&["linux/arm64", "--no-accelerate", "--accelerate"]), [on.clone(), on]);
    let off: [Vec<String>; 2] = [vec![], vec![]];
    assert_eq!(plan(&["linux/amd64", "--accelerate"]), off);
    assert_eq!(plan(&["linux/arm64", "--no-accelerate"]), off);
    assert_eq!(plan(&["linux/arm64", "--builder", "other"]), off);
    assert_eq!(plan(&["linux/arm64", "--engine-host", "linux/arm64=ssh://me@box"]), off);
}

#[test]
fn an_emulated_processor_has_the_features_that_wheels_may_use() {
    let w = workspace();
    let plan = |platform: &str, more: &[&str]| {
        let words = [&["wheels", "debian:12", platform, "--dry-run"], more].concat();
        settings(&w.run(&words).code(0).stdout, &["QEMU_CPU"])
    };
    let all = vec!["QEMU_CPU=max,pauth-impdef=on".to_owned()];
    assert_eq!(plan("linux/arm64", &[]), [all.clone(), all.clone()], "nothing is promised");
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let promise = |isa: &str| {
        let text = format!("{toml}\n[check]\nisa = {{ arm64 = \"{isa}\" }}\n");
        fs_err::write(w.root.join("wheels.toml"), text).unwrap();
    };
    promise("armv8.2-a");
    assert_eq!(plan("linux/arm64", &[]), [all.clone(), all]);
    promise("armv8-a");
    let first = vec!["QEMU_CPU=cortex-a72".to_owned()];
    // On a native platform nothing reads the argument, and the layers must stay the same.
    let elsewhere = ["--engine-host", "linux/arm64=ssh://me@box"];
    assert_eq!(plan("linux/arm64", &[]), [first.clone(), first.clone()]);
    assert_eq!(plan("linux/arm64", &elsewhere), [first.clone(), first]);
    assert_eq!(plan("linux/amd64", &[]), [Vec::<String>::new(), vec![]]);
}

#[test]
fn without_caches_the_smoke_test_reuses_the_built_interpreter() {
    let w = workspace();
    let text =
        w.run(&["wheels", "debian:12", "linux/amd64", "--dry-run", "--no-cache"]).code(0).stdout;
    let text = unfolded(&text);
    let calls: Vec<_> = text.lines().filter(|line| line.contains("buildx bake")).collect();
    assert_eq!(calls.len(), 2, "{text}");
    let (build, smoke) = (calls[0], calls[1]);
    assert!(build.contains(" --no-cache ") && !build.contains("XTASK_NO_CACHE"), "{build}");
    assert!(
        smoke.contains(
            "XTASK_NO_CACHE=smoke-system,smoke-fetch,smoke-requirements,smoke-env,smoke-run "
        ),
        "{smoke}"
    );
    assert!(!smoke.contains(" --no-cache "), "{smoke}");
    for call in calls {
        assert!(call.contains(".args.PACKAGE_SCOPE=sdist-"), "{call}");
    }
}

#[test]
fn both_images_are_pulled_and_a_refused_compiler_is_reported() {
    let w = workspace();
    w.on(
        "bake",
        r#"mkdir -p "$dest"
        case $target in
        smoke) smoke_passed ;;
        *) cp "$FAKE"/export/* "$dest/"
           emit "[wheel-builder 1/1] RUN sh" "xtask: not accelerated: its compiler is another" ;;
        esac"#,
    );
    let words = ["wheels", "debian:12", "linux/arm64"];
    w.run(&words).code(0).reports(&["not accelerated: its compiler is another"]);
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    for platform in ["linux/arm64", "linux/amd64"] {
        let pull = format!("pull --quiet --platform {platform} -- debian@{DIGEST}");
        assert!(log.contains(&pull), "{pull} is not in:\n{log}");
    }
    let native = format!(".args.NATIVE_IMAGE=debian@{DIGEST}");
    assert_eq!(log.lines().filter(|line| line.contains(&native)).count(), 2, "{log}");
}

#[test]
fn a_missing_native_image_disables_only_acceleration() {
    let w = workspace();
    let refuse = "case $* in *linux/amd64*) echo 'no amd64 today' >&2; exit 1 ;; esac";
    w.on("pull", refuse);
    let words = ["wheels", "debian:12", "linux/arm64"];
    w.run(&words).code(0).reports(&["not accelerated: no base image", "no amd64 today"]);
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    assert!(!log.contains("ACCELERATE"), "{log}");
}

#[test]
fn a_family_without_cross_compilers_is_reported_on_request() {
    let w = workspace();
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    fs_err::write(w.root.join("wheels.toml"), toml.replace("\"apt\"", "\"dnf\"")).unwrap();
    let words = ["wheels", "debian:12", "linux/arm64"];
    let stderr = w.run(&words).code(0).stderr;
    assert!(!stderr.contains("accelerated"), "{stderr}");
    let words = ["wheels", "debian:12", "linux/arm64", "--force", "--accelerate"];
    w.run(&words).code(0).reports(&["not accelerated: ", "family dnf"]);
}
