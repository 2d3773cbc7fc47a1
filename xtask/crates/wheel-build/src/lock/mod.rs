//! `wheels.lock`: the exact versions of everything in the wheels of each target and platform. Pure: a lock
//! depends only on the records of builds (`build-info.json`).

mod compare;
mod materials;
mod recorded;
mod requirement;

pub(crate) use compare::{Difference, differences, environment_differences};
pub(crate) use recorded::{build_differences, test_differences};
pub(crate) use requirement::Requirement;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wheel_audit::UserError;
use wheel_audit::digest;

/// Version of the file format.
const VERSION: u32 = 1;
/// Maximum size of a lock file in bytes.
pub(crate) const MAX_SIZE: u64 = 16 * 1024 * 1024;
/// Maximum length of the values in one argument of a program. Linux allows 128 KiB.
const MAX_ARGUMENT: usize = 120 * 1024;
/// The start of the file.
const HEADER: &str =
    "# Written by `cargo xtask lock`, and used by `cargo xtask wheels`. Commit it.\n\n";

/// A lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockFile {
    version: u32,
    #[serde(default, rename = "target", skip_serializing_if = "Vec::is_empty")]
    environments: Vec<Environment>,
}

impl Default for LockFile {
    fn default() -> Self {
        Self { version: VERSION, environments: Vec::new() }
    }
}

/// One target on one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Environment {
    /// Target name.
    pub name: String,
    /// Platform, such as `linux/amd64`.
    pub platform: String,
    /// `snapshot` of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The base image.
    pub image: Image,
    /// Tools that are not system packages: version, and hash of the program.
    #[serde(default)]
    pub tools: BTreeMap<String, String>,
    /// System packages of all interpreters' containers.
    #[serde(default)]
    pub packages: BTreeMap<String, String>,
    /// The interpreters.
    #[serde(default, rename = "interpreter")]
    pub interpreters: Vec<Interpreter>,
}

/// A base image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    /// The target's image.
    pub reference: String,
    /// Its digest: `sha256:...`.
    pub digest: String,
    /// `pulled`, `local` or `bootstrapped`.
    pub origin: String,
}

/// One interpreter and its requirements.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interpreter {
    /// Tag: `cp311`.
    pub id: String,
    /// Its provider.
    pub provider: String,
    /// Its version.
    pub version: String,
    /// Hash of its archive or program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Hash of the list of Rust crates in the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crates: Option<String>,
    /// Build requirements; `None` if no build reported them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Vec<Requirement>>,
    /// Requirements of the smoke test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke: Option<Vec<Requirement>>,
    /// Requirements of the package's own tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Vec<Requirement>>,
    /// System packages that only some interpreters' containers have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<String, String>,
}

/// The locked values for one job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Locked {
    /// Versions of the system packages of all interpreters, so that they share layers.
    pub packages: BTreeMap<String, String>,
    /// The environment with only this job's interpreter and all its packages; `None` if there is no entry.
    pub entry: Option<Environment>,
    /// Changes with each `cargo xtask lock` that resolves again, so that no earlier layer is reused.
    pub stamp: Option<String>,
}

impl LockFile {
    /// Parses the text of the lock file `name`.
    ///
    /// # Errors
    /// If it is not a lock file of this version.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, UserError> {
        let wrong = |reason: String| {
            UserError::new(format!("`{name}`: {reason}"))
                .hint("restore the committed file, or remove it and run `cargo xtask lock`")
        };
        let file: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if file.version != VERSION {
            let version = file.version;
            return Err(wrong(format!(
                "its format has the version {version}, but this tool supports {VERSION}"
            )));
        }
        match file.problem() {
            Some(problem) => Err(wrong(problem)),
            None => Ok(file),
        }
    }

    /// The file's text: sorted, with one value on each line.
    pub(crate) fn text(&self) -> String {
        let mut sorted = self.clone();
        sorted.environments.sort_by(|a, b| (&a.name, &a.platform).cmp(&(&b.name, &b.platform)));
        for environment in &mut sorted.environments {
            environment.interpreters.sort_by(|a, b| a.id.cmp(&b.id));
        }
        // Serialising a structure of strings cannot fail.
        HEADER.to_owned() + &toml::to_string_pretty(&sorted).unwrap_or_default()
    }

    /// Why the file is unusable. Values become arguments, one on each line.
    fn problem(&self) -> Option<String> {
        let mut seen = std::collections::BTreeSet::new();
        for environment in &self.environments {
            let name = || format!("{} {}", environment.name, environment.platform);
            if !is_word(&environment.name) || !is_word(&environment.platform) {
                let name = name();
                return Some(format!("`{}` is not a target and a platform", name.escape_debug()));
            }
            if !seen.insert((&environment.name, &environment.platform)) {
                return Some(format!("{} has two entries", name()));
            }
            let mut ids = std::collections::BTreeSet::new();
            for interpreter in &environment.interpreters {
                if !is_word(&interpreter.id) || !ids.insert(&interpreter.id) {
                    return Some(format!(
                        "the interpreter `{}` of {} is invalid or has two entries",
                        interpreter.id.escape_debug(),
                        name()
                    ));
                }
                let lists = [&interpreter.build, &interpreter.smoke, &interpreter.test];
                let long = |list: &Vec<Requirement>| lines(list).len() > MAX_ARGUMENT;
                if lists.into_iter().flatten().any(long) {
                    return Some(format!(
                        "the requirements of {} {} have more than {MAX_ARGUMENT} bytes",
                        name(),
                        interpreter.id
                    ));
                }
            }
            let own = environment.interpreters.iter().flat_map(|it| &it.packages);
            let packages: Vec<_> = environment.packages.iter().chain(own).collect();
            let wrong = packages.iter().find(|(name, version)| !is_word(name) || !is_word(version));
            if let Some((package, version)) = wrong {
                let text = format!("{package} {version}");
                return Some(format!(
                    "`{}` of {} is not a package and a version",
                    text.escape_debug(),
                    name()
                ));
            }
            if packages.iter().map(|(name, version)| name.len() + version.len() + 2).sum::<usize>()
                > MAX_ARGUMENT
            {
                return Some(format!(
                    "the packages of {} have more than {MAX_ARGUMENT} bytes",
                    name()
                ));
            }
        }
        None
    }

    fn environment(&self, name: &str, platform: &str) -> Option<&Environment> {
        self.environments.iter().find(|it| it.name == name && it.platform == platform)
    }

    /// The digest of the base image of a target and platform, if it came from a registry.
    pub(crate) fn image_digest(&self, name: &str, platform: &str) -> Option<&str> {
        let image = &self.environment(name, platform)?.image;
        (image.origin == "pulled").then_some(image.digest.as_str())
    }

    /// The locked values for a job.
    pub(crate) fn locked(&self, name: &str, platform: &str, id: &str) -> Locked {
        let Some(environment) = self.environment(name, platform) else { return Locked::default() };
        let mut packages = environment.packages.clone();
        for each in &environment.interpreters {
            packages.extend(each.packages.clone());
        }
        let interpreter = environment.interpreters.iter().find(|it| it.id == id);
        let entry = interpreter.map(|interpreter| environment.with(interpreter));
        packages.extend(entry.iter().flat_map(|it| it.packages.clone()));
        Locked { packages, entry, stamp: None }
    }

    /// Replaces the entry of the same interpreter by `entry`, the environment of one job. Entries of other targets,
    /// platforms and interpreters stay. Returns the differences.
    pub(crate) fn record(&mut self, entry: Environment) -> Vec<Difference> {
        let id = entry.interpreters.first().map(|it| it.id.clone()).unwrap_or_default();
        let earlier = self.locked(&entry.name, &entry.platform, &id).entry;
        let changes = earlier.as_ref().map(|earlier| differences(earlier, &entry));
        let mut all: BTreeMap<String, Environment> = BTreeMap::new();
        if let Some(environment) = self.environment(&entry.name, &entry.platform) {
            let each = environment.interpreters.iter();
            all.extend(each.map(|it| (it.id.clone(), environment.with(it))));
        }
        self.environments.retain(|it| (&it.name, &it.platform) != (&entry.name, &entry.platform));
        // Lists that no later build reports, such as those of tests, stay.
        let entry = match earlier {
            Some(earlier) => entry.completed_by(&earlier),
            None => entry,
        };
        let head = entry.clone();
        all.insert(id, entry);
        self.environments.push(joined(head, all));
        changes.unwrap_or_default()
    }

    /// Removes every interpreter of a target and platform for which `wanted` is false; returns the removed ones.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&str, &str, &str) -> bool) -> Vec<String> {
        let mut gone = Vec::new();
        for environment in std::mem::take(&mut self.environments) {
            let (name, platform) = (&environment.name, &environment.platform);
            let each = environment.interpreters.iter();
            let (kept, lost): (Vec<_>, Vec<_>) =
                each.partition(|it| wanted(name, platform, &it.id));
            gone.extend(lost.iter().map(|it| format!("{name} {platform} {}", it.id)));
            let kept: BTreeMap<_, _> =
                kept.into_iter().map(|it| (it.id.clone(), environment.with(it))).collect();
            if !kept.is_empty() {
                self.environments.push(joined(environment.clone(), kept));
            }
        }
        gone
    }

    /// Each target, platform and interpreter with an entry.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.environments.iter().flat_map(|environment| {
            let one = |it| (environment.name.as_str(), environment.platform.as_str(), it);
            environment.interpreters.iter().map(move |it| one(it.id.as_str()))
        })
    }

    /// Turns requirements into constraints, so that a list that no longer fits its package is resolved again.
    pub(crate) fn loosen(&mut self) {
        let interpreters = self.environments.iter_mut().flat_map(|it| &mut it.interpreters);
        for each in interpreters {
            let lists = [&mut each.build, &mut each.smoke, &mut each.test];
            lists.into_iter().flatten().flatten().for_each(Requirement::loosen);
        }
    }

    /// Unlocks the package or requirement called `name`; returns whether there is one.
    pub(crate) fn release(&mut self, name: &str) -> bool {
        let mut found = false;
        for environment in &mut self.environments {
            found |= environment.packages.remove(name).is_some();
            for each in &mut environment.interpreters {
                found |= each.packages.remove(name).is_some();
                for list in [&mut each.build, &mut each.smoke, &mut each.test].into_iter().flatten()
                {
                    let before = list.len();
                    list.retain(|it| !it.is_called(name));
                    found |= list.len() != before;
                }
            }
        }
        found
    }
}

impl Environment {
    /// This environment with only `interpreter` and all of its packages.
    fn with(&self, interpreter: &Interpreter) -> Self {
        let mut packages = self.packages.clone();
        packages.extend(interpreter.packages.clone());
        let interpreter = Interpreter { packages: BTreeMap::new(), ..interpreter.clone() };
        Self { packages, interpreters: vec![interpreter], ..self.clone() }
    }

    /// Its only interpreter.
    fn interpreter(&self) -> Option<&Interpreter> {
        self.interpreters.first()
    }

    /// Adds the missing lists of requirements from `earlier`.
    fn completed_by(mut self, earlier: &Self) -> Self {
        if let (Some(own), Some(earlier)) = (self.interpreters.first_mut(), earlier.interpreter()) {
            if own.build.is_none() {
                (own.build, own.crates) = (earlier.build.clone(), earlier.crates.clone());
            }
            own.smoke = own.smoke.take().or_else(|| earlier.smoke.clone());
            own.test = own.test.take().or_else(|| earlier.test.clone());
        }
        self
    }
}

/// Joins the environments in `all`, each with one interpreter. The facts about the target are those of `head`.
fn joined(head: Environment, all: BTreeMap<String, Environment>) -> Environment {
    let mut common: Option<BTreeMap<String, String>> = None;
    for each in all.values() {
        common = Some(match common {
            None => each.packages.clone(),
            Some(mut common) => {
                common.retain(|name, version| each.packages.get(name) == Some(version));
                common
            }
        });
    }
    let packages = common.unwrap_or_default();
    let interpreters = all.into_values().flat_map(|each| {
        let own: BTreeMap<_, _> =
            each.packages.into_iter().filter(|(name, _)| !packages.contains_key(name)).collect();
        each.interpreters.into_iter().map(move |it| Interpreter { packages: own.clone(), ..it })
    });
    Environment { interpreters: interpreters.collect(), packages: packages.clone(), ..head }
}

impl Locked {
    /// `LOCKED_PACKAGES`: one line `name=version` for each package.
    pub(crate) fn packages_argument(&self) -> String {
        let mut text = self.stamp.as_ref().map_or_else(String::new, |stamp| format!("# {stamp}\n"));
        for (name, version) in &self.packages {
            text.extend([name, "=", version, "\n"]);
        }
        text.trim_end().to_owned()
    }

    /// `LOCKED_BUILD`, `LOCKED_SMOKE`, `LOCKED_TEST`: one line for each requirement.
    pub(crate) fn requirement_arguments(&self) -> [(&'static str, String); 3] {
        let interpreter = self.entry.as_ref().and_then(Environment::interpreter);
        let of = |list: fn(&Interpreter) -> &Option<Vec<Requirement>>| {
            interpreter.and_then(|it| list(it).as_deref()).map(lines).unwrap_or_default()
        };
        [
            ("LOCKED_BUILD", of(|it| &it.build)),
            ("LOCKED_SMOKE", of(|it| &it.smoke)),
            ("LOCKED_TEST", of(|it| &it.test)),
        ]
    }

    /// The hash of the build's inputs; `None` if there is no entry.
    pub(crate) fn build_hash(&self) -> Option<String> {
        let mut entry = self.entry.clone()?;
        for each in &mut entry.interpreters {
            (each.smoke, each.test) = (None, None);
        }
        Some(hash(&entry))
    }

    /// The hash of the build's inputs without those of the interpreter.
    pub(crate) fn shared_hash(&self) -> Option<String> {
        let entry = self.entry.clone()?;
        Some(hash(&(&entry.image, &entry.tools, &entry.snapshot)))
    }

    /// The hash of the whole entry; `None` if there is no entry.
    pub(crate) fn hash(&self) -> Option<String> {
        self.entry.as_ref().map(|entry| hash(&entry))
    }
}

fn hash(value: &impl Serialize) -> String {
    // Serialising a structure of strings cannot fail.
    digest::of_bytes(&serde_json::to_vec(value).unwrap_or_default())
}

fn lines(list: &[Requirement]) -> String {
    list.iter().map(Requirement::line).collect::<Vec<_>>().join("\n")
}

/// Returns whether `text` is one printable word without quotes, such as a package name, version or platform.
fn is_word(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-._:~^/@".contains(c);
    !text.is_empty() && text.len() <= 200 && text.chars().all(plain) && !text.starts_with('-')
}

#[cfg(test)]
mod tests;
