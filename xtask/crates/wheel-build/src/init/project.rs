//! The parts of `pyproject.toml` that determine `wheels.toml`. Pure.

use pep440_rs::VersionSpecifiers;
use wheel_audit::UserError;
use wheel_audit::wheel::allows_builds;

/// Releases of Python 3 to build for by default. The newest one is the newest in
/// `docker/python-sources.json`.
pub(super) const SERIES: std::ops::RangeInclusive<u8> = 10..=15;

/// Those that support the free-threaded build officially (PEP 779).
pub(super) const FREE_THREADED: std::ops::RangeInclusive<u8> = 14..=*SERIES.end();
/// The release of Python that the current PyPy implements.
const PYPY: u8 = 11;

/// A package, parsed from its `pyproject.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Project {
    /// Its name, if the file has one.
    pub(super) name: Option<String>,
    /// `requires-python` as written.
    pub(super) requires_python: Option<String>,
    /// `requires-python` parsed; every version if it is absent.
    versions: VersionSpecifiers,
    /// The module of its build backend.
    backend: String,
    /// The names in `build-system.requires`.
    requires: Vec<String>,
    /// Minor versions in its classifiers.
    classified: Vec<u8>,
    /// True if its classifiers name PyPy.
    pypy: bool,
    /// True if its classifiers mention the free-threaded build.
    free_threaded: bool,
}

/// Requirements of a build backend besides a C compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The name of the tool that needs Rust.
    pub(super) rust: Option<&'static str>,
    /// `CMake`.
    pub(super) cmake: bool,
    /// Ninja.
    pub(super) ninja: bool,
}

impl Project {
    /// Parses a `pyproject.toml`. An empty text means setuptools (PEP 518).
    ///
    /// # Errors
    /// If `text` is not valid TOML, or `requires-python` is not a version specifier.
    pub(crate) fn parse(text: &str) -> Result<Self, UserError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            UserError::new(format!("`pyproject.toml` is not valid TOML: {error}"))
        })?;
        let strings = |value: Option<&toml::Value>| -> Vec<String> {
            let list = value.and_then(toml::Value::as_array).into_iter().flatten();
            list.filter_map(|each| each.as_str().map(str::to_owned)).collect()
        };
        let project = table.get("project").and_then(toml::Value::as_table);
        let of_project = |key: &str| project.and_then(|project| project.get(key));
        let text_of = |key: &str| of_project(key).and_then(toml::Value::as_str).map(str::to_owned);
        let system = table.get("build-system").and_then(toml::Value::as_table);
        let backend = system.and_then(|it| it.get("build-backend")).and_then(toml::Value::as_str);
        let requires = strings(system.and_then(|it| it.get("requires")));
        let minor = |line: &String| {
            line.strip_prefix("Programming Language :: Python :: 3.")?.parse::<u8>().ok()
        };
        let classifiers = strings(of_project("classifiers"));
        let has = |start: &str| classifiers.iter().any(|line| line.starts_with(start));
        Ok(Self {
            pypy: has("Programming Language :: Python :: Implementation :: PyPy"),
            free_threaded: has("Programming Language :: Python :: Free Threading"),
            name: text_of("name"),
            versions: versions(of_project("requires-python"))?,
            requires_python: text_of("requires-python"),
            backend: backend.unwrap_or("setuptools.build_meta").to_owned(),
            requires: requires.iter().map(|requirement| name_of(requirement)).collect(),
            classified: classifiers.iter().filter_map(minor).collect(),
        })
    }

    /// Returns whether `requires-python` allows builds for Python 3.`minor`.
    pub(super) fn allows(&self, minor: u8) -> bool {
        allows_builds(&self.versions, (3, minor))
    }

    /// The interpreters to build for: those that `requires-python` allows. If the classifiers name versions, only
    /// those. PyPy and the free-threaded build only if the classifiers name them.
    ///
    /// # Errors
    /// If `requires-python` excludes every Python.
    pub(crate) fn pythons(&self) -> Result<Vec<String>, UserError> {
        let allowed: Vec<u8> = SERIES.filter(|minor| self.allows(*minor)).collect();
        if allowed.is_empty() {
            let required = self.requires_python.as_deref().unwrap_or_default();
            let (first, last) = (SERIES.start(), SERIES.end());
            return Err(UserError::new(format!(
                "`requires-python = \"{required}\"` in pyproject.toml excludes every Python from \
                 3.{first} to 3.{last}"
            ))
            .hint("change `requires-python`"));
        }
        let named: Vec<u8> =
            allowed.iter().copied().filter(|minor| self.classified.contains(minor)).collect();
        let chosen = if named.is_empty() { allowed } else { named };
        let mut pythons: Vec<_> = chosen.iter().map(|minor| format!("cp3{minor}")).collect();
        let free_threaded = chosen.iter().filter(|minor| FREE_THREADED.contains(minor));
        if self.free_threaded {
            pythons.extend(free_threaded.map(|minor| format!("cp3{minor}t")));
        }
        if self.pypy && chosen.contains(&PYPY) {
            pythons.push(format!("pp3{PYPY}"));
        }
        Ok(pythons)
    }

    /// Requirements of its build backend.
    pub(crate) fn needs(&self) -> Needs {
        let requires = |name: &str| self.requires.iter().any(|each| each == name);
        let rust = ["maturin", "setuptools-rust"].into_iter().find(|name| requires(name));
        let backend = self.backend.as_str();
        let cmake = backend.starts_with("scikit_build_core") || requires("cmake");
        let ninja = cmake || backend == "mesonpy" || requires("ninja");
        Needs { rust, cmake, ninja }
    }
}

/// The normalised project name in a requirement (PEP 503, PEP 508).
fn name_of(requirement: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let end = requirement.trim_start().find(|c| !is_name(c));
    let name = &requirement.trim_start()[..end.unwrap_or(requirement.trim_start().len())];
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// The versions that `requires-python` allows.
fn versions(value: Option<&toml::Value>) -> Result<VersionSpecifiers, UserError> {
    let Some(value) = value else { return Ok(VersionSpecifiers::default()) };
    let wrong = |message: String| {
        UserError::new(message).hint("for example, write `requires-python = \">=3.10\"`")
    };
    let Some(text) = value.as_str() else {
        let kind = value.type_str();
        return Err(wrong(format!(
            "`requires-python` in pyproject.toml is of type {kind}, not a string"
        )));
    };
    text.parse().map_err(|error: pep440_rs::VersionSpecifiersParseError| {
        let (text, error) = (text.escape_debug(), error.to_string());
        let why = error.lines().next().unwrap_or_default();
        wrong(format!(
            "`requires-python = \"{text}\"` in pyproject.toml is not a version specifier: {why}"
        ))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn pythons(project: &str) -> Result<Vec<String>, UserError> {
        Project::parse(&format!("[project]\nname = \"a\"\n{project}")).unwrap().pythons()
    }

    #[test]
    fn requires_python_and_classifiers_select_the_interpreters() {
        assert_eq!(pythons("").unwrap().len(), SERIES.count());
        assert_eq!(pythons("requires-python = \">=3.12,<3.14\"").unwrap(), ["cp312", "cp313"]);
        assert_eq!(pythons("requires-python = \">=3.11,<=3.13\"").unwrap(), ["cp311", "cp312"]);
        let classified = "requires-python = \">=3.11\"\nclassifiers = [\
            \"Programming Language :: Python :: 3\", \"Programming Language :: Python :: 3.9\", \
            \"Programming Language :: Python :: 3.12\"]";
        assert_eq!(pythons(classified).unwrap(), ["cp312"]);
        let others = "classifiers = [\"Programming Language :: Python :: Implementation :: PyPy\", \
            \"Programming Language :: Python :: Free Threading :: 2 - Beta\"]";
        let found = pythons(others).unwrap();
        assert_eq!(found[SERIES.count()..], ["cp314t", "cp315t", "pp311"]);
        let recent = pythons(&format!("requires-python = \">=3.12\"\n{others}")).unwrap();
        assert_eq!(recent.last().map(String::as_str), Some("cp315t"));
        let old = "classifiers = [\"Programming Language :: Python :: 3.6\"]";
        assert_eq!(pythons(old).unwrap().len(), SERIES.count(), "outdated classifiers are ignored");
        let error = pythons("requires-python = \"<3.8\"").unwrap_err();
        assert!(error.message.contains("<3.8"), "{error}");
    }

    #[test]
    fn the_newest_release_is_the_newest_source() {
        let sources = crate::assets::text("docker/python-sources.json");
        let sources: serde_json::Value = serde_json::from_str(sources).unwrap();
        let series = sources["sources"].as_object().unwrap().keys();
        let minors = series.map(|series| series.strip_prefix("3.").unwrap().parse().unwrap());
        assert_eq!(minors.max(), Some(*SERIES.end()));
    }

    #[test]
    fn requires_python_is_a_version_specifier() {
        for (wrong, named) in [
            ("\"banana\"", "`requires-python = \"banana\"`"),
            ("\"3.10\"", "`requires-python = \"3.10\"`"),
            ("3.10", "float"),
            ("[\">=3.10\"]", "array"),
        ] {
            let text = format!("[project]\nrequires-python = {wrong}\n");
            let error = Project::parse(&text).unwrap_err();
            assert!(error.message.contains(named) && error.hint.is_some(), "{error}");
        }
    }

    #[test]
    fn a_backend_determines_the_needs() {
        let needs = |requires: &str, backend: &str| {
            let text =
                format!("[build-system]\nrequires = [{requires}]\nbuild-backend = \"{backend}\"\n");
            Project::parse(&text).unwrap().needs()
        };
        let maturin = needs("\"maturin>=1.9,<2\"", "maturin");
        assert_eq!((maturin.rust, maturin.cmake), (Some("maturin"), false));
        let rust =
            needs("\"setuptools\", \"Setuptools_Rust ; os_name == 'x'\"", "setuptools.build_meta");
        assert_eq!(rust.rust, Some("setuptools-rust"));
        let scikit = needs("\"scikit-build-core\"", "scikit_build_core.build");
        assert!(scikit.cmake && scikit.ninja && scikit.rust.is_none());
        let meson = needs("\"meson-python\"", "mesonpy");
        assert!(meson.ninja && !meson.cmake);
        let none = Project::parse("").unwrap().needs();
        assert_eq!(none, Needs { rust: None, cmake: false, ninja: false });
    }
}
