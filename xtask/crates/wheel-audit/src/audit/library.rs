//! What a wheel puts where Python imports from.

use std::collections::BTreeSet;

use super::members::dist_info;
use crate::wheel::is_identifier;

/// Packages in packages deeper than this are passed over: no real ones are, and each level is a name
/// of its own.
const MAX_DEPTH: usize = 64;

/// Is it the name of a folder whose content installers put elsewhere, `NAME-VERSION.data`?
pub(super) fn is_data_folder(top: &str) -> bool {
    top.strip_suffix(".data").is_some()
}

/// Is it the metadata of an older format?
pub(super) fn is_egg_info(top: &str) -> bool {
    top == "EGG-INFO" || top.strip_suffix(".egg-info").is_some()
}

/// Does it lie in the folder of the wheel's metadata?
pub(super) fn is_metadata(member: &str) -> bool {
    dist_info(member).is_some()
}

/// The path of a member below `site-packages`; `None` of metadata, scripts and the like.
pub(super) fn path(member: &str) -> Option<&str> {
    let (top, rest) = member.split_once('/').unwrap_or(("", member));
    if is_data_folder(top) {
        let (scheme, rest) = rest.split_once('/')?;
        return ["purelib", "platlib"].contains(&scheme).then_some(rest);
    }
    dist_info(member).is_none().then_some(member)
}

/// The name of a file without the suffix that makes it a module, `_x` of `_x.abi3.so`; `None` of
/// other files.
pub(super) fn module_name(file: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let name = if let Some(name) = file.strip_suffix(".py") {
        name
    } else {
        let name = file.strip_suffix(".so").or_else(|| file.strip_suffix(".pyd"))?;
        let middle = name.rsplit_once('.').filter(|(_, middle)| middle.bytes().all(is_plain));
        middle.filter(|(name, _)| !name.is_empty()).map_or(name, |(name, _)| name)
    };
    (!name.is_empty()).then_some(name)
}

/// The dotted name of the module that the member `path` is; `None` where it lies elsewhere or cannot be named so.
pub(super) fn module(member: &str) -> Option<String> {
    let path = path(member)?;
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let name = module_name(file)?;
    let parts = folder.split('/').chain([name]).filter(|part| !part.is_empty());
    let parts: Vec<_> = parts.filter(|part| *part != "__init__").collect();
    let named = !parts.is_empty() && parts.iter().all(|part| is_identifier(part));
    named.then(|| parts.join("."))
}

/// The dotted names of all modules and packages of a wheel with these members. A folder without a
/// module is a package too, one of the namespace kind: `numpy` names such a one in an entry point.
/// Only those that are `wanted`: of long paths all together would take many times the paths' memory.
pub(super) fn modules<'a>(
    members: impl Iterator<Item = &'a str>,
    wanted: &BTreeSet<&str>,
) -> BTreeSet<String> {
    let (mut modules, mut last) = (BTreeSet::new(), String::new());
    let mut add = |name: &str| {
        if wanted.contains(name) {
            modules.insert(name.to_owned());
        }
    };
    let is_sane = |path: &&str| path.split('/').count() <= MAX_DEPTH;
    for path in members.filter_map(path).filter(is_sane) {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let mut package = folder.replace('/', ".");
        // Compiled without its source it is a module as well.
        if let Some(name) = module_name(file).or_else(|| file.strip_suffix(".pyc")) {
            let dot = if package.is_empty() { "" } else { "." };
            add(&format!("{package}{dot}{name}"));
        }
        // The files of a package come one after the other.
        if package == last {
            continue;
        }
        last.clone_from(&package);
        while !package.is_empty() {
            add(&package);
            package.truncate(package.rfind('.').unwrap_or(0));
        }
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_below_site_packages() {
        assert_eq!(path("a/b.py"), Some("a/b.py"));
        assert_eq!(path("b.py"), Some("b.py"));
        assert_eq!(path("a-1.data/purelib/b.py"), Some("b.py"));
        assert_eq!(path("a-1.data/scripts/b"), None);
        assert_eq!(path("a-1.data/b"), None);
        assert_eq!(path("a-1.dist-info/WHEEL"), None);
    }

    #[test]
    fn members_are_modules() {
        for (member, name) in [
            ("_x.so", Some("_x")),
            ("a/b/_x.cpython-311-x86_64-linux-gnu.so", Some("a.b._x")),
            ("a-1.data/platlib/a/_x.abi3.so", Some("a._x")),
            ("a/__init__.abi3.so", Some("a")),
            ("a-1.data/scripts/_x.so", None),
            ("not-one/_x.so", None),
            ("a/libx.so.1", None),
        ] {
            assert_eq!(module(member).as_deref(), name, "{member}");
        }
    }

    #[test]
    fn names_of_modules() {
        for (file, name) in [
            ("a.py", Some("a")),
            ("_x.so", Some("_x")),
            ("_x.abi3.so", Some("_x")),
            ("_x.cpython-311-x86_64-linux-gnu.so", Some("_x")),
            ("libx-1.2.so", Some("libx-1")),
            (".py", None),
            ("a.pyi", None),
            ("libx.so.1", None),
        ] {
            assert_eq!(module_name(file), name, "{file}");
        }
    }

    #[test]
    fn modules_and_the_packages_around_them() {
        let members =
            ["ns/pkg/cli.py", "ns/pkg/__init__.py", "a-1.data/platlib/_x.abi3.so", "data/x.pc"];
        let all = ["_x", "data", "ns", "ns.pkg", "ns.pkg.__init__", "ns.pkg.cli"];
        let wanted = all.into_iter().chain(["ns.other", "n"]).collect();
        let found: Vec<String> = modules(members.into_iter(), &wanted).into_iter().collect();
        assert_eq!(found, all);
        assert!(modules(members.into_iter(), &BTreeSet::from(["cli"])).is_empty());
    }
}
