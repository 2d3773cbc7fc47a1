//! Checks that `METADATA` follows its own version, and that indexes and installers accept it.

use pep440_rs::{Version, VersionSpecifiers};

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::policy::{CoreFields, Index, metadata_version};
use crate::text::shown;
use crate::wheel::{CoreMetadata, is_name, requirement_fault};

const UNKNOWN_VERSION: Rule = Rule::warning(
    "MET006",
    "unknown-metadata-version",
    "write a metadata version that the package index accepts, such as 2.4",
)
.refused_by_index();
const LATER_FIELD: Rule = Rule::warning(
    "MET007",
    "field-of-later-version",
    "raise `Metadata-Version` to the version that defines the field, or remove the field",
)
.refused_by_index();
const INVALID_VERSION: Rule =
    Rule::error("MET008", "invalid-version", "use a PEP 440 version; pip rejects any other")
        .refused_by_index();
const INVALID_NAME: Rule = Rule::error(
    "MET009",
    "invalid-name",
    "name the project with ASCII letters, digits, `-`, `_` and `.`, a letter or digit at both ends",
)
.refused_by_index();
const REQUIRES_PYTHON: Rule = Rule::warning(
    "MET010",
    "invalid-requires-python",
    "write `Requires-Python` as version specifiers of PEP 440, such as `>=3.9`",
)
.refused_by_index();
const ABSENT_LICENCE: Rule = Rule::warning(
    "MET011",
    "absent-licence",
    "put each `License-File` below `.dist-info/licenses/`, as PEP 639 requires",
)
.refused_by_index();
const LOCAL_VERSION: Rule = Rule::note(
    "MET012",
    "local-version",
    "remove the part after `+`; the package index rejects local versions",
)
.refused_by_index();
const DIRECT_DEPENDENCY: Rule =
    Rule::note("MET013", "direct-dependency", "require a released version by its name")
        .refused_by_index();
const TWO_LICENCES: Rule = Rule::warning(
    "MET014",
    "two-licences",
    "remove `License`, which `License-Expression` replaces (PEP 639)",
)
.refused_by_index();

const REQUIREMENT: Rule = Rule::warning(
    "MET051",
    "invalid-requirement",
    "write `name>=1.0,<2; python_version < '3.9'`; pip ignores a release whose requirements it cannot parse",
)
.refused_by_index();
const EXTRA: Rule = Rule::warning(
    "MET052",
    "invalid-extra",
    "name the extra with ASCII letters, digits, `-`, `_` and `.`, a letter or digit at both ends",
)
.refused_by_index();

pub(super) const CHECK: Check = Check {
    rules: &[
        UNKNOWN_VERSION,
        LATER_FIELD,
        INVALID_VERSION,
        INVALID_NAME,
        REQUIRES_PYTHON,
        ABSENT_LICENCE,
        LOCAL_VERSION,
        DIRECT_DEPENDENCY,
        TWO_LICENCES,
        REQUIREMENT,
        EXTRA,
    ],
    find,
};

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Some(contents) = context.contents() else { return };
    // MET001 covers several folders.
    let (Some(Ok(metadata)), Some(folder)) = (&contents.metadata, contents.dist_infos.first())
    else {
        return;
    };
    let path = format!("{folder}/METADATA");
    let mut found: Vec<(&Rule, String)> = Vec::new();
    names_and_versions(metadata, &mut found);
    fields(metadata, &mut found);
    if metadata_version(&metadata.metadata_version).is_some_and(|version| version >= (2, 4)) {
        let is_there = |file: &&String| contents.digests.contains_key(&licence(folder, file));
        let absent: Vec<&String> =
            metadata.license_files.iter().filter(|file| !is_there(file)).collect();
        if !absent.is_empty() {
            let message = format!("`{folder}/licenses/` lacks {}", listing(&absent));
            found.push((&ABSENT_LICENCE, message));
        }
    }
    findings.extend(found.into_iter().map(|(rule, message)| rule.broken(&path, message)));
}

fn licence(folder: &str, file: &str) -> String {
    format!("{folder}/licenses/{}", file.strip_prefix("./").unwrap_or(file))
}

fn names_and_versions(metadata: &CoreMetadata, found: &mut Vec<(&Rule, String)>) {
    let CoreMetadata { metadata_version, name, version, .. } = metadata;
    if !Index::builtin().accepts_metadata(metadata_version) {
        let text = metadata_version.escape_debug();
        found.push((
            &UNKNOWN_VERSION,
            format!("the package index rejects `Metadata-Version: {text}`"),
        ));
    }
    if !is_name(name) {
        found.push((&INVALID_NAME, format!("`Name: {}` is not a valid name", name.escape_debug())));
    }
    let shown = version.escape_debug();
    match version.parse::<Version>() {
        Err(_) => {
            found.push((&INVALID_VERSION, format!("`Version: {shown}` is not a PEP 440 version")));
        }
        Ok(parsed) if !parsed.local().is_empty() => {
            found.push((&LOCAL_VERSION, format!("`Version: {shown}` is a local version")));
        }
        Ok(_) => {}
    }
    if let Some(python) = &metadata.requires_python
        && python.trim_end_matches([',', ' ']).parse::<VersionSpecifiers>().is_err()
    {
        let text = python.escape_debug();
        found.push((
            &REQUIRES_PYTHON,
            format!("`Requires-Python: {text}` is not a version specifier"),
        ));
    }
}

fn fields(metadata: &CoreMetadata, found: &mut Vec<(&Rule, String)>) {
    let (table, headers) = (CoreFields::builtin(), &metadata.headers);
    if let Some(own) = metadata_version(&metadata.metadata_version).filter(|&own| table.has(own)) {
        let is_later = |name: &&str| table.added(name).is_some_and(|added| added > own);
        let mut later: Vec<&str> = headers.names().filter(is_later).collect();
        later.sort_unstable();
        later.dedup();
        if !later.is_empty() {
            let (major, minor) = own;
            let names = listing(&later);
            let message =
                format!("uses {names}, which `Metadata-Version: {major}.{minor}` does not define");
            found.push((&LATER_FIELD, message));
        }
    }
    // The index ignores empty fields.
    let has = |name: &str| headers.all(name).any(|value| !value.is_empty());
    if has("License-Expression") && has("License") {
        found.push((&TWO_LICENCES, "has both `License-Expression` and `License`".into()));
    }
    for text in &metadata.requires_dist {
        if let Some(fault) = requirement_fault(text) {
            let message = format!("`Requires-Dist: {}`: {fault}", shown(text));
            found.push((&REQUIREMENT, message));
        }
    }
    for extra in headers.all("Provides-Extra").filter(|extra| !is_name(extra)) {
        let message = format!("`Provides-Extra: {}` is not a valid name", shown(extra));
        found.push((&EXTRA, message));
    }
    // `name @ https://...`. In a marker after `;`, an `@` has no meaning.
    let direct = headers.all("Requires-Dist").filter(|requirement| {
        requirement.split(';').next().is_some_and(|before| before.contains('@'))
    });
    let direct: Vec<&str> = direct.collect();
    if !direct.is_empty() {
        found.push((&DIRECT_DEPENDENCY, format!("depends on a URL: {}", listing(&direct))));
    }
}
