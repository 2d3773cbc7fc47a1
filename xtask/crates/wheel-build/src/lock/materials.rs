//! Converts the record of a build to an entry of the lock.

use std::collections::BTreeMap;

use serde_json::Value;
use wheel_audit::digest;

use super::requirement::is_sha256;
use super::{Environment, Image, Interpreter, Requirement, is_word};

impl Environment {
    /// The environment of one job: `info` is a build's `build-info.json`, `id` the job's interpreter. `None` if a fact
    /// is missing that every build records. Invalid values are skipped, because package code may have
    /// written them.
    pub(crate) fn of_build(info: &Value, id: &str, snapshot: Option<&str>) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let list = info["interpreters"].as_array()?;
        let own = list.iter().find(|it| it["id"] == id)?;
        let image = &info["image"];
        let requirements = |kind: &str| {
            // A wheel built by another interpreter has that interpreter's build requirements.
            let mut places = std::iter::once(own).chain(list);
            let found = places.find_map(|it| it["requirements"][kind].as_array());
            let found = if kind == "build" { found } else { own["requirements"][kind].as_array() };
            found.map(|items| requirements(items))
        };
        let crates = own["requirements"]["crates"].as_array().filter(|list| !list.is_empty());
        let interpreter = Interpreter {
            id: id.to_owned(),
            provider: text(&own["provider"])?,
            version: text(&own["version"])?,
            sha256: text(&own["sha256"]).filter(|it| is_sha256(it)),
            crates: crates.map(|list| crates_hash(list)),
            build: requirements("build"),
            smoke: requirements("smoke"),
            test: requirements("test"),
            packages: BTreeMap::new(),
        };
        Some(Self {
            name: text(&info["target"])?,
            platform: text(&info["platform"])?,
            snapshot: snapshot.map(str::to_owned),
            image: Image {
                reference: text(&image["reference"]).unwrap_or_default(),
                digest: text(&image["digest"])?,
                origin: text(&image["origin"]).unwrap_or_else(|| "local".to_owned()),
            },
            tools: tools(info),
            packages: words(&info["packages"]),
            interpreters: vec![interpreter],
        })
    }
}

/// Names and versions in an object.
fn words(object: &Value) -> BTreeMap<String, String> {
    let pairs = object.as_object().into_iter().flatten();
    let pairs =
        pairs.filter_map(|(name, version)| Some((name.clone(), version.as_str()?.to_owned())));
    pairs.filter(|(name, version)| is_word(name) && is_word(version)).collect()
}

/// The tools that are not system packages: those with a hash of their program.
fn tools(info: &Value) -> BTreeMap<String, String> {
    let hashes = words(&info["tool_hashes"]);
    let version =
        |name: &str| info["tools"][name].as_str().filter(|it| is_word(it)).unwrap_or("none");
    let tool = |(name, hash): (String, String)| {
        let text = format!("{} sha256:{hash}", version(&name));
        (name, text)
    };
    hashes.into_iter().filter(|(_, hash)| is_sha256(hash)).map(tool).collect()
}

fn requirements(items: &[Value]) -> Vec<Requirement> {
    let one = |item: &Value| {
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        let line =
            format!("{}=={} --hash=sha256:{}", text("name"), text("version"), text("sha256"));
        Requirement::try_from(line).ok()
    };
    let mut list: Vec<_> = items.iter().filter_map(one).collect();
    list.sort();
    list.dedup();
    list
}

/// The hash of the crates: names, versions and hashes as in Cargo.lock.
fn crates_hash(items: &[Value]) -> String {
    let line = |item: &Value| {
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        format!("{} {} {}\n", text("name"), text("version"), text("sha256"))
    };
    let mut lines: Vec<_> = items.iter().map(line).collect();
    lines.sort();
    lines.dedup();
    format!("sha256:{}", digest::of_bytes(lines.concat().as_bytes()))
}
