//! Checks each part of the tags: existing C library versions, platforms that an index accepts, valid
//! interpreters.

use std::collections::BTreeSet;

use super::{AuditContext, Check, Finding, Rule, installable::is_installable, listing};
use crate::policy::{Index, LibcRelease, PlatformTag, Policies, libc_release};
use crate::wheel::{TagSet, WheelName};

const NO_SUCH_LIBC: Rule = Rule::error(
    "TAG006",
    "no-such-libc",
    "use a released C library version; no system accepts this tag",
);
const LATER_LIBC: Rule = Rule::warning(
    "TAG007",
    "later-libc",
    "check that this C library version is released; if it is, update the tool",
);
const REFUSED_PLATFORM: Rule = Rule::warning(
    "TAG008",
    "refused-platform",
    "use a platform tag that the index accepts for this architecture, or publish the wheel elsewhere",
)
.refused_by_index();
const MALFORMED: Rule = Rule::warning(
    "TAG009",
    "malformed-tag",
    "write `cp311-cp311`, `cp314-cp314t`, `cp39-abi3`, `cp315-abi3.abi3t`, `pp311-pypy311_pp73`, \
     `graalpy312-graalpy250_312_native` or `py3-none`",
);
const REPEATED: Rule =
    Rule::warning("TAG010", "repeated-tag", "name each part of a compressed set once");
const PLATFORM_BESIDE_ANY: Rule = Rule::warning(
    "TAG011",
    "platform-beside-any",
    "remove the other platforms; a wheel for `any` installs everywhere",
);

pub(super) const CHECK: Check = Check {
    rules: &[NO_SUCH_LIBC, LATER_LIBC, REFUSED_PLATFORM, MALFORMED, REPEATED, PLATFORM_BESIDE_ANY],
    find,
};

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Ok(WheelName { tags, .. }) = &context.name else { return };
    let (file, claims) = (&context.facts.file, context.claims());
    let found = claims.iter().filter_map(|&claim| platform_fault(claim));
    findings.extend(found.map(|(rule, message)| rule.broken(file, message)));
    if claims.contains(&PlatformTag::Any) && tags.platforms.len() > 1 {
        let message =
            format!("is for {}: `any` includes all other platforms", listing(&tags.platforms));
        findings.push(PLATFORM_BESIDE_ANY.broken(file, message));
    }
    let malformed = malformed(tags);
    // If no interpreter installs the wheel, TAG104 proposes other tags.
    if !malformed.is_empty() && tags.expand().iter().any(is_installable) {
        let message = format!("{} is not a valid Python tag or ABI tag", listing(&malformed));
        findings.push(MALFORMED.broken(file, message));
    }
    for part in [&tags.pythons, &tags.abis, &tags.platforms] {
        let each: BTreeSet<&String> = part.iter().collect();
        if each.len() < part.len() {
            let message = format!("`{}` names a part more than once", part.join("."));
            findings.push(REPEATED.broken(file, message));
        }
    }
}

/// The fault of a platform tag. TAG003 covers platforms without a policy.
fn platform_fault(claim: PlatformTag) -> Option<(&'static Rule, String)> {
    if matches!(claim, PlatformTag::Any | PlatformTag::Linux(_)) {
        return None;
    }
    Policies::builtin().limits(claim)?;
    match libc_release(claim) {
        Some(LibcRelease::Never) => {
            return Some((
                &NO_SUCH_LIBC,
                format!("`{claim}` names a C library version that does not exist"),
            ));
        }
        Some(LibcRelease::Newer) => {
            return Some((
                &LATER_LIBC,
                format!("`{claim}` names a C library version that is not known yet"),
            ));
        }
        Some(LibcRelease::Known) | None => {}
    }
    let refused = !Index::builtin().accepts(claim);
    refused.then(|| (&REFUSED_PLATFORM, format!("the package index rejects `{claim}`")))
}

/// Invalid Python and ABI tags. A valid tag is a name and a number (PEP 425).
fn malformed(tags: &TagSet) -> Vec<&String> {
    let letters = |tag: &str| tag.chars().take_while(char::is_ascii_lowercase).count();
    let is_python = |tag: &str| {
        let number = tag.get(letters(tag)..).unwrap_or_default();
        letters(tag) > 0 && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_abi = |tag: &str| {
        let number = tag.get(letters(tag)..).unwrap_or_default();
        tag == "none" || letters(tag) > 0 && number.starts_with(|each: char| each.is_ascii_digit())
    };
    let pythons = tags.pythons.iter().filter(|tag| !is_python(tag));
    pythons.chain(tags.abis.iter().filter(|tag| !is_abi(tag))).collect()
}
