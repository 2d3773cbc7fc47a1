//! The two documents beside each wheel: a bill of materials (`CycloneDX`) and a provenance (in-toto, SLSA). Pure: the
//! same facts give the same bytes, without a clock, a random number or a name of this machine.
//!
//! The bill of materials lists what the wheel holds or loads, and, with the scope `excluded`, what it was built with.
//! The provenance lists everything that went into the build, all packages of the build container included.
//! `wheel-audit` compares both with the wheel and knows their form.

mod bom;
mod materials;
mod provenance;

use std::collections::BTreeMap;

use serde_json::Value;

use wheel_audit::dist::{Grafted, documents_of};
use wheel_audit::report;

/// What is known of a wheel and its build.
#[derive(Debug, Clone)]
pub(crate) struct Facts<'a> {
    /// File name of the wheel.
    pub file: &'a str,
    /// SHA-256 of its bytes.
    pub sha256: &'a str,
    /// Libraries that were put into it.
    pub grafted: &'a [Grafted],
    /// SHA-256 of those of their files that the wheel has, by path.
    pub members: BTreeMap<&'a str, String>,
    /// Libraries that it loads from the system.
    pub needed: Vec<&'a str>,
    /// Target name.
    pub target: &'a str,
    /// Platform in the engine's words.
    pub platform: &'a str,
    /// The interpreter that built it.
    pub builder: &'a str,
    /// `build-info.json`.
    pub info: &'a Value,
    /// The settings of its build in wheels.toml, without values from the environment of this machine.
    pub settings: Value,
    /// Moment of the package archive that the target's packages come from.
    pub snapshot: Option<&'a str>,
    /// Name of the lock file that the build followed, and SHA-256 of its entry for the build.
    pub lock: Option<(&'a str, String)>,
}

impl Facts<'_> {
    /// What `build-info.json` says of the interpreter that built the wheel.
    fn interpreter(&self) -> &Value {
        let list = self.info["interpreters"].as_array();
        let mut entries = list.into_iter().flatten();
        entries.find(|entry| entry["id"] == self.builder).unwrap_or(&Value::Null)
    }
}

/// Both documents, with their file names.
///
/// # Errors
/// When the facts cannot be written as JSON, or the wheel's name is none.
pub(crate) fn documents(facts: &Facts<'_>) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let materials = materials::of(facts);
    let bom = bom::bom(facts, &materials);
    let bom =
        bom.ok_or_else(|| std::io::Error::other(format!("`{}` names no wheel", facts.file)))?;
    let documents = [bom, provenance::statement(facts, &materials)];
    let named = documents_of(facts.file).into_iter().zip(documents);
    let text = |(name, document)| Ok((name, (report::json_text(&document)? + "\n").into_bytes()));
    named.map(text).collect()
}

#[cfg(test)]
mod tests;
