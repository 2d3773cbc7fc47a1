//! Determines names that a Python module certainly lacks, without parsing it. The source does not contain such a name,
//! and defines no names at run time.

use memchr::memmem;

/// Names with which a module defines names at run time (Python's data model and built-in functions; PEP 562), or
/// replaces itself.
const DYNAMIC: [&str; 9] =
    ["__getattr__", "globals", "locals", "vars", "exec", "eval", "setattr", "__dict__", "modules"];

/// Names with which a package loads modules from other folders (Python's import system; `pkgutil`,
/// `pkg_resources`).
const IMPORTS: [&str; 5] =
    ["__path__", "extend_path", "declare_namespace", "meta_path", "path_hooks"];

/// The source of a module.
pub(crate) struct PythonSource<'a>(pub(crate) &'a [u8]);

impl PythonSource<'_> {
    /// Returns whether the module certainly lacks this name at its top level.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        name.is_ascii() && !self.has_word(name) && !self.is_dynamic() && !self.imports_all()
    }

    /// Returns whether submodules of this package may come from other folders, or be created at run time.
    pub(crate) fn changes_imports(&self) -> bool {
        self.is_dynamic() || IMPORTS.iter().any(|word| self.has_word(word))
    }

    fn is_dynamic(&self) -> bool {
        DYNAMIC.iter().any(|word| self.has_word(word))
    }

    /// Returns whether it contains this word, except in comments that fill a line.
    fn has_word(&self, word: &str) -> bool {
        let is_of_word =
            |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
        memmem::find_iter(self.0, word).any(|at| {
            let before = self.0.get(..at).unwrap_or_default();
            let after = self.0.get(at + word.len()..).unwrap_or_default();
            let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            !before.last().is_some_and(is_of_word)
                && !after.first().is_some_and(is_of_word)
                && !line.trim_ascii_start().starts_with(b"#")
        })
    }

    /// Returns whether it contains `from x import *`.
    fn imports_all(&self) -> bool {
        memmem::find_iter(self.0, "import").any(|at| {
            let rest = self.0.get(at + "import".len()..).unwrap_or_default();
            let mut rest = rest.iter().filter(|byte| !byte.is_ascii_whitespace());
            rest.find(|byte| !b"\\(".contains(byte)) == Some(&b'*')
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_absent_only_if_nothing_can_define_it() {
        let lacks = |text: &str| PythonSource(text.as_bytes()).lacks("main");
        for text in [
            "",
            "def helloworld():\n    pass\n",
            "__main__ = domain = main2 = 1\n",
            "# main\nx = 1\n",
        ] {
            assert!(lacks(text), "{text}");
        }
        for text in [
            "def main(): pass",
            "class main: pass",
            "main = x",
            "from x import (\n    a,\n    main,\n)",
            "from x import *",
            "from x import \\\n    *",
            "def __getattr__(name): ...",
            "globals().update(x)",
            "import sys\nsys.modules[__name__] = x",
            "_imports = {'x': ['main']}",
            "exec(code)",
        ] {
            assert!(!lacks(text), "{text}");
        }
        assert!(!PythonSource("größe = 1".as_bytes()).lacks("größe"));
    }

    #[test]
    fn packages_may_load_modules_from_other_folders() {
        let changes = |text: &str| PythonSource(text.as_bytes()).changes_imports();
        assert!(!changes("") && !changes("import os\nfrom . import cli\n"));
        assert!(changes("__path__ = extend_path(__path__, __name__)\n"));
        assert!(changes("import sys\nsys.modules['x'] = y\n"));
    }
}
