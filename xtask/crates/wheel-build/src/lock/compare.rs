//! Differences between a build and the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::{Environment, Interpreter, Requirement};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Difference {
    /// `image`, `snapshot`, `interpreter`, `tool`, `package`, `crates`, `build`, `smoke`, `test` or `lock`.
    pub kind: &'static str,
    /// The name of the package, tool or other item.
    pub name: String,
    /// The locked value.
    pub locked: Option<String>,
    /// The value of the build.
    pub found: Option<String>,
}

impl Difference {
    /// Returns whether it is about an interpreter that tests a wheel, which another one may have built.
    pub(crate) fn belongs_to_test(&self) -> bool {
        ["interpreter", "smoke", "test"].contains(&self.kind)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<String>| value.as_deref().unwrap_or("(none)").to_owned();
        write!(f, "{} {} → {}", self.name, text(&self.locked), text(&self.found))
    }
}

/// The differences in a container before anything is compiled in it.
pub(crate) fn environment_differences(
    locked: &Environment,
    found: &Environment,
) -> Vec<Difference> {
    let mut all = Vec::new();
    let image =
        |it: &Environment| BTreeMap::from([(it.image.reference.clone(), it.image.digest.clone())]);
    // Several references can name the same base image.
    if locked.image.digest != found.image.digest {
        let locked = BTreeMap::from([(found.image.reference.clone(), locked.image.digest.clone())]);
        compare("image", &locked, &image(found), &mut all);
    }
    let snapshot = |it: &Environment| {
        it.snapshot.iter().map(|time| ("snapshot".to_owned(), time.clone())).collect()
    };
    compare("snapshot", &snapshot(locked), &snapshot(found), &mut all);
    compare("interpreter", &interpreter(locked, found), &interpreter(found, locked), &mut all);
    compare("tool", &locked.tools, &found.tools, &mut all);
    compare("package", &locked.packages, &found.packages, &mut all);
    all
}

/// All differences of two environments with one interpreter each. Lists that one of them lacks are not compared,
/// because a run without tests does not report them.
pub(crate) fn differences(locked: &Environment, found: &Environment) -> Vec<Difference> {
    let mut all = environment_differences(locked, found);
    let (Some(locked), Some(found)) = (locked.interpreter(), found.interpreter()) else {
        return all;
    };
    if let (Some(one), Some(other)) = (&locked.crates, &found.crates) {
        let of = |hash: &String| BTreeMap::from([("crates".to_owned(), hash.clone())]);
        compare("crates", &of(one), &of(other), &mut all);
    }
    let lists = [
        ("build", &locked.build, &found.build),
        ("smoke", &locked.smoke, &found.smoke),
        ("test", &locked.test, &found.test),
    ];
    for (kind, locked, found) in lists {
        if let (Some(locked), Some(found)) = (locked, found) {
            let (locked, found) = requirements(locked, found);
            compare(kind, &locked, &found, &mut all);
        }
    }
    all
}

/// Provider, version and hash of the interpreter; the hash only if `other` has one as well.
fn interpreter(of: &Environment, other: &Environment) -> BTreeMap<String, String> {
    let known = other.interpreter().is_some_and(|it| it.sha256.is_some());
    let one = |it: &Interpreter| {
        let hash = it.sha256.as_ref().filter(|_| known);
        let hash = hash.map_or_else(String::new, |hash| format!(" sha256:{hash}"));
        (it.id.clone(), format!("{} {}{hash}", it.provider, it.version))
    };
    of.interpreter().map(one).into_iter().collect()
}

/// Versions by name, with the hash if only the hashes differ.
fn requirements(
    locked: &[Requirement],
    found: &[Requirement],
) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let text = |list: &[Requirement], other: &[Requirement]| {
        let one = |it: &Requirement| {
            let same = |that: &&Requirement| that.name == it.name && that.version == it.version;
            let other_file = other.iter().find(same).is_some_and(|that| that.sha256 != it.sha256);
            let hash = if other_file { format!(" sha256:{}", it.sha256) } else { String::new() };
            (it.name.clone(), it.version.clone() + &hash)
        };
        list.iter().map(one).collect()
    };
    (text(locked, found), text(found, locked))
}

fn compare(
    kind: &'static str,
    locked: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
    all: &mut Vec<Difference>,
) {
    let names: BTreeSet<&String> = locked.keys().chain(found.keys()).collect();
    for name in names {
        let (locked, found) = (locked.get(name).cloned(), found.get(name).cloned());
        if locked != found {
            all.push(Difference { kind, name: name.clone(), locked, found });
        }
    }
}
