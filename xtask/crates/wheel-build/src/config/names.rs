//! Base images by the names that users type (`data/images.toml`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// One repository of base images, under the names that users type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    typed: Vec<String>,
    image: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Table {
    image: Vec<Known>,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let table: Result<Table, _> = toml::from_str(include_str!("data/images.toml"));
    // The file is part of the program; a test reads it.
    table.map(|table| table.image).unwrap_or_default()
});

/// What a word for an image means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageName {
    /// As it is known, for folders and reports: `rockylinux:9`.
    pub known: String,
    /// Where it is maintained: `rockylinux/rockylinux:9`.
    pub image: String,
}

/// The maintained image that is meant by `word`, as typed (`rocky:9`) or in full; any other reference
/// is what it says.
pub(crate) fn image_name(word: &str) -> ImageName {
    let same = || ImageName { known: word.to_owned(), image: word.to_owned() };
    let (name, tag) = word.split_once(':').unwrap_or((word, ""));
    if tag.is_empty() || tag.contains(['/', '@', ':']) || name.contains('@') {
        return same();
    }
    let is = |known: &&Known| known.image == name || known.typed.iter().any(|typed| typed == name);
    let Some(known) = KNOWN.iter().find(is) else { return same() };
    let tag = known.tags.get(tag).map_or(tag, String::as_str);
    let typed = known.typed.first().map_or(name, String::as_str);
    ImageName { known: format!("{typed}:{tag}"), image: format!("{}:{tag}", known.image) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_users_type_them_mean_maintained_images() {
        let cases = [
            ("rockylinux:9", "rockylinux:9", "rockylinux/rockylinux:9"),
            ("rocky:9", "rockylinux:9", "rockylinux/rockylinux:9"),
            ("rockylinux/rockylinux:9", "rockylinux:9", "rockylinux/rockylinux:9"),
            ("almalinux:9", "almalinux:9", "almalinux:9"),
            ("alma:9", "almalinux:9", "almalinux:9"),
            ("debian:12", "debian:12", "debian:12"),
            ("debian:bookworm", "debian:12", "debian:12"),
            ("debian:bookworm-slim", "debian:bookworm-slim", "debian:bookworm-slim"),
            ("ubuntu:noble", "ubuntu:24.04", "ubuntu:24.04"),
            ("alpine:3.22", "alpine:3.22", "alpine:3.22"),
        ];
        for (word, known, image) in cases {
            let expected = ImageName { known: known.to_owned(), image: image.to_owned() };
            assert_eq!(image_name(word), expected, "{word}");
        }
    }

    #[test]
    fn what_names_a_registry_a_digest_or_nothing_known_is_what_it_says() {
        let digest = format!("rockylinux@sha256:{}", "0".repeat(64));
        let words = [
            "docker.io/library/rockylinux:9",
            "quay.io/rockylinux/rockylinux:9",
            "127.0.0.1:5000/debian:12",
            "rockylinux",
            "fedora:43",
            &digest,
        ];
        for word in words {
            let name = image_name(word);
            assert_eq!((name.known.as_str(), name.image.as_str()), (word, word));
        }
    }

    #[test]
    fn no_name_is_there_twice() {
        let mut names: Vec<_> = KNOWN.iter().flat_map(|known| &known.typed).collect();
        assert!(names.len() > 5);
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
