//! A collection as Markdown, for a job summary.

use super::{closing, lacks};
use crate::commands::hosted;
use crate::commands::wheels::markdown::identifier;
use crate::ship::changes::{self, Changes};
use crate::ship::collect::{Collected, Collection};
use wheel_audit::audit::{Report, Severity, Verdict};
use wheel_audit::report::{counted, markdown_cut, markdown_text as text};
use wheel_audit::text::file_size;

const HEAD: [&str; 8] = ["build", "tag", "size", "floor", "smoke", "tests", "verdict", "state"];

/// The wheels, missing and rejected wheels, and the changes since the last release. `compared`: the command
/// compares with a release.
pub(super) fn page(
    collection: &Collection,
    verify: Option<&Report>,
    compared: bool,
    changes: Option<&Changes>,
) -> String {
    let good = collection.accepted() && !collection.lacks_required();
    let mark = if good { "✓" } else { "✗" };
    let mut lines = vec![
        format!("### {mark} {}", text(&closing(collection))),
        format!("\n| {} |\n|{}", HEAD.join(" | "), "---|".repeat(HEAD.len())),
    ];
    let cells = |wheel: &Collected| {
        let cells: Vec<_> =
            row(wheel, verify, collection.accepted()).iter().map(|it| text(it)).collect();
        format!("| {} |", cells.join(" | "))
    };
    lines.extend(collection.wheels.iter().map(cells));
    let mut rest = faults(collection);
    if let Some(first) = rest.first_mut() {
        first.insert(0, '\n');
    }
    lines.append(&mut rest);
    match changes {
        Some(changes) => lines.push(format!("\n{}", changes::markdown(changes).trim_end())),
        None if compared => {
            lines.push("\nNo earlier release to compare with.".to_owned());
        }
        None => {}
    }
    lines.extend(hosted::links(&|name| std::env::var(name).ok()).map(|it| format!("\n{it}")));
    markdown_cut(lines.join("\n"))
}

/// Missing, skipped and rejected wheels, one line each.
fn faults(collection: &Collection) -> Vec<String> {
    let missing = collection.missing.iter().map(|each| {
        let kind = if each.required { "missing" } else { "missing, not required" };
        format!("- {kind}: {}", text(&lacks(each)))
    });
    let left_out = collection.left_out.iter();
    let left_out = left_out
        .map(|it| format!("- skipped: {}: {}", text(&it.path), text(&it.reasons.join("; "))));
    let problems = collection.problems.iter().map(|it| {
        let place = format!("{}/{}", it.folder, it.path);
        format!("- {}: {}", text(&place), text(&it.message))
    });
    let conflicts = collection
        .conflicts
        .iter()
        .map(|it| format!("- {}: {}; {}", text(&it.path), text(&it.message), text(it.hint)));
    missing.chain(left_out).chain(problems).chain(conflicts).collect()
}

fn row(wheel: &Collected, verify: Option<&Report>, accepted: bool) -> [String; 8] {
    let name = wheel.path.rsplit('/').next().unwrap_or_default();
    let tag = name.trim_end_matches(".whl").rsplit('-').next().unwrap_or_default().to_owned();
    let identifiers: Vec<_> = wheel
        .interpreters
        .iter()
        .map(|interpreter| identifier(&wheel.target, &wheel.platform, interpreter))
        .collect();
    let state = if accepted { wheel.state.as_str() } else { "rejected" };
    [
        identifiers.join(", "),
        tag,
        file_size(wheel.size),
        wheel.floor.clone(),
        wheel.smoke.text(wheel.claimed),
        wheel.tests.text().to_owned(),
        verdict(wheel, verify),
        state.to_owned(),
    ]
}

/// Verdict of `verify`, e.g. `pass, 2 warnings`; `-` if the wheel was not verified.
fn verdict(wheel: &Collected, verify: Option<&Report>) -> String {
    let mut audits = verify.into_iter().flat_map(|report| &report.wheels);
    let Some(audit) = audits.find(|audit| audit.facts.sha256.as_ref() == Some(&wheel.sha256))
    else {
        return "-".to_owned();
    };
    let word = if audit.verdict() == Verdict::Pass { "pass" } else { "fail" };
    let warnings = audit.findings.iter().filter(|it| it.severity == Severity::Warning).count();
    if warnings == 0 {
        word.to_owned()
    } else {
        format!("{word}, {}", counted(warnings, "warning"))
    }
}
