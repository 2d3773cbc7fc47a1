//! Compares the SBOM and the provenance of a wheel with the wheel, the manifest and `build-info.json`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::sums::Sums;
use super::{Checker, DistFault};
use crate::dist::documents::{
    BOM, BOM_VERSION, BUILD_TYPE, PREDICATE_TYPE, Role, STATEMENT_TYPE, documented, documents_of,
    wheel_purl,
};
use crate::dist::manifest::{Entry, Kind, WheelBuild};
use crate::files;
use crate::text::shown;

/// Maximum size of a document, in bytes. Real ones have a few hundred KB.
const MAX_DOCUMENT: usize = 4 << 20;

const BASE: &str = "the digest of the base image";

/// The used part of an SBOM.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bom {
    #[serde(rename = "bomFormat")]
    format: String,
    spec_version: String,
    metadata: BomMetadata,
}

#[derive(Deserialize)]
struct BomMetadata {
    component: Component,
}

#[derive(Deserialize)]
struct Component {
    purl: String,
    hashes: Vec<Hash>,
}

#[derive(Deserialize)]
struct Hash {
    alg: String,
    content: String,
}

/// The used part of a provenance.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Resource>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    build_definition: Definition,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    build_type: String,
    external_parameters: Parameters,
    #[serde(default)]
    resolved_dependencies: Vec<Resource>,
}

#[derive(Deserialize)]
struct Parameters {
    target: String,
    platform: String,
    interpreter: String,
}

#[derive(Deserialize)]
struct Resource {
    name: Option<String>,
    #[serde(default)]
    digest: Digest,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Debug, Default, Deserialize)]
struct Digest {
    sha256: Option<String>,
}

#[derive(Default, Deserialize)]
struct Annotations {
    role: Option<Role>,
}

/// The used part of `build-info.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    pub(super) target: String,
    pub(super) platform: String,
    image: Option<Image>,
    source: Option<Digest>,
    #[serde(default)]
    interpreters: Vec<Interpreter>,
}

#[derive(Debug, Deserialize)]
struct Image {
    digest: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Interpreter {
    id: String,
    requirements: Option<Requirements>,
}

#[derive(Debug, Deserialize)]
struct Requirements {
    #[serde(default)]
    build: Vec<Digest>,
    #[serde(default)]
    crates: Vec<Digest>,
}

/// The wheel of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// Its file name.
    pub(super) file: &'a str,
    /// SHA-256 of its bytes.
    pub(super) sha256: &'a str,
    /// Its entry of the manifest and the `build-info.json` of its folder, if known.
    pub(super) build: Option<(&'a Entry, Option<&'a Info>)>,
}

/// The problems of the document `name` with these `bytes`.
///
/// # Errors
/// The reason why it is unreadable.
pub(super) fn problems(
    name: &str,
    bytes: &[u8],
    subject: Subject<'_>,
) -> Result<Vec<String>, String> {
    if name.ends_with(BOM) {
        Ok(parsed::<Bom>(bytes)?.problems(subject))
    } else {
        Ok(parsed::<Statement>(bytes)?.problems(subject))
    }
}

fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(format!("has {} bytes, but the limit is {MAX_DOCUMENT}", bytes.len()));
    }
    serde_json::from_slice(bytes).map_err(|error| shown(&error.to_string()).to_string())
}

/// The problem that `what` is `found` instead of `expected`. `None` if both are equal.
fn differs(what: &str, found: Option<&str>, expected: &str) -> Option<String> {
    let text = found.map_or("missing".to_owned(), |found| format!("`{}`", shown(found)));
    (found != Some(expected)).then(|| format!("{what} is {text}, not `{}`", shown(expected)))
}

impl Bom {
    fn problems(&self, subject: Subject<'_>) -> Vec<String> {
        let component = &self.metadata.component;
        let mut hashes = component.hashes.iter().filter(|hash| hash.alg == "SHA-256");
        let hash = hashes.next().map(|hash| hash.content.as_str());
        let purl = wheel_purl(subject.file).unwrap_or_default();
        let checks = [
            differs("`bomFormat`", Some(&self.format), "CycloneDX"),
            differs("`specVersion`", Some(&self.spec_version), BOM_VERSION),
            differs("the package URL", Some(&component.purl), &purl),
            differs("the SHA-256 of its wheel", hash, subject.sha256),
        ];
        checks.into_iter().flatten().collect()
    }
}

impl Statement {
    fn problems(&self, subject: Subject<'_>) -> Vec<String> {
        let definition = &self.predicate.build_definition;
        let [only] = self.subject.as_slice() else {
            return vec![format!("has {} subjects instead of one wheel", self.subject.len())];
        };
        let checks = [
            differs("`_type`", Some(&self.kind), STATEMENT_TYPE),
            differs("`predicateType`", Some(&self.predicate_type), PREDICATE_TYPE),
            differs("`buildType`", Some(&definition.build_type), BUILD_TYPE),
            differs("the subject", only.name.as_deref(), subject.file),
            differs("the SHA-256 of its wheel", only.digest.sha256.as_deref(), subject.sha256),
        ];
        let mut problems: Vec<String> = checks.into_iter().flatten().collect();
        if let Some((entry, info)) = subject.build {
            definition.against_manifest(entry, &mut problems);
            // Without the interpreter of the build, the environment is another one.
            let builder = &definition.external_parameters.interpreter;
            let has_builder = |info: &&Info| info.interpreters.iter().any(|it| it.id == *builder);
            if let Some(info) = info.filter(has_builder) {
                definition.against_info(info, &mut problems);
            }
        }
        problems
    }
}

impl Definition {
    /// The digests of the dependencies with this role.
    fn digests(&self, role: Role) -> BTreeSet<&str> {
        let all = self.resolved_dependencies.iter();
        let with = all.filter(|each| each.annotations.role == Some(role));
        with.filter_map(|each| each.digest.sha256.as_deref()).collect()
    }

    fn against_manifest(&self, entry: &Entry, problems: &mut Vec<String>) {
        let Kind::Wheel { target, platform, builds, .. } = &entry.kind else { return };
        let Parameters { target: t, platform: p, interpreter } = &self.external_parameters;
        problems.extend(differs("the target", Some(t), target));
        problems.extend(differs("the platform", Some(p), platform));
        let is_replaced = builds.is_empty();
        let builds: Vec<_> = builds.iter().filter(|it| builder(it) == interpreter).collect();
        if builds.is_empty() && !is_replaced {
            let interpreter = shown(interpreter);
            problems.push(format!("the manifest has no build of `{interpreter}` for the wheel"));
        }
        // Builds that share a wheel share its base image.
        if let Some(base) = builds.iter().find_map(|build| build.base.as_ref()) {
            let image = self.digests(Role::BaseImage).first().copied();
            problems.extend(differs(BASE, image, plain(&base.digest)));
        }
    }

    fn against_info(&self, info: &Info, problems: &mut Vec<String>) {
        let image = info.image.as_ref().and_then(|image| image.digest.as_deref()).map(plain);
        let source = info.source.as_ref().and_then(|source| source.sha256.as_deref());
        let pairs =
            [(BASE, Role::BaseImage, image), ("the SHA-256 of the source", Role::Source, source)];
        for (what, role, expected) in pairs {
            let found = self.digests(role).first().copied();
            problems.extend(expected.and_then(|expected| differs(what, found, expected)));
        }
        let builder = &self.external_parameters.interpreter;
        let interpreter = info.interpreters.iter().find(|it| it.id == *builder);
        let Some(requirements) = interpreter.and_then(|it| it.requirements.as_ref()) else {
            return;
        };
        let lists = [
            ("build requirements", Role::BuildRequirement, &requirements.build),
            ("crates", Role::Crate, &requirements.crates),
        ];
        for (what, role, listed) in lists {
            let listed: BTreeSet<&str> =
                listed.iter().filter_map(|each| each.sha256.as_deref()).collect();
            if listed != self.digests(role) {
                problems.push(format!("the {what} differ from `build-info.json`"));
            }
        }
    }
}

/// The interpreter that built the wheel.
fn builder(build: &WheelBuild) -> &String {
    build.built_by.as_ref().unwrap_or(&build.interpreter)
}

fn plain(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

impl Checker<'_> {
    /// Checks the documents of the manifest's wheels in a folder. The folder's checksums cover them too.
    pub(super) fn documents_of(&mut self, entries: &[&Entry], info: Option<&Info>) {
        let listed: BTreeSet<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        let is_wheel = |entry: &&&Entry| matches!(entry.kind, Kind::Wheel { .. });
        for entry in entries.iter().filter(is_wheel) {
            let file = entry.path.rsplit('/').next().unwrap_or_default();
            let subject = Subject { file, sha256: &entry.sha256, build: Some((entry, info)) };
            for path in documents_of(&entry.path) {
                if listed.contains(path.as_str()) {
                    self.document(&path, subject);
                } else {
                    let message = "the manifest lists the wheel but not this document";
                    self.found(DistFault::ProofMissing, &path, message);
                }
            }
        }
        let wheels: BTreeSet<&str> =
            entries.iter().filter(is_wheel).map(|entry| entry.path.as_str()).collect();
        for path in listed {
            if documented(path).is_some_and(|wheel| !wheels.contains(wheel)) {
                let message = "the manifest lists it but not its wheel";
                self.found(DistFault::ProofDisagrees, path, message);
            }
        }
    }

    /// Checks the existing documents of a folder without a manifest. `sums` was compared with the files.
    pub(super) fn documents_without_manifest(&mut self, folder: &str, sums: &Sums) {
        let names = std::fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| documented(name).is_some()).collect();
        names.sort();
        for name in names {
            let below = |name: &str| {
                if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
            };
            let (path, file) = (below(&name), documented(&name).unwrap_or_default());
            if !matches!(files::place(self.root, &below(file)), files::Place::File(_)) {
                continue;
            }
            let listed = sums.get(file).cloned().map(Ok);
            match listed.unwrap_or_else(|| self.digest(&below(file))) {
                Ok(sha256) => {
                    self.document(&path, Subject { file, sha256: &sha256, build: None });
                }
                Err(reason) => self.found(DistFault::Missing, &below(file), reason),
            }
        }
    }

    fn document(&mut self, path: &str, subject: Subject<'_>) {
        let bytes = match files::list(self.root, path) {
            // A missing file in `sums` was reported before.
            None => return,
            Some(Ok(bytes)) => bytes,
            Some(Err(reason)) => return self.found(DistFault::ProofUnreadable, path, reason),
        };
        match problems(path, &bytes, subject) {
            Ok(problems) => {
                for problem in problems {
                    self.found(DistFault::ProofDisagrees, path, problem);
                }
            }
            Err(reason) => self.found(DistFault::ProofUnreadable, path, reason),
        }
    }
}

#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;
