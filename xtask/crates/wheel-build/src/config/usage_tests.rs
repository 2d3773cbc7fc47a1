//! Every key of the schema has an example, and a hint for a value of the wrong type.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use serde_json::Value as Json;
use toml::Value;

use super::error::ConfigError;
use super::usage::EXAMPLES;

/// The types that the schema allows for each key; `*` is a name that users choose.
fn keys() -> BTreeMap<Vec<String>, BTreeSet<String>> {
    let schema = serde_json::to_value(super::raw::schema()).unwrap();
    let mut keys = BTreeMap::new();
    walk(&schema, &schema, &[], &mut keys);
    keys.remove(&Vec::new());
    keys
}

fn walk(
    root: &Json,
    node: &Json,
    path: &[String],
    keys: &mut BTreeMap<Vec<String>, BTreeSet<String>>,
) {
    if let Some(name) = node["$ref"].as_str() {
        return walk(root, root.pointer(name.trim_start_matches('#')).unwrap(), path, keys);
    }
    for each in
        ["allOf", "anyOf", "oneOf"].iter().filter_map(|kind| node[kind].as_array()).flatten()
    {
        walk(root, each, path, keys);
    }
    let types = match &node["type"] {
        Json::String(one) => vec![one.clone()],
        Json::Array(list) => list.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    keys.entry(path.to_vec()).or_default().extend(types);
    let below = |name: &str| [path, &[name.to_owned()]].concat();
    for (name, each) in node["properties"].as_object().into_iter().flatten() {
        walk(root, each, &below(name), keys);
    }
    for (name, each) in [("[0]", &node["items"]), ("*", &node["additionalProperties"])] {
        if each.is_object() {
            walk(root, each, &below(name), keys);
        }
    }
}

/// The place of `path` in an example.
fn place<'a>(value: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    let Some((step, rest)) = path.split_first() else { return Some(value) };
    match value {
        Value::Table(table) => {
            let mut entries = table.iter_mut();
            let is_step = |(name, _): &(&String, &mut Value)| step == "*" || *name == step;
            place(entries.find(is_step)?.1, rest)
        }
        Value::Array(list) => list.iter_mut().find_map(|item| place(item, rest)),
        _ => None,
    }
}

#[test]
fn the_examples_are_valid_and_contain_every_key() {
    assert_eq!(EXAMPLES.len(), 2);
    for example in EXAMPLES.iter() {
        let read = super::parse_text(Utf8Path::new("x.toml"), &toml::to_string(&example).unwrap());
        assert!(read.is_ok(), "{read:?}");
    }
    let lacks = |path: &Vec<String>| {
        EXAMPLES.iter().all(|example| place(&mut example.clone(), path).is_none())
    };
    let missing: Vec<_> = keys()
        .into_keys()
        .filter(|path| !path.ends_with(&["[0]".to_owned()]))
        .filter(lacks)
        .collect();
    assert!(missing.is_empty(), "add a value to data/example.toml: {missing:?}");
}

#[test]
fn a_wrong_type_is_reported_with_an_example_of_the_key() {
    let values = [
        ("boolean", Value::Boolean(true)),
        ("integer", Value::Integer(7)),
        ("string", Value::String("x".to_owned())),
        ("array", Value::Array(vec![Value::Array(Vec::new())])),
        ("object", Value::Table([("x".to_owned(), Value::Integer(1))].into_iter().collect())),
    ];
    let mut wrong = Vec::new();
    for (path, types) in keys() {
        for (_, value) in values.iter().filter(|(name, _)| !types.contains(*name)) {
            let mut examples = EXAMPLES.clone().into_iter();
            let text = examples.find_map(|mut example| {
                *place(&mut example, &path)? = value.clone();
                Some(toml::to_string(&example).unwrap())
            });
            // The example of a string or a list of strings may be a string.
            let Some(text) = text else { continue };
            let Err(error) = super::parse_text(Utf8Path::new("x.toml"), &text) else {
                wrong.push(format!("{path:?} = {value}: taken"));
                continue;
            };
            let ConfigError::Invalid(invalid) = error else {
                unreachable!("a text has no read error")
            };
            let name = path.iter().rev().find(|step| *step != "[0]" && *step != "*").unwrap();
            let hint = invalid.error.hint.clone().unwrap_or_default();
            let shows = hint.contains(&format!("{name} = "))
                || hint.contains(&format!("{name}]"))
                || path.contains(&"*".to_owned());
            if !hint.starts_with("write ") || !shows || !invalid.key.contains(name.as_str()) {
                wrong.push(format!(
                    "{path:?} = {value}: {}: {} | {hint}",
                    invalid.key, invalid.error
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
