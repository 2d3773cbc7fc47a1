//! The layout of a clone of the tool: the only place with names of its files outside of the crates.

use camino::Utf8Path;

/// The crate that an adopting repository depends on.
pub(crate) const CRATE: &str = "xtask/crates/wheel-build";
/// The file with the image that registers emulators, and its digest.
pub(crate) const FORMATS: &str = "xtask/crates/wheel-build/src/engine/binfmt/formats.toml";
/// The files for a copy of the tool in another repository.
pub(crate) const VENDORED: [&str; 5] =
    ["LICENSE", "docker", "scripts", "xtask/crates/wheel-audit", "xtask/crates/wheel-build"];
/// Folders of a crate that only its tests and benchmarks need.
pub(crate) const NOT_VENDORED: [&str; 4] = ["benches", "examples", "proptest-regressions", "tests"];
/// Patterns of the build files.
pub(crate) const BUILD_FILES: [&str; 2] = ["docker/**", "scripts/**"];

/// Returns whether `root` is a clone of the tool, rather than a repository that uses it.
pub(crate) fn is_clone(root: &Utf8Path) -> bool {
    root.join(CRATE).join("Cargo.toml").is_file()
}
