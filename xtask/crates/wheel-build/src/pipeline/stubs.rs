//! Stubs for `xtask/` in the source archive of a package whose Cargo workspace has it as a member (pure).
//!
//! Cargo loads the manifest of every member, so the package does not build without them. A stub has no
//! dependencies, so the build fetches nothing for `xtask/`. The lock file loses the packages that only the real
//! member needs, so `cargo --locked` accepts it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, TableLike};

/// `*` matches within one folder, as in cargo.
const ONE_FOLDER: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// Files that replace the tool's own, with matching lock files.
///
/// `files` are the packed files and `own` the tool's, both relative to the packed folder. `read` returns a file's
/// text.
pub(crate) fn stubs(
    files: &[PathBuf],
    own: &[PathBuf],
    read: impl Fn(&Path) -> Option<String>,
) -> BTreeMap<PathBuf, String> {
    let manifests = |files: &[PathBuf]| -> Vec<(PathBuf, DocumentMut)> {
        let named = files.iter().filter(|path| path.ends_with("Cargo.toml"));
        let parsed = named.filter_map(|path| Some((folder(path), read(path)?.parse().ok()?)));
        parsed.collect()
    };
    // Few repositories have such members, so the package's manifests are read only if needed.
    let candidates = manifests(own);
    if candidates.is_empty() {
        return BTreeMap::new();
    }
    let packed = manifests(files);
    let mut stubs = BTreeMap::new();
    for (root, manifest) in &packed {
        let Some(workspace) = manifest.get("workspace").and_then(Item::as_table_like) else {
            continue;
        };
        let members: Vec<_> =
            candidates.iter().filter(|(folder, _)| is_member(workspace, root, folder)).collect();
        let mut names: BTreeSet<&str> = packed.iter().filter_map(|(_, it)| name_of(it)).collect();
        for (folder, manifest) in &members {
            stubs.insert(folder.join("Cargo.toml"), stub(manifest));
            stubs.insert(folder.join("src/main.rs"), "fn main() {}\n".to_owned());
            names.extend(name_of(manifest));
        }
        let lock = root.join("Cargo.lock");
        if !members.is_empty()
            && files.contains(&lock)
            && let Some(mut text) = read(&lock).and_then(|text| text.parse::<DocumentMut>().ok())
        {
            let emptied: Vec<_> = members.iter().filter_map(|(_, it)| name_of(it)).collect();
            prune(&mut text, &names, &emptied);
            stubs.insert(lock, text.to_string());
        }
    }
    stubs
}

fn folder(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

fn name_of(manifest: &DocumentMut) -> Option<&str> {
    manifest.get("package")?.get("name")?.as_str()
}

/// Returns whether the workspace in the folder `root` has `folder` as a member.
fn is_member(workspace: &dyn TableLike, root: &Path, folder: &Path) -> bool {
    let Ok(folder) = folder.strip_prefix(root) else { return false };
    let words = |key: &str| {
        let list = workspace.get(key).and_then(Item::as_array).into_iter().flatten();
        list.filter_map(|word| word.as_str().map(|word| word.trim_end_matches('/').to_owned()))
            .map(|word| word.trim_start_matches("./").to_owned())
    };
    let fits = |word: &String| {
        Pattern::new(word).is_ok_and(|pattern| pattern.matches_path_with(folder, ONE_FOLDER))
    };
    // `exclude` applies to the matches of a pattern, not to a folder that is listed by name.
    words("members").any(|word| fits(&word))
        && (words("members").any(|word| folder.starts_with(word))
            || !words("exclude").any(|word| folder.starts_with(word)))
}

/// A package with the same name and version, without dependencies. Every cargo supports its edition.
fn stub(manifest: &DocumentMut) -> String {
    let mut package = Table::new();
    for key in ["name", "version"] {
        if let Some(value) = manifest.get("package").and_then(|package| package.get(key)) {
            package.insert(key, value.clone());
        }
    }
    package.insert("edition", toml_edit::value("2018"));
    package.insert("publish", toml_edit::value(false));
    let mut stub = DocumentMut::new();
    stub.insert("package", Item::Table(package));
    stub.to_string()
}

/// Removes packages from a lock file that only the members `emptied` need. `names` are the packages of the packed
/// folder.
fn prune(lock: &mut DocumentMut, names: &BTreeSet<&str>, emptied: &[&str]) {
    let Some(packages) = lock.get_mut("package").and_then(Item::as_array_of_tables_mut) else {
        return;
    };
    let own_name = |package: &Table| {
        let name = package.get("name").and_then(Item::as_str).unwrap_or_default().to_owned();
        (!package.contains_key("source")).then_some(name)
    };
    for package in packages.iter_mut() {
        if own_name(package).is_some_and(|name| emptied.contains(&name.as_str())) {
            package.remove("dependencies");
        }
    }
    let roots: Vec<usize> = packages
        .iter()
        .enumerate()
        .filter(|(_, it)| own_name(it).is_some_and(|name| names.contains(name.as_str())))
        .map(|(index, _)| index)
        .collect();
    let kept = reachable(packages, roots);
    let mut index = 0;
    packages.retain(|_| {
        index += 1;
        kept.contains(&(index - 1))
    });
}

/// The packages that `roots` need, including themselves.
fn reachable(packages: &ArrayOfTables, roots: Vec<usize>) -> BTreeSet<usize> {
    let text = |package: &Table, key: &str| {
        package.get(key).and_then(Item::as_str).unwrap_or_default().to_owned()
    };
    // `name`, `name version` or `name version (source)`, as short as is unambiguous.
    let is_meant = |package: &Table, words: &str| {
        let mut words = words.splitn(3, ' ');
        let of_source = |word: &str| word.trim_matches(['(', ')']) == text(package, "source");
        words.next() == Some(&text(package, "name"))
            && words.next().is_none_or(|word| word == text(package, "version"))
            && words.next().is_none_or(of_source)
    };
    let mut kept = BTreeSet::new();
    let mut open = roots;
    while let Some(index) = open.pop() {
        if !kept.insert(index) {
            continue;
        }
        let needed = packages.get(index).and_then(|it| it.get("dependencies"));
        for words in needed.and_then(Item::as_array).into_iter().flatten() {
            let words = words.as_str().unwrap_or_default();
            let found = packages.iter().enumerate().filter(|(_, it)| is_meant(it, words));
            open.extend(found.map(|(index, _)| index));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const MEMBER: &str = "[package]\nname = \"xtask\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
        build = \"build.rs\"\n[dependencies]\nonly = \"1\"\n[lints]\nworkspace = true\n";
    const LOCK: &str = "# made\nversion = 4\n\n[[package]]\nname = \"demo\"\nversion = \"1.0.0\"\n\
        dependencies = [\n \"both\",\n \"two 1.0.0\",\n]\n\n[[package]]\nname = \"both\"\n\
        version = \"1.0.0\"\nsource = \"r\"\n\n[[package]]\nname = \"only\"\nversion = \"1.0.0\"\n\
        source = \"r\"\ndependencies = [\n \"two 2.0.0\",\n]\n\n[[package]]\nname = \"two\"\n\
        version = \"1.0.0\"\nsource = \"r\"\n\n[[package]]\nname = \"two\"\nversion = \"2.0.0\"\n\
        source = \"r\"\n\n[[package]]\nname = \"wheel-build\"\nversion = \"0.1.0\"\n\n[[package]]\n\
        name = \"xtask\"\nversion = \"0.1.0\"\ndependencies = [\n \"both\",\n \"only\",\n \
        \"wheel-build\",\n]\n";

    fn of(workspace: &str, own: &[&str]) -> BTreeMap<PathBuf, String> {
        let own: Vec<PathBuf> = own.iter().map(|path| Path::new(path).join("Cargo.toml")).collect();
        let root = format!("[package]\nname = \"demo\"\nversion = \"1.0.0\"\n{workspace}");
        let files = ["Cargo.lock", "Cargo.toml", "src/lib.rs"].map(PathBuf::from);
        stubs(&files, &own, |path| {
            Some(match path.to_str().unwrap() {
                "Cargo.lock" => LOCK.to_owned(),
                "Cargo.toml" => root.clone(),
                _ => MEMBER.to_owned(),
            })
        })
    }

    #[test]
    fn each_member_has_a_stub_and_nothing_else() {
        let paths = |workspace: &str| -> Vec<String> {
            let stubs = of(workspace, &["xtask", "xtask/crates/a", "xtask/vendor"]);
            let paths = stubs.into_keys().filter(|path| path.ends_with("Cargo.toml"));
            paths.map(|path| path.display().to_string()).collect()
        };
        assert_eq!(paths("[workspace]\nmembers = [\"xtask\"]\n"), ["xtask/Cargo.toml"]);
        assert_eq!(paths("[workspace]\nmembers = [\"./xtask/\"]\n"), ["xtask/Cargo.toml"]);
        assert_eq!(paths("[workspace]\nmembers = [\"*\"]\n"), ["xtask/Cargo.toml"]);
        let both = "[workspace]\nmembers = [\"xtask\", \"xtask/crates/*\"]\n";
        assert_eq!(paths(both), ["xtask/Cargo.toml", "xtask/crates/a/Cargo.toml"]);
        assert_eq!(paths("[workspace]\nmembers = [\"*\"]\nexclude = [\"xtask\"]\n").len(), 0);
        // A folder that is listed by name is a member despite `exclude`.
        let named = "[workspace]\nmembers = [\"xtask\"]\nexclude = [\"xtask\"]\n";
        assert_eq!(paths(named), ["xtask/Cargo.toml"]);
        assert_eq!(paths("[workspace]\nmembers = [\"src\"]\n").len(), 0);
        assert_eq!(paths("").len(), 0);
    }

    #[test]
    fn a_stub_has_no_dependencies_and_the_lock_file_agrees() {
        let stubs = of("[workspace]\nmembers = [\"xtask\"]\n", &["xtask"]);
        assert!(stubs.contains_key(Path::new("xtask/src/main.rs")));
        let stub: toml::Table = stubs[Path::new("xtask/Cargo.toml")].parse().unwrap();
        assert_eq!(stub.keys().collect::<Vec<_>>(), ["package"]);
        assert_eq!(stub["package"]["name"].as_str(), Some("xtask"));
        let lock = &stubs[Path::new("Cargo.lock")];
        assert!(lock.starts_with("# made\nversion = 4\n"), "{lock}");
        let table: toml::Table = lock.parse().unwrap();
        let packages = table["package"].as_array().unwrap().iter().map(|package| {
            let word = |key: &str| package.get(key).and_then(toml::Value::as_str).unwrap();
            format!("{} {}", word("name"), word("version"))
        });
        let want = ["demo 1.0.0", "both 1.0.0", "two 1.0.0", "xtask 0.1.0"];
        assert_eq!(packages.collect::<Vec<_>>(), want);
        assert!(!lock.contains("only"), "{lock}");
    }
}
