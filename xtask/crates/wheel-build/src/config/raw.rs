//! The tables of the configuration as they are read, before [`super::validate`].

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::Deserialize;
use toml::Spanned;

use super::interpreters;
use super::overrides::PathPattern;
use super::{
    BaseImages, Bootstrap, Build, Cache, Check, Ci, EngineSettings, Family, JobOverride, Platform,
    Publish, Repair, Test, Toolchain,
};
use wheel_audit::wheel::Interpreter;

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(title = "wheels.toml"))]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    #[cfg_attr(test, schemars(with = "RawSource"))]
    pub(super) source: Spanned<RawSource>,
    #[cfg_attr(test, schemars(with = "Build"))]
    pub(super) build: Spanned<Build>,
    #[serde(default)]
    pub(super) toolchain: Toolchain,
    #[serde(default)]
    pub(super) repair: Repair,
    #[serde(default)]
    pub(super) test: Test,
    #[serde(default, rename = "override")]
    pub(super) job_override: Vec<JobOverride>,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Check>"))]
    pub(super) check: Option<Spanned<Check>>,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Ci>"))]
    pub(super) ci: Option<Spanned<Ci>>,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Publish>"))]
    pub(super) publish: Option<Spanned<Publish>>,
    #[serde(default)]
    pub(super) engine: EngineSettings,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Cache>"))]
    pub(super) cache: Option<Spanned<Cache>>,
    #[serde(default, rename = "base-image")]
    pub(super) base_image: BaseImages,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<RawTarget>"))]
    pub(super) target: Vec<Spanned<RawTarget>>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) sdist: Option<Spanned<String>>,
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) sha256: Option<Spanned<String>>,
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) path: Option<Spanned<Utf8PathBuf>>,
    /// The folder below `path` that holds the package. [default: `path` itself]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) package: Option<Spanned<Utf8PathBuf>>,
    /// Files that are packed although git ignores them or they look generated.
    #[cfg_attr(test, schemars(with = "Option<Vec<PathPattern>>"))]
    pub(super) include: Option<Spanned<Vec<PathPattern>>>,
    /// Files that are not packed.
    #[cfg_attr(test, schemars(with = "Option<Vec<PathPattern>>"))]
    pub(super) exclude: Option<Spanned<Vec<PathPattern>>>,
    /// Submodules that have to be checked out; `["*"]` for all of them.
    #[cfg_attr(test, schemars(with = "Option<Vec<PathPattern>>"))]
    pub(super) submodules: Option<Spanned<Vec<PathPattern>>>,
    /// Whether the build gets a git repository, for versions and file lists. [default: true]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub(super) git: Option<Spanned<bool>>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    #[cfg_attr(test, schemars(with = "String"))]
    pub(super) name: Spanned<String>,
    #[cfg_attr(test, schemars(with = "String"))]
    pub(super) image: Spanned<String>,
    pub(super) family: Option<Family>,
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) glibc: Option<Spanned<String>>,
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) musl: Option<Spanned<String>>,
    pub(super) platforms: Vec<Platform>,
    #[serde(default, deserialize_with = "interpreters::optional")]
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    pub(super) pythons: Option<Vec<Interpreter>>,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<Platform, String>"))]
    pub(super) digest: BTreeMap<Platform, Spanned<String>>,
    #[cfg_attr(test, schemars(with = "Option<Bootstrap>"))]
    pub(super) bootstrap: Option<Spanned<Bootstrap>>,
    /// When its packages are from: a date or a time (RFC 3339), or a release where `snapshot-url` has one.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) snapshot: Option<Spanned<String>>,
    /// Where packages of that time are: `{time}` is the time as 20261101T000000Z, `{archive}` the last part of
    /// the address that the image has. [default: the `Snapshots` field of the distribution's Release file]
    #[serde(rename = "snapshot-url")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) snapshot_url: Option<Spanned<String>>,
}

/// The JSON schema of the configuration.
#[cfg(test)]
pub(super) fn schema() -> schemars::Schema {
    let settings = schemars::generate::SchemaSettings::draft07();
    settings.into_generator().into_root_schema_for::<RawConfig>()
}
