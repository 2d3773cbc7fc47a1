//! Reads a Markdown page: its anchors, links, code and fences. `xtask/tests/docs.rs` reads pages with it, too.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{BrokenLink, CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

/// The parts of a page that the checks use. Lines are counted from 1.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The targets of links within the page.
    pub(crate) anchors: BTreeSet<String>,
    /// The addresses of links and pictures.
    pub(crate) links: Vec<(usize, String)>,
    /// The names of links that the page does not define: `b` of `[a][b]`.
    pub(crate) undefined: Vec<(usize, String)>,
    /// The texts of inline code.
    pub(crate) code: Vec<(usize, String)>,
    /// The fenced blocks.
    pub(crate) fences: Vec<Fence>,
}

/// A fenced block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fence {
    /// The line of the block's first line of text.
    pub(crate) line: usize,
    /// The text after the opening fence: `sh`, `sh status=1`.
    pub(crate) info: String,
    /// The text in the block.
    pub(crate) text: String,
}

impl Fence {
    /// The language: the first word of [`Self::info`].
    pub(crate) fn language(&self) -> &str {
        self.info.split_whitespace().next().unwrap_or_default()
    }
}

impl Page {
    /// Reads the page `text`.
    pub(crate) fn read(text: &str) -> Self {
        let starts: Vec<usize> =
            [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let line = |at: usize| starts.partition_point(|start| *start <= at);
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_FOOTNOTES;
        let (mut page, mut used) = (Self::default(), BTreeMap::new());
        let (mut heading, mut fence): (Option<String>, Option<Fence>) = (None, None);
        let mut undefined = Vec::new();
        let mut note = |link: BrokenLink<'_>| {
            // Brackets alone are no link.
            if link.link_type == LinkType::Reference {
                undefined.push((line(link.span.start), link.reference.to_string()));
            }
            None
        };
        let parser = Parser::new_with_broken_link_callback(text, options, Some(&mut note));
        for (event, range) in parser.into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap_or_default(), &mut used);
                    page.anchors.insert(anchor);
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                    let line = line(range.start) + 1;
                    fence = Some(Fence { line, info: info.to_string(), text: String::new() });
                }
                Event::End(TagEnd::CodeBlock) => page.fences.extend(fence.take()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push((line(range.start), dest_url.to_string()));
                }
                Event::Text(text) => match (&mut heading, &mut fence) {
                    (Some(heading), _) => heading.push_str(&text),
                    (None, Some(fence)) => fence.text.push_str(&text),
                    (None, None) => {}
                },
                Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                    page.code.push((line(range.start), text.to_string()));
                }
                Event::Html(html) | Event::InlineHtml(html) => {
                    page.anchors.extend(attributes(&html, &["id", "name"]));
                    let links = attributes(&html, &["href", "src"]);
                    page.links.extend(links.map(|link| (line(range.start), link)));
                }
                _ => {}
            }
        }
        page.undefined = undefined;
        page
    }
}

/// GitHub's anchor for a heading. A number makes repeated headings unique.
fn anchor(heading: &str, used: &mut BTreeMap<String, usize>) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    let anchor: String =
        kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect();
    let times = used.entry(anchor.clone()).or_default();
    *times += 1;
    if *times == 1 { anchor } else { format!("{anchor}-{}", *times - 1) }
}

/// The values of HTML attributes.
fn attributes<'a>(html: &'a str, names: &'a [&str]) -> impl Iterator<Item = String> + 'a {
    names.iter().flat_map(move |name| {
        let start = format!("{name}=\"");
        let found = html.match_indices(&start).map(|(at, _)| at).collect::<Vec<_>>();
        let is_whole = move |at: &usize| html[..*at].ends_with(char::is_whitespace);
        let length = start.len();
        let value = move |at: usize| html[at + length..].split('"').next().map(str::to_owned);
        found.into_iter().filter(is_whole).filter_map(value)
    })
}
