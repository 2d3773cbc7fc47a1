//! The bill of materials: `CycloneDX`, as JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Facts;
use super::materials::{Material, grafted_purl};
use wheel_audit::dist::{BOM_VERSION, Grafted, Role, wheel_purl};
use wheel_audit::wheel::WheelName;

/// The document; `None` if the file name is not a wheel's.
pub(super) fn bom(facts: &Facts<'_>, materials: &[Material]) -> Option<Value> {
    let (name, root) = (WheelName::parse(facts.file).ok()?, wheel_purl(facts.file)?);
    // By reference, each once.
    let mut held: BTreeMap<String, Value> = BTreeMap::new();
    let mut others = held.clone();
    for library in facts.grafted {
        held.insert(format!("grafted:{}", library.file), grafted(facts, library));
    }
    for library in &facts.needed {
        held.insert(format!("linked:{library}"), linked(library));
    }
    for material in materials {
        let Some((kind, scope)) = kind_and_scope(material.role) else { continue };
        let purl = material.purl.clone().unwrap_or_else(|| material.name.clone());
        let reference = format!("{}:{purl}", word(material.role));
        let part = self::material(material, kind, scope);
        if scope == REQUIRED { &mut held } else { &mut others }.insert(reference, part);
    }
    let depends_on: Vec<String> = held.keys().cloned().collect();
    held.append(&mut others);
    let mut dependencies = vec![json!({"ref": root, "dependsOn": depends_on})];
    dependencies.extend(held.keys().map(|reference| json!({"ref": reference})));
    let with_reference = |(reference, mut part): (String, Value)| {
        part["bom-ref"] = reference.into();
        part
    };
    let tool =
        json!({"type": "application", "name": "wheel-build", "version": env!("CARGO_PKG_VERSION")});
    Some(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": BOM_VERSION,
        "serialNumber": serial_number(facts.sha256),
        "version": 1,
        "metadata": {
            "tools": {"components": [tool]},
            "component": {
                "type": "library",
                "bom-ref": root,
                "name": name.distribution,
                "version": name.version,
                "purl": root,
                "hashes": hashes(facts.sha256),
            },
            "properties": [
                property("interpreter", facts.builder),
                property("platform", facts.platform),
                property("target", facts.target),
            ],
        },
        "components": held.into_iter().map(with_reference).collect::<Vec<_>>(),
        "dependencies": dependencies,
        // Statically linked code leaves no trace that the tool reads.
        "compositions": [{"aggregate": "incomplete", "assemblies": [root]}],
    }))
}

/// A part of the wheel, or something it needs to run.
const REQUIRED: &str = "required";
/// A build tool.
const EXCLUDED: &str = "excluded";

/// Component type and scope of a material. Packages that are only installed are listed in the provenance only.
fn kind_and_scope(role: Role) -> Option<(&'static str, &'static str)> {
    match role {
        Role::Crate => Some(("library", REQUIRED)),
        Role::Source | Role::Lock => Some(("file", EXCLUDED)),
        Role::BaseImage => Some(("container", EXCLUDED)),
        Role::BuildRequirement => Some(("library", EXCLUDED)),
        Role::Interpreter | Role::Tool => Some(("application", EXCLUDED)),
        Role::SystemPackage | Role::Other => None,
    }
}

/// Name of a role, as in the provenance.
pub(super) fn word(role: Role) -> String {
    let value = serde_json::to_value(role).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn property(name: &str, value: &str) -> Value {
    json!({"name": format!("wheel-build:{name}"), "value": value})
}

fn hashes(sha256: &str) -> Value {
    json!([{"alg": "SHA-256", "content": sha256}])
}

/// A UUID (version 8, RFC 9562) from the wheel's hash: the same wheel has the same number.
fn serial_number(sha256: &str) -> String {
    let digits = sha256.get(..32).unwrap_or("00000000000000000000000000000000");
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    format!(
        "urn:uuid:{}-{}-8{}-8{}-{}",
        part(0..8),
        part(8..12),
        part(13..16),
        part(17..20),
        part(20..32)
    )
}

fn component(kind: &str, scope: &str, role: &str, name: &str) -> Map<String, Value> {
    let properties = json!([property("role", role)]);
    let fields = [("type", kind.into()), ("name", name.into()), ("scope", scope.into())];
    let fields = fields.into_iter().chain([("properties", properties)]);
    fields.map(|(key, value)| (key.to_owned(), value)).collect()
}

fn material(material: &Material, kind: &str, scope: &str) -> Value {
    let mut part = component(kind, scope, &word(material.role), &material.name);
    let mut add = |name: &str, value: Option<Value>| {
        part.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("version", material.version.clone().map(Value::from));
    add("purl", material.purl.clone().map(Value::from));
    add("hashes", material.sha256.as_deref().filter(|hash| hash.len() == 64).map(hashes));
    Value::Object(part)
}

/// A library that auditwheel copied into the wheel and changed. The hash is that of the copy.
fn grafted(facts: &Facts<'_>, library: &Grafted) -> Value {
    let name = library.package.as_ref().unwrap_or(&library.library);
    let mut part = component("library", REQUIRED, "grafted", name);
    let purl = grafted_purl(facts, library);
    part.extend(library.version.as_deref().map(|it| ("version".to_owned(), it.into())));
    part.extend(purl.map(|purl| ("purl".to_owned(), purl.into())));
    let hash = facts.members.get(library.file.as_str());
    part.extend(hash.map(|hash| ("hashes".to_owned(), hashes(hash))));
    let evidence = json!({"occurrences": [{"location": library.file}]});
    part.insert("evidence".to_owned(), evidence);
    Value::Object(part)
}

/// A library of the system that the wheel loads, by its `DT_NEEDED` name.
fn linked(library: &str) -> Value {
    Value::Object(component("library", REQUIRED, "linked", library))
}
