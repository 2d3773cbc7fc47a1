//! Symbols that the loader may not resolve, and why.

/// Undefined symbols of a file that may not resolve, for the same cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unresolved {
    /// The cause.
    pub(super) cause: Cause,
    /// True if they are functions that the loader resolves at the first call.
    pub(super) is_lazy: bool,
    /// The symbols, in the order of the file. The names are empty if a whole version is missing.
    pub(super) symbols: Vec<Symbol>,
}

/// An undefined symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Symbol {
    /// Its name, mangled.
    pub(super) name: String,
    /// The version, if any.
    pub(super) version: Option<String>,
}

/// The cause why a symbol does not resolve.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// Nothing in scope exports it, and all exports there are known.
    Nowhere,
    /// This library of the wheel does not define the version.
    VersionNotDefined(String),
    /// The file needs versions of this library, but not the library itself.
    LibraryNotNeeded(String),
    /// The interpreters of the wheel's tags do not export it.
    NotOfInterpreter,
    /// Every interpreter loads the library that exports it, but the file does not need the library.
    OfInterpreter {
        /// The library.
        library: String,
        /// True if the C library of newer systems exports it.
        has_moved: bool,
    },
    /// Libraries since this version no longer export it.
    Until(&'static str),
    /// This library without symbol versions exports it since this release.
    Release(String, &'static str),
    /// Nothing in scope exports it, but this file of the wheel does.
    OutOfScope(String),
    /// No known library in scope exports it, but one of these libraries may.
    Unknown(Vec<String>),
}

/// How a file is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LoadedBy {
    /// Python imports it, or a module that needs it: with `RTLD_NOW` (`CPython`,
    /// `Python/dynload_shlib.c` and `Python/pystate.c`).
    Import,
    /// The kernel starts it, or a program that needs it.
    Program,
    /// Other code opens it by path.
    Path,
}
