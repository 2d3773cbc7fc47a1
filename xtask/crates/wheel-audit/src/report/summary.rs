//! The shared parts of the reports for people: counts, grouped findings, a wheel in a few words.

use std::collections::BTreeMap;

use crate::audit::{Audit, Cell, Certainty, Finding, Report, Severity, State, Verdict, WheelFacts};
use crate::policy::{Floor, PlatformTag, distributions, other_system};

/// Number of files and findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Wheels and files that could be read.
    pub(super) checked: usize,
    pub(super) good: usize,
    /// Errors about several files, or about a missing one.
    pub(super) errors_of_sets: usize,
    pub(super) unread: usize,
    pub(super) errors: usize,
    pub(super) warnings: usize,
    pub(super) notes: usize,
    pub(super) ignored: usize,
}

impl Tally {
    pub(super) fn of(report: &Report) -> Self {
        let verdicts = report.wheels.iter().map(Audit::verdict);
        let verdicts = verdicts.chain(report.files.iter().map(|file| file.verdict));
        let (good, failed): (Vec<_>, Vec<_>) = verdicts.partition(|&each| each == Verdict::Pass);
        let all: Vec<&Finding> = findings(report).map(|(_, finding)| finding).collect();
        let count = |severity| all.iter().filter(|finding| finding.severity == severity).count();
        Self {
            checked: good.len() + failed.len(),
            good: good.len(),
            errors_of_sets: report
                .findings
                .iter()
                .filter(|finding| finding.severity == Severity::Error)
                .count(),
            unread: report.unread.len(),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            ignored: count(Severity::Ignored),
        }
    }

    /// "3 files: 2 good, 1 with errors; 2 errors (1 about the set of files), 4 warnings, 2 notes"
    pub(super) fn line(&self) -> String {
        let failed = self.checked - self.good;
        let unread = match self.unread {
            0 => String::new(),
            count => format!(", {count} unread"),
        };
        let ignored = match self.ignored {
            0 => String::new(),
            count => format!(", {count} ignored"),
        };
        let beside = match self.errors_of_sets {
            0 => String::new(),
            count => format!(" ({count} about the set of files)"),
        };
        format!(
            "{}: {} good, {failed} with errors{unread}; {}{beside}, {}, {}{ignored}",
            count(self.checked + self.unread, "file"),
            self.good,
            count(self.errors, "error"),
            count(self.warnings, "warning"),
            count(self.notes, "note")
        )
    }
}

/// "1 file", "2 files"
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Every finding with the file that it is about; one about several files has a path of its own.
pub(super) fn findings(report: &Report) -> impl Iterator<Item = (&str, &Finding)> {
    let wheels = report.wheels.iter().map(|audit| (audit.facts.file.as_str(), &audit.findings));
    let files = report.files.iter().map(|audit| (audit.file.as_str(), &audit.findings));
    let inside = wheels.chain(files);
    let inside = inside.flat_map(|(file, all)| all.iter().map(move |finding| (file, finding)));
    inside.chain(report.findings.iter().map(|finding| (finding.path.as_str(), finding)))
}

/// All findings of one rule with one severity.
pub(super) struct Group<'a> {
    pub(super) severity: Severity,
    pub(super) code: &'a str,
    pub(super) rule: &'a str,
    pub(super) items: Vec<Item<'a>>,
}

/// One message and its places.
pub(super) struct Item<'a> {
    pub(super) message: &'a str,
    pub(super) help: &'a str,
    pub(super) reason: Option<&'a str>,
    /// Further messages of the same shape, where one finding has several.
    pub(super) others: Vec<&'a str>,
    /// The number of findings.
    pub(super) count: usize,
    pub(super) places: Vec<Place<'a>>,
}

/// An audited file and a path inside of it; `None` for the file itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) path: Option<&'a str>,
}

impl<'a> Item<'a> {
    /// The message, and the next two of the same shape with the number of the others.
    pub(super) fn messages(&self) -> Vec<String> {
        const MAX_OTHERS: usize = 2;
        let first = std::iter::once(visible(self.message));
        let others = self.others.iter().take(MAX_OTHERS).map(|message| visible(message));
        let left = self.others.len().saturating_sub(MAX_OTHERS);
        first.chain(others).chain((left > 0).then(|| format!("and {left} more"))).collect()
    }

    fn of(finding: &'a Finding) -> Self {
        let own = finding.message.as_str();
        let others = finding.places().map(|(_, message)| message).filter(|each| *each != own);
        Self {
            message: own,
            help: &finding.help,
            reason: finding.reason.as_deref(),
            others: others.collect(),
            count: 0,
            places: Vec::new(),
        }
    }

    fn add(&mut self, file: &'a str, finding: &'a Finding) {
        self.count += 1;
        let path = |path: &'a str| Some(path).filter(|path| *path != file && !path.is_empty());
        self.places.extend(finding.places().map(|(each, _)| Place { file, path: path(each) }));
    }

    /// The places by file.
    pub(super) fn by_file(&self) -> Vec<(&'a str, Vec<&'a str>)> {
        let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for place in &self.places {
            files.entry(place.file).or_default().extend(place.path);
        }
        files.into_iter().collect()
    }
}

impl<'a> Group<'a> {
    /// The hint, if all messages have the same.
    pub(super) fn help(&self) -> Option<&'a str> {
        let first = self.items.first()?;
        let same = |item: &Item<'_>| item.reason.is_none() && item.help == first.help;
        self.items.iter().all(same).then_some(first.help)
    }

    pub(super) fn findings(&self) -> usize {
        self.items.iter().map(|item| item.count).sum()
    }

    /// Number of different files.
    pub(super) fn files(&self) -> usize {
        let places = self.items.iter().flat_map(|item| &item.places);
        places.map(|place| place.file).collect::<std::collections::BTreeSet<_>>().len()
    }
}

/// The findings by rule, the most severe first. Within a rule, the message with the most places comes first.
pub(super) fn groups(report: &Report) -> Vec<Group<'_>> {
    type Messages<'a> = BTreeMap<(&'a str, &'a str, Option<&'a str>), Item<'a>>;
    let mut rules: BTreeMap<(Severity, &str, &str), Messages<'_>> = BTreeMap::new();
    for (file, finding) in findings(report) {
        let messages = rules.entry((finding.severity, finding.code, finding.rule)).or_default();
        let key = (finding.message.as_str(), finding.help.as_ref(), finding.reason.as_deref());
        messages.entry(key).or_insert_with(|| Item::of(finding)).add(file, finding);
    }
    let mut groups = Vec::new();
    for ((severity, code, rule), messages) in rules {
        let mut items: Vec<Item<'_>> = messages.into_values().collect();
        items.sort_by_key(|item| std::cmp::Reverse(item.places.len()));
        groups.push(Group { severity, code, rule, items });
    }
    groups
}

/// The four numbers of a wheel or file, each in a few words.
pub(super) struct Numbers {
    /// Floor of the symbols: "glibc 2.17", "none".
    pub(super) floor: String,
    /// C library of the build system.
    pub(super) built: String,
    /// C library that the platform tag promises: "glibc 2.17", "nothing" for `linux_*`.
    pub(super) claim: String,
    /// The instruction set level.
    pub(super) isa: String,
}

impl Numbers {
    pub(super) fn of(audit: &Audit) -> Self {
        let facts = &audit.facts;
        if is_foreign(&facts.tag_claim) {
            let unread = || "not read".to_owned();
            let claim = claim(&facts.tag_claim);
            return Self { floor: unread(), built: unread(), claim, isa: unread() };
        }
        let unread = match (facts.is_unknown(), facts.elf.is_empty()) {
            (true, _) => "unknown",
            (false, true) => "none",
            (false, false) => "not read",
        };
        Self {
            floor: if is_for_musl(&facts.tag_claim) {
                // libgcc has a version that is called `GLIBC_2.0` there too.
                "none".to_owned()
            } else if !facts.floor.contains_key("GLIBC") && facts.is_unknown() {
                "unknown".to_owned()
            } else {
                floor(&facts.floor)
            },
            built: built(facts),
            claim: claim(&facts.tag_claim),
            isa: facts.isa.clone().unwrap_or_else(|| unread.to_owned()),
        }
    }
}

/// "glibc 2.36", "musl 1.2"; a question mark marks a guess.
fn built(facts: &WheelFacts) -> String {
    let Some(version) = &facts.build_glibc else {
        let is_pure = facts.elf.is_empty() && !facts.is_unknown();
        return if is_pure { "none" } else { "unknown" }.to_owned();
    };
    let name = if version.starts_with("musl") { "" } else { "glibc " };
    let guess =
        facts.build_origin.as_ref().map(|origin| origin.certainty) == Some(Certainty::Guess);
    format!("{name}{version}{}", if guess { "?" } else { "" })
}

/// The floor of the C library: "glibc 2.17".
pub(super) fn floor(floor: &Floor) -> String {
    floor.get("GLIBC").map_or_else(|| "none".to_owned(), |version| format!("glibc {version}"))
}

/// Returns whether all tags are for other systems than Linux.
fn is_foreign(tags: &[String]) -> bool {
    !tags.is_empty() && tags.iter().all(|tag| other_system(tag).is_some())
}

fn is_for_musl(tags: &[String]) -> bool {
    let musl = |tag: &String| matches!(tag.parse(), Ok(PlatformTag::Musllinux(..)));
    !tags.is_empty() && tags.iter().all(musl)
}

/// The promise of platform tags. The lowest one counts, because every tag must be true.
pub(super) fn claim(tags: &[String]) -> String {
    let parsed: Vec<PlatformTag> = tags.iter().filter_map(|tag| tag.parse().ok()).collect();
    let glibc = parsed.iter().filter_map(PlatformTag::glibc).min();
    let musl = parsed.iter().filter_map(PlatformTag::musl).min();
    match (glibc, musl, parsed.first(), tags.first()) {
        (Some(glibc), None, ..) => format!("glibc {glibc}"),
        (None, Some(musl), ..) => format!("musl {musl}"),
        (Some(glibc), Some(musl), ..) => format!("glibc {glibc}, musl {musl}"),
        (None, None, Some(PlatformTag::Any), _) => "any".to_owned(),
        (None, None, Some(_), _) => "linux".to_owned(),
        (None, None, None, Some(other)) => visible(other),
        (None, None, None, None) => "nothing".to_owned(),
    }
}

/// "good" or "fail"
pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "good",
        Verdict::Fail => "fail",
    }
}

/// A mark for a state, for reports without color.
pub(super) fn mark(state: State) -> &'static str {
    match state {
        State::Breaks => "✗",
        State::Unknown => "?",
        State::LoadsOnSome => "◐",
        State::Withheld => "○",
        State::Refused => "–",
        State::Loads => "✓",
        State::Absent => "·",
    }
}

/// The systems on which a wheel installs but does not load, by cause: their names and the first reason.
pub(super) fn broken(cells: &[Cell]) -> Vec<(Vec<String>, &str)> {
    let mut causes: Vec<(&Cell, Vec<String>)> = Vec::new();
    let breaks = |(cell, _): &(&Cell, _)| cell.state == State::Breaks;
    for (cell, system) in cells.iter().zip(distributions()).filter(breaks) {
        match causes.iter_mut().find(|(first, _)| first.blocker == cell.blocker) {
            Some((_, systems)) => systems.push(system.to_string()),
            None => causes.push((cell, vec![system.to_string()])),
        }
    }
    causes.into_iter().map(|(cell, systems)| (systems, cell.reason.as_str())).collect()
}

/// "Debian 11, 12, Alpine 3.13 and later" from the full names of distributions.
pub(super) fn releases(names: &[String]) -> String {
    let mut text = String::new();
    let mut family = "";
    for system in distributions().iter().filter(|system| names.contains(&system.to_string())) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        if family != system.name {
            text.push_str(&system.name);
            text.push(' ');
        }
        text.push_str(&system.version);
        family = &system.name;
    }
    text
}

/// A message in parts, each with whether it is code: the text between a pair of back-ticks.
pub(super) fn code_spans(message: &str) -> Vec<(bool, &str)> {
    let mut spans = Vec::new();
    let mut rest = message;
    while let Some((before, after)) = rest.split_once('`') {
        let Some((code, end)) = after.split_once('`') else { break };
        spans.extend([(false, before), (true, code)]);
        rest = end;
    }
    spans.push((false, rest));
    spans
}

/// Returns whether the state needs no attention: the wheel loads where it installs, or the installer rejects it.
pub(super) fn is_plain(state: State) -> bool {
    matches!(state, State::Loads | State::Refused | State::Absent)
}

/// The project's name in a wheel's file name.
pub(super) fn project(file: &str) -> &str {
    file.split('-').next().unwrap_or(file)
}

/// Escapes control characters, invisible ones, and those that change the direction of text (Unicode UAX 9).
pub(super) fn visible(text: &str) -> String {
    let shown = |character: char| {
        // `\` and quotes stay, so that text is not escaped twice.
        if matches!(character, '\\' | '"' | '\'') || !hides(character) {
            character.to_string()
        } else {
            character.escape_unicode().to_string()
        }
    };
    text.chars().map(shown).collect()
}

fn hides(character: char) -> bool {
    character.is_control() || character.escape_debug().len() > 1
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use crate::audit::{self, Depth};

    #[test]
    fn findings_about_several_wheels_count_for_the_file_they_name() {
        let (_folder, mut report) = audit::tests::report::report(Depth::Floor);
        let one = report.wheels.iter().find_map(|wheel| wheel.findings.first()).unwrap().clone();
        report.wheels.clear();
        let named = |path: &str| Finding { path: path.to_owned(), ..one.clone() };
        report.findings = vec![named("a.whl"), named("b.whl")];
        let groups = groups(&report);
        let group = groups.iter().find(|group| group.code == one.code).unwrap();
        assert_eq!((group.findings(), group.files()), (2, 2));
        let files = group.items.first().unwrap().by_file();
        assert_eq!(files, [("a.whl", Vec::new()), ("b.whl", Vec::new())]);
    }

    #[test]
    fn invisible_characters_are_escaped() {
        let text = "a\u{202e}gpj.exe\u{7}\u{2028}\u{200b} é 漢 `\\u{7}` \"q\"";
        let want = "a\\u{202e}gpj.exe\\u{7}\\u{2028}\\u{200b} é 漢 `\\u{7}` \"q\"";
        assert_eq!(visible(text), want);
        assert_eq!(visible(want), want, "once is enough");
    }

    #[test]
    fn the_oldest_promised_platform_counts() {
        let claim =
            |tags: &[&str]| claim(&tags.iter().map(|&tag| tag.to_owned()).collect::<Vec<_>>());
        assert_eq!(claim(&["manylinux_2_28_x86_64", "manylinux2014_x86_64"]), "glibc 2.17");
        assert_eq!(claim(&["musllinux_1_2_x86_64"]), "musl 1.2");
        assert_eq!(claim(&["linux_x86_64"]), "linux");
        assert_eq!(claim(&["any"]), "any");
        assert_eq!(claim(&["win_amd64"]), "win_amd64");
        assert_eq!(claim(&[]), "nothing");
    }
}
