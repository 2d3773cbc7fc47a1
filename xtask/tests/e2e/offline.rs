//! Builds without a network after the fetch steps.

use crate::engines::build_log;
use crate::workspace::{Workspace, ran};

const PYPROJECT: &str = "[build-system]\nrequires = [\"setuptools\", \"cython\"]\n\
    build-backend = \"setuptools.build_meta\"\n\
    [project]\nname = \"locked\"\nversion = \"1.0\"\ndependencies = [\"sortedcontainers\"]\n";
const SETUP: &str = "from Cython.Build import cythonize\nfrom setuptools import Extension, setup\n\
    setup(packages=[\"locked\"], ext_modules=cythonize([Extension(\"locked._fast\", [\"locked/_fast.pyx\"])]))\n";
const TEST: &str =
    "[test]\ncommand = \"python -c 'import six, locked._fast'\"\nrequires = [\"six\"]\n";
/// One job of [`package`].
pub(crate) const JOB: [&str; 4] = ["debian:12", "linux/amd64", "--python", "cp311"];

/// A repository with an extension, a build requirement and a dependency.
pub(crate) fn package() -> Workspace {
    let w = Workspace::of_package("path = \"pkg\"", TEST);
    let files = [
        ("pkg/pyproject.toml", PYPROJECT),
        ("pkg/setup.py", SETUP),
        ("pkg/locked/_fast.pyx", "def answer():\n    return 42\n"),
        ("pkg/locked/__init__.py", "import sortedcontainers\n"),
        (".gitignore", "/target/\n/dist/\n"),
    ];
    for (name, text) in files {
        let path = w.root.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    w
}

#[test]
fn after_its_fetch_steps_a_build_needs_no_network() {
    let w = package();
    w.run(&[&["wheels", "--force"][..], &JOB].concat(), 0);
    // Unique, because the engine may have the layers of an earlier run.
    let changed = format!("def answer():\n    return 43  # {}\n", w.root);
    fs_err::write(w.root.join("pkg/locked/_fast.pyx"), changed).unwrap();
    let mut command = w.command(&[&["wheels", "--force"][..], &JOB].concat());
    // A port without a listener.
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    for name in ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"] {
        command.env(name, "http://127.0.0.1:9/simple");
    }
    ran(&command.output().unwrap(), 0);
    let log = build_log(&w);
    let step = |name: &str| log.lines().rfind(|line| line.contains(name)).unwrap_or("");
    for name in ["fetch-build.sh", "smoke-fetch.sh", "test-fetch.sh"] {
        assert!(step(name).ends_with("(cached)"), "{name}: {log}");
    }
    assert!(!step("/xtask/build.sh").ends_with("(cached)"), "{log}");
}
