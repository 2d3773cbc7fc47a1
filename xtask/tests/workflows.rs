//! The workflows contain no logic.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camino::Utf8Path;

fn workflows() -> Vec<(String, String)> {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let names = ["ci.yml", "scheduled.yml", "wheels-docker.yml"];
    let text = |name: &str| fs_err::read_to_string(root.join(".github/workflows").join(name));
    names.iter().map(|&name| (name.to_owned(), text(name).unwrap())).collect()
}

/// The values of all lines `key: value` of a workflow, including those that begin a list item.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let line = |line: &'a str| line.trim_start().trim_start_matches("- ").strip_prefix(key);
    text.lines().filter_map(line).map(str::trim).collect()
}

/// Returns whether a step is one command that has tests elsewhere.
fn is_command(run: &str) -> bool {
    let starts =
        ["cargo xtask ", "rustup toolchain install ", "sh xtask/system-packages/refresh.sh "];
    starts.iter().any(|start| run.starts_with(start))
}

/// The path of the program that the job `tool` compiled.
const TOOL: &str = "target/tool/xtask";

#[test]
fn each_step_is_one_command() {
    let (_, hosted) = workflows().pop().unwrap();
    for (name, text) in workflows() {
        let runs = values(&text, "run:");
        assert!(!runs.is_empty(), "{name} runs nothing");
        let injected = runs.iter().filter(|run| run.contains("${{"));
        assert_eq!(injected.count(), 0, "{name}: an expression in a command is an injection");
        let joined = runs.iter().filter(|run| run.contains(['|', ';', '&', '`']));
        assert_eq!(joined.count(), 0, "{name}: {runs:?}");
        if text != hosted {
            assert!(runs.iter().all(|run| is_command(run)), "{name}: {runs:?}");
        }
    }
}

#[test]
fn one_job_compiles_and_the_others_use_its_program() {
    let (_, text) = workflows().pop().unwrap();
    for (name, job) in jobs(&text) {
        let runs = values(job, "run:");
        let compiles = runs.iter().filter(|run| run.contains("cargo")).count();
        if name == "tool" {
            assert_eq!((runs.len(), compiles), (2, 1), "{runs:?}");
            assert!(runs[0].starts_with("rustup toolchain install "), "{runs:?}");
            assert!(runs[1].starts_with("cargo build --locked --release "), "{runs:?}");
            assert_eq!(job.matches("cache-hit != 'true'").count(), 3, "{job}");
            assert!(job.contains("-${{ env.RUSTUP_TOOLCHAIN }}-${{ hashFiles('"), "{job}");
            continue;
        }
        assert_eq!(compiles, 0, "{name}: {runs:?}");
        let makes_executable = format!("chmod +x {TOOL}");
        let calls = runs.iter().filter(|run| run.starts_with(&format!("{TOOL} "))).count();
        if ["attest", "publish"].contains(&name) {
            assert_eq!(runs.len(), 0, "{runs:?}");
        } else {
            assert_eq!(runs[0], makes_executable, "{name}");
            assert_eq!(calls, runs.len() - 1, "{name}: {runs:?}");
            let label = if name == "build" { "${{ matrix.runner }}" } else { "ubuntu-24.04" };
            assert!(job.contains(&format!("name: xtask-{label}\n")), "{name}");
            assert!(job.find("path: target/tool\n") < job.find(TOOL), "{name}");
        }
    }
    // A program for each machine that the plan can name.
    assert!(text.contains("label: [ubuntu-24.04, ubuntu-24.04-arm]\n"), "{text}");
}

#[test]
fn actions_are_pinned_by_commit_and_permissions_are_least() {
    for (name, text) in workflows() {
        for action in values(&text, "uses:") {
            let (_, pin) = action.split_once('@').unwrap();
            if action.starts_with("docker://") {
                assert!(pin.starts_with("sha256:") && pin.len() == 71, "{name}: `{action}`");
                continue;
            }
            let commit = pin.split(' ').next().unwrap();
            let is_hash = commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
            assert!(is_hash && pin.contains(" # v"), "{name}: `{action}` is not pinned");
        }
        assert!(text.contains("\npermissions:\n  contents: read\n"), "{name}");
        assert!(text.contains("persist-credentials: false"), "{name}");
    }
}

/// The text of each job, by its name.
fn jobs(text: &str) -> Vec<(&str, &str)> {
    let (_, jobs) = text.split_once("\njobs:\n").unwrap();
    let starts: Vec<usize> = jobs
        .match_indices("\n  ")
        .map(|(at, _)| at + 1)
        .chain([0])
        .filter(|&at| jobs[at..].starts_with("  ") && !jobs[at + 2..].starts_with([' ', '#']))
        .collect();
    let mut starts: Vec<usize> = starts.into_iter().collect();
    starts.sort_unstable();
    let ends = starts.iter().skip(1).copied().chain([jobs.len()]);
    let job = |(start, end): (&usize, usize)| {
        let text = &jobs[*start..end];
        (text.trim_start().split(':').next().unwrap(), text)
    };
    starts.iter().zip(ends).map(job).collect()
}

#[test]
fn each_permission_is_in_one_job_and_id_token_jobs_run_no_code() {
    let (_, text) = workflows().pop().unwrap();
    let jobs = jobs(&text);
    let names: Vec<_> = jobs.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["tool", "plan", "build", "collect", "release", "attest", "publish"]);
    let with = |permission: &str| {
        let with = jobs.iter().filter(|(_, text)| text.contains(permission));
        with.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    assert_eq!(with("contents: write"), ["release"]);
    assert_eq!(with("id-token: write"), ["attest", "publish"]);
    assert_eq!(with("attestations: write"), ["attest"]);
    assert_eq!(with("github.token"), ["collect", "release"]);
    assert_eq!(with("environment: "), ["publish"]);
    assert_eq!(text.matches(": write").count(), 4, "no other permission");
    for (_, job) in &jobs[5..] {
        assert!(!job.contains("run:") && !job.contains("checkout"), "{job}");
    }
    let (_, publish) = jobs.last().unwrap();
    assert!(publish.contains("attestations: true") && publish.contains("needs: release"));
    assert!(publish.contains("github.ref_type == 'tag'"), "{publish}");
}

#[test]
fn the_release_depends_on_collect_and_not_on_each_build() {
    let (_, text) = workflows().pop().unwrap();
    let jobs: std::collections::BTreeMap<_, _> = jobs(&text).into_iter().collect();
    assert!(jobs["build"].contains("continue-on-error: ${{ !matrix.required }}"));
    // Without a status function, a condition requires `success()` of every earlier job, not only of those in `needs`.
    for (job, before) in [
        ("collect", "build"),
        ("release", "collect"),
        ("attest", "release"),
        ("publish", "release"),
    ] {
        let condition = values(jobs[job], "if:")[0];
        assert!(condition.contains("!cancelled() && "), "{job}: {condition}");
        assert!(condition.contains(&format!("needs.{before}.result")), "{job}: {condition}");
    }
    for (job, before) in [("release", "collect"), ("attest", "release"), ("publish", "release")] {
        assert!(
            values(jobs[job], "if:")[0].contains(&format!("needs.{before}.result == 'success'"))
        );
    }
}

#[test]
fn a_tag_without_a_version_is_not_published() {
    let (_, text) = workflows().pop().unwrap();
    let jobs: std::collections::BTreeMap<_, _> = jobs(&text).into_iter().collect();
    assert!(jobs["release"].contains("--github >> \"$GITHUB_OUTPUT\"\n        id: release\n"));
    assert!(jobs["release"].contains("publish: ${{ steps.release.outputs.publish }}"));
    assert!(values(jobs["publish"], "if:")[0].contains("needs.release.outputs.publish == 'true'"));
    assert!(values(jobs["attest"], "if:")[0].contains("needs.release.outputs.released == 'true'"));
}

#[test]
fn defect_13_a_rejected_wheel_stops_the_run_before_the_upload() {
    let (_, text) = workflows().pop().unwrap();
    let runs = values(&text, "run:");
    let at = |part: &str| runs.iter().position(|run| run.contains(part)).unwrap();
    assert!(at("collect target/collect") < at("verify --publish"));
    assert!(at("verify --publish") < at("index target/upload --flat --publish"));
    let upload = text.find("name: upload\n").unwrap();
    assert!(text.find("index target/upload").unwrap() < upload, "checked, then handed over");
}

#[test]
fn the_workflow_matches_wheels_toml() {
    let check = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["workflow", "check"])
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

#[test]
fn an_action_has_one_pin() {
    let mut pins = std::collections::BTreeMap::new();
    for (name, text) in workflows() {
        for action in values(&text, "uses:") {
            let (action, pin) = action.split_once('@').unwrap();
            let known = pins.entry(action.to_owned()).or_insert_with(|| pin.to_owned());
            assert_eq!(known, pin, "{name}: {action}");
        }
    }
    assert!(pins.len() > 3, "{pins:?}");
}

#[test]
fn defect_19_only_the_build_step_has_the_cache_and_its_token() {
    let (_, text) = workflows().pop().unwrap();
    let jobs = jobs(&text);
    let build = jobs.iter().find(|(name, _)| *name == "build").unwrap().1;
    assert_eq!(text.matches("ACTIONS_").count(), build.matches("ACTIONS_").count());
    let steps: Vec<&str> = build.split("\n      - ").collect();
    let with = |word: &str| steps.iter().filter(|step| step.contains(word)).count();
    assert_eq!(with("outputs.token }}"), 1, "{build}");
    let step = steps.iter().find(|step| step.contains("xtask wheels ")).unwrap();
    for word in ["outputs.token }}", "outputs.url }}", "ACTIONS_CACHE_SERVICE_V2: \"true\""] {
        assert!(step.contains(word), "{word}: {step}");
    }
    assert!(build.contains("core.setSecret(token)") && !text.contains("exportVariable"));
    // If the cache or the builder fails, the job still builds its wheels.
    for step in
        steps.iter().filter(|step| step.contains("id: builder") || step.contains("id: layers"))
    {
        assert!(step.contains("continue-on-error: true"), "{step}");
    }
}

#[test]
fn ci_runs_the_command_of_the_readme() {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let run = fs_err::read_to_string(root.join(".ci/run")).unwrap();
    assert!(run.ends_with("exec cargo xtask ci --setup\n"));
    let readme = fs_err::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains("\ncargo xtask ci --setup\n"));
}

#[test]
fn the_tool_names_no_user_and_no_file_of_this_repository() {
    const WORDS: [&str; 6] =
        ["autobahn", "_nvx", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "xtask/crates/"];
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["crates/wheel-audit/src", "crates/wheel-build/src", "../docker", "../scripts"];
    for file in folders.iter().flat_map(|folder| walkdir::WalkDir::new(root.join(folder))) {
        let file = file.unwrap();
        let path = Utf8Path::from_path(file.path()).unwrap();
        let is_text = ["rs", "py", "sh", "yml", "toml", "txt", "hcl", "wheels"]
            .contains(&path.extension().unwrap_or_default());
        // One file has the layout of a clone, and these requirements belong to this repository.
        let is_own = ["src/clone.rs", "src/init/tool.rs", "docker/build-requirements.txt"];
        let is_test = path.file_stem().is_some_and(|stem| stem.ends_with("tests"));
        let is_left_out = is_test || is_own.iter().any(|own| path.ends_with(own));
        if !file.file_type().is_file() || !is_text || is_left_out {
            continue;
        }
        let text = fs_err::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let found: Vec<_> = WORDS.iter().filter(|word| code.contains(*word)).collect();
        assert!(found.is_empty(), "{path}: {found:?}");
    }
}
