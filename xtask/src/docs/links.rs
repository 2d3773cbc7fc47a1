//! Checks links between pages, links from the source to pages, and the contents list of the book.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::markdown::Page;
use super::{Problem, Source};

/// The contents list of the book.
const SUMMARY: &str = "docs/SUMMARY.md";
/// Source folders with texts for users.
const SOURCES: [&str; 4] = ["xtask/crates", "xtask/src", "scripts", "docker"];

/// Broken links, and pages that the book does not list.
pub(super) fn problems(root: &Utf8Path, sources: &[Source]) -> anyhow::Result<Vec<Problem>> {
    let pages: BTreeMap<&Utf8Path, &Page> =
        sources.iter().map(|it| (it.path.as_path(), &it.page)).collect();
    let mut problems = Vec::new();
    for Source { path, page } in sources {
        for (line, link) in &page.links {
            if let Err(message) = follow(root, &pages, path, link) {
                problems.push(Problem::new(path.clone(), *line, message));
            }
        }
    }
    problems.extend(unlisted(&pages));
    for folder in SOURCES {
        problems.extend(from_source(root, folder, &pages)?);
    }
    Ok(problems)
}

/// The problem of `link` on the page at `path`.
fn follow(
    root: &Utf8Path,
    pages: &BTreeMap<&Utf8Path, &Page>,
    path: &Utf8Path,
    link: &str,
) -> Result<(), String> {
    if ["https://", "http://", "mailto:"].iter().any(|start| link.starts_with(start)) {
        return Ok(());
    }
    let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() {
        path.to_owned()
    } else {
        let folder = path.parent().unwrap_or(Utf8Path::new(""));
        normal(&folder.join(file)).ok_or_else(|| format!("`{link}` leaves the repository"))?
    };
    if path.starts_with("docs") && !target.starts_with("docs") {
        return Err(format!("the link `{link}` leads out of `docs/`, so it is dead in the book"));
    }
    if !root.join(&target).exists() {
        return Err(format!("the link `{link}` leads to `{target}`, which does not exist"));
    }
    match pages.get(target.as_path()) {
        Some(page) if !fragment.is_empty() && !page.anchors.contains(fragment) => {
            Err(format!("the link `{link}` names a heading that `{target}` does not have"))
        }
        _ => Ok(()),
    }
}

/// `path` without `.` and `..`.
fn normal(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let mut found = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            Utf8Component::Normal(name) => found.push(name),
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir if found.pop() => {}
            _ => return None,
        }
    }
    Some(found)
}

/// The pages below `docs/` that the contents list does not link.
fn unlisted(pages: &BTreeMap<&Utf8Path, &Page>) -> Vec<Problem> {
    let Some(summary) = pages.get(Utf8Path::new(SUMMARY)) else {
        return vec![Problem::new(SUMMARY, 0, "the contents list of the book does not exist")];
    };
    let listed: BTreeSet<_> = summary
        .links
        .iter()
        .filter_map(|(_, link)| normal(&Utf8Path::new("docs").join(link)))
        .collect();
    let below = pages.keys().filter(|path| path.starts_with("docs") && **path != SUMMARY);
    let missing = below.filter(|path| !listed.contains(**path));
    let message = format!("`{SUMMARY}` does not list the page");
    missing.map(|path| Problem::new(*path, 0, message.clone())).collect()
}

/// References in the source below `folder` to missing pages or headings.
fn from_source(
    root: &Utf8Path,
    folder: &str,
    pages: &BTreeMap<&Utf8Path, &Page>,
) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    if !root.join(folder).is_dir() {
        return Ok(problems);
    }
    for entry in walkdir::WalkDir::new(root.join(folder)).sort_by_file_name() {
        let path = Utf8PathBuf::try_from(entry?.into_path())?;
        let is_text = matches!(path.extension(), Some("rs" | "toml" | "txt" | "sh" | "py" | "hcl"));
        let is_test = path.components().any(|part| part.as_str() == "tests")
            || path.file_stem().is_some_and(|name| name.ends_with("tests"));
        if !is_text || is_test || !path.is_file() {
            continue;
        }
        let text = fs_err::read_to_string(&path)?;
        let place = path.strip_prefix(root)?;
        for (number, line) in text.lines().enumerate() {
            for link in mentions(line) {
                if let Err(message) = follow(root, pages, Utf8Path::new(""), link) {
                    problems.push(Problem::new(place, number + 1, message));
                }
            }
        }
    }
    Ok(problems)
}

/// The pages that a line of source names, with their headings.
pub(super) fn mentions(line: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_./#".contains(c);
    line.match_indices("docs/").filter_map(move |(at, _)| {
        if line[..at].ends_with(is_part) {
            return None;
        }
        let rest = &line[at..];
        let link = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        let link = link.trim_end_matches(['.', '#']);
        let file = link.split('#').next().unwrap_or_default();
        (Utf8Path::new(file).extension() == Some("md")).then_some(link)
    })
}
