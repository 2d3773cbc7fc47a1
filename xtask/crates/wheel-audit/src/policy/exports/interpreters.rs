//! The exports of interpreters, and the libraries that they load.

use super::{libraries::tables, span, table};
use crate::policy::{Libc, LibcVersion, SymbolVersion};

/// An interpreter that imports an extension module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interpreter {
    /// `CPython` with the global interpreter lock, by Python version.
    CPython(u8, u8),
    /// Free-threaded `CPython` (PEP 703).
    FreeThreaded(u8, u8),
    /// `PyPy`.
    PyPy(u8, u8),
}

impl Interpreter {
    fn version(self) -> SymbolVersion {
        let (Self::CPython(major, minor)
        | Self::FreeThreaded(major, minor)
        | Self::PyPy(major, minor)) = self;
        LibcVersion::new(major.into(), minor.into()).into()
    }
}

/// Returns whether the interpreter exports a symbol of its API (`Py...`, `_Py...`). `None` if no table has the version and
/// the adjacent versions differ.
pub(crate) fn of_interpreter(python: Interpreter, symbol: &str) -> Option<bool> {
    let (name, build) = match python {
        Interpreter::CPython(..) => ("cpython", "gil"),
        Interpreter::FreeThreaded(..) => ("cpython", "t"),
        Interpreter::PyPy(..) => ("pypy", "pypy"),
    };
    let interpreter = tables().interpreters.iter().find(|each| each.name == name)?;
    let versions = interpreter.versions.get(build)?;
    let version = python.version();
    let (first, last) = (versions.first()?, versions.last()?);
    let base = first.to_string();
    let row = table::find(interpreter.table, symbol);
    let is_there = row.and_then(|row| span(row, build, &base)).is_some_and(|(since, until)| {
        let is_at_most = |bound: &str| bound.parse().is_ok_and(|bound| version >= bound);
        is_at_most(since) && !until.is_some_and(is_at_most)
    });
    let is_between = *first < version && version < *last;
    (versions.contains(&version) || (is_between && is_there)).then_some(is_there)
}

/// The libraries that every executable of `CPython` loads on systems with this C library. The loader finds their
/// symbols even if the extension does not need them.
pub(crate) fn interpreter_scope(libc: Libc) -> &'static [String] {
    let interpreter = tables().interpreters.iter().find(|each| each.name == "cpython");
    match (libc, interpreter) {
        (Libc::Glibc(version), Some(interpreter)) if version < LibcVersion::new(2, 34) => {
            &interpreter.old_scope
        }
        (Libc::Glibc(_), Some(interpreter)) => &interpreter.scope,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Interpreter::{CPython, FreeThreaded, PyPy};

    #[test]
    fn the_api_grows_and_shrinks() {
        for (python, symbol, expected) in [
            (CPython(3, 12), "PyLong_FromLong", Some(true)),
            (CPython(3, 12), "PyLong_AsInt", Some(false)),
            (CPython(3, 13), "PyLong_AsInt", Some(true)),
            (CPython(3, 9), "PyObject_AsCharBuffer", Some(true)),
            (CPython(3, 10), "PyUnicode_AsUnicode", Some(true)),
            (CPython(3, 12), "PyUnicode_AsUnicode", Some(false)),
            (CPython(3, 8), "PyFoo_Bar", Some(false)),
            (CPython(3, 2), "PyLong_FromLong", None),
            (CPython(3, 99), "PyLong_FromLong", None),
            (FreeThreaded(3, 14), "PyLong_FromLong", Some(true)),
            (FreeThreaded(3, 14), "_Py_MergeZeroLocalRefcount", Some(true)),
            (CPython(3, 14), "_Py_MergeZeroLocalRefcount", Some(false)),
            (PyPy(3, 11), "PyPyLong_FromLong", Some(true)),
            (PyPy(3, 11), "PyLong_FromLong", Some(false)),
            // No system has this version, and the adjacent versions agree.
            (PyPy(3, 10), "PyPyLong_FromLong", Some(true)),
            (PyPy(3, 10), "PyLong_FromLong", None),
        ] {
            assert_eq!(of_interpreter(python, symbol), expected, "{python:?} {symbol}");
        }
    }

    #[test]
    fn every_executable_has_libm() {
        let scope = |minor| interpreter_scope(Libc::Glibc(LibcVersion::new(2, minor)));
        assert_eq!(scope(36), ["libc.so.6", "libm.so.6"]);
        let old = ["libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "libutil.so.1"];
        assert_eq!(scope(31), old);
        assert!(interpreter_scope(Libc::Musl(LibcVersion::new(1, 2))).is_empty());
    }
}
