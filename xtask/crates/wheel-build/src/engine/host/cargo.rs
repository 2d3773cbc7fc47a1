//! cargo's sources and proxy, for cargo in a container.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::{Reader, names};

/// The keys of cargo's configuration that have the same meaning in a container, by table. Programs
/// (`rustc-wrapper`, linkers, credential providers), compiler flags and paths do not. The token of the public
/// registry is for publishing only.
const KEYS: [(&str, &[&str]); 5] = [
    (
        "http",
        &["proxy", "timeout", "multiplexing", "check-revoke", "low-speed-limit", "ssl-version"],
    ),
    ("net", &["retry", "offline"]),
    ("registry", &["default", "index"]),
    ("registries", &["index", "protocol", "token"]),
    ("source", &["registry", "replace-with", "git", "branch", "tag", "rev"]),
];

/// One of cargo's files. cargo prefers a file without an extension.
fn file(host: &Reader<'_>, home: Option<&Utf8Path>, name: &str) -> Option<toml::Table> {
    let path = home?.join(name);
    host.table(&path).or_else(|| host.table(&path.with_extension("toml")))
}

/// The tokens of `credentials.toml` as cargo's variables, except the public registry's, which only publishes.
pub(super) fn tokens(host: &Reader<'_>, home: Option<&Utf8Path>) -> BTreeMap<String, String> {
    let table = file(host, home, "credentials").unwrap_or_default();
    let registries = table.get("registries").and_then(toml::Value::as_table);
    let token = |(name, entry): (&String, &toml::Value)| {
        let name = name.to_uppercase().replace('-', "_");
        let token = entry.get("token")?.as_str()?.to_owned();
        let variable = format!("CARGO_REGISTRIES_{name}_TOKEN");
        names::inherited(&variable).then_some((variable, token))
    };
    registries.into_iter().flatten().filter_map(token).collect()
}

/// The part of `config.toml` that a container can use; possibly empty.
pub(super) fn config(host: &Reader<'_>, home: Option<&Utf8Path>) -> String {
    let mut table = file(host, home, "config").unwrap_or_default();
    table.retain(|name, value| {
        let Some((_, keys)) = KEYS.iter().find(|&&(known, _)| known == name) else { return false };
        let Some(table) = value.as_table_mut() else { return false };
        if matches!(name, "registries" | "source") {
            for (_, entry) in table.iter_mut() {
                retain(entry, keys);
            }
            // A source that was a folder of this machine is now empty.
            table.retain(|_, entry| entry.as_table().is_some_and(|entry| !entry.is_empty()));
            let known: Vec<String> = table.keys().cloned().collect();
            for (_, entry) in table.iter_mut().filter(|_| name == "source") {
                let Some(entry) = entry.as_table_mut() else { continue };
                let with = entry.get("replace-with").and_then(toml::Value::as_str);
                if with.is_some_and(|with| !known.iter().any(|known| known == with)) {
                    entry.remove("replace-with");
                }
            }
            table.retain(|_, entry| entry.as_table().is_some_and(|entry| !entry.is_empty()));
        } else {
            retain(value, keys);
        }
        value.as_table().is_some_and(|table| !table.is_empty())
    });
    // Serialising a TOML table cannot fail.
    if table.is_empty() { String::new() } else { toml::to_string(&table).unwrap_or_default() }
}

fn retain(value: &mut toml::Value, keys: &[&str]) {
    if let Some(table) = value.as_table_mut() {
        table.retain(|key, _| keys.contains(&key));
    }
}
