//! Compares the suffix of each extension module with the tags of the wheel. No interpreter that installs
//! the wheel imports a module with another suffix.

use std::collections::{BTreeMap, BTreeSet};

use super::{AuditContext, Check, Finding, Rule};
pub(super) use crate::audit::loading::stem;
use crate::policy::{Arch, PlatformTag};
use crate::wheel::{ExtensionAbi, ExtensionSuffix, FIRST_WITH_ABI3T, Interpreter, Tag, WheelName};

const OTHER_ABI: Rule = Rule::error(
    "TAG201",
    "suffix-of-another-interpreter",
    "build each wheel with its own interpreter, in a clean folder",
);
const OTHER_MACHINE: Rule = Rule::error(
    "TAG202",
    "suffix-of-another-machine",
    "build on the target's architecture; in a cross build, set `EXT_SUFFIX`",
);
const ONE_INTERPRETER: Rule = Rule::warning(
    "TAG203",
    "module-of-one-interpreter",
    "tag the wheel for the interpreter that it was built with, or add modules for the other interpreters",
);
const DEAD_MODULE: Rule = Rule::warning(
    "TAG205",
    "dead-module",
    "build each wheel in a clean folder; the file is left over from another interpreter",
);

pub(super) const CHECK: Check =
    Check { rules: &[OTHER_ABI, OTHER_MACHINE, ONE_INTERPRETER, DEAD_MODULE], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Ok(name) = &context.name else { return };
    let (tags, claims) = (name.tags.expand(), context.claims());
    let fits =
        |path: &str| ExtensionSuffix::parse(path).is_some_and(|suffix| belongs(&suffix, &tags));
    let paths = context.elves().iter().map(|elf| elf.path.as_str());
    let good: BTreeSet<&str> = paths.filter(|path| fits(path)).map(stem).collect();
    // With a module for all interpreters, an additional one for some of them is no sign of a wrong build.
    let has_stable = tags.iter().any(Tag::is_stable) && !good.is_empty();
    let mut own = BTreeMap::new();
    for elf in context.elves() {
        let Some(suffix) = ExtensionSuffix::parse(&elf.path) else {
            continue;
        };
        if !belongs(&suffix, &tags) {
            // If the wheel contains the right module too, nothing is missing.
            let rule = match suffix.abi {
                _ if good.contains(stem(&elf.path)) => &DEAD_MODULE,
                ExtensionAbi::Interpreter(own)
                    if has_stable && tags.iter().any(|tag| own.accepts(tag)) =>
                {
                    &ONE_INTERPRETER
                }
                _ => &OTHER_ABI,
            };
            let abi = suffix.abi.to_string();
            let text = match (&suffix.platform, suffix.abi) {
                (Some(platform), ExtensionAbi::Stable | ExtensionAbi::FreeThreadedStable) => {
                    format!("{abi}-{platform}")
                }
                _ => abi,
            };
            findings.push(rule.broken(&elf.path, contradiction(&text, name)));
        }
        if let ExtensionAbi::Interpreter(interpreter) = suffix.abi {
            own.entry(interpreter).or_insert(&elf.path);
        }
        let found = foreign_system(&suffix, &claims);
        findings.extend(
            found
                .into_iter()
                .map(|(rule, text)| rule.broken(&elf.path, contradiction(&text, name))),
        );
    }
    if let Some((interpreter, path)) = own.first_key_value().filter(|_| own.len() == 1)
        && tags.iter().all(|tag| tag.abi == "none" && tag.python.strip_prefix("py").is_some())
    {
        let message = format!(
            "the wheel is for every Python of `{}`, but its modules are only for `{interpreter}`",
            name.tags
        );
        findings.push(ONE_INTERPRETER.broken(path, message));
    }
}

fn contradiction(suffix: &str, name: &WheelName) -> String {
    format!("the file name is for `{suffix}`, but the wheel is for `{}`", name.tags)
}

/// The machine of the suffix, if the wheel is for another one, with the broken rule.
fn foreign_system(
    suffix: &ExtensionSuffix,
    claims: &[PlatformTag],
) -> Vec<(&'static Rule, String)> {
    let mut found = Vec::new();
    let Some(platform) = &suffix.platform else { return found };
    let machines = machine(platform).unwrap_or_default();
    if let Some(first) = machines.first()
        && claims.iter().filter_map(PlatformTag::arch).any(|arch| !machines.contains(&arch))
    {
        found.push((&OTHER_MACHINE, first.to_string()));
    }
    found
}

/// Returns whether an interpreter that installs a wheel with one of these tags can import a module with this
/// suffix. Wheels without an ABI tag may contain modules for several interpreters.
fn belongs(suffix: &ExtensionSuffix, tags: &BTreeSet<Tag>) -> bool {
    let is_recent = |it: Interpreter| it.python_version() >= FIRST_WITH_ABI3T;
    tags.iter().any(|tag| match suffix.abi {
        _ if tag.abi == "none" => true,
        ExtensionAbi::Interpreter(interpreter) => !tag.is_stable() && interpreter.accepts(tag),
        abi => {
            let loads = |it: Interpreter| {
                abi.is_loaded_by(it) && (suffix.platform.is_none() || is_recent(it))
            };
            // TAG104 covers tags without an interpreter.
            tag.lowest_interpreter().map_or_else(|| tag.is_stable(), loads)
        }
    })
}

/// The architectures of a suffix. `CPython` uses Debian's multiarch names.
fn machine(platform: &str) -> Option<Vec<Arch>> {
    match platform.split('-').next()? {
        "i386" => Some(vec![Arch::I686]),
        "arm" => Some(vec![Arch::Armv7l, Arch::Armv6l]),
        "powerpc64le" => Some(vec![Arch::Ppc64le]),
        "powerpc64" => Some(vec![Arch::Ppc64]),
        other => other.parse().ok().map(|arch| vec![arch]),
    }
}
