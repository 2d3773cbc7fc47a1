//! Does each file load on the systems that the wheel's tags admit?

use super::{AuditContext, Check, Finding};
use crate::audit::obstacle::{Effect, Obstacle};
use crate::audit::{Severity, obstacles};
use crate::policy::{PlatformTag, distributions, installs};

pub(super) const CHECK: Check = Check { rules: obstacles::RULES, find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let obstacles = &context.facts.needs.obstacles;
    findings.extend(obstacles.iter().map(|obstacle| finding(context, obstacle)));
}

/// An error where the file fails on a system that the wheel installs on; otherwise as bad as its
/// rule says.
fn finding(context: &AuditContext<'_>, obstacle: &Obstacle) -> Finding {
    let words = if obstacle.words.is_empty() {
        String::new()
    } else {
        format!("; the loader prints `{}`", obstacle.words)
    };
    let mut finding = obstacle.rule.broken(&obstacle.path, format!("{}{words}", obstacle.cause));
    if fails_where_promised(context, obstacle) {
        finding.severity = Severity::Error;
    }
    match &obstacle.help {
        Some(help) => finding.with_help(help.clone()),
        None => finding,
    }
}

/// Does it fail on a listed system that the tags or the target admit?
fn fails_where_promised(context: &AuditContext<'_>, obstacle: &Obstacle) -> bool {
    let claims = context.claims();
    let tags: Vec<PlatformTag> =
        claims.into_iter().chain(context.expectations.platform_tag).collect();
    let Some(arch) = context.facts.needs.system_needs.arch else { return false };
    distributions().iter().any(|system| {
        system.machines.contains(&arch)
            && obstacle.effect_on(system, arch) == Some(Effect::Fails)
            && tags.iter().any(|&tag| installs(tag, system.libc, arch))
    })
}
