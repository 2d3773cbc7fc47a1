//! The materials of a build, from `build-info.json`.

use serde_json::Value;

use super::Facts;
use wheel_audit::dist::{Grafted, Role, escaped, project};

/// Version of a tool that the container lacks.
const NO_TOOL: &str = "none";

/// A material of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Material {
    /// Its role in the build.
    pub(super) role: Role,
    /// Its name, or that of its file.
    pub(super) name: String,
    pub(super) version: Option<String>,
    /// Its package URL.
    pub(super) purl: Option<String>,
    /// SHA-256 of its file, or of the manifest of an image.
    pub(super) sha256: Option<String>,
    /// Its origin.
    pub(super) origin: Option<String>,
}

impl Material {
    fn new(role: Role, name: &str) -> Self {
        let name = name.to_owned();
        Self { role, name, version: None, purl: None, sha256: None, origin: None }
    }
}

/// All materials of a wheel's build, in a fixed order.
pub(super) fn of(facts: &Facts<'_>) -> Vec<Material> {
    let (info, interpreter) = (facts.info, facts.interpreter());
    let mut all = Vec::new();
    all.extend(source(&info["source"]));
    all.extend(facts.lock.as_ref().map(|(file, sha256)| Material {
        sha256: Some(sha256.clone()),
        origin: Some([facts.target, facts.platform, facts.builder].join(" ")),
        ..Material::new(Role::Lock, file)
    }));
    all.extend(base_image(&info["image"]));
    all.extend(self::interpreter(interpreter));
    let requirements = &interpreter["requirements"];
    all.extend(list(&requirements["build"]).filter_map(requirement));
    all.extend(list(&requirements["crates"]).filter_map(cargo_crate));
    let tools = pairs(&info["tools"]).filter(|(_, version)| *version != NO_TOOL);
    all.extend(tools.map(|(name, version)| tool(name, version, &info["tool_hashes"])));
    let system = System::of(facts);
    all.extend(pairs(&info["packages"]).map(|(name, version)| Material {
        version: Some(version.to_owned()),
        purl: system.as_ref().map(|system| system.purl(name, version, None)),
        ..Material::new(Role::SystemPackage, name)
    }));
    all
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value[name].as_str().filter(|text| !text.is_empty())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn pairs(value: &Value) -> impl Iterator<Item = (&str, &str)> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}

/// Package URL of a project of the Python index, with the name of its file.
fn pypi(name: &str, version: &str, file: Option<&str>) -> String {
    let file = file.map_or_else(String::new, |file| format!("?file_name={}", escaped(file)));
    format!("pkg:pypi/{}@{}{file}", escaped(&project(name)), escaped(version))
}

fn source(source: &Value) -> Option<Material> {
    let sha256 = text(source, "sha256")?.to_owned();
    let file = text(source, "file");
    let of_index = text(source, "name").and_then(|name| name.split_once("=="));
    let (name, version) = of_index.unzip();
    Some(Material {
        version: version.map(str::to_owned),
        purl: name.zip(version).map(|(name, version)| pypi(name, version, file)),
        sha256: Some(sha256),
        origin: text(source, "kind").map(str::to_owned),
        ..Material::new(Role::Source, file.or_else(|| text(source, "name")).unwrap_or("source"))
    })
}

fn base_image(image: &Value) -> Option<Material> {
    let digest = text(image, "digest")?;
    Some(Material {
        sha256: Some(digest.strip_prefix("sha256:").unwrap_or(digest).to_owned()),
        origin: text(image, "origin").map(str::to_owned),
        ..Material::new(Role::BaseImage, text(image, "reference").unwrap_or("base image"))
    })
}

fn interpreter(entry: &Value) -> Option<Material> {
    let (id, version) = (text(entry, "id")?, text(entry, "version"));
    let name = match id.get(..2) {
        Some("cp") => "cpython",
        Some("pp") => "pypy",
        Some("gp") => "graalpy",
        _ => id,
    };
    let origin: Vec<_> = ["provider", "detail"].iter().filter_map(|it| text(entry, it)).collect();
    Some(Material {
        version: version.map(str::to_owned),
        purl: version.map(|version| format!("pkg:generic/{name}@{}", escaped(version))),
        sha256: text(entry, "sha256").map(str::to_owned),
        origin: (!origin.is_empty()).then(|| origin.join(": ")),
        ..Material::new(Role::Interpreter, name)
    })
}

fn requirement(item: &Value) -> Option<Material> {
    let (name, version) = (text(item, "name")?, text(item, "version")?);
    Some(Material {
        version: Some(version.to_owned()),
        purl: Some(pypi(name, version, text(item, "file"))),
        sha256: text(item, "sha256").map(str::to_owned),
        ..Material::new(Role::BuildRequirement, name)
    })
}

fn cargo_crate(item: &Value) -> Option<Material> {
    let (name, version) = (text(item, "name")?, text(item, "version")?);
    Some(Material {
        version: Some(version.to_owned()),
        purl: Some(format!("pkg:cargo/{}@{}", escaped(name), escaped(version))),
        sha256: text(item, "sha256").map(str::to_owned),
        ..Material::new(Role::Crate, name)
    })
}

fn tool(name: &str, version: &str, hashes: &Value) -> Material {
    Material {
        sha256: text(hashes, name).map(str::to_owned),
        version: Some(version.to_owned()),
        purl: Some(format!("pkg:generic/{}@{}", escaped(name), escaped(version))),
        ..Material::new(Role::Tool, name)
    }
}

/// Names of a system's packages in package URLs.
struct System {
    /// `deb`, `rpm` or `apk`.
    kind: String,
    /// `ID` of its os-release.
    id: String,
    /// `VERSION_ID`, if it has one.
    version: Option<String>,
    /// Architecture, as its packages name it.
    arch: &'static str,
}

impl System {
    /// The system in `build-info.json`; `None` if an earlier version wrote the report.
    fn of(facts: &Facts<'_>) -> Option<Self> {
        let distribution = &facts.info["distribution"];
        let kind = text(distribution, "packages")?.to_owned();
        let arch = arch(&kind, facts.platform);
        let version = text(distribution, "version").map(str::to_owned);
        Some(Self { kind, id: text(distribution, "id")?.to_owned(), version, arch })
    }

    /// The architecture is known only for libraries: other packages may support all of them.
    fn purl(&self, name: &str, version: &str, arch: Option<&str>) -> String {
        let Self { kind, id, .. } = self;
        let (id, version) = (escaped(id), escaped(version));
        let arch = arch.map_or_else(String::new, |arch| format!("arch={arch}&"));
        let release =
            self.version.as_deref().map_or_else(String::new, |it| format!("-{}", escaped(it)));
        format!("pkg:{kind}/{id}/{}@{version}?{arch}distro={id}{release}", escaped(name))
    }
}

/// Name of the architecture of `platform` in Debian, or in RPM and apk.
fn arch(kind: &str, platform: &str) -> &'static str {
    let is_deb = kind == "deb";
    match platform.strip_prefix("linux/").unwrap_or(platform) {
        "amd64" if is_deb => "amd64",
        "amd64" => "x86_64",
        "arm64" if is_deb => "arm64",
        "arm64" => "aarch64",
        "386" if is_deb => "i386",
        "386" if kind == "apk" => "x86",
        "386" => "i686",
        "arm/v7" if is_deb => "armhf",
        "arm/v7" if kind == "apk" => "armv7",
        "arm/v7" => "armv7hl",
        "ppc64le" if is_deb => "ppc64el",
        "ppc64le" => "ppc64le",
        "s390x" => "s390x",
        "riscv64" => "riscv64",
        _ => "unknown",
    }
}

/// Package URL of the system package that a grafted library comes from.
pub(super) fn grafted_purl(facts: &Facts<'_>, library: &Grafted) -> Option<String> {
    let (package, version) = (library.package.as_ref()?, library.version.as_ref()?);
    let system = System::of(facts)?;
    Some(system.purl(package, version, Some(system.arch)))
}
