//! The table of system packages (`packages.toml`).

use std::sync::LazyLock;

use serde::Deserialize;

use super::output::Missing;
use crate::config::Family;

/// A development package of the distributions, and its contents.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Package {
    apt: Option<String>,
    dnf: Option<String>,
    apk: Option<String>,
    /// Names as in `#include`; a name that ends with `/` covers its folder.
    #[serde(default)]
    headers: Vec<String>,
    /// `ffi` for `libffi.so`.
    #[serde(default)]
    libraries: Vec<String>,
    /// Modules of pkg-config.
    #[serde(default)]
    modules: Vec<String>,
    #[serde(default)]
    programs: Vec<String>,
    /// Names in `CMake` and Meson.
    #[serde(default)]
    names: Vec<String>,
}

#[derive(Deserialize)]
struct Table {
    package: Vec<Package>,
}

static PACKAGES: LazyLock<Vec<Package>> = LazyLock::new(|| {
    let table: Result<Table, _> = toml::from_str(include_str!("packages.toml"));
    // The file is compiled in, and a test parses it.
    table.map(|table| table.package).unwrap_or_default()
});

impl Package {
    /// Name of the package in `family`, if it exists there.
    pub(super) fn of(&self, family: Family) -> Option<&str> {
        match family {
            Family::Apt => self.apt.as_deref(),
            Family::Dnf => self.dnf.as_deref(),
            Family::Apk => self.apk.as_deref(),
        }
    }

    fn has(&self, missing: &Missing) -> bool {
        let within = |header: &str, name: &str| {
            header == name || header.ends_with('/') && name.starts_with(header)
        };
        let called = |names: &[String], name: &str| {
            names.iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        match missing {
            Missing::Header(name) => self.headers.iter().any(|header| within(header, name)),
            Missing::Library(name) => self.libraries.contains(name),
            Missing::Program(name) => called(&self.programs, name),
            // Build systems also use the name of a library or program for a package.
            Missing::Module(name) => [&self.modules, &self.names, &self.libraries, &self.programs]
                .iter()
                .any(|names| called(names, name)),
            _ => false,
        }
    }
}

/// The package that provides a missing part.
pub(super) fn package(missing: &Missing) -> Option<&'static Package> {
    PACKAGES.iter().find(|package| package.has(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_of_the_table_has_names_valid_in_wheels_toml() {
        assert!(PACKAGES.len() > 150, "{}", PACKAGES.len());
        let is_name =
            |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
        for package in PACKAGES.iter() {
            let names = [&package.apt, &package.dnf, &package.apk];
            assert!(names.into_iter().flatten().all(is_name), "{:?}", package.apt);
            let kinds = [
                &package.headers,
                &package.libraries,
                &package.modules,
                &package.programs,
                &package.names,
            ];
            assert!(kinds.iter().any(|kind| !kind.is_empty()), "{:?}", package.apt);
        }
    }
}
