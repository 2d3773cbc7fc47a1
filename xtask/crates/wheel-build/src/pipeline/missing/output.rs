//! Output of compilers, linkers, build systems and shells about something that is not installed.

/// Something that a build did not find, with the name that a tool printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    /// `#include <ffi.h>`
    Header(String),
    /// `-lffi`
    Library(String),
    /// A module of pkg-config, a package of `CMake`, a dependency of Meson.
    Module(String),
    /// A program in `PATH`.
    Program(String),
    /// Rust's compiler or cargo.
    Rust,
    /// A newer Rust than the installed one.
    NewerRust,
    /// A source file that a generator writes.
    Generated,
    /// A Python module of the build, or a newer version of it.
    BuildRequirement,
}

/// Text before and after a name, and the kind of name.
type Pattern = (&'static str, &'static str, fn(&str) -> Missing);

const PATTERNS: [Pattern; 24] = [
    ("fatal error: '", "' file not found", header),
    ("fatal error: ", ": No such file or directory", header),
    ("cannot find -l", "", library),
    ("library not found: ", "", library),
    ("No package '", "' found", module),
    ("Package ", " was not found in the pkg-config search path", module),
    ("Package '", "', required by", module),
    ("Dependency \"", "\" not found", module),
    ("Dependency lookup for ", " with method", module),
    ("Could NOT find ", " ", module),
    ("package configuration file provided by \"", "\"", module),
    ("The system library `", "` required by crate", module),
    ("No such file or directory: '", "'", program),
    ("command '", "' failed: No such file or directory", program),
    ("unable to execute '", "'", program),
    ("Program '", "' not found", program),
    ("Program ", " not found or not executable", program),
    ("Unknown compiler(s): [['", "'", program),
    ("Error: ", " executable not found", program),
    ("Could not run ", ":", program),
    ("build program corresponding to \"", "\"", program),
    ("make: ", ": No such file or directory", program),
    ("No module named '", "'", build_requirement),
    ("requires Cython ", "", build_requirement),
];

/// Messages of tools about missing Rust.
const RUST: [&str; 3] = [
    "can't find Rust compiler",
    "Cargo, the Rust package manager, is not installed",
    "error: no Rust compiler",
];

/// Messages of tools about an outdated Rust; the second group follows the name of a crate.
const NEWER_RUST: [&str; 4] = [
    "is not supported by the following package",
    "cannot be built because it requires rustc ",
    " requires rustc ",
    "lock file version 4 requires",
];

/// Everything that `lines` report as missing, in order, each once.
pub(super) fn missing(lines: &[String]) -> Vec<Missing> {
    let mut found = Vec::new();
    for each in lines.iter().filter_map(|line| missing_in(line.trim())) {
        if !found.contains(&each) {
            found.push(each);
        }
    }
    found
}

fn missing_in(line: &str) -> Option<Missing> {
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if has(&NEWER_RUST) {
        return Some(Missing::NewerRust);
    }
    if has(&RUST) {
        return Some(Missing::Rust);
    }
    if line.contains("No CMAKE_Fortran_COMPILER could be found") {
        return Some(Missing::Program("gfortran".to_owned()));
    }
    if let Some(name) = of_shell(line) {
        return Some(program(name));
    }
    PATTERNS.iter().find_map(|(before, after, kind)| {
        let rest = line.split_once(before)?.1;
        // A name ends at the end of the line, or at the text that follows it.
        let name = match (*after, rest.split_once(after)) {
            ("", _) => rest.split([':', ' ']).next()?,
            (" ", _) => rest.split([' ', '(']).next()?,
            (_, Some((name, _))) => name,
            (_, None) => return None,
        };
        (!name.is_empty()).then(|| kind(name))
    })
}

/// `sh: 1: swig: not found`, `x.sh: line 3: swig: command not found`
fn of_shell(line: &str) -> Option<&str> {
    let dash = line.strip_suffix(": not found").filter(|line| line.contains("sh: "));
    let rest = dash.or_else(|| line.strip_suffix(": command not found"))?;
    rest.rsplit(": ").next()
}

/// A header, or a source file of the command line.
fn header(name: &str) -> Missing {
    let sources = [".c", ".cpp", ".cc", ".cxx", ".pyx"];
    if sources.iter().any(|end| name.ends_with(end)) {
        Missing::Generated
    } else {
        Missing::Header(name.to_owned())
    }
}

fn program(path: &str) -> Missing {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name {
        "cargo" | "rustc" | "maturin" => Missing::Rust,
        _ => Missing::Program(name.to_owned()),
    }
}

fn build_requirement(_: &str) -> Missing {
    Missing::BuildRequirement
}

fn library(name: &str) -> Missing {
    Missing::Library(name.to_owned())
}

fn module(name: &str) -> Missing {
    Missing::Module(name.to_owned())
}
