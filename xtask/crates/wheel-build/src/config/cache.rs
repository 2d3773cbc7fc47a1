//! `[cache]`: build caches outside of the engine. Each job has its own scope in them.

use std::fmt;
use std::str::FromStr;

use camino::Utf8Path;
use serde::Deserialize;

/// `[cache]`: build caches outside of the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Cache {
    /// Caches to read before a job is built, such as `type=registry,ref=registry.example/cache`. [default: none]
    #[serde(default)]
    pub from: Vec<CacheSpec>,
    /// Caches to write after a job is built, such as `type=local,dest=../cache`. [default: none]
    #[serde(default)]
    pub to: Vec<CacheSpec>,
}

impl Cache {
    /// The first cache without a location: the list, its index in the list, and the missing field.
    pub(crate) fn lacking(&self) -> Option<(&'static str, usize, String)> {
        let first = |list: &'static str, specs: &[CacheSpec], from: bool| {
            specs.iter().enumerate().find_map(|(index, spec)| {
                let field = spec.lacks(from)?;
                Some((
                    list,
                    index,
                    format!("a cache with `type={}` in `{list}` requires `{field}=`", spec.kind),
                ))
            })
        };
        first("from", &self.from, true).or_else(|| first("to", &self.to, false))
    }
}

/// Maximum wait while the service throttles a call. `BuildKit`'s own limit is ten minutes for each list of layers.
const TIMEOUT: &str = "1m";

/// Where a cache is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheKind {
    /// A folder on this machine.
    Local,
    /// A repository in a container registry.
    Registry,
    /// The cache of GitHub Actions.
    Gha,
}

/// One cache in buildx's notation: `type=local,src=DIR`, `type=registry,ref=NAME` or `type=gha`. A
/// word without `=` is a registry reference. Each job adds its own scope.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct CacheSpec {
    /// Where it is stored.
    pub kind: CacheKind,
    fields: Vec<(String, String)>,
}

impl CacheSpec {
    /// The value of a field, such as `ref`.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The field that holds the location, for reading (`from`) or writing.
    pub(crate) fn place(&self, from: bool) -> Option<&str> {
        match self.kind {
            CacheKind::Local => self.field(if from { "src" } else { "dest" }),
            CacheKind::Registry => self.field("ref"),
            CacheKind::Gha => None,
        }
    }

    /// Returns whether all scopes share one copy of a layer.
    pub(crate) fn shares_layers(&self) -> bool {
        match self.kind {
            CacheKind::Local => false,
            CacheKind::Registry | CacheKind::Gha => true,
        }
    }

    /// The required field that is missing for reading (`from`) or writing.
    pub(crate) fn lacks(&self, from: bool) -> Option<&'static str> {
        let field = match (self.kind, from) {
            (CacheKind::Gha, _) => return None,
            (CacheKind::Registry, _) => "ref",
            (CacheKind::Local, true) => "src",
            (CacheKind::Local, false) => "dest",
        };
        self.field(field).is_none_or(str::is_empty).then_some(field)
    }

    /// The fields of this cache for the job with this `scope`. No two jobs share a place: it is a subfolder of a local
    /// cache, a tag in a registry's repository, or a scope at GitHub.
    pub(crate) fn scoped(&self, scope: &str) -> Vec<String> {
        let mut fields = vec![format!("type={}", self.kind)];
        let mut has_scope = false;
        for (key, value) in &self.fields {
            let value = match (self.kind, key.as_str()) {
                (CacheKind::Local, "src" | "dest") => Utf8Path::new(value).join(scope).to_string(),
                (CacheKind::Registry, "ref") => tagged(value, scope),
                (CacheKind::Gha, "scope") => {
                    has_scope = true;
                    format!("{value}-{scope}")
                }
                _ => value.clone(),
            };
            fields.push(format!("{key}={value}"));
        }
        if self.kind == CacheKind::Gha {
            let scope = (!has_scope).then(|| format!("scope={scope}"));
            let timeout = self.field("timeout").is_none().then(|| format!("timeout={TIMEOUT}"));
            fields.extend(scope.into_iter().chain(timeout));
        }
        fields
    }

    /// The fields of [`Self::scoped`] for writing. By default all stages are cached, because the last one holds
    /// only the wheel, and a failed write does not fail the build.
    pub(crate) fn scoped_to(&self, scope: &str) -> Vec<String> {
        let mut fields = self.scoped(scope);
        for (key, value) in [("mode", "max"), ("ignore-error", "true")] {
            if self.field(key).is_none() {
                fields.push(format!("{key}={value}"));
            }
        }
        fields
    }
}

/// A cache on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CacheChoice {
    /// No cache, even if `wheels.toml` names one.
    None,
    /// This cache.
    Use(CacheSpec),
}

impl CacheChoice {
    /// The caches on the command line, or those of `wheels.toml` if there are none.
    pub(crate) fn or(typed: &[Self], own: &[CacheSpec]) -> Vec<CacheSpec> {
        if typed.is_empty() {
            return own.to_vec();
        }
        let used = typed.iter().filter_map(|choice| match choice {
            Self::None => None,
            Self::Use(spec) => Some(spec.clone()),
        });
        used.collect()
    }
}

impl FromStr for CacheChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" { Ok(Self::None) } else { text.parse().map(Self::Use) }
    }
}

/// `reference` with `scope` as (part of) its tag. A reference with a digest stays unchanged.
fn tagged(reference: &str, scope: &str) -> String {
    let name = reference.rfind('/').map_or(0, |at| at + 1);
    match &reference[name..] {
        last if last.contains('@') => reference.to_owned(),
        last if last.contains(':') => format!("{reference}-{scope}"),
        _ => format!("{reference}:{scope}"),
    }
}

impl FromStr for CacheSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('-') || text.contains(|c: char| c == '"' || c.is_control()) {
            let text = text.escape_default();
            return Err(format!(
                "the cache `{text}` begins with `-` or contains a quote or a control character"
            ));
        }
        let known = "use `type=local`, `type=registry` or `type=gha`";
        if !text.is_empty() && !text.contains(['=', ',', ' ']) {
            let fields = vec![("ref".to_owned(), text.to_owned())];
            return Ok(Self { kind: CacheKind::Registry, fields });
        }
        let mut kind = None;
        let mut fields = Vec::new();
        for part in text.split(',') {
            match part.trim().split_once('=') {
                Some(("type", word)) => kind = Some(word.to_owned()),
                Some((key, value)) if !key.is_empty() => {
                    fields.push((key.to_owned(), value.to_owned()));
                }
                _ => {
                    return Err(format!(
                        "`{part}` in the cache `{text}` is not of the form `key=value`"
                    ));
                }
            }
        }
        let kind = match kind.as_deref() {
            Some("local") => CacheKind::Local,
            Some("registry") => CacheKind::Registry,
            Some("gha") => CacheKind::Gha,
            Some(other) => {
                return Err(format!("`{other}` is not a known type of cache: {known}"));
            }
            None => return Err(format!("the cache `{text}` has no `type=`: {known}")),
        };
        Ok(Self { kind, fields })
    }
}

impl TryFrom<String> for CacheSpec {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for CacheKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Registry => "registry",
            Self::Gha => "gha",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn scoped(text: &str, scope: &str) -> String {
        text.parse::<CacheSpec>().unwrap().scoped(scope).join(",")
    }

    #[test]
    fn defect_03_each_job_has_its_own_scope_in_every_kind_of_cache() {
        for (text, one) in [
            ("type=local,dest=/c", "type=local,dest=/c/debian12-amd64-cp311"),
            (
                "type=registry,ref=127.0.0.1:5000/cache",
                "type=registry,ref=127.0.0.1:5000/cache:debian12-amd64-cp311",
            ),
            ("r.example/c:main", "type=registry,ref=r.example/c:main-debian12-amd64-cp311"),
            ("type=gha", "type=gha,scope=debian12-amd64-cp311,timeout=1m"),
            ("type=gha,timeout=9s,scope=ci", "type=gha,timeout=9s,scope=ci-debian12-amd64-cp311"),
        ] {
            assert_eq!(scoped(text, "debian12-amd64-cp311"), one);
            assert_ne!(scoped(text, "debian12-arm64-cp311"), one);
        }
        let pinned = "type=registry,ref=r.example/c@sha256:1";
        assert_eq!(scoped(pinned, "x"), pinned);
    }

    #[test]
    fn a_written_cache_has_every_stage_and_ignores_errors() {
        let to = |text: &str| text.parse::<CacheSpec>().unwrap().scoped_to("s").join(",");
        assert_eq!(to("type=gha"), "type=gha,scope=s,timeout=1m,mode=max,ignore-error=true");
        let own = "type=local,dest=/c,mode=min,ignore-error=false";
        assert_eq!(to(own), own.replace("/c", "/c/s"));
    }

    #[test]
    fn none_on_the_command_line_disables_the_configured_caches() {
        let own: Vec<CacheSpec> = vec!["type=gha".parse().unwrap()];
        let or = |words: &[&str]| {
            let typed: Vec<CacheChoice> = words.iter().map(|word| word.parse().unwrap()).collect();
            CacheChoice::or(&typed, &own).iter().map(|spec| spec.kind).collect::<Vec<_>>()
        };
        assert_eq!(or(&[]), [CacheKind::Gha]);
        assert_eq!(or(&["none"]), []);
        assert_eq!(or(&["none", "type=local,src=/c"]), [CacheKind::Local]);
        assert!("".parse::<CacheChoice>().is_err());
    }

    #[test]
    fn invalid_caches_are_rejected() {
        let wrong = |text: &str| text.parse::<CacheSpec>().unwrap_err();
        assert!(wrong("type=s3,bucket=b").contains("`s3`"));
        assert!(wrong("ref=x").contains("`type=`"));
        assert!(wrong("type=local,oops").contains("`oops`"));
        assert!(wrong("").contains("`key=value`"));
        let local: CacheSpec = "type=local,src=/c".parse().unwrap();
        assert_eq!((local.lacks(true), local.lacks(false)), (None, Some("dest")));
    }
}
