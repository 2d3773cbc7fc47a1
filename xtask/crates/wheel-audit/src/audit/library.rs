//! The files of a wheel that Python can import.

use std::collections::BTreeSet;

use super::members::dist_info;
use crate::wheel::is_identifier;

/// Maximum depth of nested packages. Real packages are less deep.
const MAX_DEPTH: usize = 64;

/// Returns whether it is the name of a data folder, `NAME-VERSION.data`.
pub(super) fn is_data_folder(top: &str) -> bool {
    top.strip_suffix(".data").is_some()
}

/// Returns whether it is the name of an `.egg-info` folder.
pub(super) fn is_egg_info(top: &str) -> bool {
    top == "EGG-INFO" || top.strip_suffix(".egg-info").is_some()
}

/// Returns whether the member is in a `.dist-info` folder.
pub(super) fn is_metadata(member: &str) -> bool {
    dist_info(member).is_some()
}

/// The path of a member below `site-packages`. `None` for other members, such as metadata and scripts.
pub(super) fn path(member: &str) -> Option<&str> {
    let (top, rest) = member.split_once('/').unwrap_or(("", member));
    if is_data_folder(top) {
        let (scheme, rest) = rest.split_once('/')?;
        return ["purelib", "platlib"].contains(&scheme).then_some(rest);
    }
    dist_info(member).is_none().then_some(member)
}

/// The name of a module without its suffix: `_x` for `_x.abi3.so`. `None` for other files.
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

/// The dotted name of the module at `path`. `None` if it is outside of `site-packages` or not importable.
pub(super) fn module(member: &str) -> Option<String> {
    let path = path(member)?;
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let name = module_name(file)?;
    let parts = folder.split('/').chain([name]).filter(|part| !part.is_empty());
    let parts: Vec<_> = parts.filter(|part| *part != "__init__").collect();
    let named = !parts.is_empty() && parts.iter().all(|part| is_identifier(part));
    named.then(|| parts.join("."))
}

/// The dotted names of those modules and packages in `members` that are `wanted`. A folder without a module is a
/// namespace package. Collecting all names would take many times the memory of the paths.
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
        // Bytecode without its source is a module too.
        if let Some(name) = module_name(file).or_else(|| file.strip_suffix(".pyc")) {
            let dot = if package.is_empty() { "" } else { "." };
            add(&format!("{package}{dot}{name}"));
        }
        // The files of a package are adjacent.
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
    fn installed_paths_are_relative_to_site_packages() {
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
    fn module_names_are_derived_from_file_names() {
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
    fn modules_include_their_parent_packages() {
        let members =
            ["ns/pkg/cli.py", "ns/pkg/__init__.py", "a-1.data/platlib/_x.abi3.so", "data/x.pc"];
        let all = ["_x", "data", "ns", "ns.pkg", "ns.pkg.__init__", "ns.pkg.cli"];
        let wanted = all.into_iter().chain(["ns.other", "n"]).collect();
        let found: Vec<String> = modules(members.into_iter(), &wanted).into_iter().collect();
        assert_eq!(found, all);
        assert!(modules(members.into_iter(), &BTreeSet::from(["cli"])).is_empty());
    }
}
