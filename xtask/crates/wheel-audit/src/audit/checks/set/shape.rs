//! The names in a wheel, without the parts that depend on interpreter, system or version.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use crate::wheel::{EntryPoint, ExtensionSuffix, Headers, SharedFile, WheelArchive};

/// Maximum size of a `METADATA` or `entry_points.txt` that is compared, in bytes.
const MAX_TEXT: u64 = 4 << 20;

/// The files of a wheel, for comparing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Extension modules, as paths without a suffix: `pkg/_fast`.
    pub(super) modules: BTreeSet<String>,
    /// Other files except compiled bytecode.
    pub(super) files: BTreeSet<String>,
    /// The executable files among [`Self::files`] that are not shared libraries.
    pub(super) programs: BTreeSet<String>,
}

/// Normalized facts from the metadata of a wheel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Texts {
    /// The object by group and name: `console_scripts/tool` is `demo._tool:main`.
    pub(super) entry_points: BTreeMap<String, String>,
    /// `Requires-Dist` and `Requires-Python`.
    pub(super) requirements: BTreeSet<String>,
}

impl Shape {
    /// Reads the directory of a wheel. `None` if it is unreadable, which ARC001 covers.
    pub(super) fn read(path: &Utf8Path) -> Option<Self> {
        Some(Self::of(&WheelArchive::open(path).ok()?))
    }

    /// As [`Self::read`], with the metadata.
    pub(super) fn with_texts(path: &Utf8Path) -> Option<(Self, Texts)> {
        let mut archive = WheelArchive::open(path).ok()?;
        let shape = Self::of(&archive);
        let mut texts = Texts::default();
        if let Some(bytes) = text(&mut archive, ".dist-info/entry_points.txt") {
            texts.entry_points = entry_points(&bytes);
        }
        if let Some(bytes) = text(&mut archive, ".dist-info/METADATA") {
            texts.requirements = requirements(&bytes);
        }
        Some((shape, texts))
    }

    fn of(archive: &WheelArchive<SharedFile>) -> Self {
        let mut shape = Self::default();
        for entry in archive.entries().iter().filter(|entry| !entry.is_folder()) {
            shape.add(&entry.name, entry.unix_mode() & 0o111 != 0);
        }
        shape
    }

    fn add(&mut self, path: &str, is_executable: bool) {
        let path = plain(path);
        if let Some(module) = module(&path) {
            self.modules.insert(module);
        } else if !path.contains("__pycache__/") {
            if is_executable && !path.contains(".so") {
                self.programs.insert(path.clone());
            }
            self.files.insert(path);
        }
    }
}

/// The files and requirements of a wheel, without the parts that depend on interpreter, system or version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WheelContents {
    /// Files, extension modules as paths without a suffix.
    pub files: BTreeSet<String>,
    /// `Requires-Dist` and `Requires-Python`, normalized.
    pub requirements: BTreeSet<String>,
    /// The object by group and name: `console_scripts/tool` is `demo._tool:main`.
    pub entry_points: BTreeMap<String, String>,
}

impl WheelContents {
    /// Reads the wheel at `path`. `None` if it is unreadable.
    pub fn read(path: &Utf8Path) -> Option<Self> {
        let (Shape { mut files, modules, .. }, texts) = Shape::with_texts(path)?;
        files.extend(modules);
        let Texts { entry_points, requirements } = texts;
        Some(Self { files, requirements, entry_points })
    }
}

/// The content of the first member with this name. The name omits the version.
fn text(archive: &mut WheelArchive<SharedFile>, name: &str) -> Option<Vec<u8>> {
    let index = archive.entries().iter().position(|entry| plain(&entry.name) == name)?;
    archive.read(index, MAX_TEXT).ok()
}

/// The entry points of `entry_points.txt`. Empty if it is damaged, which MET023 covers.
fn entry_points(bytes: &[u8]) -> BTreeMap<String, String> {
    let points = crate::wheel::entry_points(bytes).unwrap_or_default();
    let object = |value: &str| value.split_whitespace().collect::<String>();
    let pair =
        |point: EntryPoint<'_>| (format!("{}/{}", point.group, point.name), object(point.value));
    points.into_iter().map(pair).collect()
}

/// `Requires-Dist` and `Requires-Python` without differences between tools: spaces, case, quotes,
/// parentheses, the order of versions, underscores in names.
fn requirements(bytes: &[u8]) -> BTreeSet<String> {
    let headers = Headers::parse(bytes);
    let mut found = BTreeSet::new();
    for header in ["Requires-Dist", "Requires-Python"] {
        for value in headers.all(header) {
            let (what, marker) = value.split_once(';').unwrap_or((value, ""));
            let spelt = |text: &str| {
                let text = text.to_lowercase().replace('\'', "\"");
                text.chars().filter(|each| !each.is_whitespace()).collect::<String>()
            };
            let what = spelt(what).replace(['(', ')'], "");
            let end = what.find(['<', '>', '=', '!', '~', '[', '@']).unwrap_or(what.len());
            let (name, versions) = what.split_at(end);
            let mut versions: Vec<_> = versions.split(',').collect();
            versions.sort_unstable();
            let name = name.replace(['_', '.'], "-");
            let marker = spelt(marker);
            let marker = if marker.is_empty() { marker } else { format!("; {marker}") };
            found.insert(format!("{header}: {name}{}{marker}", versions.join(",")));
        }
    }
    found
}

/// The path of an extension module without its suffix. `None` for shared libraries, also in a folder of
/// bundled ones.
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

/// The installed path of a file, without the version of a `.dist-info` or `.data` folder, and without hash
/// and version of a bundled library.
pub(super) fn plain(path: &str) -> String {
    let Some((top, rest)) = path.split_once('/') else { return path.to_owned() };
    if top.strip_suffix(".data").is_some() {
        let site = ["purelib/", "platlib/"].iter().find_map(|scheme| rest.strip_prefix(scheme));
        return site.map_or_else(|| format!(".data/{rest}"), str::to_owned);
    }
    if top.strip_suffix(".dist-info").is_some() {
        return format!(".dist-info/{rest}");
    }
    if top.strip_suffix(".libs").is_none() {
        return path.to_owned();
    }
    // auditwheel names bundled libraries `libz-1b7c5d3a.so.1.2.11`.
    let stem = rest.split(".so").next().unwrap_or(rest);
    let is_hash = |text: &str| text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let stem =
        stem.rsplit_once('-').filter(|(_, hash)| is_hash(hash)).map_or(stem, |(stem, _)| stem);
    format!("{top}/{stem}.so")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_recognized_by_name() {
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
    fn entry_points_and_requirements_are_normalized() {
        let text = b"# a\n[console_scripts]\nrun = a.b : main\n\n[ x ]\nk=v\n";
        let found: Vec<_> = entry_points(text).into_iter().collect();
        let expected = [("console_scripts/run", "a.b:main"), ("x/k", "v")];
        assert_eq!(found, expected.map(|(name, object)| (name.to_owned(), object.to_owned())));
        let one = b"Requires-Dist: My_Pkg (>=2, <3) ; extra == 'X'\nRequires-Python: >=3.11\n\nRequires-Dist: no\n";
        let other = b"Requires-Dist: my-pkg<3,>=2; extra=='x'\nRequires-Python: >= 3.11\n";
        assert_eq!(requirements(one), requirements(other));
        assert_eq!(requirements(one).len(), 2);
        assert_ne!(requirements(b"Requires-Dist: a>1\n"), requirements(b"Requires-Dist: a>2\n"));
    }

    #[test]
    fn plain_paths_have_no_versions_and_hashes() {
        for (path, expected) in [
            ("a-1.0.dist-info/METADATA", ".dist-info/METADATA"),
            ("a-1.0.data/scripts/a", ".data/scripts/a"),
            ("a-1.0.data/platlib/a/b.py", "a/b.py"),
            ("a.libs/libz-1b7c5d3a.so.1.2", "a.libs/libz.so"),
            ("a.libs/libz-ng.so.1", "a.libs/libz-ng.so"),
            ("a/b-12345678.txt", "a/b-12345678.txt"),
            ("a.py", "a.py"),
        ] {
            assert_eq!(plain(path), expected);
        }
    }
}
