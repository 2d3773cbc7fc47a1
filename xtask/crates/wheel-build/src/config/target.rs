//! A target: one system to build wheels in.

use std::collections::BTreeMap;
use wheel_audit::UserError;

use wheel_audit::policy::Libc;

use super::{Bootstrap, Config, Family, Platform, image_name, image_of_name, target_lines};
use wheel_audit::digest;
use wheel_audit::wheel::Interpreter;

/// One system to build wheels in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Short name. With the architecture it names the folder below `dist/`.
    pub name: String,
    /// Image reference with the repository that maintains it: `debian:12`, `rockylinux/rockylinux:9`.
    pub image: String,
    /// Package manager; `None` if it is detected in the image.
    pub family: Option<Family>,
    /// C library; `None` if it is detected in the image.
    pub libc: Option<Libc>,
    /// The platforms to build for, unless the command line selects some.
    pub platforms: Vec<Platform>,
    /// The interpreters to build for, unless the command line selects some: the target's own, or those of
    /// `[build]`.
    pub pythons: Vec<Interpreter>,
    /// Pinned manifest digest (`sha256:…`) by platform.
    pub digest: BTreeMap<Platform, String>,
    /// How to make the image from packages if no registry answers.
    pub bootstrap: Option<Bootstrap>,
    /// The date, time or release of its packages.
    pub snapshot: Option<String>,
    /// URL of the packages of that time; `None` for the distribution's own service.
    pub snapshot_url: Option<String>,
}

impl Target {
    /// Returns whether `word` is its name, or any known name of its image.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        self.name == word || self.image == word || self.image == image_name(word).image
    }

    /// The time of its packages in the notation of snapshot services, `20261101T000000Z`; other words stay unchanged.
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

/// Resolves `word` to a target of the configuration, by name or image, or to any other image.
///
/// # Errors
/// If `word` cannot be an image reference.
pub(crate) fn find_target(config: &Config, word: &str) -> Result<Target, UserError> {
    if let Some(target) = config.targets.iter().find(|t| t.is_called(word)) {
        return Ok(target.clone());
    }
    if !is_image_reference(word) {
        let known: Vec<_> = config.targets.iter().map(|t| image_name(&t.image).known).collect();
        let known = known.join(", ");
        let hint = unlisted(word).unwrap_or_else(|| match suggestion(config, word) {
            Some(suggestion) => format!("did you mean `{suggestion}`?"),
            None => "write an image like `debian:12` and a platform like `linux/amd64`".to_owned(),
        });
        return Err(UserError::new(format!(
            "`{word}` is neither a target of wheels.toml ({known}) nor an image reference"
        ))
        .hint(hint));
    }
    if let Some(suggestion) = misspelt(config, word) {
        return Err(UserError::new(format!(
            "`{word}` is not a target of wheels.toml, but resembles the target `{suggestion}`"
        ))
        .hint(format!(
            "to use an image of this name, write it with its registry: `docker.io/library/{word}`"
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

/// The hint for the name of a known system (`debian13`) that wheels.toml lacks.
fn unlisted(word: &str) -> Option<String> {
    let image = image_of_name(word)?;
    let lines = target_lines(&image, "linux/amd64")?;
    Some(format!("write `{image}`, or add these lines to wheels.toml:{lines}"))
}

/// The likely meaning of a word that is neither a target nor an image: `arm64` or `aarch64`, `debain12`.
pub(crate) fn suggestion(config: &Config, word: &str) -> Option<String> {
    if let Some(platform) = Platform::suggestion(word) {
        return Some(platform.to_string());
    }
    let distance = |target: &&Target| strsim::damerau_levenshtein(&target.name, word);
    let near = config.targets.iter().min_by_key(distance)?;
    (distance(&near) <= 2).then(|| image_name(&near.image).known)
}

/// The target whose image name, without the tag, resembles `word`.
fn misspelt(config: &Config, word: &str) -> Option<String> {
    let name = |image: &str| image.split(':').next().unwrap_or(image).to_owned();
    let known = config.targets.iter().map(|target| image_name(&target.image).known);
    let near = |known: &String| {
        let distance = strsim::damerau_levenshtein(&name(known), &name(word));
        (1..=2).contains(&distance) && distance < name(word).len() / 2
    };
    let mut near: Vec<String> = known.filter(near).collect();
    // Prefer the one with the same tag.
    near.sort_by_key(|known| strsim::damerau_levenshtein(known, word));
    near.into_iter().next()
}

/// Returns whether `word` is an image reference with a tag or a digest, which distinguishes it from a misspelt target
/// (grammar: distribution/reference, `reference.go`).
fn is_image_reference(word: &str) -> bool {
    let Some((name, rest)) = word.rsplit_once(':') else { return false };
    let name = name.strip_suffix("@sha256").unwrap_or(name);
    let name_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:".contains(c);
    let rest_char = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let starts = |text: &str| text.starts_with(|c: char| c.is_ascii_alphanumeric());
    starts(name) && starts(rest) && name.chars().all(name_char) && rest.chars().all(rest_char)
}

/// Makes a target name from an image reference. `debian:11` becomes `debian11`. A reference with a
/// registry or a path becomes its last part and a short hash of the whole. Two images therefore never
/// share a folder. The name is valid in file names and image tags.
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
