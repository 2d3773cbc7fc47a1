//! What an audit found, for people.

use std::collections::BTreeMap;

use crate::audit::{Audit, ElfReport, FileAudit, Finding, Report, Severity, Verdict};

use super::table;

/// At most so many culprits are named per file; JSON has more of them.
const CULPRITS: usize = 5;

/// A table of the wheels, the findings worst first, and one line of verdict.
pub fn verify_text(report: &Report) -> String {
    let mut parts = vec![overview(report)];
    let findings = findings(report);
    if !findings.is_empty() {
        parts.push(findings);
    }
    parts.push(verdict(report));
    parts.join("\n\n")
}

/// As [`verify_text`], with what sets the floor of each file.
pub fn glibc_text(report: &Report) -> String {
    let mut parts = vec![overview(report)];
    let in_wheels = report.wheels.iter().flat_map(|wheel| {
        wheel.facts.elf.iter().filter_map(|elf| floor_of(&format!("{}: ", wheel.facts.file), elf))
    });
    let alone = report.files.iter().filter_map(|file| floor_of("", file.facts.as_ref()?));
    let floors: Vec<String> = in_wheels.chain(alone).collect();
    if !floors.is_empty() {
        parts.push(floors.join("\n"));
    }
    let findings = findings(report);
    if !findings.is_empty() {
        parts.push(findings);
    }
    parts.push(verdict(report));
    parts.join("\n\n")
}

fn overview(report: &Report) -> String {
    let wheel = |audit: &Audit| {
        let facts = &audit.facts;
        vec![
            facts.file.escape_debug().to_string(),
            floor(&facts.floor),
            facts.overall_tag.clone(),
            facts.isa.clone().unwrap_or_else(|| "not read".into()),
            word(audit.verdict()),
        ]
    };
    let file = |audit: &FileAudit| {
        let facts = audit.facts.as_ref();
        vec![
            audit.file.as_str().escape_debug().to_string(),
            facts.map_or_else(|| "unknown".into(), |facts| floor(&facts.floor)),
            String::new(),
            facts.and_then(|facts| facts.isa.clone()).unwrap_or_else(|| "not read".into()),
            word(audit.verdict),
        ]
    };
    let rows: Vec<_> =
        report.wheels.iter().map(wheel).chain(report.files.iter().map(file)).collect();
    table(&["file", "floor", "true tag", "isa", "verdict"], &rows)
}

fn floor(floor: &crate::policy::Floor) -> String {
    floor.get("GLIBC").map_or_else(|| "none".to_owned(), |version| format!("glibc {version}"))
}

fn word(verdict: Verdict) -> String {
    match verdict {
        Verdict::Pass => "good".to_owned(),
        Verdict::Fail => "fail".to_owned(),
    }
}

/// The floors of one file, and the symbols that set that of glibc.
fn floor_of(prefix: &str, elf: &ElfReport) -> Option<String> {
    let floors: Vec<String> =
        elf.floor.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let highest = format!("GLIBC_{}", elf.floor.get("GLIBC")?);
    let symbols: Vec<String> = elf
        .culprits
        .iter()
        .filter(|culprit| culprit.version == highest)
        .map(|culprit| match &culprit.symbol {
            Some(symbol) => {
                let callers = called_by(&culprit.callers);
                format!(
                    "`{}` of {}{callers}",
                    symbol.escape_debug(),
                    culprit.library.escape_debug()
                )
            }
            None => format!("the version itself of {}", culprit.library.escape_debug()),
        })
        .collect();
    let more = symbols.len().saturating_sub(CULPRITS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named = symbols.into_iter().take(CULPRITS).collect::<Vec<_>>().join(", ");
    let path = elf.path.escape_debug();
    Some(format!("{prefix}{path}\n  needs {}; {highest} for {named}{more}", floors.join(", ")))
}

/// " (called by `parse` and 2 more)"
fn called_by(callers: &[String]) -> String {
    let Some((first, others)) = callers.split_first() else { return String::new() };
    let more =
        if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
    format!(" (called by `{}`{more})", first.escape_debug())
}

/// Every finding, worst first; one that many files have is told once.
fn findings(report: &Report) -> String {
    let mut groups: BTreeMap<(Severity, &str, &str, String), Vec<&Finding>> = BTreeMap::new();
    let wheels = report.wheels.iter().map(|audit| (audit.facts.file.as_str(), &audit.findings));
    let files = report.files.iter().map(|audit| (audit.file.as_str(), &audit.findings));
    for (file, all) in wheels.chain(files).chain([("", &report.findings)]) {
        for finding in all {
            let key = (finding.severity, finding.code, file, finding.message.clone());
            groups.entry(key).or_default().push(finding);
        }
    }
    let mut lines = Vec::new();
    for ((severity, code, file, message), same) in &groups {
        let Some(first) = same.first() else { continue };
        let others = same.len() - 1;
        let others = if others > 0 { format!(" and {others} more files") } else { String::new() };
        let inside = match *file {
            "" => first.path.clone(),
            file if first.path == file => String::new(),
            _ => format!(": {}", first.path),
        };
        lines.push(format!(
            "{} {code}: {}{inside}{others}",
            severity.as_str(),
            file.escape_debug()
        ));
        lines.push(format!("  {message}"));
        match &first.reason {
            Some(reason) => lines.push(format!("  set in wheels.toml: {reason}")),
            None => lines.push(format!("  cure: {}", first.cure)),
        }
    }
    for unread in &report.unread {
        let path = unread.path.as_str().escape_debug();
        lines.push(format!("error: {path} cannot be read\n  {}", unread.message));
    }
    lines.join("\n")
}

/// "3 files: 2 good, 1 fails; 1 error, 4 warnings, 2 notes"
fn verdict(report: &Report) -> String {
    let verdicts = report.wheels.iter().map(Audit::verdict);
    let verdicts: Vec<_> = verdicts.chain(report.files.iter().map(|file| file.verdict)).collect();
    let good = verdicts.iter().filter(|&&each| each == Verdict::Pass).count();
    let of_wheels = report.wheels.iter().flat_map(|wheel| &wheel.findings);
    let of_files = report.files.iter().flat_map(|file| &file.findings);
    let all: Vec<_> = of_wheels.chain(of_files).chain(&report.findings).collect();
    let count = |severity| all.iter().filter(|finding| finding.severity == severity).count();
    format!(
        "{} files: {good} good, {} with errors; {} errors, {} warnings, {} notes",
        verdicts.len(),
        verdicts.len() - good + report.unread.len(),
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Note)
    )
}
