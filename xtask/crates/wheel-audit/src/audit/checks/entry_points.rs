//! Checks that installers can create the scripts of `entry_points.txt`, and that the scripts can run.

use std::collections::{BTreeMap, BTreeSet};

use super::{AuditContext, Check, Finding, Rule, Severity};
use crate::audit::{contents::Contents, library, script_modules::ScriptModule, search};
use crate::policy::LayoutNames;
use crate::text::shown;
use crate::wheel::{EntryPoint, entry_points};

const UNREADABLE: Rule = Rule::error(
    "MET023",
    "entry-points",
    "write a section `[console_scripts]` with lines such as `run = pkg.cli:main`",
);
const MALFORMED: Rule = Rule::warning(
    "MET024",
    "malformed-entry-point",
    "write entry points as `name = module:object`",
);
const ABSENT_MODULE: Rule = Rule::warning(
    "MET025",
    "absent-entry-point",
    "add the module to the wheel, or remove the entry point",
);

const ABSENT_OBJECT: Rule = Rule::error(
    "MET053",
    "absent-script-function",
    "add the function to the module, or correct the name in the entry point; the script fails with `ImportError`",
);

const SCRIPT_TWICE: Rule = Rule::error(
    "MET048",
    "script-twice",
    "define each script once; some installers keep one of them, others reject the wheel",
);

const INTERPRETER: Rule = Rule::error(
    "MET049",
    "script-named-like-interpreter",
    "rename the script; installing it replaces the environment's own interpreter",
);

pub(super) const CHECK: Check = Check {
    rules: &[UNREADABLE, MALFORMED, ABSENT_MODULE, ABSENT_OBJECT, SCRIPT_TWICE, INTERPRETER],
    find,
};

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Some(contents) = context.contents() else { return };
    let scripts = scripts(contents);
    for (name, member) in &scripts {
        if is_interpreter(name) {
            findings.push(INTERPRETER.broken(member, "replaces the environment's interpreter"));
        }
    }
    let texts = contents.texts.iter().filter(|(path, _)| path.ends_with("/entry_points.txt"));
    for (path, bytes) in texts {
        match entry_points(bytes) {
            Err(error) => findings.push(UNREADABLE.broken(path, error.to_string())),
            Ok(points) => {
                let submodules: Vec<String> = points.iter().filter_map(submodule).collect();
                let wanted = points.iter().flat_map(names);
                let wanted = wanted.chain(submodules.iter().map(String::as_str)).collect();
                let members = contents.digests.keys().map(String::as_str);
                let modules = library::modules(members, &wanted);
                let wheel = Wheel { contents, modules };
                findings.extend(points.iter().filter_map(|point| wheel.check(path, point)));
                duplicate_scripts(&scripts, path, &points, findings);
            }
        }
    }
}

/// The files of the wheel that are installed as scripts, by their installed names.
fn scripts(contents: &Contents) -> BTreeMap<String, &str> {
    let script = |member| {
        let place = search::installed(member);
        Some((place.strip_prefix("/bin/")?.to_owned(), member))
    };
    contents.digests.keys().filter_map(|member| script(member.as_str())).collect()
}

/// Reports entry points whose path another script uses: a file of the wheel, or one of the other group.
fn duplicate_scripts(
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
        // Within a group, the last entry of a name wins.
        if let Some(other) =
            places.insert(point.name, itself.clone()).filter(|other| *other != itself)
        {
            let message = format!(
                "the script `{}` is installed to the same path as {other}",
                shown(point.name)
            );
            findings.push(SCRIPT_TWICE.broken(path, message));
        }
    }
}

/// Returns whether it is a name of an environment's interpreter: `python`, `python3`, `python3.11`, `pythonw`.
fn is_interpreter(name: &str) -> bool {
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let rest = name.strip_prefix("pythonw").or_else(|| name.strip_prefix("python"));
    rest.is_some_and(|rest| rest.chars().all(|each| each == '.' || each.is_ascii_digit()))
}

/// The module of an entry point and its parent packages.
fn names<'a>(point: &EntryPoint<'a>) -> impl Iterator<Item = &'a str> {
    let module = point.reference().map(|(module, _)| module);
    module.into_iter().flat_map(|module| packages(module).chain([module]))
}

/// The module that a script's object may be: `from pkg import cli` imports `pkg.cli`.
fn submodule(point: &EntryPoint<'_>) -> Option<String> {
    let (module, object) = point.reference()?;
    Some(format!("{module}.{}", object?.split('.').next()?))
}

/// The parent packages of a module: `a` and `a.b` for `a.b.c`.
fn packages(module: &str) -> impl Iterator<Item = &str> {
    module.match_indices('.').filter_map(|(at, _)| module.get(..at))
}

/// Reports a malformed line.
fn malformed(path: &str, point: &EntryPoint<'_>) -> Option<Finding> {
    let (name, value) = (shown(point.name), shown(point.value));
    let is_path = ["", ".", ".."].contains(&point.name) || point.name.contains(['/', '\\', '\0']);
    if point.is_script() && is_path {
        let message = format!("`{name}` is not a valid script name");
        return Some(UNREADABLE.broken(path, message));
    }
    if point.is_script() && is_interpreter(point.name) {
        let message = format!("the script `{name}` replaces the environment's interpreter");
        return Some(INTERPRETER.broken(path, message));
    }
    let Some((_, object)) = point.reference() else {
        let rule = if point.is_script() { &UNREADABLE } else { &MALFORMED };
        return Some(
            rule.broken(path, format!("`{name} = {value}` is not of the form `module:object`")),
        );
    };
    if point.is_script() && object.is_none() {
        let message = format!("the script `{name} = {value}` does not name an object to call");
        return Some(UNREADABLE.broken(path, message));
    }
    None
}

/// A wheel with those modules of its entry points that it contains.
struct Wheel<'a> {
    contents: &'a Contents,
    modules: BTreeSet<String>,
}

impl Wheel<'_> {
    fn check(&self, path: &str, point: &EntryPoint<'_>) -> Option<Finding> {
        if let Some(finding) = malformed(path, point) {
            return Some(finding);
        }
        let (module, object) = point.reference()?;
        if self.modules.contains(module) {
            return self.absent_object(path, point, module, object?);
        }
        let top = module.split('.').next().unwrap_or(module);
        let severity = if self.modules.contains(top) {
            // Plugins often use `package.object` instead of `package:object`.
            let parent = packages(module).last().filter(|_| object.is_none());
            if parent.is_some_and(|parent| self.modules.contains(parent)) {
                return None;
            }
            let is_certain = point.is_script() && self.has_plain_packages(module);
            if is_certain { Severity::Error } else { Severity::Warning }
        } else {
            self.elsewhere(point, top)?
        };
        let (name, value) = (shown(point.name), shown(point.value));
        let (group, module) = (shown(point.group), shown(module));
        let message =
            format!("`{name} = {value}` is in `{group}`, but the wheel has no module `{module}`");
        Some(Finding { severity, ..ABSENT_MODULE.broken(path, message) })
    }

    /// Reports an object that does not occur in the source of its module.
    fn absent_object(
        &self,
        path: &str,
        point: &EntryPoint<'_>,
        module: &str,
        object: &str,
    ) -> Option<Finding> {
        let first = object.split('.').next().unwrap_or(object);
        let lacks = |found: &ScriptModule| found.lacks.contains(first);
        let is_module = submodule(point).is_some_and(|module| self.modules.contains(&module));
        let is_absent = point.is_script()
            && !is_module
            && self.contents.script_modules.get(module).is_some_and(lacks);
        is_absent.then(|| {
            let (name, value) = (shown(point.name), shown(point.value));
            let (module, first) = (shown(module), shown(first));
            let message =
                format!("`{name} = {value}` is a script, but `{module}` does not define `{first}`");
            ABSENT_OBJECT.broken(path, message)
        })
    }

    /// Returns whether the module's parent packages in the wheel load modules only from their own folders.
    fn has_plain_packages(&self, module: &str) -> bool {
        packages(module)
            .filter(|package| self.modules.contains(*package))
            .all(|package| self.contents.script_modules.get(package).is_some_and(|it| it.is_plain))
    }

    /// The severity if the wheel lacks the module's top-level package. `None` if a requirement may provide it.
    fn elsewhere(&self, point: &EntryPoint<'_>, top: &str) -> Option<Severity> {
        let names = LayoutNames::builtin();
        let metadata = self.contents.metadata.as_ref()?.as_ref().ok()?;
        let mut members = self.contents.digests.keys();
        // A `.pth` file adds folders to Python's search path.
        let has_paths = members.any(|member| member.strip_suffix(".pth").is_some());
        if !point.is_script() || has_paths || names.standard.contains(top) {
            None
        } else if metadata.requires_dist.is_empty() {
            Some(Severity::Error)
        } else {
            names.common.contains(top).then_some(Severity::Warning)
        }
    }
}
