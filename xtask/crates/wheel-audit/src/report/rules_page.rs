//! Rules as a page of the documentation, `docs/checks.md`.

use std::fmt::Write as _;

use crate::rule_docs::{Documented, FAMILIES, depends};

const HEAD: &str = "\
# Checks

`cargo xtask verify` and `wheel-audit verify` report findings. Each finding has the code of a rule, and this page \
describes every rule. `cargo xtask rules CODE` prints the same text.

A finding has one of these severities. Errors make the command exit with status 1.

- *error*: the wheel breaks a promise of its tags or metadata, or the audit cannot confirm the promise.
- *warning*: the wheel installs and loads, but has a fault.
- *note*: a fact that a maintainer should know.

Use `[[check.override]]` in `wheels.toml` to change the severity of a finding; a `reason` is required. With `--publish`, \
no override applies to a finding for which the package index rejects the wheel.

";

/// All rules by family: a table, then a section for each rule.
pub fn rules_page(rules: &[Documented]) -> String {
    let mut page = HEAD.to_owned();
    for family in &FAMILIES {
        let own = || rules.iter().filter(|each| each.rule.code.starts_with(family.code));
        // Writing to a text cannot fail.
        let _ = writeln!(page, "## {} ({})\n", family.title, family.code);
        page.push_str("| code | severity | name |\n|---|---|---|\n");
        for Documented { rule, .. } in own() {
            let (code, severity, name) = (rule.code, rule.severity.as_str(), rule.name);
            let anchor = format!("{}-{name}", code.to_lowercase());
            let _ = writeln!(page, "| [{code}](#{anchor}) | {severity} | {name} |");
        }
        own().for_each(|each| page.push_str(&section(each)));
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn section(each: &Documented) -> String {
    let (rule, doc) = (each.rule, each.doc);
    let mut text = format!("\n### {} {}\n\n", rule.code, rule.name);
    let Some(doc) = doc else { return text };
    let severity = rule.severity.as_str();
    let severity = match depends(rule, Some(doc)) {
        Some(depends) => format!("{severity}. {depends}"),
        None => format!("{severity}."),
    };
    for part in [&doc.meaning, &format!("**Why it matters.** {}", doc.why)] {
        let _ = writeln!(text, "{part}\n");
    }
    let _ = writeln!(text, "```text\n{}\n```\n", doc.example);
    let _ = writeln!(text, "**How to fix it.** {}\n", doc.fix);
    let _ = writeln!(text, "**Severity.** {severity}\n");
    let _ = writeln!(text, "**Sources.** {}.", doc.sources.join("; "));
    text
}
