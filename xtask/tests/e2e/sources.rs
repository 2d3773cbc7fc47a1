//! Sources: another package of the index, or a folder of the repository.

use camino::Utf8Path;

use crate::workspace::{Workspace, run_in_debian_12, sh};

const WHEELS: [&str; 3] = ["wheels", "debian:12", "linux/amd64"];
const MARKUPSAFE: &str = "sdist = \"markupsafe==3.0.2\"\n\
    sha256 = \"ee55d3edf80167e48ea11a923c7386f4669df67d7994554387f84e7d8b0a2bf0\"";
const CHECK: &str = "imports = [\"markupsafe._speedups\"]\n\
    calls = { \"markupsafe._speedups\" = [\"m._escape_inner('<') == '&lt;'\"] }";

#[test]
fn another_package_needs_only_its_own_wheels_toml() {
    let w = Workspace::of_package(MARKUPSAFE, CHECK);
    w.run(&WHEELS, 0);
    let name = "MarkupSafe-3.0.2-cp311-cp311-manylinux_2_36_x86_64.whl";
    assert!(w.wheels("debian12-amd64")[0].eq_ignore_ascii_case(name));
}

/// Makes the fetch step run again.
fn force_fetch(w: &Workspace) {
    w.replace("scripts/fetch-sdist.py", |text| format!("{text}# {}\n", w.root));
}

#[test]
fn the_source_archive_is_fetched_once_for_all_targets() {
    let w = Workspace::of_package(MARKUPSAFE, CHECK);
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    let again = "[[target]]\nname = \"debian13\"\nimage = \"debian:13\"\npythons = [\"cp313\"]\n\
        family = \"apt\"\nglibc = \"2.41\"\nplatforms = [\"linux/amd64\"]\n\
        bootstrap = { tool = \"mmdebstrap\", suite = \"trixie\" }\n";
    fs_err::write(w.root.join("wheels.toml"), format!("{toml}{again}")).unwrap();
    force_fetch(&w);
    w.run(&["wheels", "debian:12", "debian:13", "linux/amd64"], 0);
    let log =
        |name: &str| fs_err::read_to_string(w.root.join("target/xtask/logs").join(name)).unwrap();
    let both = log("debian12-amd64-cp311.log") + &log("debian13-amd64-cp313.log");
    let kept = both.matches("markupsafe-3.0.2.tar.gz is in the cache").count();
    // Twice if an earlier run cached it.
    assert!(kept >= 1, "{both}");
    assert_eq!(kept + both.matches("Downloading markupsafe").count(), 2, "{both}");
}

#[test]
fn a_source_archive_with_another_hash_is_rejected() {
    let wrong = "0".repeat(64);
    let right = "ee55d3edf80167e48ea11a923c7386f4669df67d7994554387f84e7d8b0a2bf0";
    let w = Workspace::of_package(&MARKUPSAFE.replace(right, &wrong), CHECK);
    let (_, stderr) = w.run(&WHEELS, 1);
    assert!(stderr.contains(right) && stderr.contains(&wrong), "{stderr}");
}

#[test]
fn a_hash_of_another_version_is_rejected() {
    let w = Workspace::of_package(MARKUPSAFE, CHECK);
    // The step runs again, so that the archive is in the cache. The next builds find it there by its hash.
    force_fetch(&w);
    w.run(&WHEELS, 0);
    let toml = fs_err::read_to_string(w.root.join("wheels.toml")).unwrap();
    for other in ["markupsafe==3.0.3", "markupunsafe==3.0.2"] {
        let text = toml.replace("markupsafe==3.0.2", other);
        fs_err::write(w.root.join("wheels.toml"), text).unwrap();
        let (_, stderr) = w.run(&WHEELS, 1);
        let error = format!("the sha256 belongs to markupsafe-3.0.2.tar.gz, not to {other}");
        assert!(stderr.contains(&error), "{stderr}");
    }
}

#[test]
fn no_archive_writes_outside_of_its_folder() {
    run_in_debian_12("python3", include_str!("../fixtures/archives.sh"), &["sh"], &[]);
}

/// A package with an extension, in the repository itself.
pub(crate) fn lay_out_package(root: &Utf8Path, answer: &str) {
    let pyproject = "[build-system]\nrequires = [\"setuptools>=77\"]\n\
        build-backend = \"setuptools.build_meta\"\n\
        [project]\nname = \"inplace\"\nversion = \"1.0\"\n\
        [tool.setuptools]\next-modules = [{ name = \"inplace\", sources = [\"inplace.c\"] }]\n";
    let code = format!(
        "#include <Python.h>\n\
         static PyObject *answer(PyObject *s, PyObject *a) {{ return PyLong_FromLong({answer}); }}\n\
         static PyMethodDef methods[] = {{{{\"answer\", answer, METH_NOARGS, 0}}, {{0}}}};\n\
         static PyModuleDef module = {{PyModuleDef_HEAD_INIT, \"inplace\", 0, -1, methods}};\n\
         PyMODINIT_FUNC PyInit_inplace(void) {{ return PyModule_Create(&module); }}\n"
    );
    fs_err::write(root.join("pyproject.toml"), pyproject).unwrap();
    fs_err::write(root.join("inplace.c"), code).unwrap();
}

#[test]
fn a_package_in_the_repository_is_rebuilt_when_it_changes() {
    let check = "imports = [\"inplace\"]\ncalls = { inplace = [\"m.answer() in (42, 43)\"] }";
    let w = Workspace::of_package("path = \".\"", check);
    lay_out_package(&w.root, "42");
    fs_err::write(w.root.join(".gitignore"), "/target/\n/dist/\n").unwrap();
    sh("git", &["init", "--quiet", w.root.as_str()]);
    w.run(&WHEELS, 0);
    let first = w.json("manifest.json");
    let (stdout, _) = w.run(&WHEELS, 0);
    assert!(stdout.contains("unchanged"), "a run changes nothing in its own context: {stdout}");
    lay_out_package(&w.root, "43");
    // Files of an earlier build, and a pipe that blocks programs that open it.
    for name in
        ["temp.linux-x86_64-cpython-311/inplace.o", "lib.linux-x86_64-cpython-311/inplace.so"]
    {
        let path = w.root.join("build").join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path.as_str().replace(".so", ".cpython-311-x86_64-linux-gnu.so"), "stale")
            .unwrap();
    }
    sh("mkfifo", &[w.root.join("pipe").as_str()]);
    sh("ln", &["-s", "/etc/passwd", w.root.join("link").as_str()]);
    let (stdout, stderr) = w.run(&WHEELS, 0);
    assert!(stdout.contains("built"), "{stdout}");
    assert!(stderr.contains("`build/temp.linux-x86_64-cpython-311/`"), "{stderr}");
    assert_ne!(w.json("manifest.json"), first);
}
