//! `--like`: wheels held against published ones of the same project, each against the one that is
//! most like it.

mod covered;

use camino::Utf8PathBuf;
use rayon::prelude::*;

use super::shape::{Shape, Texts};
use super::{Finding, Member, Rule, Severity, listing};
use crate::policy::PlatformTag;
use crate::wheel::{WheelName, same_name, same_version};

// An error: who asks for a comparison does not take it for made where none was.
const NOTHING_ALIKE: Rule = Rule::error(
    "SET101",
    "nothing-to-compare",
    "give `--like` a folder with published wheels of this project",
);
const LACKS_MODULE: Rule = Rule::error(
    "SET102",
    "lacks-module",
    "look in the build's log for a compiler error, and in the build settings for what is left out",
);
const OWN_MODULE: Rule =
    Rule::warning("SET103", "module-of-its-own", "see that the module is meant to be published");
const LACKS_FILES: Rule =
    Rule::warning("SET104", "lacks-files", "see that the build packs what the published one packs");
const OWN_FILES: Rule =
    Rule::warning("SET105", "files-of-its-own", "see that the files are meant to be published");
const LACKS_EXECUTABLE: Rule = Rule::warning(
    "SET106",
    "lacks-executable",
    "build the program too, with its sources, or do without it",
);
const OTHER_ENTRY_POINTS: Rule = Rule::warning(
    "SET107",
    "other-entry-points",
    "see that the same commands and plugins are meant",
);
const OTHER_REQUIREMENTS: Rule =
    Rule::warning("SET108", "other-requirements", "see that the same dependencies are meant");
const FAR_OFF_SIZE: Rule =
    Rule::warning("SET109", "size-far-off", "look at what is lacking, or at debug information");
const UNCOVERED: Rule = Rule::warning(
    "SET110",
    "uncovered",
    "build for these too, or tell their users that they will compile",
);
const NEWER_LIBC: Rule = Rule::warning(
    "SET111",
    "newer-libc",
    "build in an older target too: these users had a wheel and lose it",
);

pub(in crate::audit) const RULES: &[Rule] = &[
    NOTHING_ALIKE,
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
];

/// A published wheel.
struct Published {
    path: Utf8PathBuf,
    name: WheelName,
}

/// Holds each of the wheels against the published one that is most like it.
pub(super) fn find(like: &[Utf8PathBuf], members: &[Member<'_>], findings: &mut Vec<Finding>) {
    if like.is_empty() {
        return;
    }
    let published = |path: &Utf8PathBuf| {
        let name = WheelName::parse(path.file_name()?).ok()?;
        Some(Published { path: path.clone(), name })
    };
    let published: Vec<_> = like.iter().filter_map(published).collect();
    let each = |member: &Member<'_>| match counterpart(member, &published) {
        Some(theirs) => compare(member, theirs),
        None => vec![nothing_alike(member, like, &published)],
    };
    findings.extend(members.par_iter().flat_map(each).collect::<Vec<_>>());
    covered::find(members, &published, findings);
}

fn is_same_project(ours: &WheelName, theirs: &WheelName) -> bool {
    same_name(&ours.distribution, &theirs.distribution)
}

fn nothing_alike(member: &Member<'_>, like: &[Utf8PathBuf], published: &[Published]) -> Finding {
    let mut names: Vec<&str> =
        published.iter().map(|each| each.name.distribution.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let there = if names.is_empty() {
        format!("none of the {} files given has the name of a wheel", like.len())
    } else {
        format!("the wheels given are of {}", listing(&names))
    };
    let message =
        format!("there is no wheel of `{}` to compare with: {there}", member.name.distribution);
    NOTHING_ALIKE.broken(member.path(), message)
}

/// The published wheel of the same project that has the most in common: version, implementation,
/// system, interpreter, architecture, in this order.
fn counterpart<'p>(member: &Member<'_>, published: &'p [Published]) -> Option<&'p Published> {
    let ours = &member.name;
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

/// The sort of system and the architecture.
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

/// Everything in which a wheel differs from its counterpart.
fn compare(member: &Member<'_>, theirs: &Published) -> Vec<Finding> {
    let other = theirs.path.file_name().unwrap_or_default();
    let ours = member.audit.path.as_ref().and_then(|path| Shape::with_texts(path));
    // What is wrong with ours is told elsewhere.
    let Some(ours) = ours else { return Vec::new() };
    let Some(published) = Shape::with_texts(&theirs.path) else {
        let message = format!("`{other}` cannot be read as a wheel");
        return vec![NOTHING_ALIKE.broken(member.path(), message)];
    };
    let mut differences = Differences {
        member,
        other,
        is_strict: same_version(&member.name.version, &theirs.name.version)
            && implementation(&member.name) == implementation(&theirs.name)
            && system(&member.name).0 != "other"
            && system(&theirs.name).0 != "other",
        findings: Vec::new(),
    };
    differences.names(&ours.0, &published.0);
    // Some name their commands after the interpreter.
    let is_strict = differences.is_strict;
    differences.is_strict &= member.name.tags.pythons == theirs.name.tags.pythons;
    differences.texts(&ours.1, &published.1);
    differences.is_strict = is_strict;
    let size = fs_err::metadata(&theirs.path).map(|meta| meta.len()).unwrap_or_default();
    differences.sizes(member.audit.facts.size, size);
    differences.findings
}

struct Differences<'a> {
    member: &'a Member<'a>,
    other: &'a str,
    /// The two ought to be the same. Another version or another system may differ.
    is_strict: bool,
    findings: Vec<Finding>,
}

impl Differences<'_> {
    /// `weak`: what it weighs where the two need not be the same.
    fn found(&mut self, rule: &Rule, weak: Severity, message: String) {
        let mut finding = rule.broken(self.member.path(), message);
        if !self.is_strict {
            finding.severity = weak;
        }
        self.findings.push(finding);
    }

    fn lacks(&mut self, rule: &Rule, weak: Severity, names: &[&String]) {
        if !names.is_empty() {
            let message =
                format!("`{}` has {}, and this wheel has not", self.other, listing(names));
            self.found(rule, weak, message);
        }
    }

    fn has_alone(&mut self, rule: &Rule, names: &[&String]) {
        if !names.is_empty() {
            let message =
                format!("this wheel has {}, and `{}` has not", listing(names), self.other);
            let mut finding = rule.broken(self.member.path(), message);
            finding.severity = Severity::Note;
            self.findings.push(finding);
        }
    }

    fn names(&mut self, ours: &Shape, theirs: &Shape) {
        let lost: Vec<_> = theirs.modules.difference(&ours.modules).collect();
        self.lacks(&LACKS_MODULE, Severity::Warning, &lost);
        self.has_alone(&OWN_MODULE, &ours.modules.difference(&theirs.modules).collect::<Vec<_>>());
        let is_program = |name: &&String| theirs.programs.contains(*name);
        let (programs, files): (Vec<_>, Vec<_>) = theirs
            .files
            .difference(&ours.files)
            .filter(|name| is_content(name))
            .partition(is_program);
        self.lacks(&LACKS_EXECUTABLE, Severity::Note, &programs);
        self.lacks(&LACKS_FILES, Severity::Note, &files);
        let alone: Vec<_> =
            ours.files.difference(&theirs.files).filter(|name| is_content(name)).collect();
        self.has_alone(&OWN_FILES, &alone);
        let dull: Vec<_> = theirs
            .programs
            .intersection(&ours.files)
            .filter(|name| !ours.programs.contains(*name))
            .collect();
        if !dull.is_empty() {
            let message =
                format!("{} can be run in `{}`, and not here", listing(&dull), self.other);
            self.found(&LACKS_EXECUTABLE, Severity::Note, message);
        }
    }

    fn texts(&mut self, ours: &Texts, theirs: &Texts) {
        for (rule, ours, theirs) in [
            (&OTHER_ENTRY_POINTS, &ours.entry_points, &theirs.entry_points),
            (&OTHER_REQUIREMENTS, &ours.requirements, &theirs.requirements),
        ] {
            self.lacks(rule, Severity::Note, &theirs.difference(ours).collect::<Vec<_>>());
            let alone: Vec<_> = ours.difference(theirs).collect();
            if !alone.is_empty() {
                let message =
                    format!("this wheel has {}, and `{}` has not", listing(&alone), self.other);
                self.found(rule, Severity::Note, message);
            }
        }
    }

    fn sizes(&mut self, ours: u64, theirs: u64) {
        if ours < theirs / 2 || ours / 2 > theirs {
            let message = format!("has {ours} bytes, and `{}` has {theirs}", self.other);
            self.found(&FAR_OFF_SIZE, Severity::Note, message);
        }
    }
}

/// Is it part of what is installed? Tools write what they like into `.dist-info`; of that the licences
/// count, and what is compared by its content.
fn is_content(path: &str) -> bool {
    path.strip_prefix(".dist-info/").is_none_or(|rest| rest.starts_with("licenses/"))
}
