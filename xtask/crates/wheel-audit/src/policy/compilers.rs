//! The systems with the compiler whose line is in a file (`data/compilers.toml`).

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Libc, LibcVersion};

/// A compiler, identified by its line in `.comment`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compiler {
    /// True if it is the distribution's own compiler, which identifies one system, or that of an add-on collection.
    pub is_own: bool,
    /// The systems that have it, oldest first.
    pub systems: Vec<BuildSystem>,
    mark: String,
}

/// A build system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuildSystem {
    /// `Debian 12`.
    pub name: String,
    /// Its C library.
    pub libc: Libc,
}

impl Compiler {
    /// The compiler with `line` (`GCC: (Debian 12.2.0-14) 12.2.0`). `None` if it is unknown or ambiguous.
    pub(crate) fn of_comment(line: &str) -> Option<&'static Self> {
        static TABLE: LazyLock<Vec<Compiler>> = LazyLock::new(load);
        TABLE.iter().find(|compiler| line.contains(&compiler.mark))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    compiler: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default)]
    own: bool,
    mark: String,
    systems: Vec<System>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct System {
    name: String,
    glibc: Option<LibcVersion>,
    musl: Option<LibcVersion>,
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> Vec<Compiler> {
    let file: File = toml::from_str(include_str!("data/compilers.toml"))
        .expect("data/compilers.toml is well-formed");
    let system = |system: System| {
        let libc = system.glibc.map(Libc::Glibc).or(system.musl.map(Libc::Musl));
        BuildSystem { name: system.name, libc: libc.expect("each system has a C library") }
    };
    let compiler = |row: Row| Compiler {
        is_own: row.own,
        systems: row.systems.into_iter().map(system).collect(),
        mark: row.mark,
    };
    file.compiler.into_iter().map(compiler).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    #[test]
    fn lines_from_wheels_identify_their_systems() {
        for (line, system, libc) in [
            ("GCC: (Debian 12.2.0-14+deb12u1) 12.2.0", "Debian 12", (2, 36)),
            ("GCC: (Ubuntu 9.4.0-1ubuntu1~20.04.2) 9.4.0", "Ubuntu 20.04", (2, 31)),
            ("Ubuntu clang version 14.0.0-1ubuntu1~22.04.1", "Ubuntu 22.04", (2, 35)),
            ("GCC: (GNU) 4.8.5 20150623 (Red Hat 4.8.5-44)", "Enterprise Linux 7", (2, 17)),
            (
                "clang version 21.1.8 ( 21.1.8-1.module_el8.10.0+4172+b6b13d75)",
                "Enterprise Linux 8",
                (2, 28),
            ),
        ] {
            let compiler = Compiler::of_comment(line).unwrap();
            let libc = Libc::Glibc(LibcVersion::new(libc.0, libc.1));
            let system = BuildSystem { name: system.to_owned(), libc };
            assert_eq!((compiler.is_own, &compiler.systems), (true, &vec![system]), "{line}");
        }
        let alpine = Compiler::of_comment("GCC: (Alpine 14.2.0) 14.2.0").unwrap();
        assert_eq!(alpine.systems[0].libc, Libc::Musl(LibcVersion::new(1, 2)));
    }

    #[test]
    fn ambiguous_lines_identify_no_system() {
        for line in
            ["GCC: (GNU) 12.2.0", "rustc version 1.90.0", "", "GCC: (Debian 12.1.0-8) 12.1.0"]
        {
            assert_eq!(Compiler::of_comment(line), None, "{line}");
        }
        let toolset = "GCC: (GNU) 14.2.1 20250110 (Red Hat 14.2.1-11)";
        let toolset = Compiler::of_comment(toolset).unwrap();
        assert_eq!((toolset.is_own, toolset.systems.len()), (false, 3));
    }

    #[test]
    fn systems_are_sorted_and_their_own_compilers_identify_one() {
        for compiler in load() {
            assert!(compiler.systems.is_sorted_by_key(|system| system.libc), "{}", compiler.mark);
            assert!(!compiler.is_own || compiler.systems.len() == 1, "{}", compiler.mark);
        }
    }
}
