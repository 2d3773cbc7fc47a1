//! Writes digests into `wheels.toml` and leaves everything else unchanged.

use std::collections::BTreeMap;

use toml_edit::{DocumentMut, Item, Table, value};

use super::Platform;

/// Digests by target name and platform.
pub(crate) type Pins = BTreeMap<String, BTreeMap<Platform, String>>;

/// `text`, a `wheels.toml`, with `pins` in it. Comments, order, layout and the digests of other platforms stay
/// unchanged.
///
/// # Errors
/// If `text` is not valid TOML or has no `[[target]]` of a name in `pins`.
pub(crate) fn with_pins(text: &str, pins: &Pins) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error| format!("{error}"))?;
    for (name, digests) in pins {
        let tables = document.get_mut("target").and_then(Item::as_array_of_tables_mut);
        let is = |table: &&mut Table| table.get("name").and_then(Item::as_str) == Some(name);
        let table = tables.and_then(|tables| tables.iter_mut().find(is));
        let table = table.ok_or_else(|| format!("there is no `[[target]]` named `{name}`"))?;
        pin(table, digests)
            .ok_or_else(|| format!("`digest` of target `{name}` is not a table of platforms"))?;
    }
    Ok(document.to_string())
}

/// Sets `digests` of one target; `None` if its `digest` is not a table.
fn pin(table: &mut Table, digests: &BTreeMap<Platform, String>) -> Option<()> {
    if !table.contains_key("digest") {
        let mut fresh = Table::new();
        // One line for each platform: `digest."linux/amd64" = "sha256:..."`.
        fresh.set_dotted(true);
        let order: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
        table.insert("digest", Item::Table(fresh));
        let rank = |key: &str| match key {
            // After the image that the digests belong to.
            "digest" => order.iter().position(|key| key == "image").map(|at| (at, 1)),
            key => order.iter().position(|other| other == key).map(|at| (at, 0)),
        };
        table.sort_values_by(|a, _, b, _| rank(a.get()).cmp(&rank(b.get())));
    }
    let existing = table.get_mut("digest")?.as_table_like_mut()?;
    for (platform, digest) in digests {
        let key = platform.to_string();
        // An existing value keeps its comment.
        match existing.get_mut(&key).and_then(Item::as_value_mut) {
            Some(old) => {
                let decor = old.decor().clone();
                *old = digest.as_str().into();
                *old.decor_mut() = decor;
            }
            None => {
                existing.insert(&key, value(digest.as_str()));
            }
        }
    }
    if let Some(inline) = table.get_mut("digest").and_then(Item::as_inline_table_mut) {
        // The space before the closing brace moved between two values.
        inline.fmt();
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const TEXT: &str = r#"# What is built.
[source]
path = "."

[[target]] # the first
name = "debian12"
image = "debian:12"
# The family.
family = "apt"
platforms = ["linux/amd64",
             "linux/arm64"]

[[target]]
name = "alma9"
image = "almalinux:9"
digest = { "linux/amd64" = "sha256:old", "linux/s390x" = "sha256:kept" } # of Monday
platforms = ["linux/amd64"]

[[target]]
name = "alpine"
image = "alpine:3.22"
digest."linux/amd64" = "sha256:old" # why
platforms = ["linux/amd64"]
"#;

    fn pins(entries: &[(&str, &[(&str, &str)])]) -> Pins {
        let digests = |list: &[(&str, &str)]| {
            list.iter().map(|(platform, d)| (platform.parse().unwrap(), (*d).to_owned())).collect()
        };
        entries.iter().map(|(name, list)| ((*name).to_owned(), digests(list))).collect()
    }

    #[test]
    fn pins_change_digests_and_nothing_else() {
        let pins = pins(&[
            ("debian12", &[("linux/amd64", "sha256:a"), ("linux/arm64", "sha256:b")]),
            ("alma9", &[("linux/amd64", "sha256:c"), ("linux/arm64", "sha256:d")]),
            ("alpine", &[("linux/amd64", "sha256:e"), ("linux/arm64", "sha256:f")]),
        ]);
        let text = with_pins(TEXT, &pins).unwrap();
        insta::assert_snapshot!(text, @r#"
        # What is built.
        [source]
        path = "."

        [[target]] # the first
        name = "debian12"
        image = "debian:12"
        digest."linux/amd64" = "sha256:a"
        digest."linux/arm64" = "sha256:b"
        # The family.
        family = "apt"
        platforms = ["linux/amd64",
                     "linux/arm64"]

        [[target]]
        name = "alma9"
        image = "almalinux:9"
        digest = { "linux/amd64" = "sha256:c", "linux/s390x" = "sha256:kept", "linux/arm64" = "sha256:d" } # of Monday
        platforms = ["linux/amd64"]

        [[target]]
        name = "alpine"
        image = "alpine:3.22"
        digest."linux/amd64" = "sha256:e" # why
        digest."linux/arm64" = "sha256:f"
        platforms = ["linux/amd64"]
        "#);
        assert_eq!(with_pins(&text, &pins).unwrap(), text, "a second run changes nothing");
    }

    #[test]
    fn pins_of_unknown_targets_and_odd_digests_are_rejected() {
        let message = with_pins(TEXT, &pins(&[("rocky9", &[])])).unwrap_err();
        assert!(message.contains("`rocky9`"), "{message}");
        let odd = TEXT.replace("platforms = [\"linux/amd64\",", "digest = \"sha256:a\"\n$0");
        let odd = odd.replace("$0", "platforms = [\"linux/amd64\",");
        let message = with_pins(&odd, &pins(&[("debian12", &[])])).unwrap_err();
        assert!(message.contains("`digest`") && message.contains("`debian12`"), "{message}");
        assert!(with_pins("[", &Pins::new()).is_err());
    }
}
