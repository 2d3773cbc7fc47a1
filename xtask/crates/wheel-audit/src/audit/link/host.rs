//! The interpreters and the C library that load the files of a wheel.

use std::borrow::Cow;

use crate::policy::exports::{self, Export};
use crate::policy::{Arch, Libc, LibcVersion, Policies, musl_libc};
use crate::wheel::{ExtensionAbi, ExtensionSuffix, Interpreter, Tag, WheelName};

/// glibc's C library, which every process loads.
const LIBC: &str = "libc.so.6";
/// A name of glibc's loader. The export tables accept any of its names.
const LOADER: &str = "ld-linux-x86-64.so.2";
/// A glibc so old that the tables list only the libraries that every interpreter loads.
const OLD: Libc = Libc::Glibc(LibcVersion::new(2, 5));

/// The interpreters and the C library that a wheel is for.
#[derive(Debug, Clone, Default)]
pub(in crate::audit) struct Host {
    /// The interpreters of the tags. Empty if every interpreter accepts the wheel.
    interpreters: Vec<Interpreter>,
    /// True if a tag is for a stable ABI, which the ABI rules cover.
    is_stable: bool,
    is_musl: bool,
}

impl Host {
    /// The host of a wheel with this name.
    pub(in crate::audit) fn of(name: Option<&WheelName>, is_musl: bool) -> Self {
        let tags = name.map(|name| name.tags.expand()).unwrap_or_default();
        let is_stable = tags.iter().any(Tag::is_stable);
        let mut interpreters: Vec<_> = tags.iter().filter_map(Tag::lowest_interpreter).collect();
        interpreters.sort_unstable();
        interpreters.dedup();
        Self { interpreters, is_stable, is_musl }
    }

    /// Returns whether the interpreter that loads a file may export this symbol with an interpreter's prefix.
    pub(super) fn has(&self, path: &str, symbol: &str) -> bool {
        // The tables lack PyPy's symbols for embedding.
        let is_embedding = symbol.starts_with("pypy_");
        let own = ExtensionSuffix::parse(path).map(|suffix| suffix.abi);
        if is_embedding {
            return match own {
                Some(ExtensionAbi::Interpreter(own)) => own.is_pypy(),
                _ => self.interpreters.iter().any(Interpreter::is_pypy),
            };
        }
        let lacks = |own: &Interpreter| exported_by(*own, symbol) == Some(false);
        match own {
            Some(ExtensionAbi::Interpreter(own)) => !lacks(&own),
            // The ABI rules cover the stable ABIs.
            Some(_) => true,
            None => {
                self.is_stable
                    || self.interpreters.is_empty()
                    || !self.interpreters.iter().all(lacks)
            }
        }
    }

    /// The libraries that every process loads, including those of the interpreter if `has_python`.
    pub(super) fn libraries(&self, arch: Arch, has_python: bool) -> Vec<Cow<'static, str>> {
        if self.is_musl {
            return vec![musl_libc(arch).into()];
        }
        let own: &[String] = if has_python { exports::interpreter_scope(OLD) } else { &[] };
        let own = own.iter().map(String::as_str).filter(|&library| library != LIBC);
        [LIBC, LOADER].into_iter().chain(own).map(Cow::from).collect()
    }

    /// Returns whether every interpreter has loaded a library of this name, so that the loader uses no other.
    pub(super) fn has_loaded(&self, name: &str, arch: Option<Arch>) -> bool {
        let name = self.library(name, arch);
        arch.is_some_and(|arch| self.libraries(arch, true).contains(&name))
    }

    /// Returns whether the exports of the C library are known.
    pub(super) fn is_known(&self, arch: Arch) -> bool {
        let libc = self.library(LIBC, Some(arch));
        !matches!(exports::of_library(&libc, "", arch), Export::UnknownLibrary)
    }

    /// Returns whether the C library is musl.
    pub(super) fn is_musl(&self) -> bool {
        self.is_musl
    }

    /// The canonical name of a needed library. musl replaces glibc's libraries with itself (musl,
    /// `ldso/dynlink.c`, `load_library`).
    pub(super) fn library<'a>(&self, name: &'a str, arch: Option<Arch>) -> Cow<'a, str> {
        /// The list in musl's source.
        const RESERVED: [&str; 7] = ["c", "pthread", "rt", "m", "dl", "util", "xnet"];
        let stem = name.strip_prefix("lib").and_then(|rest| rest.split('.').next());
        match arch {
            Some(arch) if self.is_musl && stem.is_some_and(|stem| RESERVED.contains(&stem)) => {
                musl_libc(arch).into()
            }
            _ => name.into(),
        }
    }
}

/// Returns whether an interpreter exports a symbol. `None` if unknown.
fn exported_by(own: Interpreter, symbol: &str) -> Option<bool> {
    let (major, minor) = own.python_version();
    let own = if own.is_pypy() {
        exports::Interpreter::PyPy(major, minor)
    } else if own.is_free_threaded() {
        exports::Interpreter::FreeThreaded(major, minor)
    } else if own.is_cpython() {
        exports::Interpreter::CPython(major, minor)
    } else {
        return None;
    };
    exports::of_interpreter(own, symbol)
}

/// Returns whether the symbol has an interpreter's prefix.
pub(super) fn is_python(symbol: &str) -> bool {
    ["Py", "_Py", "pypy_"].iter().any(|start| symbol.starts_with(start))
}

/// Returns whether the exports of a system library are known.
pub(super) fn is_known(library: &str, arch: Option<Arch>) -> bool {
    let is_unknown =
        |arch| matches!(exports::of_library(library, "", arch), Export::UnknownLibrary);
    Policies::is_loader(library) || arch.is_some_and(|arch| !is_unknown(arch))
}
