//! Metadata of a package in `pyproject.toml` and `setup.cfg`.

use std::io::Read as _;
use std::path::Path;

use camino::Utf8Path;
use pep440_rs::VersionSpecifiers;
use wheel_audit::UserError;
use wheel_audit::wheel::{Interpreter, allows, allows_builds};

use super::disk::open;
use crate::config::{Config, Source};

/// Maximum size of a `pyproject.toml`, `Cargo.toml` or `Cargo.lock`, in bytes.
const MAX_SETTINGS: u64 = 4 << 20;

/// Text of a file in `tree`, up to [`MAX_SETTINGS`]; `None` if it is missing or not text.
pub(super) fn text_of(tree: &Utf8Path, name: &Path) -> Option<String> {
    // The tree is untrusted: reject links, devices, and files that would fill the memory.
    let mut text = String::new();
    let file = open(&tree.as_std_path().join(name)).ok()?;
    file.take(MAX_SETTINGS).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Text of a file at the top of `tree`; empty if it is missing.
pub(super) fn settings_of(tree: &Utf8Path, name: &str) -> String {
    text_of(tree, Path::new(name)).unwrap_or_default()
}

/// The table `[project]` of `pyproject.toml` in `tree`, if it exists.
fn project_table(tree: &Utf8Path) -> Option<toml::Table> {
    let pyproject = settings_of(tree, "pyproject.toml").parse::<toml::Table>().ok()?;
    pyproject.get("project")?.as_table().cloned()
}

/// The versions of Python that the package in `tree` declares, and the file that declares them.
fn requires_python(tree: &Utf8Path) -> Option<(String, &'static str)> {
    let pyproject = settings_of(tree, "pyproject.toml").parse::<toml::Table>().ok()?;
    if let Some(project) = pyproject.get("project") {
        let requires = project.get("requires-python")?.as_str()?.to_owned();
        return Some((requires, "`requires-python` in its pyproject.toml"));
    }
    // Without `[project]`, setuptools reads its own file; other backends do not.
    let backend = pyproject.get("build-system").and_then(|table| table.get("build-backend"));
    if backend.is_some_and(|name| name.as_str().is_none_or(|name| !name.starts_with("setuptools.")))
    {
        return None;
    }
    let requires = option(&settings_of(tree, "setup.cfg"), "python_requires")?;
    Some((requires, "`python_requires` in its setup.cfg"))
}

/// Value of a key in the section `[options]` of a `setup.cfg`.
fn option(text: &str, key: &str) -> Option<String> {
    let lines = text.lines().skip_while(|line| line.trim_end() != "[options]").skip(1);
    let of_key = |line: &str| {
        let (name, value) = line.split_once(['=', ':'])?;
        (name.trim_end().replace('-', "_") == key).then(|| value.trim().to_owned())
    };
    lines.take_while(|line| !line.starts_with('[')).find_map(of_key)
}

/// Rejects an interpreter that the package excludes, before the build. `requires-python.py` does it for a source
/// archive of the index, which only the build has.
///
/// # Errors
/// If one of `pythons` is excluded; the message has the package's own text.
pub(crate) fn check_requires_python(
    config: &Config,
    root: &Utf8Path,
    pythons: impl IntoIterator<Item = Interpreter>,
) -> Result<(), UserError> {
    let Source::Path(source) = &config.source else { return Ok(()) };
    let package = root.join(&source.path).join(&source.package);
    let Some((requires, place)) = requires_python(&package) else { return Ok(()) };
    // Invalid text is left to the build backend, which reports it.
    let Ok(specifiers) = requires.parse::<VersionSpecifiers>() else { return Ok(()) };
    let excluded = |python: &Interpreter| !allows_builds(&specifiers, python.python_version());
    let Some(interpreter) = pythons.into_iter().find(excluded) else { return Ok(()) };
    let requires = requires.escape_debug();
    let message = format!("the package excludes `{interpreter}`: {place} is `{requires}`");
    let hint = format!("remove `{interpreter}` from `pythons` in wheels.toml");
    let (major, minor) = interpreter.python_version();
    if !allows(&specifiers, (major, minor)) {
        return Err(UserError::new(message).hint(hint));
    }
    let next = minor.saturating_add(1);
    Err(UserError::new(format!("{message}, which allows only {major}.{minor}.0")).hint(format!(
        "write `<{major}.{next}` to allow every release of {major}.{minor}, or {hint}"
    )))
}

/// The name of the project in `pyproject.toml` of `tree`.
pub(super) fn name(tree: &Utf8Path) -> Option<String> {
    Some(project_table(tree)?.get("name")?.as_str()?.to_owned())
}

/// The name of the project in `pyproject.toml` of `tree`, or the folder's full path.
pub(super) fn project(tree: &Utf8Path) -> String {
    let folder = || tree.canonicalize_utf8().ok().map(|path| path.to_string());
    name(tree).or_else(folder).unwrap_or_default()
}
