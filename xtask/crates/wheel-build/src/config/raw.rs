//! The tables of the configuration before validation ([`super::validate`]).

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
    /// Source of the package. Required: either `path` or `sdist`.
    #[cfg_attr(test, schemars(with = "RawSource"))]
    pub(super) source: Spanned<RawSource>,
    /// Build settings.
    #[cfg_attr(test, schemars(with = "Build"))]
    pub(super) build: Spanned<Build>,
    /// Toolchains to install in addition to the compiler.
    #[serde(default)]
    pub(super) toolchain: Toolchain,
    /// Repair of wheels: copies required libraries into them.
    #[serde(default)]
    pub(super) repair: Repair,
    /// The package's own tests.
    #[serde(default)]
    pub(super) test: Test,
    /// Settings for some jobs. A later table overrides an earlier one.
    #[serde(default, rename = "override")]
    pub(super) job_override: Vec<JobOverride>,
    /// Requirements of a finished wheel.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Check>"))]
    pub(super) check: Option<Spanned<Check>>,
    /// Jobs and machines of hosted CI.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Ci>"))]
    pub(super) ci: Option<Spanned<Ci>>,
    /// Wheels to publish, and their upload.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Publish>"))]
    pub(super) publish: Option<Spanned<Publish>>,
    /// Selection of the container engine. These settings usually belong in `wheels.local.toml`.
    #[serde(default)]
    pub(super) engine: EngineSettings,
    /// Build caches outside of the engine.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Cache>"))]
    pub(super) cache: Option<Spanned<Cache>>,
    /// Registry of prebuilt base images.
    #[serde(default, rename = "base-image")]
    pub(super) base_image: BaseImages,
    /// The systems to build for. The command line can name other images as well.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<RawTarget>"))]
    pub(super) target: Vec<Spanned<RawTarget>>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    /// Source archive on the Python index, as `name==version`. Use either `sdist` or `path`. [default: none]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) sdist: Option<Spanned<String>>,
    /// SHA-256 of the source archive, as 64 lower-case hexadecimal digits. Required with `sdist`. [default: none]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) sha256: Option<Spanned<String>>,
    /// Folder of this repository to build from, relative to this file. [default: none]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) path: Option<Spanned<Utf8PathBuf>>,
    /// The package's folder, relative to `path`. [default: `path` itself]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) package: Option<Spanned<Utf8PathBuf>>,
    /// Files to pack although git ignores them or they look generated, as patterns. [default: none]
    #[cfg_attr(test, schemars(with = "Option<Vec<PathPattern>>"))]
    pub(super) include: Option<Spanned<Vec<PathPattern>>>,
    /// Files to leave out, as patterns. [default: none]
    #[cfg_attr(test, schemars(with = "Option<Vec<PathPattern>>"))]
    pub(super) exclude: Option<Spanned<Vec<PathPattern>>>,
    /// Submodules that must be checked out, as patterns; `["*"]` for all. [default: none]
    #[cfg_attr(test, schemars(with = "Option<Vec<PathPattern>>"))]
    pub(super) submodules: Option<Spanned<Vec<PathPattern>>>,
    /// Provide a git repository in the build, for versions and file lists. [default: true]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub(super) git: Option<Spanned<bool>>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    /// Name of the target. With the architecture it names the folder below `dist/`. Required.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(super) name: Spanned<String>,
    /// Image reference, such as `debian:12`. Required.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(super) image: Spanned<String>,
    /// Package manager of the image. [default: detected in the image]
    pub(super) family: Option<Family>,
    /// Version of glibc in the image, such as `2.36`. Use either `glibc` or `musl`. [default: detected in the image]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) glibc: Option<Spanned<String>>,
    /// Version of musl in the image, such as `1.2`. [default: detected in the image]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) musl: Option<Spanned<String>>,
    /// Platforms to build for, such as `linux/amd64`. Required.
    pub(super) platforms: Vec<Platform>,
    /// Interpreters to build for in this target. [default: `[build] pythons`]
    #[serde(default, deserialize_with = "interpreters::optional")]
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    pub(super) pythons: Option<Vec<Interpreter>>,
    /// Manifest digest of the image by platform. `cargo xtask pin` writes it. [default: the tag's current image]
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<Platform, String>"))]
    pub(super) digest: BTreeMap<Platform, Spanned<String>>,
    /// Packages to make the base image from if no registry answers. [default: none]
    #[cfg_attr(test, schemars(with = "Option<Bootstrap>"))]
    pub(super) bootstrap: Option<Spanned<Bootstrap>>,
    /// Date or time (RFC 3339) of the packages to install, or a release that `snapshot-url` supports. [default: the current
    /// packages]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) snapshot: Option<Spanned<String>>,
    /// URL of the packages of that time. `{time}` is replaced by the time as 20261101T000000Z, `{archive}` by the last part
    /// of the image's package address. [default: the `Snapshots` field of the distribution's Release file]
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
