//! A target: one system that wheels are built in.

use std::collections::BTreeMap;
use wheel_audit::UserError;

use wheel_audit::policy::Libc;

use super::{Bootstrap, Config, Family, Platform, image_name};
use wheel_audit::digest;
use wheel_audit::wheel::Interpreter;

/// One system that wheels are built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Short name; with the architecture it names the folder below `dist/`.
    pub name: String,
    /// Image reference, where it is maintained: `debian:12`, `rockylinux/rockylinux:9`.
    pub image: String,
    /// Package family; read from the image itself where it is `None`.
    pub family: Option<Family>,
    /// C library; read from the image itself where it is `None`.
    pub libc: Option<Libc>,
    /// The platforms that it is built for unless the command line narrows them.
    pub platforms: Vec<Platform>,
    /// The interpreters that it is built for unless the command line narrows them: its own, else those of
    /// `[build]`.
    pub pythons: Vec<Interpreter>,
    /// Pinned manifest digest (`sha256:…`) by platform.
    pub digest: BTreeMap<Platform, String>,
    /// How to make the image where no registry answers.
    pub bootstrap: Option<Bootstrap>,
    /// When its packages are from: a date, a time, or a release.
    pub snapshot: Option<String>,
    /// Where packages of that time are; the distribution's own service where it is `None`.
    pub snapshot_url: Option<String>,
}

impl Target {
    /// Whether `word` is its name, or its image under any of the names that it is known by.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        self.name == word || self.image == word || self.image == image_name(word).image
    }

    /// The time of its packages as snapshot services write it, `20261101T000000Z`; another word stays as it is.
    pub(crate) fn snapshot_time(&self) -> Option<String> {
        let text = self.snapshot.as_ref()?;
        let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.clone() };
        let time = humantime::parse_rfc3339(&whole).ok();
        let time = time.map(|time| humantime::format_rfc3339_seconds(time).to_string());
        Some(time.map_or_else(|| text.clone(), |time| time.replace(['-', ':'], "")))
    }

    /// The folder of this target below `dist/`: `debian12-amd64`.
    pub(crate) fn folder(&self, platform: &Platform) -> String {
        format!("{}-{}", self.name, platform.engine_arch())
    }
}

/// The target that `word` means: one of the configuration, by name or image, or else any image.
///
/// # Errors
/// When `word` cannot be an image reference.
pub(crate) fn find_target(config: &Config, word: &str) -> Result<Target, UserError> {
    if let Some(target) = config.targets.iter().find(|t| t.is_called(word)) {
        return Ok(target.clone());
    }
    if !is_image_reference(word) {
        let known: Vec<_> = config.targets.iter().map(|t| image_name(&t.image).known).collect();
        let known = known.join(", ");
        let hint = meant(config, word).map_or_else(
            || "images are written like `debian:12`, platforms like `linux/amd64`".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        return Err(UserError::new(format!(
            "`{word}` is neither a target of wheels.toml ({known}) nor an image reference"
        ))
        .hint(hint));
    }
    if let Some(meant) = misspelt(config, word) {
        return Err(UserError::new(format!(
            "`{word}` is no target of wheels.toml, and nearly `{meant}`, which is one"
        ))
        .hint(format!(
            "if it is an image of its own, write it with its registry: `docker.io/library/{word}`"
        )));
    }
    let name = image_name(word);
    Ok(Target {
        name: name_of_image(&name.known),
        image: name.image,
        family: None,
        libc: None,
        platforms: Vec::new(),
        pythons: config.build.pythons.clone(),
        digest: BTreeMap::new(),
        bootstrap: None,
        snapshot: None,
        snapshot_url: None,
    })
}

/// What a word may mean that is no target and no image: `arm64` or `aarch64`, `debain12`.
pub(crate) fn meant(config: &Config, word: &str) -> Option<String> {
    if let Some(platform) = Platform::meant(word) {
        return Some(platform.to_string());
    }
    let distance = |target: &&Target| strsim::damerau_levenshtein(&target.name, word);
    let near = config.targets.iter().min_by_key(distance)?;
    (distance(&near) <= 2).then(|| image_name(&near.image).known)
}

/// The target whose image's name, without the tag, `word` has but for a slip of the finger.
fn misspelt(config: &Config, word: &str) -> Option<String> {
    let name = |image: &str| image.split(':').next().unwrap_or(image).to_owned();
    let known = config.targets.iter().map(|target| image_name(&target.image).known);
    let near = |known: &String| {
        let distance = strsim::damerau_levenshtein(&name(known), &name(word));
        (1..=2).contains(&distance) && distance < name(word).len() / 2
    };
    let mut near: Vec<String> = known.filter(near).collect();
    // The one with the same tag, if there is one.
    near.sort_by_key(|known| strsim::damerau_levenshtein(known, word));
    near.into_iter().next()
}

/// Whether `word` has the form of an image reference that names a tag or a digest, which is what
/// tells it from a misspelt target (grammar: distribution/reference, `reference.go`).
fn is_image_reference(word: &str) -> bool {
    let Some((name, rest)) = word.rsplit_once(':') else { return false };
    let name = name.strip_suffix("@sha256").unwrap_or(name);
    let name_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:".contains(c);
    let rest_char = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let starts = |text: &str| text.starts_with(|c: char| c.is_ascii_alphanumeric());
    starts(name) && starts(rest) && name.chars().all(name_char) && rest.chars().all(rest_char)
}

/// A target name made from an image reference: `debian:11` gives `debian11`, a reference with a
/// registry or a path gives its last part and a short hash of the whole, so that two images never
/// share a folder. The result is valid in a file name and in an image tag.
pub(crate) fn name_of_image(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    let (name, tag) = last.split_once(':').unwrap_or((last, ""));
    let joined = if name.ends_with(|c: char| c.is_ascii_digit()) && !tag.is_empty() {
        format!("{name}-{tag}")
    } else {
        format!("{name}{tag}")
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    let clean: String = joined.chars().map(|c| if plain(c) { c } else { '-' }).collect();
    if clean == joined && last == image && clean.len() <= 40 {
        clean
    } else {
        let short: String = clean.chars().take(40).collect();
        format!("{short}-{}", &digest::of_bytes(image.as_bytes())[..8])
    }
}
