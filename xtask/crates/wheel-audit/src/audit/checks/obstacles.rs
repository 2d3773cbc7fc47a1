//! Reports files that do not load on the systems that the wheel's tags and its target allow.

use super::{AuditContext, Check, Finding};
use crate::audit::obstacle::{Condition, Effect, Obstacle};
use crate::audit::{Severity, obstacles};
use crate::policy::{Distribution, distributions, installs};

pub(super) const CHECK: Check = Check { rules: obstacles::RULES, find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let admitted = admitted(context);
    // Obstacles with the same cause on different systems are one finding, with the worst severity.
    let mut found: Vec<Finding> = Vec::new();
    let own = |each: &&Obstacle| obstacles::RULES.iter().any(|rule| rule.code == each.rule.code);
    for obstacle in context.facts.needs.obstacles.iter().filter(own) {
        let Some(severity) = severity(context, obstacle, &admitted) else { continue };
        let finding = Finding { severity, ..finding(obstacle) };
        let cause = |each: &&mut Finding| {
            (each.code, &each.path) == (finding.code, &finding.path)
                && each.message.starts_with(&obstacle.cause)
        };
        match found.iter_mut().rev().find(cause) {
            Some(first) if first.severity <= severity => {}
            Some(first) => *first = finding,
            None => found.push(finding),
        }
    }
    findings.append(&mut found);
}

fn finding(obstacle: &Obstacle) -> Finding {
    let loader_message = if obstacle.loader_message.is_empty() {
        String::new()
    } else {
        format!("; the loader prints `{}`", obstacle.loader_message)
    };
    let finding =
        obstacle.rule.broken(&obstacle.path, format!("{}{loader_message}", obstacle.cause));
    match &obstacle.help {
        Some(help) => finding.with_help(help.clone()),
        None => finding,
    }
}

/// The known systems that the wheel's tags allow. A tag such as `linux_x86_64` promises nothing.
fn admitted(context: &AuditContext<'_>) -> Vec<&'static Distribution> {
    let mut tags = context.claims();
    tags.extend(context.expectations.platform_tag);
    tags.retain(|tag| tag.glibc().is_some() || tag.musl().is_some());
    let Some(arch) = context.facts.needs.arch else { return Vec::new() };
    let takes = |system: &&Distribution| {
        system.machines.contains(&arch) && tags.iter().any(|&tag| installs(tag, system.libc, arch))
    };
    distributions().iter().filter(takes).collect()
}

/// The severity of an obstacle: an error if the file fails on an allowed system, otherwise the severity of
/// the rule. `None` if no allowed system is affected.
fn severity(
    context: &AuditContext<'_>,
    obstacle: &Obstacle,
    admitted: &[&Distribution],
) -> Option<Severity> {
    let rule = obstacle.rule.severity;
    match &obstacle.on {
        Condition::LacksLibrary(library) => {
            let limits = context.limits(context.facts.needs.arch);
            return limits.iter().any(|limits| !limits.library(library)).then_some(rule);
        }
        Condition::Processor { level, .. } => {
            let mut promised = context.expectations.isa.iter();
            if promised.any(|own| own.allows(level)) {
                return None;
            }
        }
        _ => {}
    }
    if admitted.is_empty() {
        return match obstacle.on {
            Condition::Everywhere => Some(rule),
            // The C library of the wheel is unknown.
            Condition::Glibc { .. } | Condition::Musl if rule == Severity::Error => None,
            _ => Some(rule.max(Severity::Warning)),
        };
    }
    let arch = context.facts.needs.arch;
    let worst = admitted.iter().filter_map(|system| obstacle.effect_on(system, arch)).max()?;
    // The loader rejects the file on processors that the tag allows.
    let is_refused = matches!(obstacle.on, Condition::Processor { from: Some(_), .. })
        && obstacle.effect == Effect::Fails;
    Some(if worst == Effect::Fails || is_refused { Severity::Error } else { rule })
}
