//! Does each extension module's suffix belong to the tags of the wheel? One that does not is never
//! imported, by any interpreter that installs the wheel.

use std::collections::BTreeSet;

use super::{Check, Finding, Rule, Subject};
use crate::{
    policy::{Arch, PlatformTag},
    wheel::{ExtensionAbi, ExtensionSuffix, Interpreter, Tag},
};

const OTHER_ABI: Rule = Rule::error(
    "TAG201",
    "suffix-of-another-interpreter",
    "build each wheel with its own interpreter, in a clean folder",
);
const OTHER_MACHINE: Rule = Rule::error(
    "TAG202",
    "suffix-of-another-machine",
    "build in an environment of the target's architecture",
);

pub(super) const CHECK: Check = Check { rules: &[OTHER_ABI, OTHER_MACHINE], find };

fn find(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Ok(name) = &subject.name else { return };
    let (tags, claims) = (name.tags.expand(), subject.claims());
    for elf in subject.elves() {
        let Some(suffix) = ExtensionSuffix::parse(&elf.path) else {
            continue;
        };
        if !belongs(suffix.abi, &tags) {
            let abi = match suffix.abi {
                ExtensionAbi::Interpreter(interpreter) => interpreter.to_string(),
                ExtensionAbi::Stable => "abi3".to_owned(),
            };
            let message =
                format!("the file name says `{abi}`, and the wheel is for `{}`", name.tags);
            findings.push(OTHER_ABI.broken(&elf.path, message));
        }
        let machine = suffix.platform.as_deref().and_then(machine);
        if let Some(machine) = machine
            && claims.iter().filter_map(PlatformTag::arch).any(|arch| !machine.contains(&arch))
        {
            let message = format!(
                "the file name says `{}`, and the wheel is for `{}`",
                machine[0], name.tags
            );
            findings.push(OTHER_MACHINE.broken(&elf.path, message));
        }
    }
}

/// Can an interpreter that installs a wheel with one of these tags import a module with this
/// interface? Wheels without an ABI tag may bring modules for several interpreters.
fn belongs(abi: ExtensionAbi, tags: &BTreeSet<Tag>) -> bool {
    tags.iter().any(|tag| match abi {
        _ if tag.abi == "none" => true,
        ExtensionAbi::Interpreter(interpreter) => tag.abi != "abi3" && interpreter.accepts(tag),
        // Only CPython with its lock takes the stable interface.
        ExtensionAbi::Stable => {
            let exact = tag.abi.parse::<Interpreter>();
            tag.abi == "abi3" || exact.is_ok_and(|interpreter| !interpreter.is_free_threaded())
        }
    })
}

/// The architectures that the machine of a suffix can mean, after the multiarch names of Debian,
/// which `CPython` uses.
fn machine(platform: &str) -> Option<Vec<Arch>> {
    match platform.split('-').next()? {
        "i386" => Some(vec![Arch::I686]),
        "arm" => Some(vec![Arch::Armv7l, Arch::Armv6l]),
        "powerpc64le" => Some(vec![Arch::Ppc64le]),
        "powerpc64" => Some(vec![Arch::Ppc64]),
        other => other.parse().ok().map(|arch| vec![arch]),
    }
}
