//! Are the tags in the file name well-formed, those of `WHEEL`, and ones that promise something
//! true?

use std::collections::BTreeSet;

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::policy::{PlatformTag, Policies};

const FILE_NAME: Rule = Rule::error(
    "TAG001",
    "file-name",
    "name the file `name-version(-build)-python-abi-platform.whl`",
);
const WHEEL_TAGS: Rule =
    Rule::error("TAG002", "wheel-tags", "retag the wheel with a tool instead of renaming it");
const UNKNOWN_PLATFORM: Rule = Rule::error(
    "TAG003",
    "unknown-platform",
    "use a platform tag of PEP 600 or PEP 656 that exists for the architecture",
);
const NO_PROMISE: Rule = Rule::warning(
    "TAG004",
    "no-promise",
    "give the wheel the manylinux tag it fulfils; an index refuses `linux_*`",
)
.refused_by_index();
const MACHINE_CODE_FOR_ANY: Rule =
    Rule::error("TAG005", "machine-code-for-any", "give a wheel with machine code a platform tag");

pub(super) const CHECK: Check = Check {
    rules: &[FILE_NAME, WHEEL_TAGS, UNKNOWN_PLATFORM, NO_PROMISE, MACHINE_CODE_FOR_ANY],
    find,
};

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let file = &context.facts.file;
    let name = match &context.name {
        Ok(name) => name,
        Err(error) => return findings.push(FILE_NAME.broken(file, error.to_string())),
    };
    if let Some(Ok(wheel)) = context.contents().and_then(|contents| contents.wheel.as_ref()) {
        let inside: BTreeSet<String> = wheel.tags.iter().cloned().collect();
        let outside: BTreeSet<String> = name.tags.expand().into_iter().map(String::from).collect();
        let missing: Vec<&String> = outside.difference(&inside).collect();
        let extra: Vec<&String> = inside.difference(&outside).collect();
        for (tags, what) in
            [(missing, "lacks the file name's"), (extra, "has, and the file name lacks,")]
        {
            if !tags.is_empty() {
                findings
                    .push(WHEEL_TAGS.broken(file, format!("`WHEEL` {what} {}", listing(&tags))));
            }
        }
    }
    for platform in &name.tags.platforms {
        findings.extend(platform_fault(file, platform));
    }
    if let Some(elf) = context.elves().first()
        && context.claims().contains(&PlatformTag::Any)
    {
        findings.push(
            MACHINE_CODE_FOR_ANY.broken(&elf.path, "machine code in a wheel for `any` platform"),
        );
    }
}

fn platform_fault(file: &str, platform: &str) -> Option<Finding> {
    match platform.parse::<PlatformTag>() {
        Err(error) => Some(UNKNOWN_PLATFORM.broken(file, error.to_string())),
        Ok(PlatformTag::Any) => None,
        Ok(tag @ PlatformTag::Linux(_)) => Some(
            NO_PROMISE.broken(file, format!("`{tag}` promises nothing and installs everywhere")),
        ),
        Ok(tag) if Policies::builtin().limits(tag).is_none() => {
            Some(UNKNOWN_PLATFORM.broken(file, format!("no policy stands behind `{tag}`")))
        }
        Ok(_) => None,
    }
}
