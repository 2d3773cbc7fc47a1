//! The configuration's types, one for each table.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::overrides::PathPattern;
use super::{
    BaseImages, Build, Cache, Ci, EngineSettings, JobOverride, Like, Publish, Repair, RuleOverride,
    Target, Test, words,
};
use wheel_audit::isa::Level;
use wheel_audit::policy::Arch;

/// A valid `wheels.toml`, merged with `wheels.local.toml`.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Source of the package.
    pub source: Source,
    /// Build settings.
    pub build: Build,
    /// Toolchains to install in addition to the compiler.
    pub toolchain: Toolchain,
    /// Repair of wheels.
    pub repair: Repair,
    /// The package's own tests.
    pub test: Test,
    /// Settings for some jobs (`[[override]]`). Later ones override earlier ones.
    pub job_overrides: Vec<JobOverride>,
    /// Requirements of a finished wheel.
    pub check: Check,
    /// Jobs and machines of hosted CI.
    pub ci: Ci,
    /// Wheels to publish, and their upload.
    pub publish: Publish,
    /// Selection of the container engine.
    pub engine: EngineSettings,
    /// Build caches outside of the engine.
    pub cache: Cache,
    /// Registry of prebuilt base images.
    pub base_images: BaseImages,
    /// The systems to build for, in the file's order.
    pub targets: Vec<Target>,
    /// The keys that `wheels.local.toml` overrides, as dotted paths.
    pub overrides: Vec<String>,
    /// The keys about tests that have no effect, because no job has a `command`: each with its file and line.
    pub unused_test_keys: Vec<String>,
}

/// Source of the package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub(crate) enum Source {
    /// A source archive of the Python index.
    Sdist {
        /// Project name on the index.
        name: String,
        /// Exact version.
        version: String,
        /// SHA-256 of the archive, 64 lower-case hexadecimal digits.
        sha256: String,
    },
    /// A folder of this repository.
    Path(LocalSource),
}

/// A folder of this repository, and which of its files are the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LocalSource {
    /// The folder to pack, relative to the workspace root.
    pub path: Utf8PathBuf,
    /// The package's folder, relative to `path`; empty for `path` itself.
    pub package: Utf8PathBuf,
    // The hash of the packed files covers these fields.
    /// Files to pack although git ignores them or they look generated.
    #[serde(skip)]
    pub include: Vec<PathPattern>,
    /// Files to leave out.
    #[serde(skip)]
    pub exclude: Vec<PathPattern>,
    /// Submodules that must be checked out.
    #[serde(skip)]
    pub submodules: Vec<PathPattern>,
    /// True if the build gets a git repository.
    #[serde(skip)]
    pub git: bool,
}

/// Where an interpreter comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Provider {
    /// The base image, such as those of manylinux, musllinux and `python`.
    Image,
    /// The target's packages.
    Distro,
    /// uv's builds, from their default host or a mirror.
    Managed,
    /// The upstream source archive, compiled in the target.
    Source,
}

impl Provider {
    /// The name in the configuration and the container scripts.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Distro => "distro",
            Self::Managed => "managed",
            Self::Source => "source",
        }
    }
}

/// `[toolchain]`: what to install beside the compiler.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Toolchain {
    /// Where Rust comes from. [default: `none`]
    #[serde(default)]
    pub rust: Rust,
}

/// Where the container's Rust comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rust {
    /// No Rust.
    #[default]
    None,
    /// The newest of the distribution's packages.
    Distro,
    /// rustup, pinned by version and hash.
    Rustup,
}

impl Rust {
    /// The name in the container scripts.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Distro => "distro",
            Self::Rustup => "rustup",
        }
    }
}

/// `[check]`: what a finished wheel has to fulfil.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    /// Platform tag of a finished wheel. [default: `target`]
    #[serde(default)]
    pub tag: TagPolicy,
    /// Maximum instruction set level, by architecture: `amd64 = "x86-64-v2"`. Machine code that needs more is an error.
    /// [default: no limit]
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, String>"))]
    pub isa: BTreeMap<String, Level>,
    /// Report an error for a wheel without a compiled extension. [default: true if the source builds an extension]
    #[serde(default)]
    pub native: Option<bool>,
    /// Check whether an index accepts the wheels. A reason for a rejection is then an error. [default: false]
    #[serde(default)]
    pub publish: bool,
    /// Severities of findings. Later entries override earlier ones.
    #[serde(default, rename = "override")]
    pub overrides: Vec<RuleOverride>,
    /// Modules that the smoke test imports. [default: every extension module of the wheel]
    #[serde(default, deserialize_with = "words::module")]
    pub imports: Vec<String>,
    /// Python expressions that must be true, by module. `m` is the imported module. [default: none]
    #[serde(default)]
    pub calls: BTreeMap<String, Vec<String>>,
    /// Commands that the smoke test runs, without a shell. Each must exit with status 0. [default: none]
    #[serde(default, deserialize_with = "words::command")]
    pub commands: Vec<String>,
    /// Published wheels to compare each wheel with: `"index"`, or a folder of the repository. [default: no comparison]
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub like: Option<Like>,
}

/// Platform tag of a finished wheel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum TagPolicy {
    /// `manylinux_<libc of the target>`: an index can offer each system its own build.
    #[default]
    Target,
    /// The oldest tag that the symbols allow, as auditwheel determines it.
    Floor,
    /// `linux_<arch>`, as built. No index accepts it.
    Linux,
}

/// The package manager of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Family {
    /// Debian, Ubuntu.
    Apt,
    /// RHEL, Rocky, Alma, Fedora.
    Dnf,
    /// Alpine.
    Apk,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apt => "apt",
            Self::Dnf => "dnf",
            Self::Apk => "apk",
        })
    }
}

/// How to make a base image from packages if no registry answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Bootstrap {
    /// Tool that fetches and unpacks the packages. Required.
    pub tool: BootstrapTool,
    /// Suite of the distribution (`bookworm`), or the release version for `dnf` (`9`). Required.
    #[serde(deserialize_with = "words::suite")]
    pub suite: String,
    /// Mirror to fetch the packages from. [default: the tool's own]
    #[serde(default, deserialize_with = "words::value")]
    pub mirror: Option<String>,
    /// Components of an apt archive, such as `main` and `universe`. [default: the tool's own]
    // Empty lists are skipped, so that they change no content key and no image name.
    #[serde(default, deserialize_with = "words::suite", skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// Path on this machine to the keys that verify the packages' signatures: a keyring for `mmdebstrap`, an armoured key
    /// for `dnf`. [default: the keyring of `mmdebstrap`; required for `dnf`]
    #[serde(default, deserialize_with = "words::value", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub keyring: Option<Utf8PathBuf>,
    /// Base URLs of RPM repositories. dnf replaces `$basearch` and `$releasever`. Required for `dnf`. [default: none]
    #[serde(default, deserialize_with = "words::value", skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// Packages of an RPM system. dnf adds their dependencies. Required for `dnf`. [default: none]
    #[serde(default, deserialize_with = "words::package", skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
}

/// The tool that makes a root file system from a distribution's packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum BootstrapTool {
    /// Debian, Ubuntu.
    Mmdebstrap,
    /// RHEL and its rebuilds.
    Dnf,
}

impl BootstrapTool {
    /// The name of its program.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Mmdebstrap => "mmdebstrap",
            Self::Dnf => "dnf",
        }
    }
}

impl Bootstrap {
    /// Why it is invalid: keys that its tool requires or does not support.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let rpm = !self.repositories.is_empty() || !self.packages.is_empty();
        match self.tool {
            BootstrapTool::Mmdebstrap if rpm => {
                Some("`mmdebstrap` does not support `repositories` and `packages`; use `mirror`")
            }
            BootstrapTool::Dnf if self.mirror.is_some() || !self.components.is_empty() => {
                Some("`dnf` does not support `mirror` and `components`; use `repositories`")
            }
            BootstrapTool::Dnf
                if self.repositories.is_empty()
                    || self.packages.is_empty()
                    || self.keyring.is_none() =>
            {
                Some(
                    "`dnf` requires `repositories`, `packages` and a `keyring` that verifies the \
                     packages",
                )
            }
            _ => None,
        }
    }
}

/// A platform in the engine's notation: `linux/amd64`, `linux/arm64`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    arch: String,
}

/// The supported platforms: the engine's name and the architecture.
const PLATFORMS: [(&str, Arch); 7] = [
    ("amd64", Arch::X86_64),
    ("arm64", Arch::Aarch64),
    ("386", Arch::I686),
    ("arm", Arch::Armv7l),
    ("ppc64le", Arch::Ppc64le),
    ("s390x", Arch::S390x),
    ("riscv64", Arch::Riscv64),
];

impl Platform {
    /// The architecture's name in the engine: `amd64`, `arm64`.
    pub fn engine_arch(&self) -> &str {
        &self.arch
    }

    /// The architecture.
    pub fn arch(&self) -> Arch {
        let known = PLATFORMS.iter().find(|(engine, _)| *engine == self.arch);
        // Every platform is in this table.
        known.map_or(Arch::X86_64, |(_, arch)| *arch)
    }

    /// The architecture's name in Debian: `amd64`, `arm64`, `i386`, `armhf`, `ppc64el`.
    pub fn debian_arch(&self) -> &str {
        match self.arch.as_str() {
            "386" => "i386",
            "arm" => "armhf",
            "ppc64le" => "ppc64el",
            other => other,
        }
    }
}

impl Platform {
    /// The likely meaning of `arch`: another name of an architecture, or a misspelt one.
    pub fn suggestion(arch: &str) -> Option<Self> {
        let platform = |arch: &str| Self { arch: arch.to_owned() };
        let by_name = |(engine, wheel): &&(&str, Arch)| {
            arch == wheel.wheel_name() || arch == *engine || arch == platform(engine).debian_arch()
        };
        let distance = |engine: &str| strsim::damerau_levenshtein(engine, arch);
        let near = || {
            let near = PLATFORMS.iter().min_by_key(|(engine, _)| distance(engine))?;
            (distance(near.0) == 1).then_some(near)
        };
        PLATFORMS.iter().find(by_name).or_else(near).map(|(engine, _)| platform(engine))
    }

    /// The architecture's name in RPM: `x86_64`, `aarch64`, `armv7hl`.
    pub fn rpm_arch(&self) -> &'static str {
        match self.arch() {
            Arch::Armv7l => "armv7hl",
            other => other.wheel_name(),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "linux/{}", self.arch)
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || PLATFORMS.map(|(arch, _)| format!("linux/{arch}")).join(", ");
        let arch = text.strip_prefix("linux/").unwrap_or_default();
        // `linux/arm64/v8` and `linux/arm/v7` are the full names of the same platforms.
        let arch = match arch {
            "arm64/v8" => "arm64",
            "arm/v7" => "arm",
            other => other,
        };
        if PLATFORMS.iter().any(|(engine, _)| *engine == arch) {
            Ok(Self { arch: arch.to_owned() })
        } else {
            let suggestion =
                Self::suggestion(arch).map(|suggestion| format!(": did you mean `{suggestion}`?"));
            let suggestion = suggestion.unwrap_or_default();
            Err(format!(
                "`{text}` is not a supported platform (supported: {}){suggestion}",
                known()
            ))
        }
    }
}

impl TryFrom<String> for Platform {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}
