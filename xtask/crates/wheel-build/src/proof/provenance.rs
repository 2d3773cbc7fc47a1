//! The provenance: an in-toto statement with a SLSA predicate.

use serde_json::{Map, Value, json};

use super::Facts;
use super::materials::Material;
use wheel_audit::dist::{BUILD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE};

/// The builder is the tool. Signed attestations of the host state where it ran.
const BUILDER: &str = "urn:wheel-build:builder";

pub(super) fn statement(facts: &Facts<'_>, materials: &[Material]) -> Value {
    let dependencies: Vec<Value> = materials.iter().map(dependency).collect();
    let mut parameters = json!({
        "interpreter": facts.builder,
        "platform": facts.platform,
        "settings": facts.settings,
        "source": facts.info["source"],
        "target": facts.target,
    });
    if let Some(snapshot) = facts.snapshot {
        parameters["snapshot"] = snapshot.into();
    }
    json!({
        "_type": STATEMENT_TYPE,
        "subject": [{"name": facts.file, "digest": {"sha256": facts.sha256}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": parameters,
                "internalParameters": internal(facts),
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"wheel-build": env!("CARGO_PKG_VERSION")}},
            },
        },
    })
}

/// Known internal decisions of the tool.
fn internal(facts: &Facts<'_>) -> Value {
    let interpreter = facts.interpreter();
    // Record a build whose code could use the network.
    let is_isolated = interpreter["isolated"] != false;
    let mut all = Map::from_iter([("isolated".to_owned(), is_isolated.into())]);
    if interpreter["recipe"].is_object() {
        all.insert("recipe".to_owned(), interpreter["recipe"].clone());
    }
    let repair = &interpreter["repair"];
    if repair.is_object() {
        let versions = json!({"auditwheel": repair["auditwheel"], "patchelf": repair["patchelf"]});
        all.insert("repair".to_owned(), versions);
    }
    Value::Object(all)
}

fn dependency(material: &Material) -> Value {
    let Material { role, name, version, purl, sha256, origin } = material;
    let mut annotations = Map::from_iter([("role".to_owned(), json!(role))]);
    annotations.extend(version.clone().map(|version| ("version".to_owned(), version.into())));
    annotations.extend(origin.clone().map(|origin| ("origin".to_owned(), origin.into())));
    let mut resource = Map::from_iter([("name".to_owned(), json!(name))]);
    resource.extend(purl.clone().map(|purl| ("uri".to_owned(), purl.into())));
    resource.extend(sha256.as_ref().map(|hash| ("digest".to_owned(), json!({"sha256": hash}))));
    resource.insert("annotations".to_owned(), Value::Object(annotations));
    Value::Object(resource)
}
