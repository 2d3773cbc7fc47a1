//! Checks that each file is installed to a separate, valid path.

use std::collections::BTreeMap;

use super::{AuditContext, Check, Finding, Rule, listing};
use crate::audit::{library, search};
use crate::policy::{LayoutNames, PlatformTag};

const ONE_PLACE: Rule = Rule::error(
    "MET043",
    "members-in-one-place",
    "pack each file once; which of two remains depends on the installer",
);
const SECOND_DIST_INFO: Rule = Rule::error(
    "MET044",
    "dist-info-in-data",
    "remove the metadata from `NAME-VERSION.data`; it replaces the wheel's own",
);
const WINDOWS: Rule = Rule::warning(
    "MET045",
    "name-windows-refuses",
    "rename it; installers cannot unpack the wheel on Windows",
);
const WINDOWS_ON_LINUX: Rule =
    Rule::note("MET046", "name-only-for-linux", "rename it if the project supports Windows");

pub(super) const CHECK: Check =
    Check { rules: &[ONE_PLACE, SECOND_DIST_INFO, WINDOWS, WINDOWS_ON_LINUX], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Some(contents) = context.contents() else { return };
    let mut places: BTreeMap<String, &str> = BTreeMap::new();
    for member in contents.digests.keys() {
        let place = search::installed(member);
        if !library::is_metadata(member) && is_dist_info(&place) {
            findings.push(SECOND_DIST_INFO.broken(member, "is installed into the metadata folder"));
        }
        if let Some(other) = places.insert(place, member) {
            findings.push(same_path(member, other));
        }
    }
    // ARC004 covers a path that is a file and a folder in the archive itself.
    for (place, member) in &places {
        let below = format!("{place}/");
        let mut inside =
            places.range(below.clone()..).take_while(|(next, _)| next.starts_with(&below));
        let is_other = |inside: &str| !inside.starts_with(&format!("{member}/"));
        if let Some((_, inside)) = inside.next().filter(|(_, inside)| is_other(inside)) {
            let inside = inside.escape_debug();
            let message = format!("is installed where `{inside}` needs a folder");
            findings.push(ONE_PLACE.broken(member, message));
        }
    }
    let others = context.other_systems();
    let is_for_windows = others.iter().any(|(_, system)| *system == "Windows")
        || context.claims().contains(&PlatformTag::Any);
    let rule = if is_for_windows { &WINDOWS } else { &WINDOWS_ON_LINUX };
    let refused: Vec<&str> =
        contents.digests.keys().map(String::as_str).filter(|path| is_refused(path)).collect();
    if let Some(first) = refused.first() {
        findings.push(
            rule.broken(
                first,
                format!("not valid as file names on Windows: {}", listing(&refused)),
            ),
        );
    }
}

fn same_path(member: &str, other: &str) -> Finding {
    ONE_PLACE.broken(member, format!("is installed to the same path as `{}`", other.escape_debug()))
}

/// Returns whether the path is below a `.dist-info` of `site-packages`.
fn is_dist_info(place: &str) -> bool {
    let inside = place.strip_prefix(search::SITE).and_then(|rest| rest.strip_prefix('/'));
    inside.is_some_and(library::is_metadata)
}

/// Returns whether Windows rejects or changes a part of the name (Microsoft, "Naming Files, Paths, and Namespaces").
/// ARC002 covers backslashes and control characters, which are unsafe everywhere.
fn is_refused(path: &str) -> bool {
    let reserved = &LayoutNames::builtin().reserved;
    // ARC002 covers these two.
    let mut parts = path.split('/').filter(|part| ![".", ".."].contains(part));
    parts.any(|part| {
        let stem = part.split('.').next().unwrap_or(part).trim_end();
        part.ends_with(['.', ' '])
            || part.contains(['<', '>', ':', '"', '|', '?', '*'])
            || reserved.contains(&stem.to_lowercase())
    })
}
