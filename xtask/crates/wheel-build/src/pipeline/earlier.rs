//! Results of earlier jobs in `dist/`, beside a new wheel.

use std::collections::BTreeMap;
use wheel_audit::UserError;

use super::env::{Context, PipelineError};
use wheel_audit::audit::Audit;
use wheel_audit::dist::{Manifest, WheelBuild};
use wheel_audit::report;

/// Other interpreters that already have this wheel. If one of this run has it with other bytes, neither smoke test
/// applies to the file in `dist/`.
pub(super) fn shared_builds(
    ctx: &Context<'_>,
    manifest: &Manifest,
    path: &str,
    sha256: &str,
    interpreter: &str,
) -> Result<Vec<WheelBuild>, PipelineError> {
    let Some(entry) = manifest.files.iter().find(|entry| entry.path == path) else {
        return Ok(Vec::new());
    };
    let mut others = entry.builds().iter().filter(|build| build.interpreter != interpreter);
    if entry.sha256 == sha256 {
        return Ok(others.cloned().collect());
    }
    match others.find(|build| ctx.keys.contains(&build.job)) {
        Some(other) => Err(PipelineError::Wrong(
            UserError::new(format!(
                "{} and {interpreter} build `{path}` with different bytes",
                other.interpreter
            ))
            .hint(
                "build an abi3 or pure wheel with one interpreter, or make its build reproducible",
            ),
        )),
        // Built from an earlier state of the source, so its own job rebuilds it.
        None => Ok(Vec::new()),
    }
}

/// Adds this wheel's audit to `earlier`, the folder's `audit.json`, and removes the replaced wheel's.
pub(super) fn joined_audits(
    earlier: Option<Vec<u8>>,
    audit: &Audit,
    replaced: Option<&str>,
) -> Result<Vec<u8>, PipelineError> {
    use serde_json::{Value, json};
    let earlier = earlier.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let mut wheels: BTreeMap<String, Value> = BTreeMap::new();
    let file = |value: &Value| value["file"].as_str().unwrap_or_default().to_owned();
    for wheel in earlier.iter().filter_map(|value| value["wheels"].as_array()).flatten() {
        wheels.insert(file(wheel), wheel.clone());
    }
    if let Some(name) = replaced {
        wheels.remove(name);
    }
    let this = serde_json::to_value(audit).map_err(std::io::Error::from)?;
    wheels.insert(file(&this), this);
    let all: Vec<_> = wheels.into_values().collect();
    let value = json!({ "schema_version": 1, "wheels": all });
    let text = report::json_text(&value).map_err(std::io::Error::from)?;
    Ok((text + "\n").into_bytes())
}
