//! Libraries that other wheels or drivers provide (`data/providers.toml`).

use std::sync::LazyLock;

use glob::Pattern;
use serde::Deserialize;

/// The provider of a library that is neither in the wheel nor on every system.
#[derive(Debug)]
pub(crate) struct Provider {
    libraries: Vec<Pattern>,
    projects: Vec<String>,
    /// The driver that installs the library: `NVIDIA's driver`.
    pub driver: Option<String>,
}

impl Provider {
    /// The provider of a library, by its name in `DT_NEEDED`. `None` if unknown.
    pub(crate) fn of(library: &str) -> Option<&'static Self> {
        static TABLE: LazyLock<Vec<Provider>> = LazyLock::new(load);
        TABLE.iter().find(|each| each.libraries.iter().any(|pattern| pattern.matches(library)))
    }

    /// The projects whose wheels contain it, the most likely first.
    pub(crate) fn projects(&self) -> &[String] {
        &self.projects
    }

    /// Returns whether the wheel of `project`, or a wheel that it requires, contains the library. NVIDIA's projects have the
    /// release of CUDA in their name: `nvidia-cublas-cu12`.
    pub(crate) fn is_project(&self, project: &str) -> bool {
        let name = normal(project);
        let plain = name.rsplit_once("-cu").map_or(name.as_str(), |(plain, release)| {
            let is_release = release.bytes().all(|each| each.is_ascii_digit());
            if is_release { plain } else { name.as_str() }
        });
        self.projects.iter().any(|each| each == &name || each == plain)
    }
}

/// The normalized name of a project (`PyPA`, "Names and normalization", PEP 503).
fn normal(project: &str) -> String {
    let words = project.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    provider: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    libraries: Vec<String>,
    #[serde(default)]
    projects: Vec<String>,
    driver: Option<String>,
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> Vec<Provider> {
    let file: File = toml::from_str(include_str!("data/providers.toml"))
        .expect("data/providers.toml is well-formed");
    let pattern = |text: String| Pattern::new(&text).expect("each library is a pattern");
    let provider = |row: Row| Provider {
        libraries: row.libraries.into_iter().map(pattern).collect(),
        projects: row.projects,
        driver: row.driver,
    };
    file.provider.into_iter().map(provider).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    #[test]
    fn libraries_are_recognized_by_name() {
        for (library, project) in [
            ("libc10_cuda.so", "torch"),
            ("libshiboken6.abi3.so.6.12", "PySide6_Essentials"),
            ("libcublasLt.so.12", "nvidia-cublas-cu12"),
            ("libcudart.so.13", "cuda-toolkit"),
            ("libQt6WebEngineCore.so.6", "PyQt6.WebEngine-Qt6"),
        ] {
            assert!(Provider::of(library).unwrap().is_project(project), "{library}");
        }
        assert!(!Provider::of("libc10.so").unwrap().is_project("torchvision"));
        assert!(!Provider::of("libcudnn.so.9").unwrap().is_project("nvidia-cublas-cu12"));
        assert_eq!(Provider::of("libgomp.so.1").map(Provider::projects), None);
    }

    #[test]
    fn each_row_has_normalized_projects_or_a_driver() {
        for provider in load() {
            assert_ne!(provider.projects.is_empty(), provider.driver.is_none());
            for project in &provider.projects {
                assert_eq!(*project, normal(project));
            }
        }
    }
}
