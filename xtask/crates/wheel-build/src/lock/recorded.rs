//! Compares a wheel in `dist/` with the lock, by its provenance and `build-info.json`.

use serde_json::{Map, Value, json};

use super::{Difference, Environment, LockFile, differences};

/// The differences between the build of the wheel with this provenance and its entry in the lock; `None` if there is
/// no entry. Smoke test and tests are not included.
pub(crate) fn build_differences(lock: &LockFile, provenance: &Value) -> Option<Vec<Difference>> {
    let definition = &provenance["predicate"]["buildDefinition"];
    let text = |name: &str| definition["externalParameters"][name].as_str().unwrap_or_default();
    let locked = lock.locked(text("target"), text("platform"), text("interpreter"));
    let entry = locked.entry.as_ref()?;
    let mut all = match found(definition) {
        Some(mut found) => {
            // Several references can name the same image.
            found.image.reference.clone_from(&entry.image.reference);
            differences(entry, &found)
        }
        None => Vec::new(),
    };
    let followed = with_role(definition, "lock").find_map(|it| it["digest"]["sha256"].as_str());
    if all.is_empty() && followed != locked.build_hash().as_deref() {
        all.push(Difference {
            kind: "lock",
            name: "hash of the lock's entry".to_owned(),
            locked: locked.build_hash(),
            found: followed.map(str::to_owned),
        });
    }
    Some(all)
}

/// The differences between the test of a wheel with the interpreter `id` and the lock, by `build-info.json`.
pub(crate) fn test_differences(lock: &LockFile, info: &Value, id: &str) -> Vec<Difference> {
    let Some(found) = Environment::of_build(info, id, None) else { return Vec::new() };
    let Some(locked) = lock.locked(&found.name, &found.platform, id).entry else {
        return Vec::new();
    };
    let mut all = differences(&locked, &found);
    all.retain(Difference::belongs_to_test);
    all
}

/// The contents of a provenance in the form of `build-info.json`.
fn found(definition: &Value) -> Option<Environment> {
    let parameters = &definition["externalParameters"];
    let id = parameters["interpreter"].as_str()?;
    let hash = |it: &Value| it["digest"]["sha256"].clone();
    let version = |it: &Value| it["annotations"]["version"].clone();
    let named = |role, value: &dyn Fn(&Value) -> Value| -> Map<String, Value> {
        let each = with_role(definition, role);
        each.filter_map(|it| Some((it["name"].as_str()?.to_owned(), value(it)))).collect()
    };
    let listed = |role| -> Vec<Value> {
        let one =
            |it: &Value| json!({"name": it["name"], "version": version(it), "sha256": hash(it)});
        with_role(definition, role).map(one).collect()
    };
    let image = with_role(definition, "base-image").next()?;
    let interpreter = with_role(definition, "interpreter").next()?;
    let provider = interpreter["annotations"]["origin"].as_str()?.split(": ").next();
    let info = json!({
        "target": parameters["target"],
        "platform": parameters["platform"],
        "image": {
            "reference": image["name"],
            "digest": format!("sha256:{}", hash(image).as_str()?),
            "origin": image["annotations"]["origin"],
        },
        "tools": named("tool", &version),
        "tool_hashes": named("tool", &hash),
        "packages": named("system-package", &version),
        "interpreters": [{
            "id": id, "provider": provider, "version": version(interpreter),
            "sha256": hash(interpreter),
            "requirements": {
                "build": listed("build-requirement"), "crates": listed("crate"),
            },
        }],
    });
    Environment::of_build(&info, id, parameters["snapshot"].as_str())
}

fn with_role<'a>(definition: &'a Value, role: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = definition["resolvedDependencies"].as_array().into_iter().flatten();
    all.filter(move |it| it["annotations"]["role"] == role)
}
