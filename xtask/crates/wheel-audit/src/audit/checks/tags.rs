//! Checks that the tags in the file name are well-formed, match `WHEEL`, and promise a known platform.

use std::collections::BTreeSet;

use super::{AuditContext, Check, Finding, Rule, Severity, listing};
use crate::policy::{PlatformTag, Policies};
use crate::wheel::TagSet;

const FILE_NAME: Rule = Rule::error(
    "TAG001",
    "file-name",
    "name the file `name-version(-build)-python-abi-platform.whl`",
);
const WHEEL_TAGS: Rule = Rule::error(
    "TAG002",
    "wheel-tags",
    "change tags with `wheel tags` instead of renaming the file",
);
const UNKNOWN_PLATFORM: Rule = Rule::error(
    "TAG003",
    "unknown-platform",
    "use a platform tag of PEP 600 or PEP 656 that exists for the architecture",
);
const NO_PROMISE: Rule = Rule::warning(
    "TAG004",
    "no-promise",
    "set `[check] tag = \"target\"` in wheels.toml, or run `auditwheel repair` for a wheel of another build; \
     the package index rejects `linux_*`",
)
.refused_by_index();
const OTHER_SYSTEM: Rule = Rule::note(
    "TAG020",
    "other-system",
    "check the machine code with tools of that system, such as delvewheel or delocate",
);
const MACHINE_CODE_FOR_ANY: Rule = Rule::error(
    "TAG005",
    "machine-code-for-any",
    "make the build backend write a platform tag: with setuptools, list the extension in `ext_modules`; for an \
     existing wheel, run `wheel tags --platform-tag`",
);

pub(super) const CHECK: Check = Check {
    rules: &[
        FILE_NAME,
        WHEEL_TAGS,
        UNKNOWN_PLATFORM,
        NO_PROMISE,
        MACHINE_CODE_FOR_ANY,
        OTHER_SYSTEM,
    ],
    find,
};

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let file = &context.facts.file;
    let name = match &context.name {
        Ok(name) => name,
        Err(error) => return findings.push(FILE_NAME.broken(file, error.to_string())),
    };
    if let Some(Ok(wheel)) = context.contents().and_then(|contents| contents.wheel.as_ref()) {
        findings.extend(wheel_tags(file, &wheel.tags, &name.tags));
    }
    let others = context.other_systems();
    for platform in &name.tags.platforms {
        if others.iter().all(|(tag, _)| tag != platform) {
            findings.extend(platform_fault(file, platform));
        }
    }
    if context.is_foreign() {
        let systems: BTreeSet<&str> = others.into_iter().map(|(_, system)| system).collect();
        let systems = Vec::from_iter(systems).join(" and ");
        let message = format!("is for {systems}: its machine code is not checked");
        findings.push(OTHER_SYSTEM.broken(file, message));
    }
    if let Some(elf) = context.elves().first()
        && context.claims().contains(&PlatformTag::Any)
    {
        findings.push(
            MACHINE_CODE_FOR_ANY
                .broken(&elf.path, "contains machine code, but the platform tag is `any`"),
        );
    }
}

/// Reports `Tag:` lines that differ from the tags of the file name.
fn wheel_tags(file: &str, lines: &[String], tags: &TagSet) -> Option<Finding> {
    let inside: BTreeSet<String> = lines.iter().cloned().collect();
    let outside: BTreeSet<String> = tags.expand().into_iter().map(String::from).collect();
    let missing: Vec<&String> = outside.difference(&inside).collect();
    let extra: Vec<&String> = inside.difference(&outside).collect();
    let expanded = |line: &String| line.parse::<TagSet>().ok().map(|set| set.expand());
    let all = inside.iter().map(expanded).collect::<Option<Vec<_>>>();
    let all = all.map(|all| all.into_iter().flatten().map(String::from).collect());
    if missing.is_empty() && extra.is_empty() {
        None
    } else if all.is_some_and(|all: BTreeSet<String>| all == outside) {
        let message = format!("`WHEEL` has {}, which is not expanded", listing(&extra));
        let help = format!("write {} `Tag:` lines, one for each tag of the set", outside.len());
        // Installers read only the file name.
        let finding = WHEEL_TAGS.broken(file, message).with_help(help);
        Some(Finding { severity: Severity::Warning, ..finding })
    } else if inside.iter().all(|line| line.chars().count() == 1) {
        let message = format!(
            "`WHEEL` has a `Tag:` line for each character: {}; {} is missing",
            listing(&extra),
            listing(&missing)
        );
        let help = "fix the build backend: it wrote each character of a string as a tag";
        Some(WHEEL_TAGS.broken(file, message).with_help(help))
    } else {
        let part = |what: &str, tags: &[&String]| {
            (!tags.is_empty()).then(|| format!("`WHEEL` {what} {}", listing(tags)))
        };
        let parts = [
            part("lacks tags of the file name:", &missing),
            part("has tags that the file name lacks:", &extra),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        Some(WHEEL_TAGS.broken(file, parts.join("; ")))
    }
}

fn platform_fault(file: &str, platform: &str) -> Option<Finding> {
    match platform.parse::<PlatformTag>() {
        Err(error) => Some(UNKNOWN_PLATFORM.broken(file, error.to_string())),
        Ok(PlatformTag::Any) => None,
        Ok(tag @ PlatformTag::Linux(_)) => Some(NO_PROMISE.broken(
            file,
            format!("`{tag}` promises nothing about the system, and pip installs it on any Linux"),
        )),
        Ok(tag) if Policies::builtin().limits(tag).is_none() => {
            Some(UNKNOWN_PLATFORM.broken(file, format!("no policy defines `{tag}`")))
        }
        Ok(_) => None,
    }
}
