//! What `wheels.toml` asks for, against what there is.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, MISSING_TARGET, MISSING_WHEEL, Member, OTHER_VERSION, Severity, listing};
use crate::audit::Asked;
use crate::wheel::{Interpreter, same_name, same_version};

pub(super) fn find(
    asked: &Asked,
    members: &[Member<'_>],
    publish: bool,
    findings: &mut Vec<Finding>,
) {
    let mut folders: BTreeMap<&str, Vec<&Member<'_>>> = BTreeMap::new();
    for member in members {
        folders.entry(member.folder()).or_default().push(member);
    }
    let mut absent = BTreeSet::new();
    for (folder, interpreters) in &asked.folders {
        let Some(wheels) = folders.get(folder.as_str()) else {
            if !asked.optional.contains(folder) {
                absent.insert(folder);
            }
            continue;
        };
        let tags: Vec<_> = wheels.iter().flat_map(|wheel| wheel.name.tags.expand()).collect();
        let lacks = interpreters.iter().filter(|each| !tags.iter().any(|tag| each.accepts(tag)));
        let optional = asked.may_lack.get(folder).map(Vec::as_slice).unwrap_or_default();
        let (optional, required): (Vec<&Interpreter>, Vec<&Interpreter>) =
            lacks.partition(|each| optional.contains(*each));
        for (lacks, is_required) in [(required, true), (optional, false)] {
            if lacks.is_empty() {
                continue;
            }
            let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
            let which = if is_required { "wheels.toml names" } else { "a release does without" };
            let message = format!("has no wheel for {}, which {which}", listing(&lacks));
            let mut finding = MISSING_WHEEL.broken(folder, message);
            // Whoever builds for one interpreter looks at that; what is published cannot be added to
            // for long.
            if publish && is_required {
                finding.severity = Severity::Error;
            }
            findings.push(finding);
        }
    }
    if !absent.is_empty() {
        let absent: Vec<_> = absent.into_iter().collect();
        let all = asked.folders.keys().filter(|folder| !asked.optional.contains(*folder)).count();
        // With optional folders, those that are missed are hosted CI's.
        let whose = if asked.optional.is_empty() { "of" } else { "of `[ci] targets` in" };
        let message = format!(
            "of the {all} targets and platforms {whose} wheels.toml {} have no wheel: {}",
            absent.len(),
            listing(&absent)
        );
        findings.push(MISSING_TARGET.broken("dist", message));
    }
    if let Some((project, version)) = &asked.project {
        for member in members {
            let name = &member.name;
            let is_same =
                same_name(&name.distribution, project) && same_version(&name.version, version);
            if !is_same {
                let message = format!("wheels.toml asks for `{project}` {version}");
                findings.push(OTHER_VERSION.broken(member.path(), message));
            }
        }
    }
}
