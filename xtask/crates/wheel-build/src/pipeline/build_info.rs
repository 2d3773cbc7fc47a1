//! `build-info.json`: the environment of a build as its container reports it, with facts that only xtask knows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::repair;
use wheel_audit::policy::{Libc, LibcVersion};
use wheel_audit::text::shown;

/// Maximum length of a fact about an interpreter from a smoke test, in bytes.
const MAX_FACT: usize = 200;

/// Report of one container; after completion, the report of a target's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BuildInfo {
    /// Version of this format.
    pub schema_version: u32,
    pub target: String,
    /// Platform, e.g. `linux/amd64`.
    pub platform: String,
    /// Time of this report (UTC, RFC 3339), added by xtask.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub date: String,
    /// All other fields of the container's report, in a fixed order.
    #[serde(flatten)]
    pub rest: BTreeMap<String, serde_json::Value>,
}

/// The recipe that built a wheel, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub name: String,
    /// `source` for the source's own justfile, `bundled` for the tool's.
    pub justfile: String,
    pub reason: String,
    /// The source's own justfile, or `none`.
    pub source_justfile: String,
    /// `SOURCE_DATE_EPOCH` of the build, unless a package set it to something other than seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_date_epoch: Option<u64>,
}

/// A file or crate from a fetch step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Requirement {
    pub name: String,
    pub version: String,
    /// Name of the file; `None` for a crate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    pub sha256: String,
    /// Its URL, unless that contains credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Requirement {
    /// Parses the list of a fetch step.
    ///
    /// # Errors
    /// If it is invalid.
    pub(crate) fn list(text: &[u8]) -> std::io::Result<Vec<Self>> {
        serde_json::from_slice(text).map_err(std::io::Error::from)
    }
}

impl Recipe {
    /// A notice whether the build uses the source's own justfile; `None` if the source has none.
    pub(crate) fn notice(&self) -> Option<String> {
        let file = shown(&self.source_justfile);
        let used = if self.justfile == "source" { "used" } else { "not used" };
        (self.source_justfile != "none")
            .then(|| format!("the source's `{file}` is {used}: {}", shown(&self.reason)))
    }
}

impl BuildInfo {
    /// Parses a container's report.
    ///
    /// # Errors
    /// A description of the problem.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let info: Self = serde_json::from_slice(text)
            .map_err(|error| format!("could not parse build-info.json: {error}"))?;
        match info.empty_field() {
            Some(field) => Err(format!("build-info.json: `{}` is empty", shown(&field))),
            None => Ok(info),
        }
    }

    /// The first empty field (defect 8: a report with an empty field is invalid).
    fn empty_field(&self) -> Option<String> {
        fn empty(value: &serde_json::Value) -> bool {
            match value {
                serde_json::Value::Null => true,
                serde_json::Value::String(text) => text.trim().is_empty(),
                serde_json::Value::Object(map) => map.values().any(empty),
                serde_json::Value::Array(list) => list.iter().any(empty),
                _ => false,
            }
        }
        let named = [("target", &self.target), ("platform", &self.platform)];
        let named = named.iter().find(|(_, text)| text.trim().is_empty()).map(|(n, _)| *n);
        let rest =
            || self.rest.iter().find(|(_, value)| empty(value)).map(|(name, _)| name.as_str());
        named.or_else(rest).map(str::to_owned)
    }

    /// The C library of the container.
    pub(crate) fn libc(&self) -> Option<Libc> {
        let libc = self.rest.get("libc")?;
        let version = libc.get("version")?.as_str()?;
        let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
        let version = LibcVersion::new(parts.next()??, parts.next()??);
        match libc.get("family")?.as_str()? {
            "glibc" => Some(Libc::Glibc(version)),
            "musl" => Some(Libc::Musl(version)),
            _ => None,
        }
    }

    /// The reason why the source must build an extension module, if `wanted` (`[check] native`) is unset; the key
    /// itself if it is true.
    pub(crate) fn extension_reason(&self, wanted: Option<bool>) -> Option<String> {
        match wanted {
            Some(true) => Some("`native = true` in `[check]` requires an extension".to_owned()),
            Some(false) => None,
            None => {
                let found = self.rest.get("extension_sources")?.as_array()?;
                let lines: Vec<_> = found.iter().filter_map(serde_json::Value::as_str).collect();
                (!lines.is_empty()).then(|| {
                    format!("its source builds an extension ({})", shown(&lines.join(", ")))
                })
            }
        }
    }

    /// The first difference between two environments, `image` or `source`, with both values; `None` if they are
    /// equal.
    pub(crate) fn other_environment(&self, other: &Self) -> Option<(&'static str, String, String)> {
        // The digest identifies an image; its name may differ between machines.
        let value = |info: &Self, field: &str| {
            let value = info.rest.get(field).cloned().unwrap_or_default();
            value.get("digest").cloned().unwrap_or(value)
        };
        let differs = |field: &&str| value(self, field) != value(other, field);
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let field = ["image", "source"].into_iter().find(|field| differs(field))?;
        Some((field, text(value(self, field)), text(value(other, field))))
    }

    /// Adds the prebuilt image that provides `interpreter`.
    #[must_use]
    pub(crate) fn built_on(self, interpreter: &str, prebuilt: Option<&str>) -> Self {
        match prebuilt {
            Some(image) => self.noted(interpreter, "base_image", &image),
            None => self,
        }
    }

    /// Adds the recipe that built the wheel of `interpreter`.
    #[must_use]
    pub(crate) fn made_by(self, interpreter: &str, recipe: &Recipe) -> Self {
        self.noted(interpreter, "recipe", recipe)
    }

    /// Adds the libraries that were grafted into the wheel of `interpreter`.
    #[must_use]
    pub(crate) fn repaired_by(self, interpreter: &str, report: &repair::Report) -> Self {
        self.noted(interpreter, "repair", report)
    }

    /// Adds the files that were fetched for `interpreter` in a step of `kind`: `build`, `smoke`, `test`, or
    /// `crates`.
    #[must_use]
    pub(crate) fn requiring(mut self, interpreter: &str, kind: &str, list: &[Requirement]) -> Self {
        for entry in self.entries(interpreter) {
            let all = entry.entry("requirements").or_insert_with(|| serde_json::json!({}));
            all[kind] = serde_json::to_value(list).unwrap_or_default();
        }
        self
    }

    /// Records that the package's code was able to use the network in the build of `interpreter`.
    #[must_use]
    pub(crate) fn not_isolated(self, interpreter: &str) -> Self {
        self.noted(interpreter, "isolated", &false)
    }

    /// The entries of `interpreter`.
    fn entries(
        &mut self,
        interpreter: &str,
    ) -> impl Iterator<Item = &mut serde_json::Map<String, serde_json::Value>> {
        let list = self.rest.get_mut("interpreters").and_then(|list| list.as_array_mut());
        let matching = list.into_iter().flatten().filter(move |entry| entry["id"] == interpreter);
        matching.filter_map(serde_json::Value::as_object_mut)
    }

    /// Adds `value` to the entry of `interpreter`.
    pub(super) fn noted(mut self, interpreter: &str, name: &str, value: &impl Serialize) -> Self {
        for entry in self.entries(interpreter) {
            entry.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
        }
        self
    }

    /// Adds `interpreter`, which tested another interpreter's wheel, as its container reported it. The package's
    /// code ran there, so only short texts are copied.
    #[must_use]
    pub(crate) fn tested_by(
        mut self,
        interpreter: &str,
        reported: Option<&serde_json::Value>,
    ) -> Self {
        let list = self.rest.get_mut("interpreters").and_then(|list| list.as_array_mut());
        if let (Some(list), Some(reported)) = (list, reported)
            && reported["id"] == interpreter
        {
            let facts = ["id", "provider", "version", "detail"].into_iter().filter_map(|name| {
                let text = reported[name].as_str()?;
                (text.len() <= MAX_FACT).then(|| (name.to_owned(), text.into()))
            });
            list.retain(|entry| entry["id"] != interpreter);
            list.push(serde_json::Value::Object(facts.collect()));
        }
        self
    }

    /// Adds the interpreters of `earlier`, if both reports describe one environment.
    #[must_use]
    pub(crate) fn joined(mut self, earlier: Option<&Self>) -> Self {
        let Some(earlier) = earlier.filter(|earlier| self.other_environment(earlier).is_none())
        else {
            return self;
        };
        let list = |info: &Self| {
            info.rest.get("interpreters").and_then(|v| v.as_array()).cloned().unwrap_or_default()
        };
        let id = |value: &serde_json::Value| {
            value.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned()
        };
        let mut all: BTreeMap<String, serde_json::Value> = BTreeMap::new();
        for interpreter in list(earlier).into_iter().chain(list(&self)) {
            all.insert(id(&interpreter), interpreter);
        }
        self.rest.insert("interpreters".to_owned(), all.into_values().collect());
        self
    }

    /// The report as text: one line for each fact, nested facts indented.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in
            [("target", &self.target), ("platform", &self.platform), ("date", &self.date)]
        {
            if !value.is_empty() {
                write_line(&mut text, 0, &format!("{name}: {value}"));
            }
        }
        for (name, value) in &self.rest {
            write_fact(&mut text, name, value, 0);
        }
        text
    }
}

fn write_fact(text: &mut String, name: &str, value: &serde_json::Value, depth: usize) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            write_line(text, depth, &format!("{name}:"));
            for (name, value) in map {
                write_fact(text, name, value, depth + 1);
            }
        }
        Value::Array(list) if list.is_empty() => {
            write_line(text, depth, &format!("{name}: none"));
        }
        Value::Array(list) => {
            write_line(text, depth, &format!("{name}:"));
            for item in list {
                if let (Some(name), Some(version)) =
                    (item["name"].as_str(), item["version"].as_str())
                {
                    write_line(text, depth + 1, &format!("{name} {version}"));
                    continue;
                }
                let title = item.get("id").and_then(Value::as_str).unwrap_or("-");
                write_fact(text, title, item, depth + 1);
            }
        }
        Value::String(word) => write_line(text, depth, &format!("{name}: {word}")),
        other => write_line(text, depth, &format!("{name}: {other}")),
    }
}

/// Replaces control characters: package code could otherwise add lines, or repaint the reader's terminal.
fn write_line(text: &mut String, depth: usize, line: &str) {
    let line = line.replace(char::is_control, "\u{fffd}");
    let _ = writeln!(text, "{}{line}", "  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn info(json: &serde_json::Value) -> Result<BuildInfo, String> {
        BuildInfo::parse(json.to_string().as_bytes())
    }

    #[test]
    fn defect_08_a_report_with_an_empty_field_is_rejected() {
        let whole = serde_json::json!({"schema_version": 1, "target": "debian12",
            "platform": "linux/amd64", "os": "Debian", "tools": {"gcc": "12.2"},
            "image": {"reference": "debian:12", "digest": "sha256:1"},
            "interpreters": [{"id": "cp311", "version": "3.11"}]});
        let read = info(&whole).unwrap();
        assert_eq!(
            serde_json::to_value(read).unwrap().get("date"),
            None,
            "no fact and no empty one"
        );
        let fields = [
            "/target",
            "/platform",
            "/os",
            "/image/reference",
            "/image/digest",
            "/tools/gcc",
            "/interpreters/0/version",
        ];
        for field in fields {
            for nothing in ["", " \n"] {
                let mut lacking = whole.clone();
                *lacking.pointer_mut(field).unwrap() = nothing.into();
                let top = field.split('/').nth(1).unwrap();
                let error = format!("build-info.json: `{top}` is empty");
                assert_eq!(info(&lacking).unwrap_err(), error, "{field}");
            }
        }
        let mut lacking = whole;
        lacking["image"]["digest"] = serde_json::Value::Null;
        assert!(info(&lacking).is_err());
    }

    #[test]
    fn a_report_as_text_has_one_line_for_each_fact_whatever_its_characters() {
        let odd = "a\u{1b}[2J\nforged: b";
        let info = info(&serde_json::json!({"schema_version": 1, "target": odd, "platform": "p",
            "tools": {odd: odd}, "packages": [{"name": odd, "version": odd}],
            "interpreters": [{"id": odd, "version": odd}]}))
        .unwrap();
        let text = info.text();
        assert_eq!(text.lines().count(), 10, "{text}");
        assert!(text.lines().all(|line| !line.contains(char::is_control)), "{text:?}");
    }

    #[test]
    fn only_interpreters_of_one_environment_are_merged() {
        let make = |image: &str, id: &str| {
            info(&serde_json::json!({"schema_version": 1, "target": "t", "platform": "p",
                "image": {"digest": image}, "source": {"sha256": "s"},
                "interpreters": [{"id": id, "version": "1"}]}))
            .unwrap()
        };
        let joined = make("a", "cp313").joined(Some(&make("a", "cp311")));
        assert_eq!(joined.rest["interpreters"].as_array().unwrap().len(), 2);
        let alone = make("b", "cp313").joined(Some(&make("a", "cp311")));
        assert_eq!(alone.rest["interpreters"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn the_c_library_is_parsed() {
        let json = serde_json::json!({"schema_version": 1, "target": "t", "platform": "p",
            "libc": {"family": "glibc", "version": "2.36"}});
        assert_eq!(info(&json).unwrap().libc(), Some(Libc::Glibc(LibcVersion::new(2, 36))));
    }

    #[test]
    fn the_recipe_of_a_justfile_is_recorded_and_reported() {
        let recipe = |file: &str| Recipe {
            name: "build-all".to_owned(),
            justfile: "bundled".to_owned(),
            reason: "it does not read PYTHONS".to_owned(),
            source_justfile: file.to_owned(),
            source_date_epoch: None,
        };
        assert_eq!(recipe("none").notice(), None);
        assert!(recipe("python/justfile").notice().unwrap().contains("python/justfile"));
        let text = r#"{"schema_version": 1, "target": "t", "platform": "p", "interpreters": [{"id": "cp311"}, {"id": "cp312"}]}"#;
        let info = BuildInfo::parse(text.as_bytes()).unwrap().made_by("cp312", &recipe("none"));
        let list = &info.rest["interpreters"];
        assert_eq!(list[1]["recipe"]["justfile"], "bundled");
        assert!(list[0].get("recipe").is_none());
    }

    #[test]
    fn only_trusted_facts_of_a_testing_interpreter_are_recorded() {
        let info = || {
            let text = r#"{"schema_version": 1, "target": "t", "platform": "p", "interpreters": [{"id": "cp311"}]}"#;
            BuildInfo::parse(text.as_bytes()).unwrap()
        };
        let list = |reported: serde_json::Value| {
            let info = info().tested_by("cp313", Some(&reported));
            info.rest["interpreters"].as_array().unwrap().clone()
        };
        let reported = serde_json::json!({"id": "cp313", "version": "3.13.5", "provider": ["x"],
            "detail": "x".repeat(MAX_FACT + 1), "other": "y"});
        let expected = serde_json::json!({"id": "cp313", "version": "3.13.5"});
        assert_eq!(list(reported)[1], expected);
        assert_eq!(list(serde_json::json!({"id": "cp311", "version": "1"})).len(), 1);
        assert_eq!(info().tested_by("cp313", None), info());
    }
}
