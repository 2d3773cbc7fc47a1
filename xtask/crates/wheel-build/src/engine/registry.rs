//! Registry requests through the engine's client, which applies its logins, mirrors and proxies. Nothing is
//! pulled.

use std::collections::BTreeMap;
use std::time::Duration;
use wheel_audit::UserError;

use serde::Deserialize;

use super::{Engine, EngineError};
use crate::config::Platform;
use crate::exec::ExecError;

/// Maximum duration of one registry request.
const QUERY_LIMIT: Duration = Duration::from_secs(30);

/// Messages of clients about an image for other platforms: docker for an index and for one image, BuildKit and
/// containerd, podman for both kinds of index.
const OTHER_PLATFORM: [&str; 6] = [
    "no matching manifest for ",
    "does not match the specified platform",
    "does not provide the specified platform",
    "no match for platform in manifest",
    "no image found in image index for architecture",
    "no image found in manifest list for architecture",
];

/// The current state of an image in its registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// The digest of the reference: of an index, or of a single manifest.
    pub digest: String,
    /// The digest of each platform's manifest.
    pub platforms: BTreeMap<Platform, String>,
}

/// Why an image is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// The registry answered that it does not have the image, or not for the platform.
    Refused(String),
    /// The registry did not answer, or its answer is invalid.
    Silent(String),
}

#[derive(Deserialize)]
struct Manifest {
    digest: String,
    #[serde(default)]
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    platform: Option<Place>,
}

/// A platform in image indexes and configurations (OCI image index specification).
#[derive(Deserialize)]
struct Place {
    os: String,
    architecture: String,
    #[serde(default)]
    variant: String,
}

impl Place {
    /// Its [`Platform`]; `None` if it is unsupported or an attestation (`unknown/unknown`).
    fn platform(&self) -> Option<Platform> {
        let variant = match self.variant.as_str() {
            "" => String::new(),
            variant => format!("/{variant}"),
        };
        format!("{}/{}{variant}", self.os, self.architecture).parse().ok()
    }
}

/// Requests the current state of `image` from its registry.
///
/// # Errors
/// [`EngineError`] if the request is impossible: no client, interrupted. The registry's answer may be
/// [`Unknown`].
pub(crate) fn published(
    engine: &Engine,
    image: &str,
) -> Result<Result<Published, Unknown>, EngineError> {
    let found = match named(engine, image)? {
        Ok(found) => found,
        Err(unknown) => return Ok(Err(unknown)),
    };
    if found.platforms.is_empty() {
        // A single image without an index: its configuration has the platform.
        let config = inspect(engine, "{{json .Image}}", image)?;
        return Ok(config.map(|config| single(&found.digest, &config)));
    }
    Ok(Ok(found))
}

/// Like [`published`] with one request: the platform of an image without an index stays unknown.
///
/// # Errors
/// See [`published`].
pub(super) fn named(
    engine: &Engine,
    image: &str,
) -> Result<Result<Published, Unknown>, EngineError> {
    Ok(inspect(engine, "{{json .Manifest}}", image)?.and_then(|text| parsed(&text)))
}

/// Parses the client's description of a reference.
pub(crate) fn parsed(text: &str) -> Result<Published, Unknown> {
    let manifest = serde_json::from_str(text).map(index);
    manifest
        .map_err(|error| Unknown::Silent(format!("its answer is not an image manifest: {error}")))
}

fn inspect(
    engine: &Engine,
    format: &str,
    image: &str,
) -> Result<Result<String, Unknown>, EngineError> {
    let args = ["buildx", "imagetools", "inspect", "--format", format, "--", image];
    match engine.query_again(&engine.client.step(args).timeout(QUERY_LIMIT)) {
        Ok(text) => Ok(Ok(text)),
        Err(EngineError::Exec(ExecError::TimedOut { .. })) => {
            Ok(Err(Unknown::Silent(format!("no answer within {} s", QUERY_LIMIT.as_secs()))))
        }
        Err(error @ EngineError::Exec(_)) => Err(error),
        Err(EngineError::Client { message, .. } | EngineError::Gone(UserError { message, .. })) => {
            Ok(Err(interpret(&message)))
        }
        Err(other) => Ok(Err(Unknown::Silent(other.to_string()))),
    }
}

/// Interprets the client's last message. `not found` can also be about a credential helper, a host or a file of
/// certificates. So only the registry's own messages count: an error code of its protocol, its status for a
/// manifest, or the client's message about a reference or a platform (OCI distribution specification, "Error Codes").
pub(crate) fn interpret(answer: &str) -> Unknown {
    let answer =
        answer.trim_start_matches("ERROR: ").trim_start_matches("Error: ").trim().to_owned();
    let lower = answer.to_ascii_lowercase().replace('_', " ");
    let code = ["manifest unknown", "name unknown"].iter().any(|code| lower.contains(code));
    let status = lower.contains("/manifests/") && lower.contains("404 not found");
    let other = OTHER_PLATFORM.iter().any(|words| lower.contains(words));
    if code || status || other || answer.lines().any(names_absent_image) {
        Unknown::Refused(answer)
    } else {
        Unknown::Silent(answer)
    }
}

/// Returns whether `line` ends like `library/debian:99: not found`.
fn names_absent_image(line: &str) -> bool {
    let subject = line.trim_end().strip_suffix(": not found");
    let last = subject.and_then(|subject| subject.split_whitespace().last());
    last.is_some_and(|word| {
        word.contains('/') && word.contains([':', '@']) && !word.contains("://")
    })
}

fn index(manifest: Manifest) -> Published {
    let named = |entry: Entry| Some((entry.platform?.platform()?, entry.digest));
    let platforms = manifest.manifests.into_iter().filter_map(named).collect();
    Published { digest: manifest.digest, platforms }
}

pub(crate) fn single(digest: &str, config: &str) -> Published {
    let place = serde_json::from_str::<Place>(config).ok().and_then(|place| place.platform());
    let platforms = place.map(|platform| (platform, digest.to_owned())).into_iter().collect();
    Published { digest: digest.to_owned(), platforms }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn an_index_lists_each_platforms_manifest() {
        let text = r#"{"schemaVersion": 2, "digest": "sha256:aa", "size": 1, "manifests": [
            {"digest": "sha256:01", "platform": {"architecture": "amd64", "os": "linux"}},
            {"digest": "sha256:02", "platform": {"architecture": "unknown", "os": "unknown"}},
            {"digest": "sha256:03", "platform": {"architecture": "arm64", "os": "linux", "variant": "v8"}},
            {"digest": "sha256:04", "platform": {"architecture": "arm", "os": "linux", "variant": "v5"}},
            {"digest": "sha256:05", "platform": {"architecture": "arm", "os": "linux", "variant": "v7"}},
            {"digest": "sha256:06", "platform": {"architecture": "amd64", "os": "windows"}}]}"#;
        let found = index(serde_json::from_str(text).unwrap());
        assert_eq!(found.digest, "sha256:aa");
        let expected = [("linux/amd64", "01"), ("linux/arm", "05"), ("linux/arm64", "03")];
        let expected = expected.map(|(name, id)| (platform(name), format!("sha256:{id}")));
        assert_eq!(found.platforms, BTreeMap::from(expected));
    }

    #[test]
    fn a_single_image_has_the_platform_of_its_configuration() {
        let text = r#"{"architecture": "arm64", "os": "linux", "rootfs": {}}"#;
        let expected = BTreeMap::from([(platform("linux/arm64"), "sha256:aa".to_owned())]);
        assert_eq!(single("sha256:aa", text).platforms, expected);
        assert_eq!(single("sha256:aa", "{}").platforms, BTreeMap::new());
    }

    #[test]
    fn a_missing_image_differs_from_a_registry_that_does_not_answer() {
        for answer in [
            "ERROR: docker.io/library/debian:99: not found",
            "ERROR: failed to resolve source metadata for docker.io/library/debian:99: \
             docker.io/library/debian:99: not found",
            "ERROR: unexpected status from HEAD request to https://registry.example/v2/a/manifests/99: \
             404 Not Found",
            "Error: reading manifest 99 in registry.example/a: manifest unknown",
            "Error response from daemon: manifest for a:99 not found: manifest unknown",
            "NAME_UNKNOWN: repository name not known to registry",
            "Error response from daemon: no matching manifest for linux/arm64/v8 in the manifest list \
             entries: no match for platform in manifest: not found",
            "Error: choosing an image from manifest list docker://a:1: no image found in image index for \
             architecture \"arm64\", variant \"v8\", OS \"linux\"",
            "image with reference a:1 was found but does not match the specified platform: wanted \
             linux/arm64, actual: linux/amd64",
        ] {
            assert!(matches!(interpret(answer), Unknown::Refused(_)), "{answer}");
        }
        for answer in [
            "ERROR: dial tcp: i/o timeout",
            "ERROR: 500 Internal Server Error",
            "ERROR: error getting credentials - err: exec: \"docker-credential-desktop\": executable file \
             not found in $PATH, out: ``",
            "ERROR: docker-credential-pass: command not found",
            "ERROR: dial tcp: lookup registry.example: host not found",
            "ERROR: Get \"https://registry.example/v2/\": not found",
            "ERROR: failed to fetch oauth token: unexpected status from GET request to \
             https://auth.example/token: 404 Not Found",
            "ERROR: 429 Too Many Requests - toomanyrequests: You have reached your pull rate limit",
        ] {
            assert!(matches!(interpret(answer), Unknown::Silent(_)), "{answer}");
        }
    }
}
