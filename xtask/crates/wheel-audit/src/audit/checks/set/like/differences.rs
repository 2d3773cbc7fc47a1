//! Differences between a wheel and a published one.

use camino::Utf8Path;

use super::{
    FAR_OFF_SIZE, LACKS_EXECUTABLE, LACKS_FILES, LACKS_MODULE, NOTHING_COMPARABLE,
    OTHER_ENTRY_POINTS, OTHER_REQUIREMENTS, OWN_FILES, OWN_MODULE, implementation, system,
};
use crate::audit::checks::set::shape::{Shape, Texts};
use crate::audit::{Finding, Rule, Severity};
use crate::text::shown;
use crate::wheel::{WheelName, same_version};

/// The differences between the wheel at `path`, of `size` bytes, and the one at `published`. The path of a
/// finding is the member that one of them lacks, or the entry point as `console_scripts/NAME`.
pub(in crate::audit) fn find((path, size): (&Utf8Path, u64), published: &Utf8Path) -> Vec<Finding> {
    let file = path.file_name().unwrap_or_default();
    let theirs = published.file_name().unwrap_or_default();
    let (Some(ours), Ok(name)) = (Shape::with_texts(path), WheelName::parse(file)) else {
        // Other checks report faults of this wheel.
        return Vec::new();
    };
    let (Some(other), Ok(their_name)) = (Shape::with_texts(published), WheelName::parse(theirs))
    else {
        let message = format!("`{}` cannot be read as a wheel", shown(theirs));
        return vec![NOTHING_COMPARABLE.broken(file, message)];
    };
    // Pure Python is comparable too: a build that fails silently may produce a pure wheel.
    let implementations = [implementation(&name), implementation(&their_name)];
    let is_alike = (implementations[0] == implementations[1] || implementations.contains(&"py"))
        && system(&name).0 != "other"
        && system(&their_name).0 != "other";
    let mut differences = Differences {
        file,
        theirs: shown(theirs).to_string(),
        is_alike,
        is_same: is_alike && same_version(&name.version, &their_name.version),
        is_same_python: name.tags.pythons == their_name.tags.pythons
            || implementations.contains(&"py"),
        findings: Vec::new(),
    };
    differences.names(&ours.0, &other.0);
    differences.entry_points(&ours.1, &other.1);
    differences.requirements(&ours.1, &other.1);
    let their_size = fs_err::metadata(published).map(|meta| meta.len()).unwrap_or_default();
    differences.sizes(size, their_size);
    differences.findings
}

struct Differences<'a> {
    file: &'a str,
    /// The published wheel's file name.
    theirs: String,
    /// Both are for the same implementation of Python and the same kind of system.
    is_alike: bool,
    /// Both also have the same version.
    is_same: bool,
    is_same_python: bool,
    findings: Vec<Finding>,
}

impl Differences<'_> {
    /// Adds a finding: a warning if the two wheels should be equal, otherwise a note.
    fn found(&mut self, rule: &Rule, should_be_equal: bool, path: &str, message: String) {
        let severity = if should_be_equal { Severity::Warning } else { Severity::Note };
        self.findings.push(Finding { severity, ..rule.broken(path, message) });
    }

    fn lacks<'n>(&mut self, rule: &Rule, names: impl Iterator<Item = &'n String>) {
        let message = format!("`{}` contains it, but this wheel does not", self.theirs);
        for name in names {
            self.found(rule, self.is_alike, name, message.clone());
        }
    }

    fn only_in_this_wheel<'n>(&mut self, rule: &Rule, names: impl Iterator<Item = &'n String>) {
        let message = format!("this wheel contains it, but `{}` does not", self.theirs);
        for name in names {
            self.found(rule, false, name, message.clone());
        }
    }

    fn names(&mut self, ours: &Shape, theirs: &Shape) {
        self.lacks(&LACKS_MODULE, theirs.modules.difference(&ours.modules));
        self.only_in_this_wheel(&OWN_MODULE, ours.modules.difference(&theirs.modules));
        let lost = || theirs.files.difference(&ours.files).filter(|name| is_content(name));
        let is_program = |name: &&String| theirs.programs.contains(*name);
        self.lacks(&LACKS_EXECUTABLE, lost().filter(is_program));
        let (grafted, files): (Vec<_>, Vec<_>) =
            lost().filter(|name| !is_program(name)).partition(|name| is_grafted(name));
        self.lacks(&LACKS_FILES, files.into_iter());
        let message =
            format!("`{}` contains this library, but this wheel does not need it", self.theirs);
        for name in grafted {
            self.found(&LACKS_FILES, false, name, message.clone());
        }
        let alone = ours.files.difference(&theirs.files).filter(|name| is_content(name));
        self.only_in_this_wheel(&OWN_FILES, alone);
        let is_dull = |name: &&String| !ours.programs.contains(*name);
        for name in theirs.programs.intersection(&ours.files).filter(is_dull) {
            let message = format!("it is executable in `{}`, but not in this wheel", self.theirs);
            self.found(&LACKS_EXECUTABLE, self.is_alike, name, message);
        }
    }

    fn entry_points(&mut self, ours: &Texts, theirs: &Texts) {
        // Some projects name their commands after the interpreter.
        let should_be_equal = self.is_alike && self.is_same_python;
        for (name, object) in &theirs.entry_points {
            let message = match ours.entry_points.get(name) {
                Some(own) if own == object => continue,
                Some(own) => format!(
                    "it starts `{}` in `{}`, but `{}` in this wheel",
                    shown(object),
                    self.theirs,
                    shown(own)
                ),
                None => {
                    format!("`{}` has this entry point, but this wheel does not", self.theirs)
                }
            };
            self.found(&OTHER_ENTRY_POINTS, should_be_equal, name, message);
        }
        let is_new = |name: &&String| !theirs.entry_points.contains_key(*name);
        self.only_in_this_wheel(&OTHER_ENTRY_POINTS, ours.entry_points.keys().filter(is_new));
    }

    fn requirements(&mut self, ours: &Texts, theirs: &Texts) {
        let should_be_equal = self.is_same && self.is_same_python;
        for line in theirs.requirements.difference(&ours.requirements) {
            let message =
                format!("`{}` requires `{}`, but this wheel does not", self.theirs, shown(line));
            self.found(&OTHER_REQUIREMENTS, should_be_equal, self.file, message);
        }
        for line in ours.requirements.difference(&theirs.requirements) {
            let message =
                format!("this wheel requires `{}`, but `{}` does not", shown(line), self.theirs);
            self.found(&OTHER_REQUIREMENTS, should_be_equal, self.file, message);
        }
    }

    fn sizes(&mut self, ours: u64, theirs: u64) {
        if ours < theirs / 2 || ours / 2 > theirs {
            let message = format!("has {ours} bytes, but `{}` has {theirs}", self.theirs);
            self.found(&FAR_OFF_SIZE, self.is_same, self.file, message);
        }
    }
}

/// Returns whether it is a bundled library. The build system decides which libraries are bundled, and ELF006 covers
/// missing ones.
fn is_grafted(path: &str) -> bool {
    path.split_once('/').is_some_and(|(top, _)| top.strip_suffix(".libs").is_some())
}

/// Returns whether the file counts in the comparison. In `.dist-info`, which differs between tools, only licences do.
fn is_content(path: &str) -> bool {
    path.strip_prefix(".dist-info/").is_none_or(|rest| rest.starts_with("licenses/"))
}
