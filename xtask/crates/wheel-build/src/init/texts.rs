//! The texts of the files that `init` writes. Pure.

use camino::Utf8Path;

use super::cibuildwheel::Translation;
use super::fill;
use super::project::Project;
use wheel_audit::UserError;

/// Commented configuration.
const WHEELS_TOML: &str = include_str!("wheels.toml");
const MANIFEST: &str = include_str!("Cargo.toml.txt");
const WORKSPACE: &str = include_str!("workspace.txt");
/// `xtask/src/main.rs`.
pub(super) const MAIN: &str = include_str!("main.rs.txt");
/// `xtask/.gitattributes`: build files run in Linux containers.
pub(super) const ATTRIBUTES: &str = "* text=auto eol=lf\n";
/// The lines that `.gitignore` needs.
pub(super) const IGNORED: [&str; 6] = [
    "/target/",
    "/dist/",
    "/dist-*/",
    "/xtask/target/",
    "/wheels.local.toml",
    "/wheels-*.local.toml",
];

/// How `cargo xtask` finds the tool's package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// `xtask/` is a workspace of its own.
    Own,
    /// `xtask/` is a member of the repository's workspace.
    Member,
}

impl Layout {
    /// The alias in `.cargo/config.toml`.
    pub(super) fn alias(self) -> &'static str {
        match self {
            Self::Own => "run --manifest-path xtask/Cargo.toml --",
            Self::Member => "run --package xtask --",
        }
    }
}

/// `wheels.toml` for `project` in the folder `package` of the repository, with the settings of `new`.
///
/// # Errors
/// If no interpreter is left.
pub(super) fn wheels_toml(
    project: &Project,
    package: &Utf8Path,
    new: Option<&Translation>,
) -> Result<String, UserError> {
    let pythons = project.pythons()?;
    let why = match &project.requires_python {
        _ if new.is_some_and(|new| new.keys.contains_key("build.pythons")) => {
            "`[tool.cibuildwheel]` and `requires-python` select these.".to_owned()
        }
        Some(words) => format!("`requires-python = \"{}\"` allows these.", words.escape_debug()),
        None => {
            "pyproject.toml has no `requires-python`: these are the current releases.".to_owned()
        }
    };
    let needs = project.needs();
    let why_rust = needs.rust.map(|name| format!(" {name} requires it.")).unwrap_or_default();
    let mut keys = new.map(|new| new.keys.clone()).unwrap_or_default();
    keys.entry("build.pythons".to_owned()).or_insert_with(|| pythons.into());
    if needs.rust.is_some() {
        keys.insert("toolchain.rust".to_owned(), "rustup".into());
    }
    if !package.as_str().is_empty() {
        keys.insert("source.package".to_owned(), package.as_str().into());
    }
    for (is_needed, names) in [
        (needs.cmake, ["cmake", "cmake", "cmake"]),
        (needs.ninja, ["ninja-build", "ninja-build", "samurai"]),
    ] {
        if !is_needed {
            continue;
        }
        let packages = keys.entry("build.system_packages".to_owned());
        let packages = packages.or_insert_with(|| toml::Table::new().into());
        for (family, name) in ["apt", "dnf", "apk"].into_iter().zip(names) {
            let Some(packages) = packages.as_table_mut() else { continue };
            let list = packages.entry(family).or_insert_with(|| Vec::<String>::new().into());
            if let Some(list) = list.as_array_mut().filter(|list| !list.contains(&name.into())) {
                list.push(name.into());
            }
        }
    }
    let template = WHEELS_TOML.replace("<why-pythons>", &why).replace("<why-rust>", &why_rust);
    let text = fill::keys(&template, keys);
    Ok(new.map_or_else(|| text.clone(), |new| fill::translation(&text, new)))
}

/// `xtask/Cargo.toml`, with the dependency `tool` as an inline table.
pub(super) fn manifest(layout: Layout, tool: &str) -> String {
    let workspace = if layout == Layout::Own { WORKSPACE } else { "" };
    MANIFEST.replace("<tool>", tool) + workspace
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::config;

    #[test]
    fn every_wheels_toml_is_valid_and_has_what_the_package_needs() {
        let read = |pyproject: &str| {
            let text =
                wheels_toml(&Project::parse(pyproject).unwrap(), Utf8Path::new(""), None).unwrap();
            assert!(!text.contains("<why-"));
            config::parse_text(Utf8Path::new("wheels.toml"), &text).unwrap()
        };
        let plain = read("");
        assert_eq!(plain.toolchain.rust, config::Rust::None);
        assert!(plain.build.system_packages.is_empty() && plain.targets.len() == 3);
        let maturin =
            read("[build-system]\nrequires = [\"maturin\"]\nbuild-backend = \"maturin\"\n");
        assert_eq!(maturin.toolchain.rust, config::Rust::Rustup);
        let scikit = read(
            "[build-system]\nrequires = [\"scikit-build-core\"]\n\
            build-backend = \"scikit_build_core.build\"\n[project]\nname = \"a\"\n\
            requires-python = \">=3.13\"\n",
        );
        assert_eq!(scikit.build.pythons.len(), 3);
        assert_eq!(scikit.build.system_packages[&config::Family::Apk], ["cmake", "samurai"]);
    }

    #[test]
    fn a_member_has_no_workspace_of_its_own() {
        let own: toml::Table = manifest(Layout::Own, "{ path = \"a\" }").parse().unwrap();
        let member: toml::Table = manifest(Layout::Member, "{ path = \"a\" }").parse().unwrap();
        assert!(own.contains_key("workspace") && !member.contains_key("workspace"));
        assert_eq!(member["dependencies"]["wheel-build"]["path"].as_str(), Some("a"));
    }
}
