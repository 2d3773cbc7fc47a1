//! The report of an audit for people.

use super::summary::{Group, Item, Numbers, Tally, broken, count, floor, groups, visible, word};
use super::{fold, table, wrap};
use crate::audit::{Audit, ElfReport, FileAudit, Report, Verdict};
use crate::text::columns;

/// Maximum number of symbols of a file; JSON has more of them.
const CULPRITS: usize = 5;
/// Maximum number of files of a wheel that set its floor; one of each if there are many wheels.
const FLOORS: usize = 3;
/// Number of wheels above which each is shown in less detail.
const MANY: usize = 20;
/// Maximum number of wheels that install but do not load.
const DANGERS: usize = 5;
/// Maximum number of messages of a rule.
const ITEMS: usize = 15;
/// Maximum number of files of one message.
const FILES: usize = 5;
/// Maximum number of paths in one file.
const PATHS: usize = 3;

/// A table of the wheels, the findings with the most severe first, and a line of totals, in `width` columns.
pub fn verify_text(report: &Report, width: usize) -> String {
    page(report, None, width)
}

/// As [`verify_text`], with the files and symbols that set the floor.
pub fn glibc_text(report: &Report, width: usize) -> String {
    page(report, Some(floors(report)), width)
}

fn page(report: &Report, floors: Option<String>, width: usize) -> String {
    let end = Tally::of(report).line();
    let parts = [floors, Some(findings(report)), dangers(report), Some(end)];
    let parts = parts.into_iter().flatten().map(|text| fold(&text, width));
    let parts = std::iter::once(overview(report, width)).chain(parts);
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

const HEAD: [&str; 6] = ["file", "floor", "built on", "promises", "isa", "verdict"];

/// A table, or two lines for each file if the table is too wide.
fn overview(report: &Report, width: usize) -> String {
    let rows = report.wheels.iter().map(wheel).chain(report.files.iter().map(file));
    let rows: Vec<[String; 6]> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    let cells: Vec<_> = rows.iter().map(|row| row.to_vec()).collect();
    let whole = table(&HEAD, &cells, usize::MAX);
    if whole.lines().all(|line| columns(line) <= width) {
        return whole;
    }
    let lines = rows.iter().map(|[file, floor, built, claim, isa, verdict]| {
        let mut facts = vec![format!("floor {floor}"), format!("built on {built}")];
        facts.extend((!claim.is_empty()).then(|| format!("promises {claim}")));
        facts.push(format!("isa {isa}"));
        format!("{file}\n{}", wrap(&facts.join(", "), width, &format!("  {verdict}  "), "    "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn wheel(audit: &Audit) -> [String; 6] {
    let Numbers { floor, built, claim, isa } = Numbers::of(audit);
    [visible(&audit.facts.file), floor, built, claim, isa, verdict(audit)]
}

/// "good", "fail", or "good, but fails on 6 systems": what follows names them.
fn verdict(audit: &Audit) -> String {
    let word = word(audit.verdict());
    let systems: usize = broken(&audit.systems()).iter().map(|(systems, _)| systems.len()).sum();
    match (audit.verdict(), systems) {
        (Verdict::Pass, 1..) => format!("{word}, but fails on {}", count(systems, "system")),
        _ => word.to_owned(),
    }
}

fn file(audit: &FileAudit) -> [String; 6] {
    let facts = audit.facts.as_ref();
    [
        visible(audit.file.as_str()),
        facts.map_or_else(|| "unknown".to_owned(), |facts| floor(&facts.floor)),
        "unknown".to_owned(),
        String::new(),
        facts.and_then(|facts| facts.isa.clone()).unwrap_or_else(|| "not read".to_owned()),
        word(audit.verdict).to_owned(),
    ]
}

/// The files that set the floor of each wheel.
fn floors(report: &Report) -> String {
    let most = if report.wheels.len() > MANY { 1 } else { FLOORS };
    let mut lines = Vec::new();
    for audit in &report.wheels {
        let Some(highest) = audit.facts.floor.get("GLIBC") else { continue };
        let is_highest = |elf: &&ElfReport| elf.floor.get("GLIBC") == Some(highest);
        let prefix = format!("{}: ", visible(&audit.facts.file));
        let setting = || audit.facts.elf.iter().filter(is_highest);
        lines.extend(setting().take(most).filter_map(|elf| floor_of(&prefix, elf)));
        let left = setting().count().saturating_sub(most);
        if left > 0 {
            lines.push(format!("  and {} with the same floor", count(left, "more file")));
        }
    }
    let alone = report.files.iter().filter_map(|file| floor_of("", file.facts.as_ref()?));
    lines.extend(alone);
    lines.join("\n")
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

/// The wheels that install but do not load; `None` if there are none.
fn dangers(report: &Report) -> Option<String> {
    let mut all = Vec::new();
    for audit in &report.wheels {
        let cells = audit.systems();
        let causes = broken(&cells).into_iter().map(|(systems, reason)| {
            let systems = systems.join(", ");
            format!("\n  installs and does not load on {systems}\n  {}", visible(reason))
        });
        let causes: String = causes.collect();
        if !causes.is_empty() {
            all.push(visible(&audit.facts.file) + &causes);
        }
    }
    let left = all.len().saturating_sub(DANGERS);
    let more =
        (left > 0).then(|| format!("and {}; `--html` shows them", count(left, "more wheel")));
    let lines: Vec<String> = all.into_iter().take(DANGERS).chain(more).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Every finding, the most severe first; a message about many files appears once.
fn findings(report: &Report) -> String {
    let mut lines = Vec::new();
    for unread in &report.unread {
        let (path, message) = (visible(unread.path.as_str()), visible(&unread.message));
        lines.push(format!("error: {path} cannot be read\n  {message}"));
    }
    for group in groups(report) {
        rule(&group, &mut lines);
    }
    lines.join("\n")
}

fn rule(group: &Group<'_>, lines: &mut Vec<String>) {
    let (severity, code, rule) = (group.severity.as_str(), group.code, group.rule);
    let (all, files) = (group.findings(), group.files());
    let number = match (all, files) {
        (1, _) => String::new(),
        (_, 1) => format!(", {}", count(all, "finding")),
        _ => format!(", {} in {}", count(all, "finding"), count(files, "file")),
    };
    lines.push(format!("{severity} {code} {rule}{number}"));
    for item in group.items.iter().take(ITEMS) {
        lines.extend(item.messages().iter().map(|message| format!("  {message}")));
        lines.extend(places(item));
        match item.reason {
            Some(reason) => lines.push(format!("    set in wheels.toml: {}", visible(reason))),
            None if group.help().is_none() => {
                lines.push(format!("    hint: {}", visible(item.help)));
            }
            None => {}
        }
    }
    let left = group.items.len().saturating_sub(ITEMS);
    if left > 0 {
        lines.push(format!("  and {}; `--json` has them all", count(left, "more message")));
    }
    if let Some(help) = group.help() {
        lines.push(format!("  hint: {}", visible(help)));
    }
}

/// "    pkg.whl: a.so, b.so and 3 more", for the first files.
fn places(item: &Item<'_>) -> Vec<String> {
    let files = item.by_file();
    let mut lines = Vec::new();
    for (file, paths) in files.iter().take(FILES) {
        let inside: Vec<String> = paths.iter().take(PATHS).map(|path| visible(path)).collect();
        let left = paths.len().saturating_sub(PATHS);
        let left = if left > 0 { format!(" and {left} more") } else { String::new() };
        let file = Some(visible(file)).filter(|file| !file.is_empty());
        let inside = (!inside.is_empty()).then(|| inside.join(", "));
        let both: Vec<String> = file.into_iter().chain(inside).collect();
        lines.push(format!("    {}{left}", both.join(": ")));
    }
    let left = files.len().saturating_sub(FILES);
    if left > 0 {
        lines.push(format!("    and {}", count(left, "more file")));
    }
    lines
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::super::wrap::words;
    use super::*;
    use crate::audit::{self, Depth};

    fn sample(depth: Depth) -> (String, Report) {
        let (folder, mut report) = audit::tests::report::report(depth);
        for wheel in &mut report.wheels {
            // The compiler of this machine has a part in these.
            wheel.facts.build_glibc = None;
            wheel.findings.retain(|finding| finding.severity != audit::Severity::Note);
        }
        for file in &mut report.files {
            let name = file.file.file_name().unwrap().to_owned();
            file.file = format!("/at/{name}").into();
            file.findings.retain(|finding| finding.severity != audit::Severity::Note);
        }
        (folder.path().to_string(), report)
    }

    #[test]
    fn the_report_has_a_table_the_findings_and_the_verdict() {
        let (folder, report) = sample(Depth::Floor);
        let text = page(&report, Some(floors(&report)), usize::MAX).replace(&folder, "/at");
        insta::assert_snapshot!(text, @r#"
        file                                             floor        built on  promises    isa       verdict
        other-2.0-cp312-cp312-manylinux_2_28_x86_64.whl  glibc 2.38   unknown   glibc 2.28  not read  fail
        pkg-1.0-cp311-cp311-manylinux_2_36_x86_64.whl    glibc 2.2.5  unknown   glibc 2.36  not read  good
        pure-1-py3-none-any.whl                          none         none      any         none      good
        /at/libplain.so                                  glibc 2.2.5  unknown               not read  good
        /at/libbad.so                                    unknown      unknown               not read  fail

        other-2.0-cp312-cp312-manylinux_2_28_x86_64.whl: _pkg.cpython-312-x86_64-linux-gnu.so
          needs GLIBC 2.38; GLIBC_2.38 for `__isoc23_strtol` of libc.so.6
        pkg-1.0-cp311-cp311-manylinux_2_36_x86_64.whl: _pkg.cpython-311-x86_64-linux-gnu.so
          needs GLIBC 2.2.5; GLIBC_2.2.5 for `malloc` of libc.so.6
        /at/libplain.so
          needs GLIBC 2.2.5; GLIBC_2.2.5 for `malloc` of libc.so.6

        error: /at/gone.whl cannot be read
          failed to open file `/at/gone.whl`: No such file or directory (os error 2)
        error ELF001 unjudged
          cannot be checked: it is neither a wheel nor an ELF file
            /at/libbad.so: /at/libbad.so
          hint: build the file again; its headers or dynamic tables are damaged
        error ELF003 floor-above-promise
          needs `GLIBC_2.38` of `libc.so.6` for `__isoc23_strtol`, which `manylinux_2_28_x86_64` does not promise
            other-2.0-cp312-cp312-manylinux_2_28_x86_64.whl: _pkg.cpython-312-x86_64-linux-gnu.so
          hint: build on a system with glibc before 2.38: newer headers redirect the strtol and scanf families to `__isoc23_*`, in C++ always

        other-2.0-cp312-cp312-manylinux_2_28_x86_64.whl
          installs and does not load on Debian 11, Debian 12, Ubuntu 20.04, Ubuntu 22.04, Enterprise Linux 8, Enterprise Linux 9, Amazon Linux 2023
          `_pkg.cpython-312-x86_64-linux-gnu.so` needs `GLIBC_2.38` for `__isoc23_strtol`; it has GLIBC_2.31
          installs and does not load on Debian 13, Ubuntu 25.10, Ubuntu 26.04, Fedora 42, Fedora 43, Fedora 44
          `_pkg.cpython-312-x86_64-linux-gnu.so` requires an executable stack: cannot enable executable stack as shared object requires: Invalid argument

        6 files: 3 good, 2 with errors, 1 unread; 2 errors, 0 warnings, 0 notes
        "#);
    }

    #[test]
    fn every_line_fits_the_width() {
        let (folder, report) = sample(Depth::Floor);
        for width in [60, 80, 120] {
            let text = page(&report, Some(floors(&report)), width).replace(&folder, "/at");
            for line in text.lines().filter(|line| line.chars().count() > width) {
                assert_eq!(words(line).len(), 1, "{line}");
            }
        }
        assert!(overview(&report, 1000).starts_with("file "));
        assert!(overview(&report, 76).contains("\n  fail  floor glibc 2.38, "));
    }

    #[test]
    fn one_message_about_many_files_appears_once() {
        let (_, mut report) = sample(Depth::Floor);
        let bad = report.wheels.iter().find(|wheel| wheel.facts.file.starts_with("other")).unwrap();
        let mut bad = bad.clone();
        let finding = bad.findings.first().unwrap().clone();
        bad.findings = vec![finding; 10];
        report.wheels = (0..500)
            .map(|index| {
                let mut wheel = bad.clone();
                wheel.facts.file = format!("pkg-{index}-py3-none-any.whl");
                wheel
            })
            .collect();
        let text = findings(&report);
        assert!(text.lines().count() < 40, "{text}");
        assert!(text.contains("error ELF003 floor-above-promise, 5000 findings in 500 files"));
        assert!(text.contains(" and 7 more") && text.contains("and 495 more files"), "{text}");
    }
}
