//! Reports search paths outside of the wheel, where the loader may find a wrong library.

use std::collections::BTreeSet;

use super::{AuditContext, Check, Finding, Rule};
use crate::audit::search::{self, Entry};

const BUILD_PATH: Rule = Rule::warning(
    "ELF015",
    "search-path-of-the-build",
    "link without `-Wl,-rpath` for build folders, or run `patchelf --remove-rpath`: on the user's machine, \
     anybody may own that folder",
);
const ABSOLUTE_PATH: Rule = Rule::note(
    "ELF016",
    "absolute-search-path",
    "use a search path relative to the file (`$ORIGIN`)",
);
const OUTSIDE: Rule = Rule::note(
    "ELF017",
    "search-path-outside",
    "use search paths inside the wheel, or in wheels that it requires",
);
const CALLERS_PATH: Rule = Rule::warning(
    "ELF018",
    "search-path-of-the-caller",
    "remove the relative or empty entry, which refers to the user's current folder",
);

pub(super) const CHECK: Check =
    Check { rules: &[BUILD_PATH, ABSOLUTE_PATH, OUTSIDE, CALLERS_PATH], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    for elf in context.elves() {
        let Some(facts) = elf.loadable() else { continue };
        let known: BTreeSet<Entry<'_>> = search::entries(&elf.path, facts).collect();
        for entry in known {
            let (rule, text, what) = match entry {
                Entry::Package(_) => continue,
                Entry::Build(text) => (&BUILD_PATH, text, "a folder of the machine that built it"),
                Entry::System(text) => (&ABSOLUTE_PATH, text, "a folder of the system"),
                Entry::Outside(text) => (&OUTSIDE, text, "a folder outside of all packages"),
                Entry::Caller(text) => (&CALLERS_PATH, text, "the current folder or one below it"),
            };
            let place = if text.is_empty() {
                "an empty entry".to_owned()
            } else {
                format!("`{}`", text.escape_debug())
            };
            findings
                .push(rule.broken(&elf.path, format!("looks for libraries in {place}, {what}")));
        }
    }
}
