//! Python code that loads libraries by itself, before a module needs them.

use memchr::memmem;

/// A file of Python that is larger is not searched; it may load anything.
pub(super) const MAX_PYTHON: u64 = 512 << 10;
/// So much text of files that load libraries is kept of a wheel.
const MAX_KEPT: usize = 1 << 20;

/// How Python code loads a library, or has the loader look elsewhere.
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
/// How such code goes through a folder, so that it may load whatever lies there.
const SEARCHES: [&str; 8] =
    ["glob", "listdir", "iterdir", "scandir", "os.walk", "LD_LIBRARY_PATH", "LD_PRELOAD", ".libs"];

/// How such code has later files see the symbols of a library (`ctypes.CDLL`, `sys.setdlopenflags`).
const SHARES: [&str; 2] = ["RTLD_GLOBAL", "setdlopenflags"];

/// What the Python code and the machine code of a wheel can load by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Preloads {
    /// Something in the wheel may load any library.
    is_any: bool,
    /// Python code of the wheel may hand the symbols of a library to files loaded later.
    is_global: bool,
    /// Code that loads libraries by name.
    code: Vec<Vec<u8>>,
}

/// Is a member Python code that may load a library?
pub(super) fn is_python(path: &str) -> bool {
    path.strip_suffix(".py").is_some()
}

/// Does Python code load a library at all?
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

    /// Something that was not read, or that is not Python, may load any library.
    pub(super) fn add_any(&mut self) {
        self.is_any = true;
    }

    /// May files of the wheel find symbols in libraries that they do not need?
    pub(super) fn is_global(&self) -> bool {
        self.is_global
    }

    /// Does Python code that loads libraries name this file? `ctypes` opens libraries with `RTLD_NOW`
    /// (`CPython`, `Modules/_ctypes/callproc.c`, `py_dl_open`).
    pub(super) fn names(&self, path: &str) -> bool {
        let file = path.rsplit('/').next().unwrap_or(path);
        let name = file.split(".so").next().unwrap_or(file);
        let has = |code: &Vec<u8>| memmem::find(code, name.as_bytes()).is_some();
        name.starts_with("lib") && name.len() > 3 && self.code.iter().any(has)
    }

    /// May something in the wheel load `library` by itself?
    pub(super) fn may_load(&self, library: &str) -> bool {
        let stem = stem(library);
        let has = |code: &Vec<u8>| memmem::find(code, stem.as_bytes()).is_some();
        self.is_any || !stem.is_empty() && self.code.iter().any(has)
    }
}

/// `foo` of `libfoo-0123abcd.so.1`: what code names however it builds the file's name.
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
    fn code_loads_the_libraries_that_it_names_or_searches_for() {
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
