//! A folder that installers read as an index: the wheels (`pip --find-links`), and a simple repository of static
//! files (PEP 503 with `data-requires-python`).

use std::collections::BTreeMap;

use camino::Utf8Path;
use maud::{DOCTYPE, html};

use super::published::{Content, Wheel};
use wheel_audit::wheel::{Headers, MAX_METADATA, WheelArchive};

/// Folder of the pages.
const SIMPLE: &str = "simple";

/// The pages for `wheels` in `dist`: one with all projects, and one for each.
pub(crate) fn pages(dist: &Utf8Path, wheels: &[Wheel]) -> BTreeMap<String, Content> {
    let mut projects: BTreeMap<String, Vec<(&Wheel, Option<String>)>> = BTreeMap::new();
    for wheel in wheels {
        let python = requires_python(&dist.join(&wheel.entry.path));
        projects.entry(normalized(&wheel.name.distribution)).or_default().push((wheel, python));
    }
    let root = html! {
        (DOCTYPE)
        html {
            head { meta name="pypi:repository-version" content="1.0"; title { "Simple index" } }
            body { @for name in projects.keys() { a href={ (name) "/" } { (name) } br; } }
        }
    };
    let mut pages = BTreeMap::new();
    pages.insert(format!("{SIMPLE}/index.html"), text(&root));
    for (name, wheels) in projects {
        let page = html! {
            (DOCTYPE)
            html {
                head { meta name="pypi:repository-version" content="1.0"; title { (name) } }
                body {
                    @for (wheel, python) in wheels {
                        a href={ "../../" (encoded(wheel.file())) "#sha256=" (wheel.entry.sha256) }
                            data-requires-python=[python] { (wheel.file()) }
                        br;
                    }
                }
            }
        };
        pages.insert(format!("{SIMPLE}/{name}/index.html"), text(&page));
    }
    pages
}

fn text(page: &maud::Markup) -> Content {
    Content::Text(format!("{}\n", page.0))
}

/// Normalized name of a project (PEP 503, "Normalized Names").
fn normalized(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let parts = lower.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-")
}

/// A file name in a URL's path. Escapes special characters, e.g. `+` of a local version.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    name.bytes().map(one).collect()
}

/// `Requires-Python` of the wheel, if it is readable.
fn requires_python(path: &Utf8Path) -> Option<String> {
    let mut archive = WheelArchive::open(path).ok()?;
    let is_metadata = |name: &str| {
        name.split_once('/').is_some_and(|(d, f)| d.ends_with(".dist-info") && f == "METADATA")
    };
    let index = archive.entries().iter().position(|entry| is_metadata(&entry.name))?;
    let bytes = archive.read(index, MAX_METADATA).ok()?;
    let headers = Headers::parse(&bytes);
    headers.all("Requires-Python").next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_has_the_names_that_installers_request() {
        assert_eq!(normalized("Zope.Interface__x"), "zope-interface-x");
        assert_eq!(encoded("a-1.0+cu12-py3-none-any.whl"), "a-1.0%2Bcu12-py3-none-any.whl");
    }
}
