//! Checks the files in the metadata and data folders of a wheel.

use std::collections::BTreeSet;

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::audit::contents::Contents;
use crate::audit::library;
use crate::wheel::{WheelName, same_name, same_version};

const MINOR_VERSION: Rule = Rule::warning(
    "MET015",
    "later-wheel-version",
    "write `Wheel-Version: 1.0`; installers warn about any other version",
);
const BUILD_TAG: Rule = Rule::warning(
    "MET016",
    "build-tag",
    "set the build tag with `wheel tags --build` instead of renaming the file",
);
const BROKEN_SBOM: Rule =
    Rule::warning("MET017", "broken-sbom", "write the SBOM as JSON, in CycloneDX or SPDX format");
const INSTALLER_FILE: Rule = Rule::warning(
    "MET018",
    "installer-file",
    "remove the file, which an installer writes; pack a built project, not an installed one",
);
const STRAY_METADATA: Rule = Rule::warning(
    "MET019",
    "stray-metadata",
    "remove the `.egg-info`; tools mistake it for a second installed project",
);
const DATA_SCHEME: Rule = Rule::error(
    "MET020",
    "unknown-data-scheme",
    "put data into `purelib`, `platlib`, `headers`, `scripts` or `data`; pip rejects any other",
);
const DATA_FOLDER: Rule =
    Rule::warning("MET021", "data-folder-name", "name the folder `NAME-VERSION.data`");
const SIGNATURE: Rule =
    Rule::note("MET022", "withdrawn-signature", "remove it; no tool verifies signatures in wheels");

pub(super) const CHECK: Check = Check {
    rules: &[
        MINOR_VERSION,
        BUILD_TAG,
        BROKEN_SBOM,
        INSTALLER_FILE,
        STRAY_METADATA,
        DATA_SCHEME,
        DATA_FOLDER,
        SIGNATURE,
    ],
    find,
};

/// The folders below `NAME-VERSION.data` (binary distribution format, "The .data directory").
const SCHEMES: [&str; 5] = ["purelib", "platlib", "headers", "scripts", "data"];

/// Files that installers write into `.dist-info` (`PyPA`, "Recording installed projects").
const OF_INSTALLERS: [&str; 3] = ["INSTALLER", "REQUESTED", "direct_url.json"];

const SIGNATURES: [&str; 2] = ["RECORD.jws", "RECORD.p7s"];

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Some(contents) = context.contents() else { return };
    let file = &context.facts.file;
    if let (Some(Ok(wheel)), Ok(name)) = (&contents.wheel, &context.name) {
        let (major, minor) = wheel.wheel_version;
        if major == 1 && minor > 0 {
            let message = format!("`Wheel-Version: 1.{minor}` does not exist");
            findings.push(MINOR_VERSION.broken(file, message));
        }
        if wheel.build != name.build {
            let (inside, outside) = (shown(wheel.build.as_ref()), shown(name.build.as_ref()));
            let message =
                format!("the build tag is {inside} in `WHEEL` and {outside} in the file name");
            findings.push(BUILD_TAG.broken(file, message));
        }
    }
    for (path, reason) in &contents.broken_sboms {
        findings.push(BROKEN_SBOM.broken(path, reason));
    }
    for folder in &contents.dist_infos {
        let own = |name: &&str| contents.digests.contains_key(&format!("{folder}/{name}"));
        for name in OF_INSTALLERS.iter().filter(|name| own(name)) {
            let path = format!("{folder}/{name}");
            findings.push(INSTALLER_FILE.broken(&path, "is a file that only installers write"));
        }
        for name in SIGNATURES.iter().filter(|name| own(name)) {
            let path = format!("{folder}/{name}");
            findings.push(SIGNATURE.broken(&path, "is a signature that nothing verifies"));
        }
    }
    let top_level_names: BTreeSet<&str> =
        contents.digests.keys().filter_map(|path| path.split('/').next()).collect();
    for top in top_level_names.iter().filter(|top| library::is_egg_info(top)) {
        findings.push(STRAY_METADATA.broken(top, "metadata of an older format"));
    }
    data_folders(contents, context.name.as_ref().ok(), &top_level_names, findings);
}

fn shown(build: Option<&String>) -> String {
    build.map_or_else(|| "nothing".to_owned(), |build| format!("`{}`", build.escape_debug()))
}

fn data_folders(
    contents: &Contents,
    name: Option<&WheelName>,
    top_level_names: &BTreeSet<&str>,
    findings: &mut Vec<Finding>,
) {
    for folder in top_level_names.iter().filter(|top| library::is_data_folder(top)) {
        // Installers ignore a file of that name.
        let below = contents.digests.keys().filter_map(|path| path.split_once('/'));
        let below: Vec<&str> =
            below.filter(|(top, _)| top == folder).map(|(_, path)| path).collect();
        if below.is_empty() {
            continue;
        }
        let is_known =
            |path: &str| path.split_once('/').is_some_and(|(scheme, _)| SCHEMES.contains(&scheme));
        let others: Vec<&&str> = below.iter().filter(|path| !is_known(path)).collect();
        if !others.is_empty() {
            let message =
                format!("contains {}, which is not an installation scheme", listing(&others));
            findings.push(DATA_SCHEME.broken(folder, message));
        }
        if let Some(name) = name.filter(|name| !is_named(folder, name)) {
            let own = name.dist_info().replace(".dist-info", ".data");
            let message = format!("is not named after the wheel, `{own}`");
            findings.push(DATA_FOLDER.broken(folder, message));
        }
    }
}

fn is_named(folder: &str, name: &WheelName) -> bool {
    let stem = folder.strip_suffix(".data").unwrap_or(folder);
    let (distribution, version) = stem.rsplit_once('-').unwrap_or((stem, ""));
    same_name(distribution, &name.distribution) && same_version(version, &name.version)
}
