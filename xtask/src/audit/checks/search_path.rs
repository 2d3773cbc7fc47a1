//! Does the loader find the libraries that the wheel brings?

use super::{Check, Finding, Rule, Subject};
use crate::audit::search;

const OFF_THE_PATH: Rule = Rule::warning(
    "ELF011",
    "library-off-the-path",
    "set a search path that leads there, or let `auditwheel repair` do it",
);

pub(super) const CHECK: Check = Check { rules: &[OFF_THE_PATH], find };

fn find(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(contents) = subject.contents() else { return };
    for lost in search::off_path(contents, subject.facts.needs.is_musl) {
        let arch = contents.elves.iter().find(|elf| elf.path == lost.path).and_then(|elf| elf.arch);
        let limits = subject.limits(arch);
        // Then the system's own is found.
        if !limits.is_empty() && limits.iter().all(|limits| limits.library(lost.library)) {
            continue;
        }
        let (library, place) = (lost.library.escape_debug(), lost.place.escape_debug());
        let message = format!(
            "needs `{library}`, which is in the wheel as `{place}`, where no search path of the file \
             leads: it is found only if something else has loaded it before"
        );
        let cure =
            format!("link with `-Wl,-rpath,'{}'`, or load it first", lost.wanted.escape_debug());
        findings.push(OFF_THE_PATH.broken(lost.path, message).with_cure(cure));
    }
}
