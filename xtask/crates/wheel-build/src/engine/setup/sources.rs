//! Parses a machine's package sources, to derive a separate list from them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Fields of a source that we set ourselves.
const OURS: [&str; 8] =
    ["types", "uris", "suites", "components", "enabled", "architectures", "languages", "targets"];

/// An active source of binary packages.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Source {
    /// Its addresses. They may contain credentials and are never shown.
    pub uris: Vec<String>,
    /// Its suites, such as `bookworm`, `bookworm-updates`.
    pub suites: Vec<String>,
    /// Its components, such as `main`.
    pub components: Vec<String>,
    /// Its architectures; empty for all that dpkg knows.
    pub architectures: Vec<String>,
    /// All other fields, such as `signed-by`; names in lower case, values unchanged.
    pub options: BTreeMap<String, String>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({:?} {:?})", self.suites, self.components)
    }
}

/// Parses the text of a `.sources` file.
pub(crate) fn parse_deb822(text: &str) -> Vec<Source> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut stanzas: Vec<BTreeMap<String, String>> = vec![BTreeMap::new()];
    let mut last = String::new();
    for line in lines {
        let Some(stanza) = stanzas.last_mut() else { break };
        if line.trim().is_empty() {
            stanzas.push(BTreeMap::new());
        } else if line.starts_with([' ', '\t']) {
            // An embedded key has several lines, and its line breaks matter.
            if let Some(value) = stanza.get_mut(&last) {
                let _ = write!(value, "\n{line}");
            }
        } else if let Some((name, value)) = line.split_once(':') {
            last = name.trim().to_lowercase();
            stanza.insert(last.clone(), value.trim().to_owned());
        }
    }
    stanzas.into_iter().filter_map(from_fields).collect()
}

fn from_fields(mut fields: BTreeMap<String, String>) -> Option<Source> {
    let words = |name: &str| -> Vec<String> {
        let value = fields.get(name).map(String::as_str).unwrap_or_default();
        value.split_whitespace().map(str::to_owned).collect()
    };
    let off =
        |value: &String| ["no", "false", "without", "off", "disable", "0"].contains(&&**value);
    if fields.get("enabled").is_some_and(off) || !words("types").iter().any(|kind| kind == "deb") {
        return None;
    }
    let (uris, suites) = (words("uris"), words("suites"));
    let (components, architectures) = (words("components"), words("architectures"));
    fields.retain(|name, _| !OURS.contains(&name.as_str()));
    let known = !uris.is_empty() && !suites.is_empty();
    known.then_some(Source { uris, suites, components, architectures, options: fields })
}

/// Parses the text of a `sources.list`.
pub(crate) fn parse_one_line(text: &str) -> Vec<Source> {
    text.lines().filter_map(one_line).collect()
}

fn one_line(line: &str) -> Option<Source> {
    let line = line.split('#').next().unwrap_or_default();
    let rest = line.trim().strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t', '[']) {
        return None;
    }
    let (options, rest) = match rest.trim().strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    let mut source =
        Source { uris: vec![words.next()?], suites: vec![words.next()?], ..Source::default() };
    source.components = words.collect();
    for (name, value) in options.split_whitespace().filter_map(|option| option.split_once('=')) {
        let name = name.trim_end_matches(['+', '-']).to_lowercase();
        let value = value.replace(',', " ");
        match name.as_str() {
            "arch" => source.architectures = value.split(' ').map(str::to_owned).collect(),
            "lang" | "target" => {}
            _ => {
                source.options.insert(name, value);
            }
        }
    }
    Some(source)
}

/// The sources in `all` with the distribution's own release `codename` for `arch`, reduced to its suites.
/// Sources of other vendors lack `main` or the suite's exact name.
pub(crate) fn own(all: &[Source], codename: &str, arch: &str) -> Vec<Source> {
    let ours = |suite: &String| {
        let rest = suite.strip_prefix(codename);
        rest.is_some_and(|rest| ["", "-updates", "-security", "/updates"].contains(&rest))
    };
    let fits = |source: &&Source| {
        let any = source.architectures.is_empty();
        source.components.iter().any(|component| component == "main")
            && (any || source.architectures.iter().any(|known| known == arch))
    };
    let cut = |source: &Source| {
        let suites: Vec<_> = source.suites.iter().filter(|suite| ours(suite)).cloned().collect();
        (!suites.is_empty()).then(|| Source { suites, ..source.clone() })
    };
    all.iter().filter(fits).filter_map(cut).collect()
}

/// `sources` for another release of the same distribution.
pub(crate) fn for_release(sources: &[Source], codename: &str, other: &str) -> Vec<Source> {
    let rename = |suite: &String| suite.replacen(codename, other, 1);
    let moved = sources.iter().map(|source| Source {
        suites: source.suites.iter().map(rename).collect(),
        ..source.clone()
    });
    moved.collect()
}

/// The text of a `.sources` file that fetches `sources` for `arch`: only package lists, without the
/// descriptions, translations and icons that make up half of the download.
pub(crate) fn render(sources: &[Source], arch: &str) -> String {
    let mut text = String::new();
    for source in sources {
        let uris = source.uris.join(" ");
        let (suites, components) = (source.suites.join(" "), source.components.join(" "));
        let _ = writeln!(text, "Types: deb\nURIs: {uris}\nSuites: {suites}");
        let _ = writeln!(text, "Components: {components}\nArchitectures: {arch}");
        let _ = writeln!(text, "Targets: Packages\nLanguages: none");
        for (name, value) in &source.options {
            let _ = writeln!(text, "{name}: {value}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "\
# managed by hand
Types: deb deb-src
# the address of a snapshot
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://me:secret@mirror.example/debian-security
Suites: bookworm-security
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://src.example/debian
Suites: bookworm
Components: main
";

    #[test]
    fn deb822_is_parsed_with_comments_keys_and_disabled_stanzas() {
        let sources = parse_deb822(DEB822);
        assert_eq!(sources.len(), 2);
        assert_eq!(sources[0].suites, ["bookworm", "bookworm-updates", "bookworm-backports"]);
        assert!(sources[1].options["signed-by"].contains("\n mQINBF\n"));
        assert!(!format!("{sources:?}").contains("secret"), "no credentials in messages");
    }

    #[test]
    fn one_line_sources_are_parsed_with_options_and_comments() {
        let sources = parse_one_line(
            "# deb http://no.example/debian bookworm main\n\
             deb [arch=amd64,arm64 signed-by=/k.gpg] http://mirror.example/ubuntu noble main universe # x\n\
             deb-src http://mirror.example/ubuntu noble main\n\
             deb\thttp://mirror.example/ubuntu noble-updates main\n\
             deb http://flat.example/ ./\n",
        );
        assert_eq!(sources.len(), 3);
        assert_eq!(sources[0].architectures, ["amd64", "arm64"]);
        assert_eq!(sources[0].components, ["main", "universe"]);
        assert_eq!(sources[0].options["signed-by"], "/k.gpg");
        assert_eq!(sources[1].suites, ["noble-updates"]);
    }

    #[test]
    fn only_the_distributions_own_suites_are_used() {
        let mut all = parse_deb822(DEB822);
        all.extend(parse_one_line(
            "deb https://engine.example/debian bookworm stable\n\
             deb https://node.example nodistro main\n\
             deb https://pg.example bookworm-pgdg main\n\
             deb [arch=i386] https://other.example/debian bookworm main\n",
        ));
        let own = own(&all, "bookworm", "amd64");
        let suites: Vec<_> = own.iter().map(|source| source.suites.join(" ")).collect();
        assert_eq!(suites, ["bookworm bookworm-updates", "bookworm-security"]);
    }

    #[test]
    fn the_next_release_uses_the_same_mirrors_and_keys() {
        let own = own(&parse_deb822(DEB822), "bookworm", "amd64");
        insta::assert_snapshot!(render(&for_release(&own[..1], "bookworm", "trixie"), "amd64"), @r"
        Types: deb
        URIs: http://mirror.example/debian
        Suites: trixie trixie-updates
        Components: main
        Architectures: amd64
        Targets: Packages
        Languages: none
        signed-by: /usr/share/keyrings/debian-archive-keyring.gpg
        ");
        let text = render(&own, "amd64");
        assert_eq!(parse_deb822(&text).len(), 2);
        assert_eq!(parse_deb822(&text)[1].options, own[1].options);
    }
}
