//! Release notes: contents and supported systems. They come from the manifest and the build reports alone, so the same
//! wheels have the same notes (defects 14 and 18).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::missing::Missing;
use super::published::Wheel;
use crate::pipeline::BuildInfo;
use wheel_audit::policy::{Arch, Distribution, PlatformTag, distributions, installs};
use wheel_audit::report::{counted, markdown_code, markdown_text};
use wheel_audit::text;

/// GitHub accepts 125,000 characters. Longer notes omit the table of files.
const LIMIT: usize = 100_000;

/// The common version of `wheels`; `None` if they differ.
pub(crate) fn version(wheels: &[Wheel]) -> Option<&str> {
    let versions: BTreeSet<&str> = wheels.iter().map(|wheel| wheel.name.version.as_str()).collect();
    versions.first().copied().filter(|_| versions.len() == 1)
}

/// The notes in Markdown. `infos`: build reports by folder. `missing`: wheels that hosted CI should have built.
pub(crate) fn notes(
    wheels: &[Wheel],
    infos: &BTreeMap<String, BuildInfo>,
    missing: &[Missing],
) -> String {
    let mut text = String::new();
    let mut projects: BTreeSet<String> = BTreeSet::new();
    for wheel in wheels {
        projects.insert(format!("{} {}", wheel.name.distribution, wheel.name.version));
    }
    let projects: Vec<_> = projects.into_iter().collect();
    let number = counted(wheels.len(), "wheel");
    let _ = writeln!(text, "{number} of {}.", markdown_text(&projects.join(", ")));
    let newest =
        infos.values().map(|info| info.date.as_str()).max().filter(|date| !date.is_empty());
    if let Some(date) = newest {
        let _ = writeln!(text, "Built until {}.", markdown_text(date));
    }
    let folders = folders(wheels);
    systems(&folders, infos, &mut text);
    if !missing.is_empty() {
        // Required and optional wheels of a target are separate entries.
        let folders = missing.chunk_by(|a, b| (&a.target, &a.platform) == (&b.target, &b.platform));
        let each = |folder: &[Missing]| {
            let Missing { target, platform, .. } = folder.first()?;
            let interpreters: Vec<_> =
                folder.iter().flat_map(|it| &it.interpreters).map(String::as_str).collect();
            Some(format!("- {target} {platform}: {}", markdown_text(&interpreters.join(", "))))
        };
        let list: Vec<_> = folders.filter_map(each).collect();
        let _ = writeln!(text, "\nThis release has no wheel for:\n\n{}", list.join("\n"));
    }
    let short = text.len();
    files(wheels, &mut text);
    if text.len() > LIMIT {
        text.truncate(short);
        text.push_str("\n`SHA256SUMS` has the digest of each file.\n");
    }
    text
}

/// The wheels by folder, in their order.
fn folders(wheels: &[Wheel]) -> Vec<(&str, Vec<&Wheel>)> {
    let mut folders: Vec<(&str, Vec<&Wheel>)> = Vec::new();
    for wheel in wheels {
        match folders.iter_mut().find(|(folder, _)| *folder == wheel.folder()) {
            Some((_, all)) => all.push(wheel),
            None => folders.push((wheel.folder(), vec![wheel])),
        }
    }
    folders
}

fn systems(
    folders: &[(&str, Vec<&Wheel>)],
    infos: &BTreeMap<String, BuildInfo>,
    text: &mut String,
) {
    text.push_str(
        "\n| built in | platform | C library | interpreters | smoke test | tests | installers use \
         it on |\n|---|---|---|---|---|---|---|\n",
    );
    let all: Vec<&Wheel> = folders.iter().flat_map(|(_, wheels)| wheels.iter().copied()).collect();
    for (folder, wheels) in folders {
        let Some(first) = wheels.first() else { continue };
        let info = infos.get(*folder);
        let fact = |name: &str| info.and_then(|info| info.rest.get(name)?.as_str());
        let libc = first.libc.or_else(|| info.and_then(BuildInfo::libc));
        let libc = libc.map_or_else(|| "unknown".to_owned(), |libc| libc.to_string());
        let builds = wheels.iter().flat_map(|wheel| wheel.entry.builds());
        let pythons: BTreeSet<&str> = builds.map(|build| build.interpreter.as_str()).collect();
        let pythons = pythons.into_iter().collect::<Vec<_>>().join(", ");
        let arch = Arch::from_platform(&first.platform.to_string()).ok();
        let on = arch.map(|arch| preferred_on(wheels, &all, arch)).unwrap_or_default();
        let os = markdown_text(fact("os").unwrap_or(&first.target));
        let platform = markdown_text(&first.platform.to_string());
        let pythons = markdown_text(&pythons);
        let (smoke, tests) = tested(wheels);
        let _ =
            writeln!(text, "| {os} | {platform} | {libc} | {pythons} | {smoke} | {tests} | {on} |");
    }
}

/// Outcome of smoke tests and package tests: one word if all builds agree, else the number of builds for each
/// outcome.
fn tested(wheels: &[&Wheel]) -> (String, String) {
    let builds = || wheels.iter().flat_map(|wheel| wheel.entry.builds());
    let smoke = builds().map(|build| build.smoke.text(false));
    (tally(smoke), tally(builds().map(|build| build.tests.text().to_owned())))
}

/// `passed`, or `5 passed, 1 skipped`.
fn tally(outcomes: impl Iterator<Item = String>) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(outcome).or_default() += 1;
    }
    if let (1, Some(word)) = (counts.len(), counts.keys().next()) {
        return word.clone();
    }
    let counts = counts.iter().map(|(word, count)| format!("{count} {word}"));
    counts.collect::<Vec<_>>().join(", ")
}

/// Distributions on which an installer prefers one of `own` among `all` for some interpreter. It prefers the tag with
/// the newest C library (PEP 600, "Package installers").
fn preferred_on(own: &[&Wheel], all: &[&Wheel], arch: Arch) -> String {
    let best = |wheel: &Wheel, system: &Distribution| {
        let tags = wheel.name.tags.platforms.iter().filter_map(|tag| tag.parse().ok());
        let taken = tags.filter(|tag: &PlatformTag| installs(*tag, system.libc, arch));
        taken.map(|tag| (tag.glibc(), tag.musl())).max()
    };
    let rival = |wheel: &Wheel, other: &Wheel| {
        wheel.entry.builds().iter().any(|build| other.entry.build(&build.interpreter).is_some())
    };
    let prefers = |system: &&Distribution| {
        let is_best = |wheel: &&&Wheel| {
            let rivals = all.iter().filter(|other| rival(wheel, other));
            let rank = best(wheel, system);
            rank.is_some() && rank == rivals.filter_map(|other| best(other, system)).max()
        };
        system.machines.contains(&arch) && own.iter().any(|wheel| is_best(&wheel))
    };
    let mut names: Vec<(&str, Vec<&str>)> = Vec::new();
    for system in distributions().iter().filter(prefers) {
        match names.iter_mut().find(|(name, _)| *name == system.name) {
            Some((_, versions)) => versions.push(&system.version),
            None => names.push((&system.name, vec![&system.version])),
        }
    }
    let names = names.iter().map(|(name, versions)| format!("{name} {}", versions.join(", ")));
    names.collect::<Vec<_>>().join("; ")
}

fn files(wheels: &[Wheel], text: &mut String) {
    text.push_str("\n| file | size | SHA-256 |\n|---|---|---|\n");
    for wheel in wheels {
        let size = text::file_size(wheel.entry.size);
        let (file, sha256) = (markdown_code(wheel.file()), markdown_code(&wheel.entry.sha256));
        let _ = writeln!(text, "| {file} | {size} | {sha256} |");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;
    use wheel_audit::dist::{Entry, Kind, Reproduced, Smoke, Tests, WheelBuild};
    use wheel_audit::wheel::WheelName;

    /// The notes of one wheel, with `text` in every untrusted place.
    fn notes_with(text: &str) -> String {
        let file = "demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";
        let build = WheelBuild {
            interpreter: text.to_owned(),
            built_by: None,
            job: String::new(),
            base: None,
            smoke: Smoke::Passed,
            tests: Tests::None,
            reproduced: Reproduced::Unknown,
            claimed: true,
        };
        let kind = Kind::Wheel {
            target: text.to_owned(),
            platform: "linux/amd64".to_owned(),
            verdict: "pass".to_owned(),
            builds: vec![build],
            floor: text.to_owned(),
            grafted: Vec::new(),
        };
        let path = format!("a/{}", text.replace('/', "-"));
        let entry = Entry { path, sha256: text.to_owned(), size: 1, kind };
        let wheel = Wheel {
            entry,
            name: WheelName { distribution: text.to_owned(), ..WheelName::parse(file).unwrap() },
            target: text.to_owned(),
            platform: "linux/amd64".parse().unwrap(),
            libc: None,
        };
        let info = BuildInfo {
            schema_version: 1,
            target: text.to_owned(),
            platform: "linux/amd64".to_owned(),
            date: text.to_owned(),
            rest: [("os".to_owned(), text.into())].into(),
        };
        let missing = Missing {
            target: "a".to_owned(),
            platform: "linux/amd64".to_owned(),
            interpreters: vec![text.to_owned()],
            required: false,
        };
        notes(&[wheel], &[("a".to_owned(), info)].into(), &[missing])
    }

    /// The form of a Markdown text without its words: lines, cells, code.
    fn shape(text: &str) -> Vec<(usize, usize)> {
        let of_line = |line: &str| (line.matches('|').count(), line.matches('<').count());
        text.lines().map(of_line).collect()
    }

    #[test]
    fn a_platform_of_a_target_has_one_line_for_its_missing_wheels() {
        let missing = |platform: &str, interpreter: &str, required| Missing {
            target: "a".to_owned(),
            platform: platform.to_owned(),
            interpreters: vec![interpreter.to_owned()],
            required,
        };
        let list = [
            missing("linux/amd64", "cp311", true),
            missing("linux/amd64", "pp311", false),
            missing("linux/arm64", "cp311", true),
        ];
        let notes = notes(&[], &BTreeMap::new(), &list);
        let lines: Vec<_> = notes.lines().filter(|line| line.starts_with("- ")).collect();
        assert_eq!(lines, ["- a linux/amd64: cp311, pp311", "- a linux/arm64: cp311"]);
    }

    proptest! {
        #[test]
        fn untrusted_text_does_not_change_the_form_of_the_notes(text in "[a|`<>\\[\\]()#@:\n\r!*_~&\\\\-]{1,40}") {
            let notes = notes_with(&text);
            prop_assert_eq!(shape(&notes), shape(&notes_with("a")));
            for sign in ["`", "@", "]("] {
                let bare = notes.replace(&format!("\\{sign}"), "");
                prop_assert!(!bare.contains(sign), "{} in {}", sign, notes);
            }
        }
    }
}
