//! Static checks of the files that hosted services read: this repository's own, and what `workflow write` makes of
//! other configurations.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use super::outcome::Outcome;
use super::run_step;
use super::tools::{self, Missing};
use wheel_build::own::{Exec, Step, Workspace};

/// Configurations whose workflow differs, by name: what `[ci]` and `[publish]` hold in each.
const VARIANTS: [(&str, &str); 3] = [
    ("plain", ""),
    ("publish", "[publish]\nenvironment = \"index\"\n"),
    ("emulate", "[ci]\nbranch = \"trunk\"\nemulate = [\"linux/s390x\"]\n"),
];

/// What each of them has besides.
const CONFIG: &str = r#"[source]
path = "."
[build]
pythons = ["cp312", "cp313"]
[[target]]
name = "debian12"
image = "debian:12"
family = "apt"
glibc = "2.36"
platforms = ["linux/amd64", "linux/arm64", "linux/s390x"]
"#;

/// The packages that `hosted.py` imports or reads.
const PACKAGES: [&str; 3] = ["check-jsonschema", "fastjsonschema", "ruamel.yaml"];

/// Where the own workflows are, relative to the workspace.
const OWN: &str = ".github/workflows";

/// Runs zizmor on every workflow.
///
/// # Errors
/// When a file cannot be written, or xtask was interrupted.
pub(super) fn zizmor(
    exec: &Exec,
    workspace: &Workspace,
    folder: &Utf8Path,
    missing: &Missing,
) -> anyhow::Result<Outcome> {
    let files = files(exec, workspace)?;
    let step = Step::new(&tools::program(folder, "zizmor"), ["--offline", "--no-progress"])
        .args(["--persona", "auditor", "--"])
        .args(files.iter().map(|file| file.as_str()));
    run_step(exec, workspace, step, Some(missing))
}

/// Checks every workflow against its service's schema, and Renovate's configuration against the files that it updates.
///
/// # Errors
/// When a file cannot be written, or xtask was interrupted.
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
    let files = files(exec, workspace)?;
    let files = files.iter().map(|file| file.as_str());
    let workflows: Vec<_> = ["schema", "github-workflows"].into_iter().chain(files).collect();
    for step in [script(&workflows), script(&["renovate", ".", ".github/renovate.json"])] {
        let outcome = run_step(exec, workspace, step, None)?;
        if outcome != Outcome::of(true) {
            return Ok(outcome);
        }
    }
    Ok(Outcome::of(true))
}

/// The own workflows, and those that `workflow write` makes of each of [`VARIANTS`].
fn files(exec: &Exec, workspace: &Workspace) -> anyhow::Result<Vec<Utf8PathBuf>> {
    let program = Utf8PathBuf::try_from(std::env::current_exe()?)?;
    let folder = workspace.work.join("workflows");
    let mut files = below(&workspace.root.join(OWN))?;
    for (name, more) in VARIANTS {
        let root = folder.join(name);
        if root.exists() {
            fs_err::remove_dir_all(&root)?;
        }
        fs_err::create_dir_all(&root)?;
        fs_err::write(root.join("wheels.toml"), format!("{CONFIG}{more}"))?;
        let step = Step::new(program.as_str(), ["workflow", "write"]);
        // The workspace is the one above this folder.
        let step = step.cwd(&root).env("CARGO_MANIFEST_DIR", root.as_str());
        exec.read(&step).with_context(|| format!("no workflow of the configuration `{name}`"))?;
        files.extend(below(&root.join(OWN))?);
    }
    Ok(files)
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
