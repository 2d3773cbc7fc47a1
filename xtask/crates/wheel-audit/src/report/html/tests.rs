//! The page as a whole: well-formed, safe, and bounded.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop at once")]

use std::collections::BTreeSet;

use super::*;
use crate::audit::{self, Depth, Expectations, Inputs, Settings};
use crate::wheel::testing::{Fixture, Folder};

/// Elements without an end tag (HTML standard, "void elements").
const VOID: [&str; 8] = ["meta", "br", "input", "hr", "link", "img", "wbr", "col"];

/// Parses a page as strictly as XML, except for void elements: elements end in order, attributes are
/// quoted and unique. Returns the elements with their attributes.
fn elements(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap();
    let (mut open, mut all) = (Vec::new(), Vec::new());
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a bare > in {:?}", &rest[..start]);
        rest = &rest[start + 1..];
        if let Some(end) = rest.strip_prefix('/') {
            let (name, after) = end.split_once('>').unwrap();
            assert_eq!(open.pop().as_deref(), Some(name), "closed out of order");
            rest = after;
            continue;
        }
        let length = rest.find([' ', '>']).unwrap();
        let name = rest[..length].to_owned();
        assert!(
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
            "{name}"
        );
        rest = &rest[length..];
        let mut attributes: Vec<(String, String)> = Vec::new();
        while let Some(after) = rest.strip_prefix(' ') {
            let length = after.find(['=', ' ', '>']).unwrap();
            let (key, mut value) = (after[..length].to_owned(), String::new());
            rest = &after[length..];
            if let Some(quoted) = rest.strip_prefix("=\"") {
                let (inside, after) = quoted.split_once('"').unwrap();
                (value, rest) = (inside.to_owned(), after);
            }
            assert!(!value.contains('<'), "{key}={value}");
            assert!(attributes.iter().all(|(other, _)| *other != key), "{key} twice in {name}");
            attributes.push((key, value));
        }
        rest = rest.strip_prefix('>').unwrap();
        if name == "script" || name == "style" {
            rest = &rest[rest.find(&format!("</{name}>")).unwrap()..];
        }
        if !VOID.contains(&name.as_str()) {
            open.push(name.clone());
        }
        all.push((name, attributes));
    }
    assert_eq!(open, Vec::<String>::new(), "left open");
    all
}

fn attributes<'a>(
    elements: &'a [(String, Vec<(String, String)>)],
    wanted: &'a str,
) -> impl Iterator<Item = &'a str> {
    let all = elements.iter().flat_map(|(_, attributes)| attributes);
    all.filter(move |(key, _)| key == wanted).map(|(_, value)| value.as_str())
}

fn sample(depth: Depth) -> Report {
    audit::tests::report::report(depth).1
}

#[test]
fn the_page_is_well_formed_and_self_contained() {
    for depth in [Depth::Floor, Depth::Code] {
        let page = html(&sample(depth));
        let elements = elements(&page);
        let ids: Vec<&str> = attributes(&elements, "id").collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(unique.len(), ids.len(), "{ids:?}");
        for link in attributes(&elements, "href") {
            let target = link.strip_prefix('#').unwrap_or_else(|| panic!("{link} leads elsewhere"));
            assert!(unique.contains(target), "{link} leads nowhere");
        }
        for name in ["src", "srcset", "style", "onclick"] {
            assert_eq!(attributes(&elements, name).count(), 0, "{name}");
        }
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("url("));
    }
}

#[test]
fn assistive_technology_can_navigate_the_page() {
    let page = html(&sample(Depth::Code));
    let elements = elements(&page);
    let levels =
        elements.iter().filter_map(|(name, _)| name.strip_prefix('h')?.parse::<u32>().ok());
    let levels: Vec<u32> = levels.collect();
    assert_eq!(levels.iter().filter(|&&level| level == 1).count(), 1);
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    let named = |wanted: &str| elements.iter().filter(|(name, _)| name == wanted).count();
    assert_eq!((named("main"), named("header"), named("nav"), named("title")), (1, 1, 1, 1));
    assert!(named("table") > 0 && named("table") == named("caption"));
    let heads = || elements.iter().filter(|(name, _)| name == "th");
    assert!(heads().all(|(_, attributes)| attributes.iter().any(|(key, _)| key == "scope")));
    assert_eq!(named("form"), 0, "a short page needs no filter");
}

#[test]
fn every_finding_leads_to_the_explanation_of_its_rule() {
    let report = sample(Depth::Code);
    let page = html(&report);
    let elements = elements(&page);
    let ids: BTreeSet<&str> = attributes(&elements, "id").collect();
    let links: BTreeSet<&str> = attributes(&elements, "href").collect();
    let found = crate::report::summary::findings(&report);
    let found: BTreeSet<(&str, &str)> =
        found.map(|(_, finding)| (finding.severity.as_str(), finding.code)).collect();
    assert!(found.len() > 1, "{found:?}");
    for (severity, code) in found {
        let id = format!("{severity}-{code}");
        assert!(ids.contains(id.as_str()) && links.contains(format!("#{id}").as_str()), "{id}");
        assert!(page.contains(&format!("<summary>About {code}</summary>")), "{code}");
    }
}

#[test]
fn the_page_has_the_facts_of_the_report() {
    let page = html(&sample(Depth::Code));
    for fact in [
        "✗ error",
        "<code>__isoc23_strtol</code>",
        "<bdi>its author knows</bdi>",
        "/gone.whl",
        "cannot be read",
        "glibc before 2.38",
        "libplain.so",
        "Debian 12: loads",
        "Debian 12: installs, does not load",
    ] {
        assert!(page.contains(fact), "{fact}");
    }
    let (_, body) = page.split_once("</style>").unwrap();
    let (body, _) = body.split_once("<script>").unwrap();
    assert!(!body.contains('`'), "code is an element");
}

#[test]
fn only_pairs_of_back_ticks_mark_code() {
    let text = |message: &str| text::prose(message).into_string();
    assert_eq!(text("a `b<c` d"), "<bdi>a <code>b&lt;c</code> d</bdi>");
    assert_eq!(text("`a` and a lone ` here"), "<bdi><code>a</code> and a lone ` here</bdi>");
    assert_eq!(text("plain"), "<bdi>plain</bdi>");
}

#[test]
fn releases_of_one_distribution_share_its_name() {
    let names = ["Debian 11", "Debian 13", "Alpine 3.13 and later"].map(str::to_owned);
    assert_eq!(crate::report::summary::releases(&names), "Debian 11, 13, Alpine 3.13 and later");
}

#[test]
fn names_from_wheels_are_escaped() {
    let folder = Folder::new();
    let evil = "<script>alert(1)</script>\"' onx=\"y\u{202e}gpj.\u{2066}so";
    let wheel = Fixture::new("pkg-1.0-cp311-cp311-linux_x86_64.whl")
        .with(evil, b"\x7fELF broken".as_slice())
        .bytes();
    let path = folder.path().join("a<img src=x onerror=y>&\"'\u{202e}-1-py3-none-any.whl");
    fs_err::write(&path, wheel).unwrap();
    let inputs = Inputs::find(&[path]).unwrap();
    let report =
        audit::audit_inputs(&inputs, &Expectations::default(), &Settings::default(), &|_| {});
    let page = html(&report);
    let elements = elements(&page);
    assert_eq!(elements.iter().filter(|(name, _)| name == "script").count(), 1);
    assert!(elements.iter().all(|(name, _)| name != "img"));
    assert_eq!(attributes(&elements, "onerror").count() + attributes(&elements, "onx").count(), 0);
    assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("a&lt;img src=x"));
    assert!(!page.contains('\u{202e}') && !page.contains('\u{2066}'), "text keeps its direction");
}

#[test]
fn many_wheels_make_a_page_of_bounded_size() {
    let mut report = sample(Depth::Code);
    let wheel = report.wheels.iter().find(|wheel| wheel.facts.file.starts_with("other")).unwrap();
    let mut wheel = wheel.clone();
    let elf = wheel.facts.elf.first().unwrap().clone();
    wheel.facts.elf = (0..500).map(|_| elf.clone()).collect();
    let finding = wheel.findings.first().unwrap().clone();
    wheel.findings = (0..60)
        .map(|index| audit::Finding { message: format!("wrong {index}"), ..finding.clone() })
        .collect();
    report.wheels = (0..500).map(|_| wheel.clone()).collect();
    let page = html(&report);
    let elements = elements(&page);
    // Without the script the filter does nothing.
    let filter = elements.iter().find(|(name, _)| name == "form").unwrap();
    assert!(filter.1.iter().any(|(key, _)| key == "hidden"));
    assert!(page.len() < 10 << 20, "{} bytes", page.len());
    assert!(page.contains("475 more files") && page.contains("503 files"));
}
