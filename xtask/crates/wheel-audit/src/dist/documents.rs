//! The two documents of each wheel: names and constants.
//!
//! `NAME.whl.cdx.json` is a `CycloneDX` SBOM, `NAME.whl.provenance.json` an in-toto statement with a SLSA provenance
//! predicate. Neither is signed. `check` compares both with the wheel, the manifest and `build-info.json`.

use std::fmt::Write as _;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::wheel::WheelName;

/// The suffixes of the documents, after the wheel's file name.
pub const DOCUMENTS: [&str; 2] = [BOM, PROVENANCE];
/// The SBOM.
pub const BOM: &str = ".cdx.json";
/// The provenance.
pub const PROVENANCE: &str = ".provenance.json";
/// The type of the statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The type of its predicate.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// The build type in the provenance, which defines the meaning of its parameters.
pub const BUILD_TYPE: &str = "urn:wheel-build:wheel:v1";
/// The version of `CycloneDX`.
pub const BOM_VERSION: &str = "1.6";

/// The role of a dependency in the build: the annotation `role` in the provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The source archive.
    Source,
    /// The lock file.
    Lock,
    /// The base image.
    BaseImage,
    /// A build requirement.
    BuildRequirement,
    /// A Rust crate.
    Crate,
    /// The interpreter that built the wheel.
    Interpreter,
    /// A compiler, linker or other tool of the build container.
    Tool,
    /// A package of the build container's system.
    SystemPackage,
    /// An unknown role.
    #[serde(other)]
    Other,
}

/// The file names or paths of both documents of a wheel.
pub fn documents_of(wheel: &str) -> [String; 2] {
    DOCUMENTS.map(|end| format!("{wheel}{end}"))
}

/// The wheel of a document, by file name or path. `None` for other files.
pub fn documented(path: &str) -> Option<&str> {
    let wheel = DOCUMENTS.iter().find_map(|end| path.strip_suffix(end))?;
    (Utf8Path::new(wheel).extension() == Some("whl")).then_some(wheel)
}

/// The package URL of a wheel with this file name (type `pypi` of the specification).
pub fn wheel_purl(file: &str) -> Option<String> {
    let name = WheelName::parse(file).ok()?;
    let (project, version) = (project(&name.distribution), escaped(&name.version));
    Some(format!("pkg:pypi/{project}@{version}?file_name={}", escaped(file)))
}

/// The normalized name of a project (PEP 503).
pub fn project(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// Percent-encodes a part of a package URL, except letters, digits and `.-_~:`.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_documents_and_package_urls_follow_the_wheel() {
        let file = "Zope.Interface-1.0+cu12-py3-none-any.whl";
        for name in documents_of(&format!("t-amd64/{file}")) {
            assert_eq!(documented(&name), Some(&*format!("t-amd64/{file}")));
        }
        for other in ["a.cdx.json", "a.whl.json", "a.whl", ".cdx.json"] {
            assert_eq!(documented(other), None, "{other}");
        }
        let purl = "pkg:pypi/zope-interface@1.0%2Bcu12?file_name=Zope.Interface-1.0%2Bcu12-py3-none-any.whl";
        assert_eq!(wheel_purl(file).as_deref(), Some(purl));
        assert_eq!(wheel_purl("a.whl"), None);
    }
}
