//! Base images by the names that users type (`data/images.toml`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use wheel_audit::policy::{Distribution, Libc, distributions};

use super::target::name_of_image;
use super::usage::{example_of_bootstrap, inline};
use super::{Bootstrap, Family, Target};

/// One repository of base images and the names that users type for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    typed: Vec<String>,
    image: String,
    family: Family,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    distribution: Option<String>,
    /// How to make it from packages, without the suite.
    bootstrap: Option<Bootstrap>,
    #[serde(default)]
    tried: Vec<String>,
}

impl Known {
    /// The distribution release of a tag: `12` for `12-slim`, `9` for `9.5`.
    fn release(&self, tag: &str) -> Option<&'static Distribution> {
        let name = self.distribution.as_deref()?;
        let is_of = |version: &str| {
            let rest = tag.strip_prefix(version);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
                // Alpine has one entry for all its versions.
                || version.ends_with(" and later")
        };
        distributions().iter().find(|each| each.name == name && is_of(&each.version))
    }

    /// A target for a tag, if `wheels.toml` has none.
    fn target(&self, tag: &str, name: &ImageName) -> Target {
        let suite = self.tags.iter().find(|(_, version)| *version == tag).map(|(suite, _)| suite);
        let bootstrap = self.bootstrap.clone().zip(suite);
        Target {
            name: name_of_image(&name.known),
            image: name.image.clone(),
            family: Some(self.family),
            libc: self.release(tag).map(|system| system.libc),
            platforms: Vec::new(),
            pythons: Vec::new(),
            digest: BTreeMap::new(),
            bootstrap: bootstrap.map(|(own, suite)| Bootstrap { suite: suite.clone(), ..own }),
            snapshot: None,
            snapshot_url: None,
        }
    }
}

#[derive(Deserialize)]
struct Table {
    image: Vec<Known>,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let table: Result<Table, _> = toml::from_str(include_str!("data/images.toml"));
    // A test parses this embedded file.
    table.map(|table| table.image).unwrap_or_default()
});

/// The image that a user's word means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageName {
    /// The name in folders and reports: `rockylinux:9`.
    pub known: String,
    /// The full name, with the repository that maintains it: `rockylinux/rockylinux:9`.
    pub image: String,
}

/// The image that `word` means, as users type it (`rocky:9`) or in full. Any other reference stays
/// unchanged.
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

/// The entry and the tag of an image; `None` if the table does not have the image.
fn entry(image: &str) -> Option<(&'static Known, String)> {
    let name = image_name(image).image;
    let (repository, tag) = name.split_once(':')?;
    let known = KNOWN.iter().find(|known| known.image == repository)?;
    Some((known, tag.to_owned()))
}

/// The distribution in an image, if the tables have it.
pub(crate) fn distribution_of(image: &str) -> Option<&'static Distribution> {
    let (known, tag) = entry(image)?;
    known.release(&tag)
}

/// The system that `word` names (`debian:11`), for a workspace without a target of that name.
pub(crate) fn known_system(word: &str) -> Option<Target> {
    let (known, tag) = entry(word)?;
    known.release(&tag)?;
    Some(known.target(&tag, &image_name(word)))
}

/// The lines of wheels.toml that add the system `word` as a target, for a hint.
pub(crate) fn target_lines(word: &str, platform: &str) -> Option<String> {
    let Target { name, image, family, libc, bootstrap, .. } = known_system(word)?;
    let libc = match libc? {
        Libc::Glibc(version) => format!("glibc = \"{version}\""),
        Libc::Musl(version) => format!("musl = \"{version}\""),
    };
    let mut lines = vec![
        "[[target]]".to_owned(),
        format!("name = \"{name}\""),
        format!("image = \"{image}\""),
        format!("family = \"{}\"", family?),
        libc,
        format!("platforms = [\"{platform}\"]"),
    ];
    lines.extend(bootstrap.and_then(|it| inline("bootstrap", &it)));
    Some(format!("\n  {}", lines.join("\n  ")))
}

/// The line that adds the missing `bootstrap` to a target: that of its own image if it is known, otherwise an example for
/// `family`. `None` if no tool makes images of the family.
pub(crate) fn bootstrap_line(image: &str, family: Option<Family>) -> Option<String> {
    let line = |known: Target| inline("bootstrap", &known.bootstrap?);
    let known = known_system(image);
    let family = family.or_else(|| known.as_ref()?.family);
    known.and_then(line).or_else(|| match family {
        None | Some(Family::Apt) => known_system("debian:12").and_then(line),
        Some(family) => example_of_bootstrap(family),
    })
}

/// The image that the name of a target, such as `debian13`, means.
pub(crate) fn image_of_name(name: &str) -> Option<String> {
    let words = KNOWN.iter().flat_map(|known| &known.typed);
    let mut images =
        words.filter_map(|typed| Some(format!("{typed}:{}", name.strip_prefix(typed)?)));
    images.find(|image| known_system(image).is_some())
}

/// The systems that `try` uses if nothing names any, as words for [`known_system`].
pub(crate) fn tried_systems() -> impl Iterator<Item = String> {
    KNOWN.iter().flat_map(|known| known.tried.iter().map(|tag| format!("{}:{tag}", known.image)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::config::parse_text;

    #[test]
    fn typed_names_resolve_to_maintained_images() {
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
    fn other_references_stay_unchanged() {
        let digest = format!("rockylinux@sha256:{}", "0".repeat(64));
        let words = [
            "docker.io/library/rockylinux:9",
            "quay.io/rockylinux/rockylinux:9",
            "127.0.0.1:5000/debian:12",
            "rockylinux",
            "opensuse/leap:15.6",
            &digest,
        ];
        for word in words {
            let name = image_name(word);
            assert_eq!((name.known.as_str(), name.image.as_str()), (word, word));
        }
    }

    #[test]
    fn a_tag_names_a_release_and_its_bootstrap() {
        let shown = |image| distribution_of(image).map(ToString::to_string);
        assert_eq!(shown("rocky:9.5").as_deref(), Some("Enterprise Linux 9"));
        assert_eq!(shown("debian:bookworm").as_deref(), Some("Debian 12"));
        assert_eq!(shown("debian:12-slim").as_deref(), Some("Debian 12"));
        assert_eq!(shown("alpine:3.22").as_deref(), Some("Alpine 3.13 and later"));
        assert_eq!(shown("debian:1"), None);
        assert_eq!(shown("registry.example/debian:12"), None);
        let suites = tried_systems().map(|word| known_system(&word).unwrap());
        let suites: Vec<_> = suites.map(|target| target.bootstrap.unwrap().suite).collect();
        assert_eq!(suites, ["bullseye", "bookworm", "trixie", "focal", "jammy", "noble"]);
    }

    #[test]
    fn the_lines_of_a_known_system_are_a_valid_target() {
        let head = "[source]\npath = \".\"\n[build]\npythons = [\"cp311\"]\n";
        let words = ["rocky:9", "alma:8", "alpine:3.22", "fedora:42", "debian:trixie"];
        for word in words.into_iter().map(str::to_owned).chain(tried_systems()) {
            let lines = target_lines(&word, "linux/arm64").unwrap();
            let config = parse_text("wheels.toml".into(), &format!("{head}{lines}")).unwrap();
            let (own, known) = (&config.targets[0], known_system(&word).unwrap());
            assert_eq!(
                (&own.name, &own.image, own.family),
                (&known.name, &known.image, known.family)
            );
            assert_eq!((own.libc, &own.bootstrap), (known.libc, &known.bootstrap), "{word}");
            assert_eq!(own.platforms, ["linux/arm64".parse().unwrap()]);
            assert_eq!(
                image_of_name(&own.name).map(|image| image_name(&image).image),
                Some(known.image)
            );
            let line = bootstrap_line(&word, None);
            assert_eq!(line.is_some(), known.family != Some(Family::Apk), "{word}: {line:?}");
        }
        assert_eq!(target_lines("debian:99", "linux/amd64"), None);
        assert_eq!(bootstrap_line("none:1", None), bootstrap_line("none:1", Some(Family::Apt)));
        assert!(bootstrap_line("none:1", Some(Family::Dnf)).unwrap().contains("dnf"));
    }

    #[test]
    fn every_name_is_unique() {
        let mut names: Vec<_> = KNOWN.iter().flat_map(|known| &known.typed).collect();
        assert!(names.len() > 5);
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
