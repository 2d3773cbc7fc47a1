//! The report for code scanning as SARIF 2.1.0 (OASIS standard), with the parts that services use.

use std::collections::BTreeSet;

use camino::Utf8Path;
use serde_json::{Value, json};

use super::summary::visible;
use crate::audit::{Finding, Report, Rule, Severity};
use crate::digest;
use crate::rule_docs::{self, Documented};

/// Maximum number of results per run (GitHub's documentation of SARIF support, "Validating your SARIF file"). GitHub
/// rejects larger files, so the least severe results are omitted.
const MAX_RESULTS: usize = 25_000;

/// The report as a SARIF log. Paths below the working folder `folder` are relative to it, because services look up
/// files in a checkout.
pub fn sarif(report: &Report, folder: &Utf8Path) -> Value {
    let documented = rule_docs::all();
    let all: Vec<&Rule> = documented.iter().map(|each| each.rule).collect();
    let mut found = results(report);
    found.sort_by_key(|found| found.1.severity);
    let left = found.len().saturating_sub(MAX_RESULTS);
    let results: Vec<Value> =
        found.iter().take(MAX_RESULTS).map(|found| result(*found, &all, folder)).collect();
    let unread = report.unread.iter().map(|unread| {
        let text = format!("{} cannot be read: {}", unread.path, unread.message);
        notification("error", &text)
    });
    let cut = (left > 0).then(|| notification("warning", &format!("{left} results are left out")));
    let notifications: Vec<Value> = unread.chain(cut).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "cargo xtask verify",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": documented.iter().map(descriptor).collect::<Vec<_>>(),
            } },
            "invocations": [{
                "executionSuccessful": report.unread.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    })
}

fn notification(level: &str, text: &str) -> Value {
    json!({ "level": level, "message": { "text": visible(text) } })
}

fn descriptor(each: &Documented) -> Value {
    let rule = each.rule;
    let words = rule.name.replace('-', " ");
    let (what, fix) = match each.doc {
        Some(doc) => (format!("{} {}", doc.meaning, doc.why), doc.fix.as_str()),
        None => (words.clone(), rule.help),
    };
    json!({
        "id": rule.code,
        "name": rule.name,
        "shortDescription": { "text": words },
        "fullDescription": { "text": what },
        "help": { "text": fix },
        "defaultConfiguration": { "level": level(rule.severity) },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note | Severity::Ignored => "note",
    }
}

/// The file of a finding, and the finding.
type Found<'a> = (&'a str, &'a Finding);

fn results(report: &Report) -> Vec<Found<'_>> {
    let mut all = Vec::new();
    for audit in &report.wheels {
        let path = audit.path.as_ref().map_or(audit.facts.file.as_str(), |path| path.as_str());
        all.extend(audit.findings.iter().map(|finding| (path, finding)));
    }
    for audit in &report.files {
        all.extend(audit.findings.iter().map(|finding| (audit.file.as_str(), finding)));
    }
    all.extend(report.findings.iter().map(|finding| (finding.path.as_str(), finding)));
    all
}

fn result((path, finding): Found<'_>, rules: &[&Rule], folder: &Utf8Path) -> Value {
    let index = rules.iter().position(|rule| rule.code == finding.code);
    // Ignored findings have the level of their rule, and are suppressed.
    let own = index.and_then(|index| rules.get(index)).map(|rule| rule.severity);
    let is_ignored = finding.severity == Severity::Ignored;
    let severity = own.filter(|_| is_ignored).unwrap_or(finding.severity);
    let more = match finding.also.len() {
        0 => String::new(),
        count => format!(" and {count} more like it"),
    };
    let message = format!("{}{more} (help: {})", finding.message, finding.help);
    let identity = format!("{}\0{path}\0{}\0{}", finding.code, finding.path, finding.message);
    let mut location = json!({
        // Services require a line, although wheels have none.
        "physicalLocation": { "artifactLocation": artifact(path, folder), "region": { "startLine": 1 } },
    });
    let members: BTreeSet<&str> =
        finding.places().map(|(member, _)| member).filter(|each| !path.ends_with(each)).collect();
    if !members.is_empty() {
        let member =
            |name: &&str| json!({ "fullyQualifiedName": visible(name), "kind": "resource" });
        location["logicalLocations"] = members.iter().map(member).collect();
    }
    let mut result = json!({
        "ruleId": finding.code,
        "level": level(severity),
        "message": { "text": visible(&message) },
        "locations": [location],
        "partialFingerprints": { "finding/v1": digest::of_bytes(identity.as_bytes()) },
    });
    if let Some(index) = index {
        result["ruleIndex"] = index.into();
    }
    if is_ignored {
        let justification = finding.reason.as_deref().unwrap_or_default();
        result["suppressions"] =
            json!([{ "kind": "external", "status": "accepted", "justification": justification }]);
    }
    result
}

/// A path as a URI reference (RFC 3986).
fn artifact(path: &str, folder: &Utf8Path) -> Value {
    let path = Utf8Path::new(path);
    let path = path.strip_prefix(folder).unwrap_or(path);
    let path = path.strip_prefix(".").unwrap_or(path);
    let uri = encoded(path.as_str());
    if path.is_absolute() {
        json!({ "uri": format!("file://{uri}") })
    } else {
        json!({ "uri": uri, "uriBaseId": "%SRCROOT%" })
    }
}

fn encoded(path: &str) -> String {
    let part = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    path.bytes().map(part).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use crate::audit::Depth;
    use crate::audit::tests::report::report;
    use crate::audit::tests::schema::violations;

    /// The requirements of the standard's schema for the used parts.
    fn essentials() -> Value {
        serde_json::from_str(include_str!("sarif_essentials.json")).unwrap()
    }

    #[test]
    fn the_log_matches_the_standard() {
        for depth in [Depth::Floor, Depth::Code] {
            let (folder, report) = report(depth);
            let log = sarif(&report, folder.path());
            assert_eq!(violations(&essentials(), &log), Vec::<String>::new());
        }
    }

    #[test]
    fn results_contain_rule_wheel_and_member() {
        let (folder, report) = report(Depth::Code);
        let log = sarif(&report, folder.path());
        let run = &log["runs"][0];
        let results = run["results"].as_array().unwrap();
        let of = |code: &str| results.iter().find(|each| each["ruleId"] == code).unwrap();
        let floor = of("ELF003");
        assert_eq!(floor["level"], "error");
        let place = &floor["locations"][0];
        assert_eq!(
            place["physicalLocation"]["artifactLocation"],
            json!({"uri": "other-2.0-cp312-cp312-manylinux_2_28_x86_64.whl", "uriBaseId": "%SRCROOT%"})
        );
        let member = &place["logicalLocations"][0]["fullyQualifiedName"];
        assert_eq!(member, "_pkg.cpython-312-x86_64-linux-gnu.so");
        let index = usize::try_from(floor["ruleIndex"].as_u64().unwrap()).unwrap();
        let rule = &run["tool"]["driver"]["rules"][index];
        assert_eq!(rule["id"], "ELF003");
        let doc = rule_docs::find("ELF003").unwrap().remove(0).doc.unwrap();
        assert!(rule["fullDescription"]["text"].as_str().unwrap().starts_with(&doc.meaning));
        assert_eq!(rule["help"]["text"], doc.fix);
        let stack = of("ELF009");
        assert_eq!(stack["suppressions"][0]["justification"], "its author knows");
        let own = crate::audit::rules().find(|rule| rule.code == "ELF009").unwrap().severity;
        assert_eq!(stack["level"], level(own), "that of its rule");
        assert!(floor.get("suppressions").is_none());
        assert_eq!(run["invocations"][0]["executionSuccessful"], false);
        let text =
            run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str();
        assert!(text.unwrap().contains("gone.whl"));
    }

    #[test]
    fn paths_are_uris() {
        let uri = |path: &str| artifact(path, Utf8Path::new("/work dir"))["uri"].clone();
        assert_eq!(uri("/work dir/dist/a b%é.whl"), "dist/a%20b%25%C3%A9.whl");
        assert_eq!(uri("./dist/a.whl"), "dist/a.whl");
        assert_eq!(uri("/else where/a.whl"), "file:///else%20where/a.whl");
    }

    #[test]
    fn the_least_severe_results_above_the_limit_are_omitted() {
        let (folder, mut report) = report(Depth::Code);
        let error = report.wheels.iter().find_map(|wheel| wheel.findings.first()).unwrap().clone();
        assert_eq!(error.severity, Severity::Error);
        let note = Finding { severity: Severity::Note, ..error.clone() };
        report.findings = vec![note; MAX_RESULTS];
        report.findings.push(error);
        let log = sarif(&report, folder.path());
        let results = log["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), MAX_RESULTS);
        assert_eq!(results.iter().filter(|each| each["level"] == "error").count(), 3);
        assert!(log.to_string().contains(" left out"));
    }
}
