//! Can installers make the scripts that `entry_points.txt` asks for, and will they find what to run?

use std::collections::{BTreeMap, BTreeSet};

use super::{AuditContext, Check, Finding, Rule};
use crate::audit::contents::Contents;
use crate::audit::{library, search};
use crate::text::shown;
use crate::wheel::{EntryPoint, entry_points};

const UNREADABLE: Rule = Rule::error(
    "MET023",
    "entry-points",
    "write `[console_scripts]` and below it lines such as `run = pkg.cli:main`",
);
const MALFORMED: Rule = Rule::warning(
    "MET024",
    "malformed-entry-point",
    "write entry points as `name = module:object`",
);
const ABSENT_MODULE: Rule = Rule::warning(
    "MET025",
    "absent-entry-point",
    "put the module into the wheel, or take the entry point out",
);

const SCRIPT_TWICE: Rule = Rule::error(
    "MET048",
    "script-twice",
    "have one script of each name; some installers keep one of them, others refuse the wheel",
);

const INTERPRETER: Rule = Rule::error(
    "MET049",
    "script-named-like-interpreter",
    "give the script another name; installing it replaces the environment's own interpreter",
);

pub(super) const CHECK: Check =
    Check { rules: &[UNREADABLE, MALFORMED, ABSENT_MODULE, SCRIPT_TWICE, INTERPRETER], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Some(contents) = context.contents() else { return };
    let scripts = scripts(contents);
    for (name, member) in &scripts {
        if is_interpreter(name) {
            findings.push(INTERPRETER.broken(member, "lands where the interpreter is"));
        }
    }
    let texts = contents.texts.iter().filter(|(path, _)| path.ends_with("/entry_points.txt"));
    for (path, bytes) in texts {
        match entry_points(bytes) {
            Err(error) => findings.push(UNREADABLE.broken(path, error.to_string())),
            Ok(points) => {
                let wanted = points.iter().flat_map(names).collect();
                let members = contents.digests.keys().map(String::as_str);
                let modules = library::modules(members, &wanted);
                findings.extend(points.iter().filter_map(|point| judge(path, point, &modules)));
                twice(&scripts, path, &points, findings);
            }
        }
    }
}

/// The files of the wheel that land among the scripts, by their names there.
fn scripts(contents: &Contents) -> BTreeMap<String, &str> {
    let script = |member| {
        let place = search::installed(member);
        Some((place.strip_prefix("/bin/")?.to_owned(), member))
    };
    contents.digests.keys().filter_map(|member| script(member.as_str())).collect()
}

/// Scripts whose place is taken: by a file of the wheel, or by one of the other group.
fn twice(
    scripts: &BTreeMap<String, &str>,
    path: &str,
    points: &[EntryPoint<'_>],
    findings: &mut Vec<Finding>,
) {
    let mut places: BTreeMap<&str, String> = scripts
        .iter()
        .map(|(name, member)| (name.as_str(), format!("`{}`", shown(member))))
        .collect();
    for point in points.iter().filter(|point| point.is_script()) {
        let itself = format!("the one of `{}`", point.group);
        // Of one group the last one of a name counts.
        if let Some(other) =
            places.insert(point.name, itself.clone()).filter(|other| *other != itself)
        {
            let message = format!("the script `{}` lands where {other} lands", shown(point.name));
            findings.push(SCRIPT_TWICE.broken(path, message));
        }
    }
}

/// `python`, `python3`, `python3.11`, `pythonw`: what an environment's interpreter is called.
fn is_interpreter(name: &str) -> bool {
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let rest = name.strip_prefix("pythonw").or_else(|| name.strip_prefix("python"));
    rest.is_some_and(|rest| rest.chars().all(|each| each == '.' || each.is_ascii_digit()))
}

/// The modules that an entry point speaks of, and the packages around them that count.
fn names<'a>(point: &EntryPoint<'a>) -> impl Iterator<Item = &'a str> {
    let module = point.reference().map(|(module, _)| module);
    module.into_iter().flat_map(|module| {
        let parent = module.rsplit_once('.').map(|(parent, _)| parent);
        [Some(module), parent, module.split('.').next()].into_iter().flatten()
    })
}

fn judge(path: &str, point: &EntryPoint<'_>, modules: &BTreeSet<String>) -> Option<Finding> {
    let (name, value) = (shown(point.name), shown(point.value));
    let is_path = ["", ".", ".."].contains(&point.name) || point.name.contains(['/', '\\', '\0']);
    if point.is_script() && is_path {
        let message = format!("`{name}` is no name for a script");
        return Some(UNREADABLE.broken(path, message));
    }
    if point.is_script() && is_interpreter(point.name) {
        let message = format!("the script `{name}` lands where the interpreter is");
        return Some(INTERPRETER.broken(path, message));
    }
    let Some((module, object)) = point.reference() else {
        let rule = if point.is_script() { &UNREADABLE } else { &MALFORMED };
        return Some(rule.broken(path, format!("`{name} = {value}` names no `module:object`")));
    };
    if point.is_script() && object.is_none() {
        let message = format!("the script `{name} = {value}` names no object to call");
        return Some(UNREADABLE.broken(path, message));
    }
    // What is of another package altogether may come with a dependency.
    let top = module.split('.').next().unwrap_or(module);
    // Outside of scripts `package.object` is in use where `package:object` is meant.
    let parent = module.rsplit_once('.').filter(|_| object.is_none()).map(|(parent, _)| parent);
    let is_absent = modules.contains(top)
        && !modules.contains(module)
        && parent.is_none_or(|parent| !modules.contains(parent));
    is_absent.then(|| {
        let message = format!(
            "`{name} = {value}` is in `{}`, and the wheel lacks `{}`",
            shown(point.group),
            shown(module)
        );
        ABSENT_MODULE.broken(path, message)
    })
}
