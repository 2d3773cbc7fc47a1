//! Is there an interpreter that installs the wheel, and does it need the one that it asks for?

use pep440_rs::VersionSpecifiers;

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::policy::PlatformTag;
use crate::wheel::{Tag, allows};

const UNINSTALLABLE: Rule = Rule::error(
    "TAG104",
    "uninstallable-tags",
    "let Python tag and ABI tag name the same interpreter; `abi3` and `abi3t` want a tag such as `cp315`",
);
const EXCLUDED: Rule = Rule::error(
    "TAG105",
    "excluded-by-requires-python",
    "build for interpreters that `Requires-Python` allows, or widen it",
);
const NEEDS_NO_ABI: Rule = Rule::warning(
    "TAG106",
    "tags-without-machine-code",
    "look for an extension module that was not built, or tag the wheel `py3-none-any`",
);
const NEEDS_NO_PLATFORM: Rule = Rule::note(
    "TAG107",
    "platform-without-machine-code",
    "tag the wheel `any` if what it holds works everywhere",
);

pub(super) const CHECK: Check =
    Check { rules: &[UNINSTALLABLE, EXCLUDED, NEEDS_NO_ABI, NEEDS_NO_PLATFORM], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Ok(name) = &context.name else { return };
    let (file, tags) = (&context.facts.file, name.tags.expand());
    if !tags.iter().any(is_installable) {
        let message = format!("no interpreter installs a wheel for `{}`", name.tags);
        findings.push(UNINSTALLABLE.broken(file, message));
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
            "is for {} alone, and `Requires-Python: {text}` excludes that",
            listing(&name.tags.pythons)
        );
        findings.push(EXCLUDED.broken(file, message));
    }
    // That an extension was asked for and is missing is an error of its own.
    let is_bound = !context.claims().contains(&PlatformTag::Any);
    if is_bound
        && !context.is_foreign()
        && contents.elves.is_empty()
        && contents.damaged.is_empty()
        && context.expectations.native.is_none()
    {
        let needs_abi = name.tags.abis.iter().any(|abi| abi != "none");
        let rule = if needs_abi { &NEEDS_NO_ABI } else { &NEEDS_NO_PLATFORM };
        let message = format!("is for `{}`, and there is no machine code in it", name.tags);
        findings.push(rule.broken(file, message));
    }
}

/// Is there an interpreter that takes a wheel with this tag (PEP 425, and `packaging.tags`)? What is
/// not understood may be that of one which is not known here.
fn is_installable(tag: &Tag) -> bool {
    let digits = |text: &str| -> String { text.chars().take_while(char::is_ascii_digit).collect() };
    if tag.is_stable() {
        return tag.python.strip_prefix("cp3").is_some_and(|minor| !digits(minor).is_empty());
    }
    if let Some(version) = tag.abi.strip_prefix("cp") {
        return tag.python == format!("cp{}", digits(version));
    }
    if let Some((_, version)) = tag.abi.strip_prefix("graalpy").and_then(|it| it.split_once('_')) {
        return tag.python == format!("graalpy{}", digits(version));
    }
    match tag.abi.strip_prefix("pypy").map(|version| (digits(version), version)) {
        // Before 3.6 the number was that of the interface alone, `pypy_41`.
        Some((number, _)) if !number.is_empty() => tag.python == format!("pp{number}"),
        _ => true,
    }
}

/// The one version of Python that installs a wheel with this tag; `None` if there are several.
fn only_version(tag: &Tag) -> Option<(u8, u8)> {
    let prefixes = ["cp", "pp", "graalpy"];
    let version = prefixes.iter().find_map(|prefix| tag.python.strip_prefix(prefix))?;
    let (major, minor) = version.split_at_checked(1)?;
    let is_stable = tag.abi.strip_prefix("abi").is_some();
    (!is_stable).then_some((major.parse().ok()?, minor.parse().ok()?))
}
