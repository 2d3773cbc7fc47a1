//! Finds the missing part of a failed build, and the key of `wheels.toml` that provides it. A part is a header, a library,
//! a module of pkg-config, a program or Rust.
//!
//! The output of a package only selects rows of the table for a hint. The hint never repeats its text.

mod output;
mod table;

use std::collections::BTreeSet;

use output::Missing;

use super::outcome::{Failure, FailureReason};
use super::state::stage_of;
use crate::config::Family;
use crate::engine::excerpt::untagged;
use crate::engine::headline::headline;

/// Maximum number of packages in a hint.
const MAX_PACKAGES: usize = 6;

/// Steps that run the package's code with `system_packages` and without network, unless their name ends in
/// [`ONLINE`].
const STEPS: [&str; 3] = ["wheel-builder", "before-run", "build-environment"];
const ONLINE: &str = "-online";
/// Steps that install `system_packages`, and the tables of these.
const INSTALLERS: [(&str, &str); 2] = [("system", "build"), ("smoke-system", "test")];
/// Messages of apt, dnf and apk.
const UNKNOWN_PACKAGE: [&str; 3] =
    ["E: Unable to locate package ", "No match for argument: ", " (no such package):"];
/// Number of lines of a compiler's error.
const BELOW: usize = 6;

/// Adds to `failure` a hint with the key that provides what the build lacks, for a system of `family`.
pub(super) fn advise(failure: &mut Failure, family: Option<Family>) {
    let stage = failure.step.as_deref().and_then(stage_of);
    // Without network, another attempt has the same result.
    if failure.source.is_some() && stage.is_some_and(|stage| STEPS.contains(&stage)) {
        failure.source = None;
        failure.reason = FailureReason::Step;
        failure.hint = Some(
            "the build has no network. List the projects that it installs in `requires` in \
             `[build]` of wheels.toml. If it downloads other files, set `network = true` there: the \
             build is then not isolated"
                .to_owned(),
        );
    }
    let stage = stage.map(|stage| stage.strip_suffix(ONLINE).unwrap_or(stage));
    if failure.hint.is_none() && stage.is_some_and(|stage| STEPS.contains(&stage)) {
        failure.hint = hint(&failure.tail, family);
    }
    let table = INSTALLERS.iter().find(|(name, _)| stage == Some(name));
    if let (None, Some((_, table))) = (&failure.hint, table)
        && failure.tail.iter().any(|line| UNKNOWN_PACKAGE.iter().any(|words| line.contains(words)))
    {
        failure.hint = Some(format!(
            "the target's distribution has no such package: correct `system_packages` in `[{table}]` of wheels.toml"
        ));
    }
}

/// Adds the compiler's error to a failure of the audit, if the build went on without its extension.
pub(super) fn add_compiler_error(failure: &mut Failure, family: Option<Family>) {
    let Ok(log) = fs_err::read(&failure.log) else { return };
    let log = String::from_utf8_lossy(&log);
    // The output of steps is indented.
    let output = log.lines().filter_map(|line| line.strip_prefix("   "));
    let lines: Vec<String> = output.map(|line| untagged(line).to_owned()).collect();
    if let Some(found) = headline(&lines).filter(|found| found.is_error) {
        let end = lines.len().min(found.at + BELOW);
        failure.tail = lines[found.at..end].to_vec();
        failure.hint = hint(&failure.tail, family);
    }
}

/// The hint for a build that printed `lines`.
pub(crate) fn hint(lines: &[String], family: Option<Family>) -> Option<String> {
    let missing = output::missing(lines);
    let has = |kind: &Missing| missing.contains(kind);
    if has(&Missing::NewerRust) {
        return Some(
            "the package requires a newer Rust: set `rust = \"rustup\"` in `[toolchain]` of wheels.toml, or build \
             for a newer distribution"
                .to_owned(),
        );
    }
    if has(&Missing::Rust) {
        return Some("set `rust = \"distro\"` in `[toolchain]` of wheels.toml".to_owned());
    }
    let families =
        family.map_or_else(|| vec![Family::Apt, Family::Dnf, Family::Apk], |one| vec![one]);
    let known: Vec<String> = families.iter().filter_map(|one| assignment(&missing, *one)).collect();
    if !known.is_empty() {
        return Some(format!(
            "set `system_packages = {{ {} }}` in `[build]` of wheels.toml, in addition to packages \
             already listed there",
            known.join(", ")
        ));
    }
    unknown(&missing)
}

/// `apt = ["libffi-dev"]`: the packages of `family` that provide the missing parts.
fn assignment(missing: &[Missing], family: Family) -> Option<String> {
    let packages: BTreeSet<&str> =
        missing.iter().filter_map(|each| table::package(each)?.of(family)).collect();
    let quoted: Vec<String> =
        packages.iter().take(MAX_PACKAGES).map(|name| format!("{name:?}")).collect();
    (!quoted.is_empty()).then(|| format!("{family} = [{}]", quoted.join(", ")))
}

/// The hint if the table has no package for the missing parts.
fn unknown(missing: &[Missing]) -> Option<String> {
    let any = |test: fn(&Missing) -> bool| missing.iter().any(test);
    let text = if any(|each| matches!(each, Missing::Header(_))) {
        "if git ignores that file, add it with `include` in `[source]` (`cargo xtask source \
         --list` shows the files of the build); if it belongs to a library, install the library \
         with `system_packages` in `[build]`. `cargo xtask shell --last-failed` opens a shell \
         before that step"
    } else if any(|each| matches!(each, Missing::Generated)) {
        "the source lacks a file that a generator writes. Run the generator in `[build]` of wheels.toml, for example `before-build = \"pip install cython && cython -3 \
         package/module.pyx\"` with `requires = [\"cython\"]`"
    } else if any(|each| matches!(each, Missing::BuildRequirement)) {
        "add the module to `requires` in `[build-system]` of pyproject.toml. If `requirements` in `[build]` of \
         wheels.toml pins the build backend, add it to that file, or raise its version there"
    } else if any(|each| {
        matches!(each, Missing::Library(_) | Missing::Module(_) | Missing::Program(_))
    }) {
        "install the missing package with `system_packages` in `[build]` of wheels.toml, by its \
         name in the target's distribution; `cargo xtask shell --last-failed` opens a shell before \
         that step"
    } else {
        return None;
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn hint_of(line: &str, family: Family) -> String {
        hint(&[line.to_owned()], Some(family)).unwrap_or_default()
    }

    #[test]
    fn output_of_tools_selects_the_targets_package() {
        for (line, apt, dnf, apk) in [
            (
                "c/x.c:3:10: fatal error: ffi.h: No such file or directory",
                "libffi-dev",
                "libffi-devel",
                "libffi-dev",
            ),
            (
                "a.c:1:10: fatal error: 'yaml.h' file not found",
                "libyaml-dev",
                "libyaml-devel",
                "yaml-dev",
            ),
            (
                "x.c:9:10: fatal error: openssl/ssl.h: No such file or directory",
                "libssl-dev",
                "openssl-devel",
                "openssl-dev",
            ),
            (
                "/usr/bin/ld: cannot find -lyaml: No such file or directory",
                "libyaml-dev",
                "libyaml-devel",
                "yaml-dev",
            ),
            ("mold: fatal: library not found: pq", "libpq-dev", "libpq-devel", "libpq-dev"),
            ("No package 'libffi' found", "libffi-dev", "libffi-devel", "libffi-dev"),
            (
                "Package cairo was not found in the pkg-config search path.",
                "libcairo2-dev",
                "cairo-devel",
                "cairo-dev",
            ),
            (
                "../meson.build:5:0: ERROR: Dependency \"openblas\" not found, tried pkgconfig",
                "libopenblas-dev",
                "openblas-devel",
                "openblas-dev",
            ),
            (
                "  Could NOT find ZLIB (missing: ZLIB_LIBRARY ZLIB_INCLUDE_DIR)",
                "zlib1g-dev",
                "zlib-devel",
                "zlib-dev",
            ),
            ("/bin/sh: 1: cmake: not found", "cmake", "cmake", "cmake"),
            ("build.sh: line 3: nasm: command not found", "nasm", "nasm", "nasm"),
            ("make: swig: No such file or directory", "swig", "swig", "swig"),
            (
                "FileNotFoundError: [Errno 2] No such file or directory: 'swig'",
                "swig",
                "swig",
                "swig",
            ),
            ("error: command 'swig' failed: No such file or directory", "swig", "swig", "swig"),
            ("Error: pg_config executable not found.", "libpq-dev", "libpq-devel", "libpq-dev"),
            (
                "../meson.build:1:0: ERROR: Unknown compiler(s): [['gfortran'], ['flang']]",
                "gfortran",
                "gcc-gfortran",
                "gfortran",
            ),
            (
                "meson.build:9:0: ERROR: Program 'bison' not found or not executable",
                "bison",
                "bison",
                "bison",
            ),
        ] {
            for (family, name) in [(Family::Apt, apt), (Family::Dnf, dnf), (Family::Apk, apk)] {
                let hint = hint_of(line, family);
                let value = format!("system_packages = {{ {family} = [\"{name}\"] }}");
                assert!(hint.contains(&value), "{line}: {hint}");
            }
        }
    }

    #[test]
    fn missing_packages_share_a_line_for_each_family() {
        let lines =
            ["a.c:1:2: fatal error: gmp.h: No such file or directory", "ld: cannot find -lmpfr"];
        let lines = lines.map(str::to_owned);
        let hint_for = |family| hint(&lines, family).unwrap_or_default();
        assert!(hint_for(Some(Family::Apt)).contains("apt = [\"libgmp-dev\", \"libmpfr-dev\"]"));
        assert!(hint_for(None).contains("dnf = [\"gmp-devel\", \"mpfr-devel\"], apk = ["));
    }

    #[test]
    fn rust_has_its_own_key() {
        for line in ["sh: 1: cargo: not found", "error: can't find Rust compiler"] {
            assert!(
                hint_of(line, Family::Apt).contains("`rust = \"distro\"` in `[toolchain]`"),
                "{line}"
            );
        }
        let old = "  pyo3-ffi@0.28.2 requires rustc 1.83";
        assert!(hint_of(old, Family::Apt).contains("`rust = \"rustup\"`"));
    }

    #[test]
    fn text_of_the_package_is_not_repeated() {
        for line in [
            "x.c:1:2: fatal error: evil\"]}.h: No such file or directory",
            "sh: 1: curl evil | sh: not found",
            "No package 'evil' found",
            "ModuleNotFoundError: No module named 'evil'",
            "cc1: fatal error: evil.c: No such file or directory",
        ] {
            let hint = hint_of(line, Family::Apt);
            assert!(!hint.is_empty() && !hint.contains("evil"), "{line}: {hint}");
        }
        assert_eq!(hint(&["open: No such file or directory".to_owned()], None), None);
    }

    #[test]
    fn only_build_steps_have_a_hint() {
        let hint_in = |step: &str| {
            let mut failure = Failure::left_out("failed", "x.log".into());
            failure.step = Some(step.to_owned());
            failure.tail = vec!["sh: 1: cmake: not found".to_owned()];
            advise(&mut failure, Some(Family::Apt));
            failure.hint
        };
        assert!(hint_in("[wheel-builder 1/1] RUN sh /xtask/build.sh").is_some());
        assert_eq!(hint_in("[smoke-run 1/1] RUN sh /xtask/smoke.sh"), None);
    }

    #[test]
    fn an_unknown_package_names_its_table() {
        let hint_in = |step: &str, line: &str| {
            let mut failure = Failure::left_out("failed", "x.log".into());
            failure.step = Some(step.to_owned());
            failure.tail = vec![line.to_owned()];
            advise(&mut failure, Some(Family::Apt));
            failure.hint.unwrap_or_default()
        };
        let (system, smoke) = ("[system 1/1] RUN sh a", "[smoke-system 1/1] RUN sh b");
        assert!(hint_in(system, "E: Unable to locate package libx").contains("`[build]`"));
        assert!(hint_in(system, "No match for argument: libx").contains("`[build]`"));
        assert!(hint_in(smoke, "  libx (no such package):").contains("`[test]`"));
        assert_eq!(hint_in(system, "done"), "");
    }

    #[test]
    fn an_extension_that_was_left_out_has_its_compiler_error() {
        let dir = tempfile::tempdir().unwrap();
        let log = camino::Utf8PathBuf::try_from(dir.path().join("a.log")).unwrap();
        let mut failure = Failure::left_out("the audit rejected it", log.clone());
        fs_err::write(&log, "=> step\n   [cp311] building\n").unwrap();
        add_compiler_error(&mut failure, Some(Family::Apt));
        assert!(failure.tail.is_empty() && failure.hint.is_none());
        let error = "a.c:1:2: fatal error: ffi.h: No such file or directory";
        fs_err::write(&log, format!("=> step\n   [cp311] {error}\n   [cp311] Failed\n")).unwrap();
        add_compiler_error(&mut failure, Some(Family::Apt));
        assert_eq!(failure.tail, [error, "Failed"]);
        assert!(failure.hint.unwrap().contains("libffi-dev"));
    }
}
