//! The shape of the configuration, one type per table.

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

/// A validated `wheels.toml`, with `wheels.local.toml` laid over it.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where the package comes from.
    pub source: Source,
    /// How it is built.
    pub build: Build,
    /// What is installed beside the compiler.
    pub toolchain: Toolchain,
    /// Whether and how wheels are repaired.
    pub repair: Repair,
    /// The package's own tests.
    pub test: Test,
    /// Other settings for some jobs, the later ones winning (`[[override]]`).
    pub job_overrides: Vec<JobOverride>,
    /// What a finished wheel has to prove.
    pub check: Check,
    /// What hosted CI builds, and on what.
    pub ci: Ci,
    /// Which wheels are published, and how.
    pub publish: Publish,
    /// Which engine builds.
    pub engine: EngineSettings,
    /// Build caches outside of the engine.
    pub cache: Cache,
    /// Where pre-built base images lie.
    pub base_images: BaseImages,
    /// The systems that are built for, in the file's order.
    pub targets: Vec<Target>,
    /// The keys that `wheels.local.toml` overrides, as dotted paths.
    pub overrides: Vec<String>,
}

/// Where the package's source comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub(crate) enum Source {
    /// A source archive of the Python index.
    Sdist {
        /// Project name as the index knows it.
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
    /// The folder that is packed, relative to the workspace root.
    pub path: Utf8PathBuf,
    /// The folder below it that holds the package; empty for the folder itself.
    pub package: Utf8PathBuf,
    // What these decide is in the hash of the packed files.
    /// Files that are packed although git ignores them or they look generated.
    #[serde(skip)]
    pub include: Vec<PathPattern>,
    /// Files that are not packed.
    #[serde(skip)]
    pub exclude: Vec<PathPattern>,
    /// Submodules that have to be checked out.
    #[serde(skip)]
    pub submodules: Vec<PathPattern>,
    /// Whether the build gets a git repository.
    #[serde(skip)]
    pub git: bool,
}

/// Who gives an interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Provider {
    /// The base image itself, as those of manylinux, musllinux and `python` have interpreters.
    Image,
    /// The target's own packages.
    Distro,
    /// uv's builds, from their default host or a mirror.
    Managed,
    /// The upstream source archive, compiled in the target.
    Source,
}

impl Provider {
    /// The word that the configuration and the container scripts use.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Distro => "distro",
            Self::Managed => "managed",
            Self::Source => "source",
        }
    }
}

/// `[toolchain]`: what is installed beside the compiler.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Toolchain {
    /// Where Rust comes from.
    #[serde(default)]
    pub rust: Rust,
}

/// Where the container's Rust comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rust {
    /// No Rust: the default, since most packages need none.
    #[default]
    None,
    /// The newest of the distribution's packages.
    Distro,
    /// rustup, pinned by version and hash.
    Rustup,
}

impl Rust {
    /// The word that the container scripts use.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Distro => "distro",
            Self::Rustup => "rustup",
        }
    }
}

/// `[check]`: what a finished wheel has to prove.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    /// Which platform tag a finished wheel carries.
    #[serde(default)]
    pub tag: TagPolicy,
    /// The instruction set level that is enough, by architecture in the engine's words:
    /// `amd64 = "x86-64-v2"`.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, String>"))]
    pub isa: BTreeMap<String, Level>,
    /// Whether a wheel without a compiled extension is an error. Unset, the source decides: it is
    /// one where the source builds an extension.
    #[serde(default)]
    pub native: Option<bool>,
    /// The wheels are for an index: what it refuses is an error.
    #[serde(default)]
    pub publish: bool,
    /// Other severities than the rules' own (`[[check.override]]`), the later ones winning.
    #[serde(default, rename = "override")]
    pub overrides: Vec<RuleOverride>,
    /// Modules that the smoke test imports.
    #[serde(default, deserialize_with = "words::module")]
    pub imports: Vec<String>,
    /// Python expressions that must be true, by module; `m` is the imported module.
    #[serde(default)]
    pub calls: BTreeMap<String, Vec<String>>,
    /// Commands that the smoke test runs, each with status 0; no shell reads them.
    #[serde(default, deserialize_with = "words::command")]
    pub commands: Vec<String>,
    /// Published wheels that each wheel is compared with: `"index"`, or a folder of the repository.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub like: Option<Like>,
}

/// Which platform tag a finished wheel carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum TagPolicy {
    /// `manylinux_<libc of the target>`: one index serves each system its own build.
    #[default]
    Target,
    /// What the symbols need, as auditwheel would say.
    Floor,
    /// `linux_<arch>`, as built; no index takes it.
    Linux,
}

/// How a target's packages are installed.
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

/// How a base image is made where no registry answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Bootstrap {
    /// The tool that fetches and unpacks the packages.
    pub tool: BootstrapTool,
    /// The distribution's suite (`bookworm`), or its release version for `dnf` (`9`).
    #[serde(deserialize_with = "words::suite")]
    pub suite: String,
    /// The mirror to take it from; the tool's own default where it is absent.
    #[serde(default, deserialize_with = "words::value")]
    pub mirror: Option<String>,
    /// Parts of an apt archive (`main`, `universe`); the tool's default where absent.
    // What is empty is left out, so that it changes no key and no image's name.
    #[serde(default, deserialize_with = "words::suite", skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// What the packages' signatures are checked with: a key ring for `mmdebstrap`, whose own is taken
    /// where absent, an armoured key for `dnf`. A path on this machine.
    #[serde(default, deserialize_with = "words::value", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub keyring: Option<Utf8PathBuf>,
    /// Base URLs of RPM repositories; `$basearch` and `$releasever` stand in them for themselves.
    #[serde(default, deserialize_with = "words::value", skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// The packages that an RPM system is made of; what they need comes with them.
    #[serde(default, deserialize_with = "words::package", skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
}

/// What makes a root file system out of a distribution's packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum BootstrapTool {
    /// Debian, Ubuntu.
    Mmdebstrap,
    /// RHEL and what is rebuilt from it.
    Dnf,
}

impl BootstrapTool {
    /// Its program.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Mmdebstrap => "mmdebstrap",
            Self::Dnf => "dnf",
        }
    }
}

impl Bootstrap {
    /// What is wrong with it: what its tool lacks, or does not take.
    pub(super) fn flaw(&self) -> Option<&'static str> {
        let rpm = !self.repositories.is_empty() || !self.packages.is_empty();
        match self.tool {
            BootstrapTool::Mmdebstrap if rpm => {
                Some("`mmdebstrap` takes no `repositories` and no `packages`, it has a `mirror`")
            }
            BootstrapTool::Dnf if self.mirror.is_some() || !self.components.is_empty() => {
                Some("`dnf` takes no `mirror` and no `components`, it has `repositories`")
            }
            BootstrapTool::Dnf
                if self.repositories.is_empty()
                    || self.packages.is_empty()
                    || self.keyring.is_none() =>
            {
                Some(
                    "`dnf` needs `repositories`, `packages` and a `keyring`, without which nothing \
                     says whose packages they are",
                )
            }
            _ => None,
        }
    }
}

/// A platform in the engine's words: `linux/amd64`, `linux/arm64`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    arch: String,
}

/// The platforms that can be built for, with the architecture's name in wheel tags and in Debian.
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
    /// The architecture in the engine's words: `amd64`, `arm64`.
    pub fn engine_arch(&self) -> &str {
        &self.arch
    }

    /// The architecture, as wheels name it.
    pub fn arch(&self) -> Arch {
        let known = PLATFORMS.iter().find(|(engine, _)| *engine == self.arch);
        // A platform is read from this very table.
        known.map_or(Arch::X86_64, |(_, arch)| *arch)
    }

    /// The architecture in Debian's words: `amd64`, `arm64`, `i386`, `armhf`, `ppc64el`.
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
    /// What `arch` may mean: another name of an architecture, or one with a slip of the finger.
    pub fn meant(arch: &str) -> Option<Self> {
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

    /// The architecture in RPM's words: `x86_64`, `aarch64`, `armv7hl`.
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
        // `linux/arm64/v8` and `linux/arm/v7` are the same platforms written out.
        let arch = match arch {
            "arm64/v8" => "arm64",
            "arm/v7" => "arm",
            other => other,
        };
        if PLATFORMS.iter().any(|(engine, _)| *engine == arch) {
            Ok(Self { arch: arch.to_owned() })
        } else {
            let meant = Self::meant(arch).map(|meant| format!(": did you mean `{meant}`?"));
            let meant = meant.unwrap_or_default();
            Err(format!(
                "`{text}` is no platform that can be built for (known: {}){meant}",
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
