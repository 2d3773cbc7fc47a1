//! Folders of build machines (`data/folders.toml`).

use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    build: Vec<String>,
}

/// Returns whether an absolute path is a folder of a build machine.
pub(crate) fn is_build_folder(path: &str) -> bool {
    static FILE: LazyLock<File> = LazyLock::new(load);
    let below = |folder: &String| {
        path.strip_prefix(folder.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    FILE.build.iter().any(below)
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> File {
    toml::from_str(include_str!("data/folders.toml")).expect("data/folders.toml is well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_folders_and_system_folders_are_distinguished() {
        for path in ["/home/me/lib", "/tmp", "/build/pkg", "/opt/_internal/cpython-3.11/lib"] {
            assert!(is_build_folder(path), "{path}");
        }
        for path in ["/usr/lib64", "/homestead/lib", "/opt/intel/lib", "/"] {
            assert!(!is_build_folder(path), "{path}");
        }
    }
}
