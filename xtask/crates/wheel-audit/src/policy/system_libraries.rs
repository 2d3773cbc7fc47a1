//! The system packages of common libraries (`data/system-libraries.toml`).

use std::sync::LazyLock;

use serde::Deserialize;

/// A system library with its package in each family of distributions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SystemLibrary {
    soname: String,
    debian: Option<String>,
    el: Option<String>,
    alpine: Option<String>,
}

impl SystemLibrary {
    /// The library, by its name in `DT_NEEDED`. `None` if unknown.
    pub(crate) fn of(library: &str) -> Option<&'static Self> {
        table().iter().find(|each| each.soname == library)
    }

    /// The packages for messages: `libffi8 (Debian), libffi (EL), libffi (Alpine)`.
    pub(crate) fn packages(&self) -> String {
        let families = [("Debian", &self.debian), ("EL", &self.el), ("Alpine", &self.alpine)];
        let known =
            families.iter().filter_map(|(family, package)| Some((family, package.as_ref()?)));
        let texts: Vec<_> =
            known.map(|(family, package)| format!("{package} ({family})")).collect();
        texts.join(", ")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    libraries: Vec<SystemLibrary>,
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn table() -> &'static [SystemLibrary] {
    static TABLE: LazyLock<Vec<SystemLibrary>> = LazyLock::new(|| {
        let file: File = toml::from_str(include_str!("data/system-libraries.toml"))
            .expect("data/system-libraries.toml is well-formed");
        file.libraries
    });
    &TABLE
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn packages_include_each_family_with_the_library() {
        let packages = |library| SystemLibrary::of(library).unwrap().packages();
        assert_eq!(packages("libyaml-0.so.2"), "libyaml-0-2 (Debian), libyaml (EL), yaml (Alpine)");
        assert_eq!(packages("libbz2.so.1.0"), "libbz2-1.0 (Debian)");
        assert!(SystemLibrary::of("libffi.so").is_none());
    }

    #[test]
    fn each_library_has_one_row_and_a_package() {
        let names: BTreeSet<&str> = table().iter().map(|each| each.soname.as_str()).collect();
        assert_eq!(names.len(), table().len());
        assert!(table().iter().all(|each| !each.packages().is_empty()));
    }
}
