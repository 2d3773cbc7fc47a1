//! Compares the wheel with the requested target and interpreter.

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::policy::PlatformTag;

const OTHER_PLATFORM: Rule = Rule::error(
    "TAG101",
    "other-platform",
    "build on the target's own system, or correct the tag of the wheel",
);
const OTHER_INTERPRETER: Rule =
    Rule::error("TAG102", "other-interpreter", "build with the requested interpreter");
const NO_EXTENSION: Rule = Rule::error(
    "TAG103",
    "no-extension",
    "search the build log for a compiler error; if the package works without its extension, set \
     `[check] native = false` in wheels.toml",
);

pub(super) const CHECK: Check =
    Check { rules: &[OTHER_PLATFORM, OTHER_INTERPRETER, NO_EXTENSION], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Ok(name) = &context.name else { return };
    let (file, expectations, claims) =
        (&context.facts.file, context.expectations, context.claims());
    let platforms = listing(&name.tags.platforms);
    if let Some(target) = expectations.platform_tag
        && !claims.iter().any(|&claim| installs_on(claim, target))
    {
        let message = format!("the wheel is for {platforms}, but the target promises `{target}`");
        findings.push(OTHER_PLATFORM.broken(file, message));
    } else if let Some(arch) = expectations.arch
        && claims.iter().any(|claim| claim.arch().is_some_and(|own| own != arch))
    {
        let message =
            format!("the wheel is for {platforms}, but the target's architecture is `{arch}`");
        findings.push(OTHER_PLATFORM.broken(file, message));
    }
    if let Some(interpreter) = expectations.interpreter
        && !name.tags.expand().iter().any(|tag| interpreter.accepts(tag))
    {
        let message =
            format!("the wheel is for `{}`, but `{interpreter}` was requested", name.tags);
        findings.push(OTHER_INTERPRETER.broken(file, message));
    }
    let is_pure = claims.contains(&PlatformTag::Any)
        || context.contents().is_some_and(|contents| contents.elves.is_empty());
    if let Some(evidence) = &expectations.native
        && is_pure
    {
        let evidence = evidence.escape_debug();
        let message = format!("the wheel has no machine code, although {evidence}");
        findings.push(NO_EXTENSION.broken(file, message));
    }
}

/// Returns whether a wheel with the tag `claim` installs on every system of `target`. For a target with a `linux`
/// tag, only the architecture decides.
fn installs_on(claim: PlatformTag, target: PlatformTag) -> bool {
    if claim == PlatformTag::Any {
        return true;
    }
    let not_above = |own, limit| matches!((own, limit), (Some(own), Some(limit)) if own <= limit);
    claim.arch() == target.arch()
        && (matches!(target, PlatformTag::Linux(_))
            || not_above(claim.glibc(), target.glibc())
            || not_above(claim.musl(), target.musl()))
}
