//! The JSON schema of `wheels.toml`, generated from the configuration's types.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;

use camino::Utf8Path;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::overrides::{PathPattern, Reason};
#[path = "../../../wheel-audit/src/audit/tests/schema.rs"]
mod json_schema;

use super::{CacheSpec, Platform, Word};

/// Types that deserialize from a string.
macro_rules! strings {
    ($($name:ident),*) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                String::json_schema(generator)
            }
        }
    )*};
}

strings!(CacheSpec, PathPattern, Platform, Reason, Word);

/// `UPDATE_SCHEMA=1 cargo test -p wheel-build schema` updates the file.
#[test]
fn the_schema_is_current() {
    let schema = serde_json::to_string_pretty(&super::raw::schema()).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/wheels.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs_err::write(path, &schema).unwrap();
    }
    let hint = "`UPDATE_SCHEMA=1 cargo test -p wheel-build schema` updates it";
    assert!(fs_err::read_to_string(path).unwrap() == schema, "{hint}");
}

/// The schema and the parser accept the same keys and types.
#[test]
fn the_schema_accepts_what_the_parser_accepts() {
    let schema = serde_json::to_value(super::raw::schema()).unwrap();
    let accepts = |text: &str| {
        let table: toml::Table = text.parse().unwrap();
        json_schema::violations(&schema, &serde_json::to_value(table).unwrap()).is_empty()
    };
    let parses = |text: &str| super::parse_text(Utf8Path::new("wheels.toml"), text).is_ok();
    let good = "[source]\npath = \".\"\n[build]\npythons = [\"cp311\"]\n[check]\n\
        isa = { amd64 = \"x86-64-v2\" }\n[[target]]\nname = \"debian12\"\nimage = \"debian:12\"\n\
        family = \"apt\"\nglibc = \"2.36\"\nplatforms = [\"linux/amd64\"]\n";
    assert!(accepts(good) && parses(good));
    for (from, to) in [
        ("pythons", "phytons"),
        ("[\"cp311\"]", "\"cp311\""),
        ("\"2.36\"", "2.36"),
        ("\"apt\"", "\"apk-get\""),
        ("[build]\npythons = [\"cp311\"]\n", ""),
        ("image = \"debian:12\"\n", ""),
    ] {
        let bad = good.replace(from, to);
        assert!(bad != good && !accepts(&bad) && !parses(&bad), "{from} -> {to}");
    }
}
