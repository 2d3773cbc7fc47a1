//! Checks that an interpreter installs the wheel, and that the wheel needs the interpreter of its tags.

use std::collections::BTreeSet;

use pep440_rs::VersionSpecifiers;

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::policy::PlatformTag;
use crate::wheel::{Tag, allows};

const UNINSTALLABLE: Rule = Rule::error(
    "TAG104",
    "uninstallable-tags",
    "use the same interpreter in Python tag and ABI tag; `abi3` and `abi3t` require a tag such as `cp315`",
);
const EXCLUDED: Rule = Rule::error(
    "TAG105",
    "excluded-by-requires-python",
    "build for interpreters that `Requires-Python` allows, or widen it",
);
const NEEDS_NO_ABI: Rule = Rule::warning(
    "TAG106",
    "tags-without-machine-code",
    "search the build log for an extension module that was not built, or tag the wheel `py3-none-any`",
);
const NEEDS_NO_PLATFORM: Rule = Rule::note(
    "TAG107",
    "platform-without-machine-code",
    "use the platform tag `any` if the wheel works everywhere",
);

pub(super) const CHECK: Check =
    Check { rules: &[UNINSTALLABLE, EXCLUDED, NEEDS_NO_ABI, NEEDS_NO_PLATFORM], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Ok(name) = &context.name else { return };
    let (file, tags) = (&context.facts.file, name.tags.expand());
    if !tags.iter().any(is_installable) {
        let message = format!("no interpreter installs a wheel for `{}`", name.tags);
        let finding = UNINSTALLABLE.broken(file, message);
        let intended: BTreeSet<String> = tags.iter().filter_map(intended_tag).collect();
        findings.push(if intended.is_empty() {
            finding
        } else {
            finding.with_help(format!("use {}", listing(&Vec::from_iter(intended))))
        });
    }
    let Some(contents) = context.contents() else { return };
    let wanted = contents.metadata.iter().flatten().find_map(|each| each.requires_python.as_ref());
    let specifiers = wanted.and_then(|text| text.parse::<VersionSpecifiers>().ok());
    if let (Some(text), Some(specifiers)) = (wanted, specifiers)
        && tags.iter().filter_map(only_version).any(|version| !allows(&specifiers, version))
        && tags.iter().all(|tag| only_version(tag).is_some_and(|own| !allows(&specifiers, own)))
    {
        let text = text.escape_debug();
        let message = format!(
            "is only for {}, which `Requires-Python: {text}` excludes",
            listing(&name.tags.pythons)
        );
        findings.push(EXCLUDED.broken(file, message));
    }
    // TAG103 covers an extension that is expected.
    let is_bound = !context.claims().contains(&PlatformTag::Any);
    if is_bound
        && !context.is_foreign()
        && contents.elves.is_empty()
        && contents.damaged.is_empty()
        && context.expectations.native.is_none()
    {
        let needs_abi = name.tags.abis.iter().any(|abi| abi != "none");
        let rule = if needs_abi { &NEEDS_NO_ABI } else { &NEEDS_NO_PLATFORM };
        let message = format!("is tagged `{}` but contains no machine code", name.tags);
        findings.push(rule.broken(file, message));
    }
}

/// Returns whether an interpreter accepts a wheel with this tag (PEP 425, and `packaging.tags`). Unknown tags may
/// belong to unknown interpreters.
pub(super) fn is_installable(tag: &Tag) -> bool {
    let digits = |text: &str| -> String { text.chars().take_while(char::is_ascii_digit).collect() };
    if tag.is_stable() {
        let minor = tag.python.strip_prefix("cp3").and_then(|minor| minor.parse::<u32>().ok());
        return minor.is_some_and(|minor| minor >= 2);
    }
    if let Some(version) = tag.abi.strip_prefix("cp") {
        let number = digits(version);
        let flags = version.strip_prefix(&number).unwrap_or_default();
        return tag.python == format!("cp{number}") && has_build(&number, flags);
    }
    if let Some((_, version)) = tag.abi.strip_prefix("graalpy").and_then(|it| it.split_once('_')) {
        return tag.python == format!("graalpy{}", digits(version));
    }
    match tag.abi.strip_prefix("pypy").map(|version| (digits(version), version)) {
        // Before 3.6, the ABI tag contained only a number of its own: `pypy_41`.
        Some((number, _)) if !number.is_empty() => tag.python == format!("pp{number}"),
        // The `t` of free-threaded interpreters belongs to the ABI tag.
        _ => tag.python.strip_prefix("cp").is_none_or(|version| digits(version) == version),
    }
}

/// Returns whether `CPython` has a build with these flags: `d` (debug), until 3.7 `m` (pymalloc) and `u` (wide Unicode,
/// PEP 3149), since 3.13 `t` (free-threaded, PEP 703).
fn has_build(version: &str, flags: &str) -> bool {
    let minor = version.strip_prefix('3').and_then(|minor| minor.parse::<u32>().ok());
    match minor {
        Some(13..) => ["", "d", "t", "td"].contains(&flags),
        Some(8..13) => ["", "d"].contains(&flags),
        _ => flags.chars().all(|flag| "dmu".contains(flag)),
    }
}

/// The most likely intended tag.
fn intended_tag(tag: &Tag) -> Option<String> {
    let digits = |text: &str| -> String { text.chars().take_while(char::is_ascii_digit).collect() };
    let number = digits(tag.python.strip_prefix("cp").unwrap_or_default());
    let of_abi = digits(tag.abi.strip_prefix("cp").unwrap_or_default());
    let is_threaded = tag.python == format!("cp{number}t");
    let is_recent = number.strip_prefix('3').and_then(|minor| minor.parse().ok()) >= Some(15_u32);
    let (python, abi) = match tag.abi.as_str() {
        "abi3" | "abi3t" if is_threaded && is_recent => (format!("cp{number}"), "abi3t".to_owned()),
        // The free-threaded stable ABI starts with 3.15 (PEP 803).
        "abi3" | "abi3t" if is_threaded => (format!("cp{number}"), format!("cp{number}t")),
        "abi3" if tag.python.starts_with("cp3") => ("cp32".to_owned(), "abi3".to_owned()),
        abi if of_abi.is_empty() => (format!("cp{number}"), abi.to_owned()),
        _ if tag.python == format!("cp{of_abi}") => (tag.python.clone(), format!("cp{of_abi}")),
        abi => (format!("cp{of_abi}"), abi.to_owned()),
    };
    let intended = Tag { python, abi, platform: tag.platform.clone() };
    is_installable(&intended).then(|| format!("{}-{}", intended.python, intended.abi))
}

/// The one version of Python that installs a wheel with this tag; `None` if there are several.
fn only_version(tag: &Tag) -> Option<(u8, u8)> {
    let prefixes = ["cp", "pp", "graalpy"];
    let version = prefixes.iter().find_map(|prefix| tag.python.strip_prefix(prefix))?;
    let (major, minor) = version.split_at_checked(1)?;
    let is_stable = tag.abi.strip_prefix("abi").is_some();
    (!is_stable).then_some((major.parse().ok()?, minor.parse().ok()?))
}
