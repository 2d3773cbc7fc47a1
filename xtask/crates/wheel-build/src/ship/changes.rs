//! Changes since an earlier release: wheels, and in each wheel its size, C library, files, dependencies and entry
//! points.
//!
//! Architecture invariant: the earlier files are untrusted. They are read as regular files of bounded size. The
//! report shows their content, and no decision depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use camino::Utf8Path;
use serde::Serialize;

use super::published::Wheel;
use wheel_audit::UserError;
use wheel_audit::audit::WheelContents;
use wheel_audit::dist::{Kind, MANIFEST, Manifest};
use wheel_audit::files;
use wheel_audit::report::{counted, markdown_code, markdown_text};
use wheel_audit::text;
use wheel_audit::wheel::{WheelName, same_name};

/// Maximum number of files of the earlier release that are read.
const MAX_FILES: usize = 2000;
/// Maximum number of rows of a table, and of names in a list.
const MAX_SHOWN: (usize, usize) = (200, 12);

/// The differences between two releases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Changes {
    /// Versions in the earlier release.
    pub before: Vec<String>,
    /// Wheels that the earlier release lacks, by tag.
    pub added: Vec<String>,
    /// Wheels that only the earlier release has, by tag.
    pub removed: Vec<String>,
    /// Wheels of both releases.
    pub wheels: Vec<CommonWheel>,
    /// Differences inside of wheels, each once.
    pub differences: Vec<Difference>,
}

/// A wheel of both releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CommonWheel {
    /// Its tags, e.g. `cp311-cp311-manylinux_2_36_x86_64`.
    pub tags: String,
    /// Size in bytes, before and now.
    pub size: (u64, u64),
    /// Floor, before and now; `unknown` if the earlier manifest lacks it.
    pub floor: (String, String),
}

/// A difference and the wheels that have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// Kind of the difference.
    pub kind: &'static str,
    /// Entries that are new.
    pub added: Vec<String>,
    /// Entries that are gone.
    pub removed: Vec<String>,
    /// The wheels, by tag.
    pub wheels: Vec<String>,
}

/// Kind of a difference, new entries, and entries that are gone.
type DifferingParts = (&'static str, Vec<String>, Vec<String>);

/// A wheel of the earlier release.
struct EarlierWheel {
    file: String,
    version: String,
    size: u64,
    floor: Option<String>,
}

/// Compares `wheels` of `dist` with the release whose files are in `folder`; `None` if it has no wheel of the same
/// project.
///
/// # Errors
/// If the folder cannot be read.
pub(crate) fn since(
    folder: &Utf8Path,
    dist: &Utf8Path,
    wheels: &[Wheel],
) -> anyhow::Result<Option<Changes>> {
    let mut earlier = earlier(folder, wheels)?;
    if earlier.is_empty() {
        return Ok(None);
    }
    let before: BTreeSet<String> = earlier.values().map(|it| it.version.clone()).collect();
    let mut changes = Changes { before: before.into_iter().collect(), ..Changes::default() };
    let mut differences: BTreeMap<DifferingParts, Vec<String>> = BTreeMap::new();
    for wheel in wheels {
        let tags = tags(&wheel.name);
        let Some(old) = earlier.remove(&tags) else {
            changes.added.push(tags);
            continue;
        };
        let floor = match &wheel.entry.kind {
            Kind::Wheel { floor, .. } => floor.clone(),
            Kind::Metadata => String::new(),
        };
        let old_floor = old.floor.unwrap_or_else(|| "unknown".to_owned());
        let size = (old.size, wheel.entry.size);
        changes.wheels.push(CommonWheel { tags: tags.clone(), size, floor: (old_floor, floor) });
        let read = |path: &Utf8Path| WheelContents::read(path).unwrap_or_default();
        let (old, new) = (read(&folder.join(&old.file)), read(&dist.join(&wheel.entry.path)));
        for difference in differing(&old, &new) {
            differences.entry(difference).or_default().push(tags.clone());
        }
    }
    changes.removed = earlier.into_keys().collect();
    let one = |((kind, added, removed), wheels)| Difference { kind, added, removed, wheels };
    changes.differences = differences.into_iter().map(one).collect();
    Ok(Some(changes))
}

/// The wheels in `folder` of the same project as `wheels`, by tag.
fn earlier(folder: &Utf8Path, wheels: &[Wheel]) -> anyhow::Result<BTreeMap<String, EarlierWheel>> {
    let floors = floors(folder);
    let mut found = BTreeMap::new();
    let entries = folder.read_dir_utf8().map_err(|error| {
        UserError::new(format!("could not read `--against {folder}`: {error}"))
            .hint("`cargo xtask last-release FOLDER` downloads the files of the last release")
    })?;
    for entry in entries.take(MAX_FILES) {
        let entry = entry?;
        let (file, path) = (entry.file_name().to_owned(), entry.path());
        let Ok(name) = WheelName::parse(&file) else { continue };
        let ours = |wheel: &Wheel| same_name(&wheel.name.distribution, &name.distribution);
        let Some(size) = size(path).filter(|_| wheels.iter().any(ours)) else { continue };
        let floor = floors.get(&file).cloned();
        let tags = tags(&name);
        found.insert(tags, EarlierWheel { file, version: name.version, size, floor });
    }
    Ok(found)
}

/// Size in bytes of a regular file; does not follow links.
fn size(path: &Utf8Path) -> Option<u64> {
    let found = fs_err::symlink_metadata(path).ok()?;
    found.is_file().then_some(found.len())
}

/// Floors in the earlier manifest, by file name.
fn floors(folder: &Utf8Path) -> BTreeMap<String, String> {
    let bytes = files::list(folder, MANIFEST).and_then(Result::ok).unwrap_or_default();
    let manifest = Manifest::parse(&bytes).unwrap_or_default();
    let floor = |entry: &wheel_audit::dist::Entry| match &entry.kind {
        Kind::Wheel { floor, .. } => {
            Some((entry.path.rsplit('/').next()?.to_owned(), floor.clone()))
        }
        Kind::Metadata => None,
    };
    manifest.files.iter().filter_map(floor).collect()
}

fn tags(name: &WheelName) -> String {
    let tags = &name.tags;
    [&tags.pythons, &tags.abis, &tags.platforms].map(|list| list.join(".")).join("-")
}

/// Differences between two wheels.
fn differing(old: &WheelContents, new: &WheelContents) -> Vec<DifferingParts> {
    let entry_points = |of: &WheelContents| -> BTreeSet<String> {
        of.entry_points.iter().map(|(name, object)| format!("{name} = {object}")).collect()
    };
    let kinds = [
        ("files", old.files.clone(), new.files.clone()),
        ("dependencies", old.requirements.clone(), new.requirements.clone()),
        ("entry points", entry_points(old), entry_points(new)),
    ];
    let one = |(kind, old, new): (_, BTreeSet<String>, BTreeSet<String>)| {
        let added: Vec<String> = new.difference(&old).cloned().collect();
        let removed: Vec<String> = old.difference(&new).cloned().collect();
        (kind, added, removed)
    };
    let differs = |(_, added, removed): &DifferingParts| !(added.is_empty() && removed.is_empty());
    kinds.into_iter().map(one).filter(differs).collect()
}

/// The changes as Markdown, for a job summary.
pub(crate) fn markdown(changes: &Changes) -> String {
    let before = markdown_text(&changes.before.join(", "));
    let mut text = format!("#### Changes since {before}\n");
    for (what, tags) in [("new wheels", &changes.added), ("removed wheels", &changes.removed)] {
        if !tags.is_empty() {
            let _ = writeln!(text, "\n- {what}: {}", listed(tags));
        }
    }
    for difference in &changes.differences {
        let number = counted(difference.wheels.len(), "wheel");
        let mut parts = Vec::new();
        for (what, names) in [("added", &difference.added), ("removed", &difference.removed)] {
            if !names.is_empty() {
                parts.push(format!("{what} {}", listed(names)));
            }
        }
        let kind = difference.kind;
        let _ = writeln!(text, "\n- {kind}, {number}: {}", parts.join("; "));
    }
    if changes.differences.is_empty() && !changes.wheels.is_empty() {
        text.push_str("\nFiles, dependencies and entry points are unchanged.\n");
    }
    if !changes.wheels.is_empty() {
        text.push_str("\n| wheel | size | floor |\n|---|---|---|\n");
    }
    for wheel in changes.wheels.iter().take(MAX_SHOWN.0) {
        let (old, new) = wheel.size;
        let sizes = format!("{} → {}", text::file_size(old), text::file_size(new));
        let floor = if wheel.floor.0 == wheel.floor.1 {
            markdown_text(&wheel.floor.1)
        } else {
            format!("**{} → {}**", markdown_text(&wheel.floor.0), markdown_text(&wheel.floor.1))
        };
        let tags = markdown_code(&wheel.tags);
        let _ = writeln!(text, "| {tags} | {sizes}{} | {floor} |", percent(old, new));
    }
    let left = changes.wheels.len().saturating_sub(MAX_SHOWN.0);
    if left > 0 {
        let _ = writeln!(text, "\nand {}", counted(left, "more wheel"));
    }
    text
}

/// ` (+12 %)`; empty if the sizes are nearly equal.
fn percent(old: u64, new: u64) -> String {
    let hundredths = i128::from(new) * 100 / i128::from(old.max(1)) - 100;
    if hundredths == 0 { String::new() } else { format!(" ({hundredths:+} %)") }
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> =
        names.iter().take(MAX_SHOWN.1).map(|name| markdown_code(name)).collect();
    let left = names.len().saturating_sub(MAX_SHOWN.1);
    let left = if left > 0 { format!(" and {left} more") } else { String::new() };
    format!("{}{left}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn changes(text: &str) -> Changes {
        let list = || vec![text.to_owned()];
        Changes {
            before: list(),
            added: list(),
            removed: list(),
            wheels: vec![CommonWheel {
                tags: text.to_owned(),
                size: (1000, 1500),
                floor: (text.to_owned(), format!("{text}2")),
            }],
            differences: vec![Difference {
                kind: "files",
                added: list(),
                removed: list(),
                wheels: list(),
            }],
        }
    }

    proptest! {
        #[test]
        fn untrusted_text_does_not_change_the_form_of_the_summary(text in "[a|`<>\\[\\]()#@:\n\r!*_~&\\\\-]{1,40}") {
            let shape = |page: &str| page.lines().map(|line| line.matches('|').count()).collect::<Vec<_>>();
            let page = markdown(&changes(&text));
            prop_assert_eq!(shape(&page), shape(&markdown(&changes("a"))));
            for sign in ["`", "@", "]("] {
                prop_assert!(!page.replace(&format!("\\{sign}"), "").contains(sign), "{}", page);
            }
        }
    }

    #[test]
    fn a_page_of_many_wheels_and_names_stays_short() {
        let long = || (0..5000).map(|index| format!("{index}-{}", "_".repeat(2000))).collect();
        let both = |tags: &String| CommonWheel {
            tags: tags.clone(),
            size: (1, 2),
            floor: (tags.clone(), String::new()),
        };
        let names: Vec<String> = long();
        let changes = Changes {
            added: long(),
            removed: long(),
            wheels: names.iter().map(both).collect(),
            ..changes("a")
        };
        assert!(markdown(&changes).len() < 600 << 10);
        assert_eq!(
            (percent(1000, 1004), percent(1000, 1500)),
            (String::new(), " (+50 %)".to_owned())
        );
        assert_eq!(percent(0, 5), " (+400 %)");
    }
}
