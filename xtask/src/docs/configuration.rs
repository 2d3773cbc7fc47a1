//! Generates `docs/configuration.md` from the JSON schema of `wheels.toml` and the examples of its keys. Pure.

use std::fmt::Write as _;

use serde_json::Value as Json;
use toml::Value;

use super::text::{escaped, sentence};

const HEAD: &str = "\
# Configuration

One file at the top of the repository, `wheels.toml`, configures the builds. This page describes every key. \
`xtask/wheels.schema.json` is its JSON schema, with which editors complete and check the file.

- `wheels.local.toml` overrides keys on one machine. Keep it out of git. The tool merges tables key by key, and \
`[[target]]` tables by `name`. A list or value replaces that of `wheels.toml`. So does the table `[source]`, as a whole.
- `wheels-NAME.toml` configures a further package of the repository. Select it with `--config wheels-NAME.toml`.

The smallest file:

```toml
[source]
path = \".\"

[build]
pythons = [\"cp311\"]

[[target]]
name = \"debian12\"
image = \"debian:12\"
family = \"apt\"
glibc = \"2.36\"
platforms = [\"linux/amd64\"]
```

";

/// The tables in the order of the page.
const ORDER: [&str; 13] = [
    "source",
    "build",
    "toolchain",
    "target",
    "repair",
    "test",
    "check",
    "override",
    "ci",
    "publish",
    "engine",
    "cache",
    "base-image",
];

/// A table of the file.
struct Table<'a> {
    /// The keys that lead to it: `["check", "override"]`.
    path: Vec<&'a str>,
    /// True if it is an item of a list: `[[target]]`.
    is_item: bool,
    node: &'a Json,
    /// The purpose of the table.
    about: &'a str,
}

impl Table<'_> {
    fn heading(&self) -> String {
        let path = self.path.join(".");
        if self.is_item { format!("[[{path}]]") } else { format!("[{path}]") }
    }

    /// The heading that an example of a table below a list item requires.
    fn above(&self) -> &'static str {
        match self.path.as_slice() {
            ["override", _] => "[[override]]\nselect = \"cp313-*\"\n\n",
            ["target", _] => "[[target]]\nname = \"debian12\"\n\n",
            _ => "",
        }
    }

    fn keys(&self) -> impl Iterator<Item = (&str, &Json)> {
        let keys = self.node["properties"].as_object().into_iter().flatten();
        keys.map(|(name, node)| (name.as_str(), node))
    }
}

/// The page, and the keys that lack a description or a default.
pub(super) fn page(schema: &str, examples: &[&str]) -> anyhow::Result<(String, Vec<String>)> {
    let schema: Json = serde_json::from_str(schema)?;
    let examples: Vec<Value> =
        examples.iter().map(|it| toml::from_str(it)).collect::<Result<_, _>>()?;
    let mut tables = Vec::new();
    tables_of(&schema, &schema, &[], &mut tables);
    tables.sort_by_key(|table| ORDER.iter().position(|name| *name == table.path[0]));
    let (mut page, mut lacking) = (HEAD.to_owned(), Vec::new());
    for table in &tables {
        // Writing to a text cannot fail.
        let (heading, about) = (table.heading(), about(table));
        let anchor: String = heading.chars().filter(|c| !"[].".contains(*c)).collect();
        let _ = writeln!(page, "- [`{heading}`](#{anchor}): {about}");
    }
    for table in &tables {
        section(&schema, table, &examples, &mut page, &mut lacking);
    }
    Ok((page, lacking))
}

/// The tables of the file, each before those below it.
fn tables_of<'a>(root: &'a Json, node: &'a Json, path: &[&'a str], found: &mut Vec<Table<'a>>) {
    for (name, node) in node["properties"].as_object().into_iter().flatten() {
        let path = [path, &[name.as_str()]].concat();
        let key = node["description"].as_str();
        let (is_item, node) = match resolved(root, node) {
            node if node["items"].is_object() => (true, resolved(root, &node["items"])),
            node => (false, node),
        };
        if node["properties"].is_object() {
            let about = key.or(node["description"].as_str()).unwrap_or_default();
            found.push(Table { path: path.clone(), is_item, node, about });
            tables_of(root, node, &path, found);
        }
    }
}

/// The definition of `node`, without the alternative of no value.
fn resolved<'a>(root: &'a Json, node: &'a Json) -> &'a Json {
    if let Some(name) = node["$ref"].as_str() {
        return root
            .pointer(name.trim_start_matches('#'))
            .map_or(node, |node| resolved(root, node));
    }
    for kind in ["allOf", "anyOf"] {
        let alternatives = node[kind].as_array().into_iter().flatten();
        let mut real = alternatives.filter(|it| it["type"] != "null");
        if let (Some(only), None) = (real.next(), real.next()) {
            return resolved(root, only);
        }
    }
    node
}

/// The description of a table, without the name that docstrings of types begin with.
fn about(table: &Table<'_>) -> String {
    let text = table.about;
    let text = text
        .split_once("`: ")
        .filter(|(name, _)| name.starts_with("`["))
        .map_or(text, |(_, it)| it);
    let text = text.split_once(" [default: ").map_or(text, |(about, _)| about);
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    sentence(&format!("{first}{}", chars.as_str()))
}

fn section(
    root: &Json,
    table: &Table<'_>,
    examples: &[Value],
    page: &mut String,
    lacking: &mut Vec<String>,
) {
    let heading = table.heading();
    let _ = writeln!(page, "\n## {heading}\n\n{}", about(table));
    if about(table).is_empty() {
        lacking.push(format!("`{heading}` has no description"));
    }
    for (name, node) in table.keys() {
        if is_table(root, node) {
            let anchor = format!("{}{name}", table.path.concat());
            let below = format!("{}.{name}", table.path.join("."));
            let text = format!("A table of its own: see [`{below}`](#{anchor}).");
            let _ = writeln!(page, "\n### {heading} {name}\n\n{text}");
            continue;
        }
        let (definition, description) = (resolved(root, node), node["description"].as_str());
        let description = escaped(description.unwrap_or_default());
        if description.is_empty() {
            lacking.push(format!("`{name}` in `{heading}` has no description"));
        }
        let (description, stated) = match description.split_once("[default: ") {
            Some((text, default)) => {
                (text.to_owned(), Some(default.trim_end_matches(']').to_owned()))
            }
            None => (description, None),
        };
        let required = table.node["required"].as_array().into_iter().flatten().any(|it| it == name);
        let default = match (required, stated, default(node)) {
            (true, ..) => "none, the key is required".to_owned(),
            (_, None, None) if table.path.first() == Some(&"override") => {
                format!("the value in `[{}]`", table.path[1..].join("."))
            }
            (_, Some(stated), _) => stated,
            (_, None, Some(default)) => format!("`{default}`"),
            (_, None, None) => {
                lacking.push(format!("`{name}` in `{heading}` has no default"));
                "none".to_owned()
            }
        };
        let _ = writeln!(page, "\n### {heading} {name}\n\n{}\n", sentence(&description));
        let _ = writeln!(page, "- Type: {}", kind(root, definition));
        let _ = writeln!(page, "- Default: {default}\n");
        for value in definition["oneOf"].as_array().into_iter().flatten() {
            let (word, about) = (value["const"].as_str(), value["description"].as_str());
            let about = sentence(about.unwrap_or_default());
            let _ = writeln!(page, "- `{}`: {about}", word.unwrap_or_default());
        }
        if definition["oneOf"].is_array() {
            page.push('\n');
        }
        match example(examples, &table.path, name) {
            Some(value) => {
                let key = if name.contains('.') { format!("{name:?}") } else { name.to_owned() };
                let above = table.above();
                let _ = writeln!(page, "```toml\n{above}{heading}\n{key} = {value}\n```");
            }
            None => lacking.push(format!("`{name}` in `{heading}` has no example")),
        }
    }
}

/// Returns whether the key at `node` is a table of its own, with a section.
fn is_table(root: &Json, node: &Json) -> bool {
    let node = resolved(root, node);
    node["properties"].is_object() || resolved(root, &node["items"])["properties"].is_object()
}

/// The default in the schema, as TOML.
fn default(node: &Json) -> Option<String> {
    let value: Value = serde_json::from_value(node.get("default")?.clone()).ok()?;
    Some(value.to_string())
}

/// The type in words.
fn kind(root: &Json, node: &Json) -> String {
    let node = resolved(root, node);
    if let Some(values) = node["oneOf"].as_array() {
        let values = values.iter().filter_map(|it| Some(format!("`{}`", it["const"].as_str()?)));
        return format!("one of {}", values.collect::<Vec<_>>().join(", "));
    }
    if let Some(kinds) = node["anyOf"].as_array() {
        return kinds.iter().map(|it| kind(root, it)).collect::<Vec<_>>().join(" or ");
    }
    let name = match &node["type"] {
        Json::Array(names) => names.iter().find(|it| *it != "null").unwrap_or(&Json::Null),
        name => name,
    };
    match name.as_str().unwrap_or_default() {
        "array" => format!("list of {}", plural(&kind(root, &node["items"]))),
        "object" => {
            format!("table of {} by name", plural(&kind(root, &node["additionalProperties"])))
        }
        name => name.to_owned(),
    }
}

/// A type of the items of a list or table.
fn plural(kind: &str) -> String {
    match kind {
        "string" | "boolean" => format!("{kind}s"),
        kind => match kind.strip_prefix("list of ") {
            Some(items) => format!("lists of {items}"),
            None => kind.to_owned(),
        },
    }
}

/// The first example of the key `name` of the table at `path`.
fn example<'a>(examples: &'a [Value], path: &[&str], name: &str) -> Option<&'a Value> {
    let keys = || path.iter().chain([&name]);
    examples.iter().find_map(|example| keys().try_fold(example, |value, key| below(value, key)))
}

/// The value of `key` in a table, or in the first table of a list that has it.
fn below<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Array(list) => list.iter().find_map(|item| item.get(key)),
        value => value.get(key),
    }
}
