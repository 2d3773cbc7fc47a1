//! Compares the wheels that `wheels.toml` requires with the existing ones.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, MISSING_TARGET, MISSING_WHEEL, Member, OTHER_VERSION, Severity, listing};
use crate::audit::RequestedWheels;
use crate::wheel::{Interpreter, same_name, same_version};

pub(super) fn find(
    requested: &RequestedWheels,
    members: &[Member<'_>],
    publish: bool,
    findings: &mut Vec<Finding>,
) {
    let mut folders: BTreeMap<&str, Vec<&Member<'_>>> = BTreeMap::new();
    for member in members {
        folders.entry(member.folder()).or_default().push(member);
    }
    let mut absent = BTreeSet::new();
    for (folder, interpreters) in &requested.folders {
        let Some(wheels) = folders.get(folder.as_str()) else {
            if !requested.optional.contains(folder) {
                absent.insert(folder);
            }
            continue;
        };
        let tags: Vec<_> = wheels.iter().flat_map(|wheel| wheel.name.tags.expand()).collect();
        let lacks = interpreters.iter().filter(|each| !tags.iter().any(|tag| each.accepts(tag)));
        let optional =
            requested.optional_interpreters.get(folder).map(Vec::as_slice).unwrap_or_default();
        let (optional, required): (Vec<&Interpreter>, Vec<&Interpreter>) =
            lacks.partition(|each| optional.contains(*each));
        for (lacks, is_required) in [(required, true), (optional, false)] {
            if lacks.is_empty() {
                continue;
            }
            let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
            let which =
                if is_required { "wheels.toml requires" } else { "is optional in a release" };
            let message = format!("has no wheel for {}, which {which}", listing(&lacks));
            let mut finding = MISSING_WHEEL.broken(folder, message);
            // A maintainer may build only one interpreter at a time, but a release must be complete.
            if publish && is_required {
                finding.severity = Severity::Error;
            }
            findings.push(finding);
        }
    }
    if !absent.is_empty() {
        let absent: Vec<_> = absent.into_iter().collect();
        let all =
            requested.folders.keys().filter(|folder| !requested.optional.contains(*folder)).count();
        // With optional folders, the required ones are those of hosted CI.
        let whose = if requested.optional.is_empty() { "of" } else { "of `[ci] targets` in" };
        let message = format!(
            "no wheel for {} of the {all} targets and platforms {whose} wheels.toml: {}",
            absent.len(),
            listing(&absent)
        );
        findings.push(MISSING_TARGET.broken("dist", message));
    }
    if let Some((project, version)) = &requested.project {
        for member in members {
            let name = &member.name;
            let is_same =
                same_name(&name.distribution, project) && same_version(&name.version, version);
            if !is_same {
                let message = format!("wheels.toml requires `{project}` {version}");
                findings.push(OTHER_VERSION.broken(member.path(), message));
            }
        }
    }
}
