//! Static checks of the files for hosted services: this repository's own, and those that `workflow write` makes for
//! other configurations.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use super::outcome::Outcome;
use super::run_step;
use super::tools::{self, Missing};
use wheel_build::own::{Exec, Step, Workspace};

/// Configurations with different workflows: name, and `[ci]` and `[publish]` of each.
const VARIANTS: [(&str, &str); 4] = [
    ("plain", "[ci]\n"),
    (
        "publish",
        "[ci]\nsarif = true\nschedule = \"17 3 * * 1\"\n[publish]\nenvironment = \"index\"\n",
    ),
    (
        "registry",
        "[ci]\ncache = \"registry\"\ncache-repository = \"registry.example/owner/cache\"\n\
         [publish]\nenvironment = \"index\"\n",
    ),
    ("none", "[ci]\nbranch = \"trunk\"\ncache = \"none\"\n"),
];

/// Added to `[ci]`: each configuration is also written with an emulated platform.
const EMULATE: &str = "emulate = [\"linux/s390x\"]\n";

/// The rest of each configuration.
const CONFIG: &str = r#"[source]
path = "."
[build]
pythons = ["cp312", "cp313"]
[[target]]
name = "debian12"
image = "debian:12"
family = "apt"
glibc = "2.36"
"#;

/// The packages that `hosted.py` imports or reads.
const PACKAGES: [&str; 3] = ["check-jsonschema", "fastjsonschema", "ruamel.yaml"];

/// Where GitHub and GitLab find workflows, relative to a repository.
const GITHUB: &str = ".github/workflows";
const GITLAB: &str = ".gitlab";

/// Runs zizmor on every workflow.
///
/// # Errors
/// If a file cannot be written, or xtask was interrupted.
pub(super) fn zizmor(
    exec: &Exec,
    workspace: &Workspace,
    folder: &Utf8Path,
    missing: &Missing,
) -> anyhow::Result<Outcome> {
    let (files, _) = files(exec, workspace)?;
    let step = Step::new(&tools::program(folder, "zizmor"), ["--offline", "--no-progress"])
        .args(["--persona", "auditor", "--"])
        .args(files.iter().map(|file| file.as_str()));
    run_step(exec, workspace, step, Some(missing))
}

/// Checks every workflow against its service's schema, and Renovate's configuration against the files that it updates.
///
/// # Errors
/// If a file cannot be written, or xtask was interrupted.
pub(super) fn schemas(
    exec: &Exec,
    workspace: &Workspace,
    folder: &Utf8Path,
    missing: &Missing,
) -> anyhow::Result<Outcome> {
    let mut packages = Vec::new();
    for name in PACKAGES {
        match tools::package(folder, name) {
            Some(path) => packages.push(path.into_string()),
            None => return Ok(Outcome::Skipped(missing.reason_of_package(name))),
        }
    }
    let script = |words: &[&str]| {
        Step::new("python3", ["-B", "xtask/src/ci/hosted.py"])
            .args(words.iter().copied())
            .env("PYTHONPATH", packages.join(":"))
    };
    let (github, gitlab) = files(exec, workspace)?;
    let schema = |name: &str, files: &[Utf8PathBuf]| {
        let files = files.iter().map(|file| file.as_str());
        script(&["schema", name].into_iter().chain(files).collect::<Vec<_>>())
    };
    let steps = [
        schema("github-workflows", &github),
        schema("gitlab-ci", &gitlab),
        script(&["renovate", ".", ".github/renovate.json"]),
    ];
    for step in steps {
        let outcome = run_step(exec, workspace, step, None)?;
        if outcome != Outcome::of(true) {
            return Ok(outcome);
        }
    }
    Ok(Outcome::of(true))
}

/// The workflows of GitHub, its own and those of each of [`VARIANTS`]; and those of GitLab.
fn files(
    exec: &Exec,
    workspace: &Workspace,
) -> anyhow::Result<(Vec<Utf8PathBuf>, Vec<Utf8PathBuf>)> {
    // An earlier check may have recompiled this program, and Linux then adds a word to the path of the old one.
    let program = Utf8PathBuf::try_from(std::env::current_exe()?)?;
    let program = program.as_str().trim_end_matches(" (deleted)");
    let folder = workspace.work.join("workflows");
    let (mut github, mut gitlab) = (below(&workspace.root.join(GITHUB))?, Vec::new());
    for ((name, more), emulates) in VARIANTS.iter().flat_map(|it| [(it, false), (it, true)]) {
        let root =
            folder.join(if emulates { format!("{name}-emulate") } else { (*name).to_owned() });
        if root.exists() {
            fs_err::remove_dir_all(&root)?;
        }
        fs_err::create_dir_all(&root)?;
        let (platform, more) = if emulates {
            (", \"linux/s390x\"", more.replace("[ci]\n", &format!("[ci]\n{EMULATE}")))
        } else {
            ("", (*more).to_owned())
        };
        let platforms = format!("platforms = [\"linux/amd64\", \"linux/arm64\"{platform}]\n");
        fs_err::write(root.join("wheels.toml"), format!("{CONFIG}{platforms}{more}"))?;
        for host in ["github", "gitlab"] {
            let step = Step::new(program, ["workflow", "write", "--host", host]);
            // The workspace is the folder above this one.
            let step = step.cwd(&root).env("CARGO_MANIFEST_DIR", root.as_str());
            let context = || format!("no workflow of the configuration `{name}`");
            exec.read(&step).with_context(context)?;
        }
        github.extend(below(&root.join(GITHUB))?);
        gitlab.extend(below(&root.join(GITLAB))?);
    }
    Ok((github, gitlab))
}

/// The files of `folder`, sorted.
fn below(folder: &Utf8Path) -> std::io::Result<Vec<Utf8PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8()? {
        files.push(entry?.into_path());
    }
    files.sort();
    Ok(files)
}
