//! Finds Python code that loads libraries itself, before a module needs them.

use memchr::memmem;

/// Maximum size of a Python file that is searched, in bytes. A larger one may load any library.
pub(super) const MAX_PYTHON: u64 = 512 << 10;
/// Maximum size of kept code per wheel, in bytes.
const MAX_KEPT: usize = 1 << 20;

/// Words in Python code that loads libraries or changes the loader's search path.
const LOADS: [&str; 8] = [
    "CDLL",
    "cdll.",
    "LoadLibrary",
    "dlopen",
    "PyDLL",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "setdlopenflags",
];
/// Words in code that lists folders, and may load every library in them.
const SEARCHES: [&str; 8] =
    ["glob", "listdir", "iterdir", "scandir", "os.walk", "LD_LIBRARY_PATH", "LD_PRELOAD", ".libs"];

/// Words in code that exports a library's symbols to files loaded later (`ctypes.CDLL`, `sys.setdlopenflags`).
const SHARES: [&str; 2] = ["RTLD_GLOBAL", "setdlopenflags"];

/// The libraries that the code of a wheel may load itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Preloads {
    /// A file of the wheel may load any library.
    is_any: bool,
    /// Python code of the wheel may export the symbols of a library to files loaded later.
    is_global: bool,
    /// Code that loads libraries by name.
    code: Vec<Vec<u8>>,
}

/// Returns whether a member is Python code.
pub(super) fn is_python(path: &str) -> bool {
    path.strip_suffix(".py").is_some()
}

/// Returns whether Python code loads libraries.
pub(super) fn loads(code: &[u8]) -> bool {
    LOADS.iter().any(|word| memmem::find(code, word.as_bytes()).is_some())
}

impl Preloads {
    /// Adds Python code that loads libraries.
    pub(super) fn add(&mut self, code: Vec<u8>) {
        let has = |word: &&str| memmem::find(&code, word.as_bytes()).is_some();
        self.is_global |= SHARES.iter().any(has);
        let kept: usize = self.code.iter().map(Vec::len).sum();
        if kept + code.len() > MAX_KEPT || SEARCHES.iter().any(has) {
            self.is_any = true;
        } else {
            self.code.push(code);
        }
    }

    /// Notes that a file of the wheel may load any library.
    pub(super) fn add_any(&mut self) {
        self.is_any = true;
    }

    /// Returns whether files may find symbols in libraries that they do not need.
    pub(super) fn is_global(&self) -> bool {
        self.is_global
    }

    /// Returns whether code that loads libraries contains the name of this file. `ctypes` opens libraries with `RTLD_NOW`
    /// (`CPython`, `Modules/_ctypes/callproc.c`, `py_dl_open`).
    pub(super) fn names(&self, path: &str) -> bool {
        let file = path.rsplit('/').next().unwrap_or(path);
        let name = file.split(".so").next().unwrap_or(file);
        let has = |code: &Vec<u8>| memmem::find(code, name.as_bytes()).is_some();
        name.starts_with("lib") && name.len() > 3 && self.code.iter().any(has)
    }

    /// Returns whether the wheel's code may load `library` itself.
    pub(super) fn may_load(&self, library: &str) -> bool {
        let stem = stem(library);
        let has = |code: &Vec<u8>| memmem::find(code, stem.as_bytes()).is_some();
        self.is_any || !stem.is_empty() && self.code.iter().any(has)
    }
}

/// `foo` for `libfoo-0123abcd.so.1`: the part that code must contain to build the file's name.
fn stem(library: &str) -> &str {
    let file = library.rsplit('/').next().unwrap_or(library);
    let name = file.strip_prefix("lib").unwrap_or(file);
    let name = name.split(".so").next().unwrap_or(name);
    name.rsplit_once('-').map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_loads_libraries_by_name_or_by_listing_folders() {
        let loads_own = |code: &str| {
            let mut preloads = Preloads::default();
            if loads(code.as_bytes()) {
                preloads.add(code.as_bytes().to_vec());
            }
            preloads.may_load("libown-12345678.so.1")
        };
        for code in [
            "import ctypes\nctypes.CDLL(here / 'libown.so.1')",
            "ctypes.cdll.LoadLibrary(f'{here}/lib{name}.so')\nload('own')",
            "for path in glob.glob(libs + '/*.so*'): ctypes.CDLL(path)",
            "os.environ['LD_LIBRARY_PATH'] = libs\nos.execv(sys.executable, sys.argv)",
        ] {
            assert!(loads_own(code), "{code}");
        }
        for code in
            ["", "import own", "ctypes.CDLL('libc.so.6')", "for path in glob.glob('x'): pass"]
        {
            assert!(!loads_own(code), "{code}");
        }
    }
}
