//! Prebuilt base images, and builders that do not see the engine's images, with a fake engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Workspace;

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];
const BUILD: [&str; 4] = ["base-image", "build", "debian:12", "linux/amd64"];
const PUSH: [&str; 4] = ["base-image", "push", "debian:12", "linux/amd64"];

/// An engine with `debian:12` that keeps each result as an image.
const KEEPING_ENGINE: &str = r#"for arg; do last=$arg; done
    case $last in
    xtask-base/*) [ -e "$FAKE/kept" ] && grep -qxF "$last" "$FAKE/kept" || { echo "Error: No such image" >&2; exit 1; }
        echo '{"Architecture":"amd64","Id":"sha256:9"}' ;;
    *) echo '{"Architecture":"amd64","Id":"sha256:1","RepoDigests":["debian@sha256:2"]}' ;;
    esac"#;
const BAKES: &str = r#"case $target in
    base-image) echo "{\"base-image\":{\"containerimage.digest\":\"sha256:9\"}}" >"$metadata"
        printf '%s\n' "$tag" >>"$FAKE/kept" ;;
    smoke) mkdir -p "$dest"; smoke_passed ;;
    *) mkdir -p "$dest"; cp "$FAKE"/export/* "$dest/" ;;
    esac"#;

fn workspace() -> Workspace {
    let w = Workspace::new();
    w.on("image", KEEPING_ENGINE);
    w.on(
        "bake",
        &format!(
            "for arg; do case $arg in base-image.tags=*) tag=${{arg#*tags=}} ;; esac
                case ${{before-}} in --metadata-file) metadata=$arg ;; esac; before=$arg; done\n{BAKES}"
        ),
    );
    w
}

fn calls(w: &Workspace) -> Vec<String> {
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap_or_default();
    log.lines().filter(|line| line.contains("buildx bake")).map(str::to_owned).collect()
}

fn configure(w: &Workspace, lines: &str) {
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    fs_err::write(path, format!("{lines}\n{toml}")).unwrap();
}

#[test]
fn a_base_image_is_built_once_and_replaces_its_stages() {
    let w = workspace();
    let first = w.run(&BUILD).code(0);
    assert!(first.stdout.contains("xtask-base/debian12-amd64:cp311-"), "{}", first.stdout);
    let second = w.run(&BUILD).code(0);
    assert!(second.stdout.contains("unchanged"), "{}", second.stdout);
    assert_eq!(w.bakes("base-image"), 1);
    w.run(&WHEELS).code(0).reports(&["using the base image xtask-base/debian12-amd64:cp311-"]);
    for target in ["wheel-builder", "smoke"] {
        let calls = calls(&w);
        let call = calls.iter().find(|call| call.ends_with(target)).unwrap();
        for stage in ["base", "interpreter"] {
            let context =
                format!("{target}.contexts.{stage}=docker-image://xtask-base/debian12-amd64:");
            assert!(call.contains(&context), "{context} in {call}");
        }
        // Its base is still the resolved image.
        assert!(
            call.contains("args.BASE_IMAGE=debian:12 ") && call.contains("BASE_DIGEST=sha256:2 ")
        );
    }
    let info = fs_err::read_to_string(w.root.join("dist/debian12-amd64/build-info.json")).unwrap();
    assert!(info.contains("\"base_image\": \"xtask-base/debian12-amd64:cp311-"), "{info}");
    let before = calls(&w).len();
    w.run(&[&WHEELS[..], &["--force", "--no-cache"]].concat()).code(0);
    assert!(calls(&w)[before..].iter().all(|call| !call.contains("xtask-base")), "`--no-cache`");
}

#[test]
fn only_recipe_base_and_settings_change_the_base_image() {
    let w = workspace();
    let reference = || {
        let ran = w.run(&[&BUILD[..], &["--json"]].concat()).code(0);
        let made: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        made[0]["reference"].as_str().unwrap().to_owned()
    };
    let mut seen = vec![reference()];
    w.replace("scripts/smoke.sh", "no part of the stage");
    configure(&w, "[check]\nnative = true");
    assert_eq!(reference(), seen[0], "files outside of the image do not change its name");
    w.replace("scripts/interpreter.sh", "false\n");
    seen.push(reference());
    configure(&w, "[toolchain]\nrust = \"distro\"");
    seen.push(reference());
    let other_base = KEEPING_ENGINE.replace("sha256:2", "sha256:3");
    w.on("image", &other_base);
    seen.push(reference());
    let different: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(different.len(), seen.len(), "{seen:?}");
}

#[test]
fn a_base_image_of_a_registry_is_used_by_its_digest() {
    let w = workspace();
    configure(&w, "[base-image]\nrepository = \"127.0.0.1:5000/base\"");
    w.on("imagetools", r#"echo '{"digest":"sha256:7","manifests":[]}'"#);
    let ran = w.run(&WHEELS).code(0);
    let ran = ran.reports(&["using the base image 127.0.0.1:5000/base:debian12-amd64-cp311-"]);
    assert!(ran.stderr.contains("(sha256:7)"), "{}", ran.stderr);
    let call = calls(&w).into_iter().find(|call| call.ends_with("wheel-builder")).unwrap();
    let (_, image) =
        call.split_once("contexts.interpreter=docker-image://127.0.0.1:5000/base:").unwrap();
    assert!(image.split(' ').next().unwrap().ends_with("@sha256:7"), "{image}");
}

#[test]
fn a_registry_failure_is_reported_once_and_builds_continue() {
    for answer in ["500 Internal Server Error", "429 Too Many Requests"] {
        let w = workspace();
        configure(&w, "[base-image]\nrepository = \"127.0.0.1:5000/base\"");
        w.on("imagetools", &format!("echo 'ERROR: unexpected status: {answer}' >&2; exit 1"));
        let args = [&WHEELS[..], &["--python", "cp311,cp313", "--jobs", "1"]].concat();
        let ran = w.run(&args).code(0).reports(&["warning: ", "`127.0.0.1:5000/base`", answer]);
        assert_eq!(ran.stderr.matches("`127.0.0.1:5000/base`").count(), 1);
        let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
        // One request, tried three times, for all jobs.
        assert_eq!(log.matches("buildx imagetools").count(), 3, "{log}");
    }
    let w = workspace();
    configure(&w, "[base-image]\nrepository = \"127.0.0.1:5000/base\"");
    w.on("imagetools", "echo 'ERROR: 127.0.0.1:5000/base:x: not found' >&2; exit 1");
    w.run(&WHEELS).code(0).reports(&["no base image `127.0.0.1:5000/base:debian12-amd64-cp311-"]);
}

#[test]
fn a_failed_push_names_its_registry() {
    let w = workspace();
    let to = [&PUSH[..], &["--to", "127.0.0.1:5000/base"]].concat();
    w.on("imagetools", "echo 'ERROR: 127.0.0.1:5000/base:x: not found' >&2; exit 1");
    w.on(
        "bake",
        "echo 'ERROR: failed to push 127.0.0.1:5000/base:x: unexpected status: 429 Too Many Requests' >&2
        exit 1",
    );
    let words = ["`127.0.0.1:5000/base`", "429", "`docker login`"];
    w.run(&to).code(2).reports(&words);
    w.on("imagetools", "echo 'ERROR: unexpected status: 500 Internal Server Error' >&2; exit 1");
    w.run(&to).code(2).reports(&["`127.0.0.1:5000/base`", "500 Internal", "`docker login`"]);
    assert_eq!(w.bakes("base-image"), 1, "only the first run reached the push");
    w.run(&PUSH).code(2).reports(&["base-image push", "--to registry.example"]);
    let wrong = [&PUSH[..], &["--to", "base:latest"]].concat();
    w.run(&wrong).code(2).reports(&["`base:latest`", "registry.example/"]);
}

#[test]
fn a_push_creates_no_tag_on_this_machine() {
    let w = workspace();
    w.on("imagetools", "echo 'ERROR: 127.0.0.1:5000/base:x: not found' >&2; exit 1");
    w.run(&[&PUSH[..], &["--to", "127.0.0.1:5000/base"]].concat()).code(0);
    let call = calls(&w).remove(0);
    assert!(call.contains("base-image.output=type=image,push=true "), "{call}");
    assert!(call.contains("base-image.tags=127.0.0.1:5000/base:debian12-amd64-cp311-"), "{call}");
    assert!(call.contains("labels.org.opencontainers.image.base.digest=sha256:2 "), "{call}");
}

#[test]
fn base_images_are_listed_with_their_use() {
    let w = workspace();
    w.run(&BUILD).code(0);
    let kept = fs_err::read_to_string(w.fake.join("kept")).unwrap();
    let (repository, tag) = kept.trim().split_once(':').unwrap();
    let line =
        |tag: &str| format!(r#"echo '{{"Repository":"{repository}","Tag":"{tag}","Size":"1MB"}}'"#);
    w.on("images", &format!("{}; {}", line("cp311-0123"), line(tag)));
    let list = w.run(&["base-image", "list"]).code(0).stdout;
    // A long row continues on the next line.
    let state = |tag: &str| {
        let row: Vec<_> = list.lines().skip_while(|line| !line.contains(tag)).take(2).collect();
        row.join(" ")
    };
    assert!(state(tag).ends_with("used by wheels"), "{list}");
    assert!(state("cp311-0123").ends_with("outdated"), "{list}");
}

/// An engine with a remote builder, which exports its image as an archive.
fn elsewhere(w: &Workspace) {
    w.on("inspect", "printf 'Name: far\\nDriver: remote\\nPlatforms: linux/amd64\\n'");
    w.on(
        "save",
        r#"layout=$FAKE/layout; mkdir -p "$layout"; echo '{}' >"$layout/oci-layout"
        echo '{"manifests":[{"digest":"sha256:5"}]}' >"$layout/index.json"
        tar -C "$layout" -cf "$3" oci-layout index.json"#,
    );
}

#[test]
fn a_builder_without_the_engines_images_receives_a_layout() {
    let w = workspace();
    elsewhere(&w);
    let args = [&WHEELS[..], &["--builder", "far"]].concat();
    w.run(&args).code(0).reports(&["loading debian:12 "]);
    for target in ["wheel-builder", "smoke"] {
        let calls = calls(&w);
        let call = calls.iter().find(|call| call.ends_with(target)).unwrap();
        let context = format!("{target}.contexts.debian:12=oci-layout://{}", w.root);
        assert!(call.contains(&context) && call.contains("@sha256:5 "), "{call}");
    }
    let log = fs_err::read_to_string(w.fake.join("log")).unwrap();
    assert_eq!(log.matches("save --output").count(), 1, "once for all: {log}");
    w.run(&[&BUILD[..], &["--builder", "far"]].concat())
        .code(2)
        .reports(&["cannot see", "base-image push"]);
}

#[test]
fn an_engine_that_cannot_export_a_layout_is_too_old() {
    let w = workspace();
    elsewhere(&w);
    w.on("save", r#"echo '[]' >"$FAKE/manifest.json"; tar -C "$FAKE" -cf "$3" manifest.json"#);
    let args = [&WHEELS[..], &["--builder", "far"]].concat();
    w.run(&args).code(2).reports(&["OCI layout", "25.0"]);
}

#[test]
fn a_base_image_that_does_not_start_differs_from_a_missing_one() {
    let w = workspace();
    let no_base = "case $* in *alpine*) exit 1 ;; esac; ";
    w.on("image", &format!("{no_base}{KEEPING_ENGINE}"));
    w.on("imagetools", "echo 'ERROR: dial tcp: no such host' >&2; exit 1");
    let command = ["base-image", "build", "linux/amd64", "alpine:3.22"];
    let ran = w.run(&[&command[..], &["--python", "cp311,cp312"]].concat()).code(2);
    assert_eq!(ran.stderr.matches("no base image for `alpine:3.22`").count(), 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("\n\nhint: ") && ran.stderr.contains("`docker pull alpine:3.22`"),
        "{}",
        ran.stderr
    );
    let both = w.run(&[&command[..], &["debian:12"]].concat()).code(1);
    assert!(both.stdout.contains("xtask-base/debian12-amd64"), "{}", both.stdout);
}

#[test]
fn a_known_system_without_a_target_has_lines_to_copy() {
    let w = workspace();
    w.on("image", "echo 'Error: No such image' >&2; exit 1");
    w.on("imagetools", "echo 'ERROR: dial tcp: lookup r.example: no such host' >&2; exit 1");
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    let hint =
        |args: &[&str]| w.run(args).code(2).stderr.split("\n\nhint: ").nth(1).unwrap().to_owned();
    let lines =
        |hint: &str| hint.split_once(":\n").unwrap().1.split("\n\n").next().unwrap().to_owned();
    let of_image = lines(&hint(&["wheels", "debian:13", "linux/amd64"]));
    for args in [["wheels", "debian13"], ["pin", "debian:13"]] {
        assert_eq!(lines(&hint(&args)).trim_end(), of_image.trim_end(), "{args:?}");
    }
    fs_err::write(&path, format!("{toml}\n{of_image}\n")).unwrap();
    let plan = w.run(&["plan", "debian13", "--json"]).code(0).stdout;
    assert!(plan.contains("\"debian13\""), "{plan}");
    let ran = w.run(&["wheels", "debian13", "linux/amd64"]).code(2);
    assert!(!ran.stderr.contains("has no `bootstrap`"), "{}", ran.stderr);
    // A target that lacks only the line gets only the line.
    let of_target = hint(&["wheels", "debian12", "linux/amd64"]);
    let line = of_target.split('`').find(|part| part.starts_with("bootstrap = ")).unwrap();
    assert!(line.contains("bookworm") && !of_target.contains("[[target]]\n"), "{of_target}");
}

#[test]
fn build_all_skips_base_images_of_foreign_platforms() {
    let w = workspace();
    let path = w.root.join("wheels.toml");
    let toml = fs_err::read_to_string(&path).unwrap();
    let both = toml.replace("[\"linux/amd64\"]", "[\"linux/amd64\", \"linux/arm64\"]");
    fs_err::write(path, both).unwrap();
    w.on("inspect", "echo 'Platforms: linux/amd64'");
    let ran = w.run(&["base-image", "build", "--all"]).code(1);
    assert!(ran.stdout.contains("xtask-base/debian12-amd64"), "{}", ran.stdout);
    ran.reports(&["cannot run linux/arm64"]);
}
