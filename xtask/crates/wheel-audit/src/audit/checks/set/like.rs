//! Compares wheels with published wheels of the same project: each with the most similar one
//! (`verify --like`), or with the newest one that its target installs (`[check] like`).

mod covered;
pub(in crate::audit) mod differences;

use camino::Utf8PathBuf;

use super::{Finding, Member, Rule, Severity, listing};
use crate::policy::{Arch, Libc, PlatformTag, installs};
use crate::wheel::{Interpreter, Tag, VersionKey, WheelName, same_name, same_version};

// An error, because a requested comparison must not pass silently.
const NOTHING_COMPARABLE: Rule = Rule::error(
    "SET101",
    "nothing-to-compare",
    "pass a folder with published wheels of this project to `--like`",
);
const LACKS_MODULE: Rule = Rule::warning(
    "SET102",
    "lacks-module",
    "search the build log for a compiler error; to accept the difference, add a `[[check.override]]` with `path`",
);
const OWN_MODULE: Rule =
    Rule::note("SET103", "module-of-its-own", "check that you intend to publish the module");
const LACKS_FILES: Rule = Rule::warning(
    "SET104",
    "lacks-files",
    "pack the missing files; to accept the difference, add a `[[check.override]]` with `path`",
);
const OWN_FILES: Rule =
    Rule::note("SET105", "files-of-its-own", "check that you intend to publish the files");
const LACKS_EXECUTABLE: Rule = Rule::warning(
    "SET106",
    "lacks-executable",
    "search the build log for a missing tool or submodule; to accept the difference, add a `[[check.override]]` with `path`",
);
const OTHER_ENTRY_POINTS: Rule = Rule::warning(
    "SET107",
    "other-entry-points",
    "define the same commands and plugins; to accept the difference, add a `[[check.override]]` with `path`",
);
const OTHER_REQUIREMENTS: Rule = Rule::warning(
    "SET108",
    "other-requirements",
    "check that you intend to change the dependencies",
);
const FAR_OFF_SIZE: Rule =
    Rule::warning("SET109", "size-far-off", "check for missing files and for debug information");
const UNCOVERED: Rule = Rule::warning(
    "SET110",
    "uncovered",
    "build for these systems too; otherwise their users have to build from source",
);
const NEWER_LIBC: Rule = Rule::warning(
    "SET111",
    "newer-libc",
    "add an older target to wheels.toml; otherwise users of these systems have to build from source",
);

const NOTHING_PUBLISHED: Rule = Rule::note(
    "SET112",
    "nothing-published",
    "no fix is needed; the comparison runs once you have published a wheel for this interpreter and system",
);

pub(in crate::audit) const RULES: &[Rule] = &[
    NOTHING_COMPARABLE,
    LACKS_MODULE,
    OWN_MODULE,
    LACKS_FILES,
    OWN_FILES,
    LACKS_EXECUTABLE,
    OTHER_ENTRY_POINTS,
    OTHER_REQUIREMENTS,
    FAR_OFF_SIZE,
    UNCOVERED,
    NEWER_LIBC,
    NOTHING_PUBLISHED,
];

/// A published wheel.
struct Published {
    path: Utf8PathBuf,
    name: WheelName,
}

fn named(like: &[Utf8PathBuf]) -> Vec<Published> {
    let published = |path: &Utf8PathBuf| {
        let name = WheelName::parse(path.file_name()?).ok()?;
        Some(Published { path: path.clone(), name })
    };
    like.iter().filter_map(published).collect()
}

/// The published wheel in `like` that is most similar to the wheel named `file`.
pub(in crate::audit) fn most_similar(file: &str, like: &[Utf8PathBuf]) -> Option<Utf8PathBuf> {
    let ours = WheelName::parse(file).ok()?;
    counterpart(&ours, &named(like)).map(|theirs| theirs.path.clone())
}

/// The newest wheel in `like` of the project of the wheel named `file` that an installer selects for this
/// interpreter, C library and architecture.
pub fn newest_installable(
    file: &str,
    like: &[Utf8PathBuf],
    interpreter: Interpreter,
    (libc, arch): (Libc, Arch),
) -> Option<Utf8PathBuf> {
    let ours = WheelName::parse(file).ok()?;
    // Installers prefer the latest release, then the most specific tag: the interpreter's own ABI before the
    // stable ABI before none, then the newest C library.
    let rank = |theirs: Published| {
        let tag = |tag: Tag| {
            let platform: PlatformTag = tag.platform.parse().ok()?;
            let is_taken = interpreter.accepts(&tag) && installs(platform, libc, arch);
            is_taken.then_some((specificity(&tag.abi), platform))
        };
        let tag = theirs.name.tags.expand().into_iter().filter_map(tag).max()?;
        let version = VersionKey::of(&theirs.name.version);
        Some((!version.is_prerelease(), version, tag, theirs.path))
    };
    let published = named(like).into_iter();
    let taken = published.filter(|theirs| is_same_project(&ours, &theirs.name)).filter_map(rank);
    taken.max().map(|(.., path)| path)
}

fn specificity(abi: &str) -> u8 {
    match abi {
        "none" => 0,
        "abi3" | "abi3t" => 1,
        _ => 2,
    }
}

/// The finding that no published wheel is comparable with `file`.
pub(in crate::audit) fn nothing_published(file: &str, message: &str) -> Finding {
    NOTHING_PUBLISHED.broken(file, message)
}

/// Compares the wheels as a set with the published ones.
pub(super) fn find(like: &[Utf8PathBuf], members: &[Member<'_>], findings: &mut Vec<Finding>) {
    if like.is_empty() {
        return;
    }
    let published = named(like);
    let alone = members.iter().filter(|member| counterpart(&member.name, &published).is_none());
    findings.extend(alone.map(|member| nothing_comparable(member, like, &published)));
    covered::find(members, &published, findings);
}

fn is_same_project(ours: &WheelName, theirs: &WheelName) -> bool {
    same_name(&ours.distribution, &theirs.distribution)
}

fn nothing_comparable(
    member: &Member<'_>,
    like: &[Utf8PathBuf],
    published: &[Published],
) -> Finding {
    let mut names: Vec<&str> =
        published.iter().map(|each| each.name.distribution.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let there = if names.is_empty() {
        format!("none of the {} files has a valid wheel name", like.len())
    } else {
        format!("the wheels are of {}", listing(&names))
    };
    let message = format!("no wheel of `{}` to compare with: {there}", member.name.distribution);
    NOTHING_COMPARABLE.broken(member.path(), message)
}

/// The most similar published wheel of the same project, by version, implementation, system, interpreter and
/// architecture, in this order.
fn counterpart<'p>(ours: &WheelName, published: &'p [Published]) -> Option<&'p Published> {
    let alike = |theirs: &&Published| {
        let name = &theirs.name;
        let (our_system, their_system) = (system(ours), system(name));
        (
            same_version(&ours.version, &name.version),
            implementation(ours) == implementation(name),
            our_system.0 == their_system.0,
            ours.tags.pythons == name.tags.pythons && ours.tags.abis == name.tags.abis,
            our_system.1 == their_system.1,
        )
    };
    published.iter().filter(|theirs| is_same_project(ours, &theirs.name)).max_by_key(alike)
}

fn implementation(name: &WheelName) -> &str {
    name.tags.pythons.first().and_then(|python| python.get(..2)).unwrap_or_default()
}

/// The kind of system and the architecture.
fn system(name: &WheelName) -> (&'static str, Option<String>) {
    let tag = name.tags.platforms.first().map(|platform| platform.parse::<PlatformTag>());
    match tag {
        Some(Ok(PlatformTag::Any)) => ("any", None),
        Some(Ok(tag)) => {
            let libc = if tag.musl().is_some() { "musl" } else { "glibc" };
            (libc, tag.arch().map(|arch| arch.to_string()))
        }
        Some(Err(_)) | None => ("other", None),
    }
}
