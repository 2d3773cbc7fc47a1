//! The suffix of an extension module's file name, which contains its ABI (PEP 3149, PEP 384, PEP 803, and
//! `EXTENSION_SUFFIXES` of each interpreter).

use std::fmt;

use super::Interpreter;

/// The parts of a suffix such as `.cpython-311-x86_64-linux-gnu.so`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionSuffix {
    /// The ABI.
    pub abi: ExtensionAbi,
    /// The platform, such as `x86_64-linux-gnu`. Some interpreters omit it. With a stable ABI, only Python 3.15 and
    /// later imports names with a platform.
    pub platform: Option<String>,
}

/// The ABI of a suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtensionAbi {
    /// That of one interpreter: `cpython-314t`, `pypy311-pp73`, `graalpy250-312-native`.
    Interpreter(Interpreter),
    /// The stable ABI, `abi3`.
    Stable,
    /// The stable ABI with an opaque `PyObject`, `abi3t` (PEP 803), for interpreters with and without the global
    /// interpreter lock.
    FreeThreadedStable,
}

/// The first Python that imports `.abi3.so` (PEP 384).
const FIRST_WITH_ABI3: (u8, u8) = (3, 2);

/// The first Python that imports `.abi3t.so`, and names with a platform after `abi3`.
pub(crate) const FIRST_WITH_ABI3T: (u8, u8) = (3, 15);

impl ExtensionAbi {
    /// Returns whether `interpreter` imports files with this ABI.
    pub fn is_loaded_by(self, interpreter: Interpreter) -> bool {
        match self {
            Self::Interpreter(own) => own == interpreter,
            Self::Stable => {
                interpreter.is_cpython()
                    && !interpreter.is_free_threaded()
                    && interpreter.python_version() >= FIRST_WITH_ABI3
            }
            Self::FreeThreadedStable => {
                interpreter.is_cpython() && interpreter.python_version() >= FIRST_WITH_ABI3T
            }
        }
    }
}

impl fmt::Display for ExtensionAbi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interpreter(interpreter) => interpreter.fmt(f),
            Self::Stable => f.write_str("abi3"),
            Self::FreeThreadedStable => f.write_str("abi3t"),
        }
    }
}

impl ExtensionSuffix {
    /// Parses the file name of a path. `None` without an ABI: every interpreter imports `module.so`, and most `.so`
    /// files are not modules.
    pub fn parse(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next()?.strip_suffix(".so")?;
        let (_, suffix) = name.split_once('.')?;
        let suffix = suffix.rsplit('.').next()?;
        let (head, tail) =
            suffix.split_once('-').map_or((suffix, None), |(head, tail)| (head, Some(tail)));
        let stable = match head {
            "abi3" => Some(ExtensionAbi::Stable),
            "abi3t" => Some(ExtensionAbi::FreeThreadedStable),
            _ => None,
        };
        if let Some(abi) = stable {
            return Some(Self { abi, platform: tail.map(str::to_owned) });
        }
        let (implementation, rest) = (head, tail?);
        let (version, platform) =
            rest.split_once('-').map_or((rest, None), |(head, tail)| (head, Some(tail)));
        let interpreter = if implementation == "cpython" {
            format!("cp{version}")
        } else if let Some(release) = implementation.strip_prefix("graalpy") {
            // `graalpy250-312-native-x86_64-linux`
            release.parse::<u32>().ok()?;
            let platform = platform?.strip_prefix("native-")?.to_owned();
            let abi = ExtensionAbi::Interpreter(format!("gp{version}").parse().ok()?);
            return Some(Self { abi, platform: Some(platform) });
        } else {
            // `pypy311-pp73-x86_64-linux-gnu`
            version.strip_prefix("pp")?;
            format!("pp{}", implementation.strip_prefix("pypy")?)
        };
        let abi = ExtensionAbi::Interpreter(interpreter.parse().ok()?);
        Some(Self { abi, platform: platform.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<(String, Option<String>)> {
        let suffix = ExtensionSuffix::parse(path)?;
        Some((suffix.abi.to_string(), suffix.platform))
    }

    #[test]
    fn each_interpreter_has_its_suffixes() {
        let with =
            |abi: &str, platform: Option<&str>| Some((abi.to_owned(), platform.map(str::to_owned)));
        assert_eq!(
            read("a/_x.cpython-311-x86_64-linux-gnu.so"),
            with("cp311", Some("x86_64-linux-gnu"))
        );
        assert_eq!(
            read("_x.cpython-314t-aarch64-linux-gnu.so"),
            with("cp314t", Some("aarch64-linux-gnu"))
        );
        assert_eq!(
            read("_x.pypy311-pp73-x86_64-linux-gnu.so"),
            with("pp311", Some("x86_64-linux-gnu"))
        );
        assert_eq!(
            read("_x.graalpy250-312-native-x86_64-linux.so"),
            with("gp312", Some("x86_64-linux"))
        );
        assert_eq!(read("_x.abi3.so"), with("abi3", None));
        assert_eq!(read("_x.abi3t.so"), with("abi3t", None));
        assert_eq!(read("_x.abi3t-x86_64-linux-gnu.so"), with("abi3t", Some("x86_64-linux-gnu")));
        assert_eq!(read("_x.cpython-39.so"), with("cp39", None));
        for plain in [
            "_x.so",
            "libz.so.1",
            "libz-1234.so.1.2",
            "a.b.so",
            "_x.cpython-.so",
            "x.py",
            "_x.pypy-.so",
            "_x.graalpy-312-native-x86_64-linux.so",
            "_x.graalpy250-312.so",
            "_x.abi4.so",
        ] {
            assert_eq!(read(plain), None, "{plain}");
        }
    }
}
