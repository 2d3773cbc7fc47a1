//! The two documents beside each wheel: a bill of materials (`CycloneDX`) and a provenance (in-toto, SLSA). Pure:
//! the same facts produce the same bytes, without a clock, a random number or a name of this machine.
//!
//! The bill of materials lists what the wheel contains or loads, and its build tools with the scope `excluded`. The
//! provenance lists all inputs of the build, including all packages of the build container. `wheel-audit` defines
//! their form and compares both with the wheel.

mod bom;
mod materials;
mod provenance;

use std::collections::BTreeMap;

use serde_json::Value;

use wheel_audit::dist::{Grafted, documents_of};
use wheel_audit::report;

/// Facts about a wheel and its build.
#[derive(Debug, Clone)]
pub(crate) struct Facts<'a> {
    pub file: &'a str,
    /// SHA-256 of its bytes.
    pub sha256: &'a str,
    /// Libraries that were grafted into it.
    pub grafted: &'a [Grafted],
    /// SHA-256 of the grafted files in the wheel, by path.
    pub members: BTreeMap<&'a str, String>,
    /// Libraries of the system that it loads.
    pub needed: Vec<&'a str>,
    pub target: &'a str,
    /// Platform, e.g. `linux/amd64`.
    pub platform: &'a str,
    /// The interpreter that built it.
    pub builder: &'a str,
    /// `build-info.json`.
    pub info: &'a Value,
    /// Build settings of wheels.toml, without values from this machine's environment.
    pub settings: Value,
    /// Time of the package archive snapshot that provides the target's packages.
    pub snapshot: Option<&'a str>,
    /// Name of the lock file of the build, and SHA-256 of its entry.
    pub lock: Option<(&'a str, String)>,
}

impl Facts<'_> {
    /// The entry of `build-info.json` for the interpreter that built the wheel.
    fn interpreter(&self) -> &Value {
        let list = self.info["interpreters"].as_array();
        let mut entries = list.into_iter().flatten();
        entries.find(|entry| entry["id"] == self.builder).unwrap_or(&Value::Null)
    }
}

/// Both documents, with their file names.
///
/// # Errors
/// If the facts cannot be written as JSON, or the wheel's name is invalid.
pub(crate) fn documents(facts: &Facts<'_>) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let materials = materials::of(facts);
    let bom = bom::bom(facts, &materials);
    let bom = bom.ok_or_else(|| {
        std::io::Error::other(format!("`{}` is not the name of a wheel", facts.file))
    })?;
    let documents = [bom, provenance::statement(facts, &materials)];
    let named = documents_of(facts.file).into_iter().zip(documents);
    let text = |(name, document)| Ok((name, (report::json_text(&document)? + "\n").into_bytes()));
    named.map(text).collect()
}

#[cfg(test)]
mod tests;
