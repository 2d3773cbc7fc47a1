#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::collections::BTreeSet;

use super::*;

#[test]
fn each_text_is_complete_and_has_a_rule() {
    let codes: BTreeSet<&str> = rules().map(|rule| rule.code).collect();
    for family in &FAMILIES {
        for (code, doc) in family.docs() {
            assert!(codes.contains(code.as_str()), "unknown rule {code}");
            assert!(code.starts_with(family.code), "{code} belongs to another file");
            for text in [&doc.meaning, &doc.why, &doc.fix].into_iter().chain(&doc.depends) {
                assert!(text.ends_with('.'), "{code}: `{text}` is not a sentence");
            }
            assert!(!doc.example.is_empty() && !doc.example.ends_with('.'), "{code}");
            assert!(!doc.sources.is_empty(), "{code} has no source");
            for source in &doc.sources {
                assert!(!source.is_empty() && !source.ends_with('.'), "{code}: {source}");
            }
        }
    }
}

#[test]
fn each_rule_has_a_text() {
    for each in all() {
        assert!(each.doc.is_some(), "src/rule_docs/data/ has no text for {}", each.rule.code);
    }
}

#[test]
fn find_accepts_codes_names_and_families_in_any_case() {
    let codes = |word: &str| -> Vec<&str> {
        find(word).unwrap().iter().map(|each| each.rule.code).collect()
    };
    assert_eq!(codes("ELF003"), ["ELF003"]);
    assert_eq!(codes("elf003"), ["ELF003"]);
    assert_eq!(codes("Floor-Above-Promise"), ["ELF003"]);
    let family = codes("rec");
    assert!(family.len() > 5 && family.iter().all(|code| code.starts_with("REC")), "{family:?}");
    assert_eq!(all().len(), rules().count(), "every rule belongs to a family");
}

#[test]
fn the_hint_for_an_unknown_word_is_the_nearest_one() {
    for (word, near) in [("ELF03", "ELF003"), ("floor-above-promises", "floor-above-promise")] {
        let error = find(word).unwrap_err();
        assert!(error.message.contains(word), "{error:?}");
        assert!(error.hint.as_ref().unwrap().contains(&format!("`{near}`")), "{error:?}");
    }
}

#[test]
fn the_text_of_a_rule_of_the_index_mentions_publish() {
    for each in all() {
        let rule = each.rule;
        let depends = depends(rule, each.doc).unwrap_or_default();
        let is_changed = rule.refused_by_index && rule.severity != Severity::Error;
        assert!(!is_changed || depends.contains("`--publish`"), "{}", rule.code);
    }
}

#[test]
fn texts_are_parsed_once() {
    for (one, other) in all().iter().zip(all()) {
        assert!(std::ptr::eq(one.doc.unwrap(), other.doc.unwrap()), "{}", one.rule.code);
    }
}
