//! Compares the interpreters and systems of these wheels with those of the published ones.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Finding, Member, NEWER_LIBC, Published, Severity, UNCOVERED, is_same_project, listing,
};
use crate::policy::{LibcVersion, PlatformTag};
use crate::wheel::WheelName;

/// The help for systems without a published wheel.
const GAINED: &str = "no fix is needed if you intend to support these systems";

/// Interpreter and kind of system (`cp311-cp311` on `glibc x86_64`), with the oldest C library.
type Covered = BTreeMap<(String, String), LibcVersion>;

/// Reports the differences once for each project.
pub(super) fn find(members: &[Member<'_>], published: &[Published], findings: &mut Vec<Finding>) {
    let mut projects: BTreeMap<String, Vec<&Member<'_>>> = BTreeMap::new();
    for member in members {
        projects.entry(member.project()).or_default().push(member);
    }
    for ours in projects.values() {
        let Some(first) = ours.first() else { continue };
        let theirs = published.iter().filter(|each| is_same_project(&first.name, &each.name));
        let theirs = covered(theirs.map(|each| &each.name));
        let own = covered(ours.iter().map(|member| &member.name));
        // Wheels for any platform support every system.
        if theirs.is_empty() || ours.iter().any(|member| member.is_pure()) {
            continue;
        }
        let missing = |from: &Covered, to: &Covered| -> Vec<String> {
            let keys = from.keys().filter(|key| !is_covered(key, to));
            keys.map(|(tag, system)| format!("{tag} on {system}")).collect()
        };
        let place = first.name.distribution.as_str();
        let lost = missing(&theirs, &own);
        if !lost.is_empty() {
            let message =
                format!("published wheels are for {}, but none of these is", listing(&lost));
            findings.push(UNCOVERED.broken(place, message));
        }
        let gained = missing(&own, &theirs);
        if !gained.is_empty() {
            let message =
                format!("these wheels are for {}, but no published one is", listing(&gained));
            let mut finding = UNCOVERED.broken(place, message).with_help(GAINED);
            finding.severity = Severity::Note;
            findings.push(finding);
        }
        newer(place, &own, &theirs, findings);
    }
}

/// A wheel for the stable ABI also covers later interpreters of the same kind (`abi3t`: free-threaded).
fn is_covered(key: &(String, String), by: &Covered) -> bool {
    let stable = if key.0.ends_with('t') { "-abi3t" } else { "-abi3" };
    by.contains_key(key) || by.keys().any(|(tag, system)| *system == key.1 && tag.ends_with(stable))
}

fn covered<'a>(names: impl Iterator<Item = &'a WheelName>) -> Covered {
    let mut covered = Covered::new();
    for name in names {
        for tag in name.tags.expand() {
            let Ok(platform) = tag.platform.parse::<PlatformTag>() else { continue };
            let (libc, version) = match (platform.glibc(), platform.musl()) {
                (Some(version), _) => ("glibc", version),
                (_, Some(version)) => ("musl", version),
                (None, None) => ("glibc", LibcVersion::new(0, 0)),
            };
            let Some(arch) = platform.arch() else { continue };
            let key = (format!("{}-{}", tag.python, tag.abi), format!("{libc} {arch}"));
            let oldest = covered.entry(key).or_insert(version);
            *oldest = version.min(*oldest);
        }
    }
    covered
}

/// Reports systems whose C library is new enough for the published wheels but not for these.
fn newer(place: &str, own: &Covered, theirs: &Covered, findings: &mut Vec<Finding>) {
    let mut systems = BTreeSet::new();
    for (key, version) in own {
        // `linux_ARCH` promises no version.
        let before = theirs.get(key).filter(|before| *before < version && before.major > 0);
        let Some(before) = before else { continue };
        systems.insert(format!("{} {version} (published: {before})", key.1));
    }
    if !systems.is_empty() {
        let systems: Vec<_> = systems.into_iter().collect();
        let message = format!("these wheels install from {} on", listing(&systems));
        findings.push(NEWER_LIBC.broken(place, message));
    }
}
