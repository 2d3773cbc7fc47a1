//! Rules for terminals.

use std::fmt::Write as _;

use super::{WIDTH, table, wrap};
use crate::rule_docs::{Documented, depends};

/// All rules in a table: code, severity and name.
pub fn rules_table(rules: &[Documented]) -> String {
    let row = |each: &Documented| {
        let rule = each.rule;
        [rule.code, rule.severity.as_str(), rule.name].map(str::to_owned).to_vec()
    };
    let rows: Vec<_> = rules.iter().map(row).collect();
    table(&["code", "severity", "name"], &rows, WIDTH)
}

/// Everything about a rule, in sections.
pub fn rule_details(each: &Documented) -> String {
    let (rule, doc) = (each.rule, each.doc);
    let mut text = format!("{} {} ({})\n", rule.code, rule.name, rule.severity.as_str());
    let Some(doc) = doc else {
        section(&mut text, "How to fix it", rule.help);
        return text;
    };
    text.push('\n');
    text.push_str(&wrapped(&doc.meaning, ""));
    text.push('\n');
    section(&mut text, "Why it matters", &doc.why);
    section(&mut text, "Example", &doc.example);
    section(&mut text, "How to fix it", &doc.fix);
    if let Some(depends) = depends(rule, Some(doc)) {
        section(&mut text, "Severity", &depends);
    }
    if !doc.sources.is_empty() {
        text.push_str("\nSources\n");
        for source in &doc.sources {
            let lines = wrapped(source, "    ");
            let _ = writeln!(text, "  -{}", lines.get(3..).unwrap_or_default());
        }
    }
    text
}

fn section(text: &mut String, title: &str, body: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n{title}\n{}", wrapped(body, "  "));
}

/// Wraps `text` into indented lines.
fn wrapped(text: &str, indent: &str) -> String {
    wrap(text, WIDTH, indent, indent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule_docs;

    #[test]
    fn lines_fit_a_terminal() {
        let all = rule_docs::all();
        let texts = all.iter().map(rule_details).chain([rules_table(&all)]);
        for line in texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
            // A single long word is not wrapped.
            let is_one_word = line.split_whitespace().count() < 3;
            assert!(line.chars().count() <= WIDTH || is_one_word, "{line}");
        }
    }

    #[test]
    fn a_rule_has_all_its_sections() {
        let rule = rule_docs::all().into_iter().find(|each| each.rule.code == "ELF003");
        let text = rule.as_ref().map(rule_details).unwrap_or_default();
        let doc = rule.and_then(|each| each.doc);
        for part in doc.iter().flat_map(|doc| [&doc.meaning, &doc.why, &doc.example, &doc.fix]) {
            let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains(part.as_str()), "{text}");
        }
        assert!(doc_lines(&text) > 10, "{text}");
    }

    fn doc_lines(text: &str) -> usize {
        text.lines().filter(|line| !line.is_empty()).count()
    }
}
