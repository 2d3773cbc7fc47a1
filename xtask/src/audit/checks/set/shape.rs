//! The names in a wheel, without what differs from one interpreter, system or version to the next.

use std::collections::BTreeSet;

use camino::Utf8Path;

use crate::wheel::{ExtensionSuffix, WheelArchive};

/// What is in a wheel, for comparing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Extension modules, as paths without a suffix: `pkg/_fast`.
    pub(super) modules: BTreeSet<String>,
    /// Other files, but the compiled bytecode.
    pub(super) files: BTreeSet<String>,
}

impl Shape {
    /// Reads the directory of a wheel; `None` where that cannot be done, which the archive's own
    /// check tells of.
    pub(super) fn read(path: &Utf8Path) -> Option<Self> {
        let archive = WheelArchive::open(path).ok()?;
        let mut shape = Self::default();
        for entry in archive.entries().iter().filter(|entry| !entry.is_folder()) {
            shape.add(&entry.name);
        }
        Some(shape)
    }

    fn add(&mut self, path: &str) {
        if let Some(module) = module(path) {
            self.modules.insert(module);
        } else if !path.contains("__pycache__/") {
            self.files.insert(plain(path));
        }
    }
}

/// The path of an extension module without its suffix. A shared library that lies beside modules, or
/// in a folder of grafted ones, is none.
pub(super) fn module(path: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let stem = name.strip_suffix(".so").or_else(|| name.strip_suffix(".pyd"))?;
    let is_grafted = folder.split('/').any(|part| part.strip_suffix(".libs").is_some());
    let has_tag = ExtensionSuffix::parse(name).is_some()
        || stem.rsplit_once('.').is_some_and(|(_, tag)| tag.starts_with("cp"));
    if is_grafted || (!has_tag && stem.starts_with("lib")) {
        return None;
    }
    let stem = if has_tag { stem.rsplit_once('.').map_or(stem, |(stem, _)| stem) } else { stem };
    Some(if folder.is_empty() { stem.to_owned() } else { format!("{folder}/{stem}") })
}

/// The path without the version of a `.dist-info` or `.data` folder and the hash of a grafted library.
pub(super) fn plain(path: &str) -> String {
    let Some((top, rest)) = path.split_once('/') else { return path.to_owned() };
    for suffix in [".dist-info", ".data"] {
        if top.ends_with(suffix) {
            return format!("{suffix}/{rest}");
        }
    }
    if top.strip_suffix(".libs").is_none() {
        return path.to_owned();
    }
    // `libz-1b7c5d3a.so.1`, as auditwheel names what it grafts.
    let (stem, end) = rest.split_once('.').unwrap_or((rest, ""));
    let is_hash = |text: &str| text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let stem =
        stem.rsplit_once('-').filter(|(_, hash)| is_hash(hash)).map_or(stem, |(stem, _)| stem);
    format!("{top}/{stem}.{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_known_by_their_names() {
        for (path, expected) in [
            ("_x.cpython-311-x86_64-linux-gnu.so", Some("_x")),
            ("a/_x.cpython-314t-x86_64-linux-musl.so", Some("a/_x")),
            ("a/_x.abi3.so", Some("a/_x")),
            ("a/_x.pypy311-pp73-x86_64-linux-gnu.so", Some("a/_x")),
            ("a/_x.cp312-win_amd64.pyd", Some("a/_x")),
            ("a/_x.so", Some("a/_x")),
            ("a/libx.cpython-311-x86_64-linux-gnu.so", Some("a/libx")),
            ("a/libx.so", None),
            ("a/libx.so.1", None),
            ("a.libs/x.so", None),
            ("a/_x.py", None),
        ] {
            assert_eq!(module(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn versions_and_hashes_are_left_out() {
        for (path, expected) in [
            ("a-1.0.dist-info/METADATA", ".dist-info/METADATA"),
            ("a-1.0.data/scripts/a", ".data/scripts/a"),
            ("a.libs/libz-1b7c5d3a.so.1.2", "a.libs/libz.so.1.2"),
            ("a.libs/libz-ng.so.1", "a.libs/libz-ng.so.1"),
            ("a/b-12345678.txt", "a/b-12345678.txt"),
            ("a.py", "a.py"),
        ] {
            assert_eq!(plain(path), expected);
        }
    }
}
