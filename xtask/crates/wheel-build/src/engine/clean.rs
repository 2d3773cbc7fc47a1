//! Finds the images and cache records of xtask in an engine, and removes them.
//!
//! They are recognised by name: images below `REPOSITORIES`, and cache records whose description is a step of
//! our Dockerfile. Records with a description that any build shares (`local source for context`) are left to
//! the engine's own clean-up.

use std::collections::BTreeSet;

use super::{Engine, EngineError};
use crate::exec::Step;

/// Name prefixes of the images that xtask makes.
const REPOSITORIES: [&str; 2] = ["xtask-wheels/", "xtask-base/"];
/// Maximum number of records to remove in one call. An identifier has 25 characters.
const IN_ONE_CALL: usize = 200;

/// An image or cache record of xtask in an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owned {
    /// An image's reference, or a record's identifier.
    pub id: String,
    /// The engine's description.
    pub what: String,
    /// Its size as the engine prints it, such as `263.3MB`. Parts of it may be shared.
    pub size: String,
    /// True if it is in use and cannot be removed.
    pub in_use: bool,
}

impl Owned {
    /// Its approximate size in bytes; 0 if the engine prints another form.
    pub(crate) fn bytes(&self) -> u64 {
        let unit = self.size.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(self.size.len());
        let (number, unit) = self.size.split_at(unit);
        let factor: u64 = match unit {
            "B" => 1,
            "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            _ => 0,
        };
        let (whole, decimals) = number.trim().split_once('.').unwrap_or((number.trim(), ""));
        let count = |digits: &str| digits.parse::<u64>().unwrap_or(0);
        let scale =
            u32::try_from(decimals.len()).ok().and_then(|digits| 10_u64.checked_pow(digits));
        let part = scale.map_or(0, |scale| count(decimals).saturating_mul(factor) / scale);
        count(whole).saturating_mul(factor).saturating_add(part)
    }
}

impl Engine {
    /// The images that xtask made.
    pub(crate) fn own_images(&self) -> Result<Vec<Owned>, EngineError> {
        let format = "{{.Repository}}:{{.Tag}}\t{{.Size}}";
        Ok(images(&self.query(&self.client.step(["image", "ls", "--format", format]))?))
    }

    /// The records of the build cache that belong to the Dockerfile with the text `dockerfile`.
    pub(crate) fn own_cache(&self, dockerfile: &str) -> Result<Vec<Owned>, EngineError> {
        Ok(records(&self.query(&self.on_builder("du").arg("--verbose"))?, &steps(dockerfile)))
    }

    /// Removes an image by its name. An image that a container uses stays, with an error.
    pub(crate) fn remove_image(&self, image: &Owned) -> Result<(), EngineError> {
        self.query(&self.client.step(["image", "rm", &image.id])).map(drop)
    }

    /// The calls that remove `records` from the build cache and nothing else.
    pub(crate) fn prune_steps(&self, records: &[Owned]) -> Vec<Step> {
        let call = |records: &[Owned]| {
            let ids: Vec<_> = records.iter().map(|record| record.id.as_str()).collect();
            // buildx uses this filter as a regular expression. All identifiers have the same length.
            let filter = format!("id=({})", ids.join("|"));
            self.on_builder("prune").args(["--force", "--filter", &filter])
        };
        records.chunks(IN_ONE_CALL).map(call).collect()
    }

    fn on_builder(&self, command: &str) -> Step {
        let step = self.client.step(["buildx", command]);
        match &self.client.builder {
            Some(builder) => step.args(["--builder", builder]),
            None => step,
        }
    }
}

fn images(list: &str) -> Vec<Owned> {
    let lines = list.lines().filter_map(|line| line.split_once('\t'));
    // podman adds `localhost/` to a name without a registry.
    let plain = |name: &str| name.strip_prefix("localhost/").unwrap_or(name).to_owned();
    let is_ours = |name: &str| REPOSITORIES.iter().any(|ours| plain(name).starts_with(ours));
    let ours = lines.filter(|(name, _)| is_ours(name));
    let owned = |(id, size): (&str, &str)| Owned {
        id: id.to_owned(),
        what: "image".to_owned(),
        size: size.to_owned(),
        in_use: false,
    };
    ours.map(owned).collect()
}

/// The copies in the Dockerfile's stages, as `BuildKit` describes them: stage and instruction,
/// without those that contain a variable.
fn steps(dockerfile: &str) -> BTreeSet<(String, String)> {
    let mut stage = String::new();
    let mut steps = BTreeSet::new();
    for line in dockerfile.replace("\\\n", " ").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["FROM", .., "AS", name] => (*name).clone_into(&mut stage),
            ["COPY", rest @ ..] => {
                steps.insert((stage.clone(), rest.join(" ")));
            }
            _ => {}
        }
    }
    steps
}

/// Returns whether a record with this description comes from our Dockerfile.
fn is_ours(description: &str, steps: &BTreeSet<(String, String)>) -> bool {
    if description.starts_with("cached mount /var/cache/xtask") {
        return true;
    }
    if let Some(command) = description.strip_prefix("mount / from exec ") {
        return command.contains(" /xtask/");
    }
    let Some((stage, copy)) = description.strip_prefix('[').and_then(|d| d.split_once("] COPY "))
    else {
        return false;
    };
    let stage = stage.split_whitespace().rev().nth(1).unwrap_or_default();
    let words: Vec<&str> = copy.split_whitespace().collect();
    // The description contains the value of a variable, so compare the text before it.
    steps.iter().any(|(name, step)| {
        let constant = step.split('$').next().unwrap_or_default();
        name == stage
            && (words.join(" ") == *step || step.contains('$') && copy.starts_with(constant))
    })
}

/// Our records in the output of `docker buildx du --verbose`, which has paragraphs of `Key:\tvalue` lines.
fn records(text: &str, steps: &BTreeSet<(String, String)>) -> Vec<Owned> {
    let record = |paragraph: &str| {
        let field = |name: &str| {
            let line = paragraph.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned())
        };
        let what = field("Description:").filter(|what| is_ours(what, steps))?;
        let in_use = field("Reclaimable:").is_some_and(|value| value == "false");
        Some(Owned { id: field("ID:")?, what, size: field("Size:")?, in_use })
    };
    text.split("\n\n").filter_map(record).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn dockerfile() -> BTreeSet<(String, String)> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docker/Dockerfile.wheels");
        steps(&fs_err::read_to_string(path).unwrap())
    }

    #[test]
    fn sizes_of_the_engine_are_bytes() {
        let owned = |size: &str| Owned {
            id: String::new(),
            what: String::new(),
            size: size.to_owned(),
            in_use: false,
        };
        let sizes = ["117MB", "1.234GB", "8.192kB", "0B", "1.5XB", "", "9.99999999999999999999GB"];
        let bytes = sizes.map(|size| owned(size).bytes());
        assert_eq!(bytes, [117_000_000, 1_234_000_000, 8192, 0, 0, 0, 9_000_000_000]);
    }

    #[test]
    fn an_image_belongs_to_xtask_only_by_its_name() {
        let list = "debian:12\t117MB\nxtask-wheels/os:bookworm-amd64-5c48\t164MB\n\
            me/xtask-wheels/os:1\t1MB\nxtask-base/debian12-amd64:cp311-ac\t329MB\n<none>:<none>\t2MB\n\
            localhost/xtask-wheels/os:p\t3MB\nlocalhost/mine:1\t3MB\n";
        let names: Vec<_> = images(list).into_iter().map(|image| image.id).collect();
        assert_eq!(
            names,
            [
                "xtask-wheels/os:bookworm-amd64-5c48",
                "xtask-base/debian12-amd64:cp311-ac",
                "localhost/xtask-wheels/os:p"
            ]
        );
    }

    #[test]
    fn a_record_belongs_to_xtask_if_our_dockerfile_has_its_step() {
        let steps = dockerfile();
        for ours in [
            "mount / from exec /bin/sh -c sh /xtask/build.sh",
            "cached mount /var/cache/xtask from exec /bin/sh -c sh /xtask/x.sh with id \"/xtask-a-amd64\"",
            "[output 1/4] COPY --from=built /wheels /",
            "[files-info 1/1] COPY scripts/build-info.py scripts/extension_sources.py /",
            "[files-build 4/4] COPY docker/build-requirements.txt* /",
        ] {
            assert!(is_ours(ours, &steps), "{ours}");
        }
        for theirs in [
            "local source for context",
            "mount / from exec /bin/sh -c apt-get install xtask",
            "[output 1/2] COPY --from=build /app /",
            "[stage-1 1/1] COPY scripts/build-info.py /",
            "cached mount /home/me/.cache from exec /bin/sh -c pip install x",
            "pulled from docker.io/library/debian:12",
        ] {
            assert!(!is_ours(theirs, &steps), "{theirs}");
        }
    }

    #[test]
    fn records_are_parsed_from_buildxs_output() {
        let text = "ID:\t\tabc\nParent:\t\tdef\nCreated at:\tnow\nMutable:\tfalse\nReclaimable:\ttrue\n\
            Shared:\t\tfalse\nSize:\t\t8.192kB\n\
            Description:\tmount / from exec /bin/sh -c sh /xtask/smoke.sh\nType:\tregular\n\n\
            ID:\t\tghi\nReclaimable:\tfalse\nSize:\t\t1B\n\
            Description:\tcached mount /var/cache/xtask from exec /bin/sh -c x\n\n\
            ID:\t\tjkl\nSize:\t1B\nDescription:\tlocal source for context\n\nReclaimable:\t1B\nTotal:\t1B\n";
        let found = records(text, &dockerfile());
        let brief: Vec<_> =
            found.iter().map(|r| (r.id.as_str(), r.size.as_str(), r.in_use)).collect();
        assert_eq!(brief, [("abc", "8.192kB", false), ("ghi", "1B", true)]);
        assert_eq!(found.iter().map(Owned::bytes).collect::<Vec<_>>(), [8192, 1]);
    }
}
