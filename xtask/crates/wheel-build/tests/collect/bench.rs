//! The workspace of these tests.

use camino::Utf8PathBuf;

use crate::common::{Ran, Workspace, machine, wheel};

pub(crate) const TARGETS: &str = r#"
[source]
sdist = "demo==1.0"
sha256 = "6c69fca89106567060941c5568e67a5369738813d883db4e3d62b76f0a2c497e"
[build]
pythons = ["cp311", "cp313"]
[ci]
targets = ["debian12", "rocky9"]
[[target]]
name = "debian12"
image = "debian:12"
glibc = "2.36"
platforms = ["linux/amd64"]
[[target]]
name = "rocky9"
image = "rockylinux:9"
glibc = "2.34"
platforms = ["linux/amd64"]
[[target]]
name = "alma9"
image = "almalinux:9"
glibc = "2.34"
platforms = ["linux/amd64"]
"#;

/// A workspace with two targets and two interpreters, and a folder for other machines' wheels.
pub(crate) struct Bench {
    pub(crate) workspace: Workspace,
    pub(crate) incoming: Utf8PathBuf,
}

pub(crate) fn bench() -> Bench {
    let workspace = Workspace::new();
    fs_err::write(workspace.root.join("wheels.toml"), TARGETS).unwrap();
    let incoming = workspace.root.with_file_name("incoming");
    fs_err::create_dir_all(&incoming).unwrap();
    Bench { workspace, incoming }
}

/// A wheel of `demo` for one interpreter and C library, with `text` in its module.
pub(crate) fn demo(python: &str, glibc: &str, text: &str) -> (String, Vec<u8>) {
    let name = format!("demo-1.0-{python}-{python}-manylinux_{glibc}_x86_64.whl");
    wheel(&name, false, &[("demo/__init__.py", text.as_bytes())])
}

impl Bench {
    /// Adds a wheel to the `dist/` of machine `name`.
    pub(crate) fn machine(
        &self,
        name: &str,
        target: &str,
        python: &str,
        text: &str,
    ) -> Utf8PathBuf {
        let glibc = if target == "debian12" { "2_36" } else { "2_34" };
        machine::add(&self.incoming.join(name), target, &[python], &demo(python, glibc, text))
    }

    /// Every wheel of the selection, on two machines.
    pub(crate) fn all(&self) {
        for python in ["cp311", "cp313"] {
            self.machine("one", "debian12", python, "a");
            self.machine("two", "rocky9", python, "a");
        }
    }

    pub(crate) fn collect(&self, more: &[&str]) -> Ran {
        self.workspace.run(&[&["collect", self.incoming.as_str()], more].concat())
    }
}
