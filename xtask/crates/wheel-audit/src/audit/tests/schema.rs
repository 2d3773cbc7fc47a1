//! The subset of JSON Schema 2020-12 for validating values against the schemas of this repository.
//!
//! Stricter than the specification: an unknown keyword and a property
//! that no schema describes are errors, so that the schema stays complete
//! and current.

#![expect(clippy::panic, reason = "a test may stop at once")]

use serde_json::{Map, Value};

/// The violations of the schema by `value`.
pub(crate) fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, value, "$", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if schema == &Value::Bool(false) {
        found.push(format!("{at}: nothing describes it"));
        return;
    }
    let keywords = schema.as_object().unwrap();
    for (keyword, want) in keywords {
        let fits = match keyword.as_str() {
            // The last two are handled below.
            "$schema"
            | "$defs"
            | "definitions"
            | "default"
            | "title"
            | "description"
            | "properties"
            | "additionalProperties" => true,
            "$ref" => {
                let pointer = want.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(pointer).unwrap(), value, at, found);
                true
            }
            "const" => value == want,
            "enum" => want.as_array().unwrap().contains(value),
            "type" => match want {
                Value::Array(all) => all.iter().any(|each| has_type(each.as_str().unwrap(), value)),
                one => has_type(one.as_str().unwrap(), value),
            },
            "minimum" => value.as_f64().is_none_or(|number| number >= want.as_f64().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| matches(want.as_str().unwrap(), text)),
            "required" => value.as_object().is_none_or(|object| {
                want.as_array()
                    .unwrap()
                    .iter()
                    .all(|name| object.contains_key(name.as_str().unwrap()))
            }),
            "items" => {
                for (index, each) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, want, each, &format!("{at}[{index}]"), found);
                }
                true
            }
            "allOf" => {
                for each in want.as_array().unwrap() {
                    check(root, each, value, at, found);
                }
                true
            }
            "anyOf" | "oneOf" => want.as_array().unwrap().iter().any(|each| {
                let mut inner = Vec::new();
                check(root, each, value, at, &mut inner);
                inner.is_empty()
            }),
            unknown => panic!("the keyword `{unknown}` is not understood"),
        };
        if !fits {
            found.push(format!("{at}: {keyword} {want} does not allow {value}"));
        }
    }
    if let Some(object) = value.as_object() {
        check_members(root, keywords, object, at, found);
    }
}

fn check_members(
    root: &Value,
    keywords: &Map<String, Value>,
    object: &Map<String, Value>,
    at: &str,
    found: &mut Vec<String>,
) {
    let described = keywords.get("properties");
    let others = keywords.get("additionalProperties");
    if described.is_none() && others.is_none() {
        return;
    }
    for (name, value) in object {
        match described.and_then(|all| all.get(name)).or(others) {
            Some(schema) => check(root, schema, value, &format!("{at}.{name}"), found),
            None => found.push(format!("{at}: nothing describes `{name}`")),
        }
    }
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        unknown => panic!("the type `{unknown}` is not understood"),
    }
}

/// The patterns of the schemas, as functions.
fn matches(pattern: &str, text: &str) -> bool {
    let all = |text: &str, test: fn(&u8) -> bool| text.bytes().all(|byte| test(&byte));
    match pattern {
        "^[0-9a-f]{64}$" => {
            text.len() == 64 && all(text, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        }
        "^[0-9]+(\\.[0-9]+)*$" => {
            text.split('.').all(|part| !part.is_empty() && all(part, u8::is_ascii_digit))
        }
        "^[A-Z]{3}[0-9]{3}$" => {
            text.len() == 6
                && text.get(..3).is_some_and(|part| all(part, u8::is_ascii_uppercase))
                && text.get(3..).is_some_and(|part| all(part, u8::is_ascii_digit))
        }
        unknown => panic!("the pattern `{unknown}` is not understood"),
    }
}

#[test]
fn violations_of_a_schema_are_found() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "a": { "type": ["integer", "null"], "minimum": 1 },
            "b": { "type": "array", "items": { "$ref": "#/$defs/word" } },
            "c": { "anyOf": [{ "const": 1 }, { "enum": ["x"] }] }
        },
        "required": ["a"],
        "$defs": { "word": { "type": "string", "pattern": "^[A-Z]{3}[0-9]{3}$" } }
    });
    let count = |value: Value| violations(&schema, &value).len();
    assert_eq!(count(serde_json::json!({"a": null, "b": ["ELF001"], "c": "x"})), 0);
    for bad in [
        serde_json::json!({}),
        serde_json::json!([]),
        serde_json::json!({"a": 0}),
        serde_json::json!({"a": "1"}),
        serde_json::json!({"a": 1, "b": ["ELF1"]}),
        serde_json::json!({"a": 1, "b": [1]}),
        serde_json::json!({"a": 1, "c": 2}),
        serde_json::json!({"a": 1, "d": 1}),
    ] {
        assert_eq!(count(bad.clone()), 1, "{bad}");
    }
}
