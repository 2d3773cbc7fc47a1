//! The package indexes of this machine, from the files and variables of pip and uv. Each tool also gets the indexes
//! that only the other one has.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::Reader;

type Settings = BTreeMap<String, String>;

/// Keys of pip's configuration file that have the same meaning in a container. Paths do not.
const PIP_KEYS: [&str; 8] = [
    "index-url",
    "extra-index-url",
    "trusted-host",
    "find-links",
    "no-index",
    "proxy",
    "timeout",
    "retries",
];

/// Keys of `uv.toml` with one value, and their variables.
const UV_KEYS: [(&str, &str); 7] = [
    ("index-url", "UV_INDEX_URL"),
    ("index-strategy", "UV_INDEX_STRATEGY"),
    ("no-index", "UV_NO_INDEX"),
    ("offline", "UV_OFFLINE"),
    ("python-install-mirror", "UV_PYTHON_INSTALL_MIRROR"),
    ("pypy-install-mirror", "UV_PYPY_INSTALL_MIRROR"),
    ("python-downloads-json-url", "UV_PYTHON_DOWNLOADS_JSON_URL"),
];

/// pip's configuration files as environment variables of pip. Precedence, lowest first: the system's files,
/// the user's, the environment's, and the file in `PIP_CONFIG_FILE` (pip documentation,
/// "Configuration").
pub(super) fn pip(host: &Reader<'_>, config: Option<&Utf8Path>) -> Settings {
    let mut files: Vec<Utf8PathBuf> =
        folders(host).iter().map(|folder| folder.join("pip/pip.conf")).collect();
    files.push("/etc/pip.conf".into());
    let named = host.var("PIP_CONFIG_FILE").map(Utf8PathBuf::from);
    if named.as_ref().is_some_and(|file| file == "/dev/null") {
        return Settings::new();
    }
    // A file named by the environment replaces the user's.
    if named.as_ref().is_none_or(|file| host.host.size(file).is_none()) {
        files.extend(host.var("HOME").map(|home| Utf8PathBuf::from(home).join(".pip/pip.conf")));
        files.extend(config.map(|config| config.join("pip/pip.conf")));
    }
    files.extend(host.var("VIRTUAL_ENV").map(|home| Utf8PathBuf::from(home).join("pip.conf")));
    files.extend(named);
    let texts: Vec<String> = files.iter().filter_map(|file| host.read(file)).collect();
    let mut settings = Settings::new();
    // A command's section overrides the global section, in any file.
    for section in ["global", "download", "install"] {
        for (key, value) in texts.iter().flat_map(|text| ini_values(text, section)) {
            if PIP_KEYS.contains(&key.as_str()) {
                let name = format!("PIP_{}", key.to_uppercase().replace('-', "_"));
                let words: Vec<&str> = value.split_whitespace().collect();
                settings.insert(name, words.join(" "));
            }
        }
    }
    settings
}

/// The configuration folders of the system, lowest precedence first.
fn folders(host: &Reader<'_>) -> Vec<Utf8PathBuf> {
    let dirs = host.var("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".to_owned());
    dirs.split(':').rev().filter(|dir| !dir.is_empty()).map(Utf8PathBuf::from).collect()
}

/// The keys of one section of an INI file, with continuation lines joined (Python's `configparser`).
fn ini_values(text: &str, section: &str) -> Vec<(String, String)> {
    let mut values: Vec<(String, String)> = Vec::new();
    let (mut inside, mut open, mut level) = (false, false, 0);
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        // A line deeper than its key continues the value, whatever it contains.
        if open && indent > level {
            if let Some((_, value)) = values.last_mut().filter(|_| inside) {
                value.push(' ');
                value.push_str(trimmed);
            }
            continue;
        }
        level = indent;
        // Text after the last bracket is ignored.
        let header = trimmed.strip_prefix('[').and_then(|rest| rest.rsplit_once(']'));
        if let Some((name, _)) = header {
            inside = name == section;
            open = false;
        } else if let Some((key, value)) = trimmed.split_once(['=', ':']) {
            if inside {
                let key = key.trim().to_lowercase().replace('_', "-");
                let key = key.strip_prefix("--").unwrap_or(&key).to_owned();
                values.push((key, value.trim().to_owned()));
            }
            open = true;
        }
    }
    values
}

/// `uv.toml` as environment variables of uv: the user's file overrides the system's, and the file in
/// `UV_CONFIG_FILE` replaces both (uv documentation, "Configuration files").
pub(super) fn uv(host: &Reader<'_>, config: Option<&Utf8Path>) -> Settings {
    let no_config = host.var("UV_NO_CONFIG").is_some_and(|value| is_true(&value));
    let files: Vec<toml::Table> = if let Some(named) = host.var("UV_CONFIG_FILE") {
        let named = Utf8PathBuf::from(named);
        if host.host.size(&named).is_none() {
            host.note(&named, "`UV_CONFIG_FILE` names it, but it is not a file");
        }
        host.table(&named).into_iter().collect()
    } else if no_config {
        Vec::new()
    } else {
        let mut system: Vec<Utf8PathBuf> =
            folders(host).iter().rev().map(|folder| folder.join("uv/uv.toml")).collect();
        system.push("/etc/uv/uv.toml".into());
        let user = config.and_then(|config| host.table(&config.join("uv/uv.toml")));
        // The user's entries come first in a combined list.
        user.into_iter().chain(system.iter().find_map(|file| host.table(file))).collect()
    };
    // The table of `uv pip`, which the steps use, overrides the rest.
    let of_pip = files.iter().filter_map(|table| table.get("pip")?.as_table());
    let mut settings = Settings::new();
    for table in of_pip.chain(&files) {
        for (name, value) in uv_file(table) {
            let list = matches!(name, "UV_INDEX" | "UV_EXTRA_INDEX_URL" | "UV_INSECURE_HOST");
            match settings.get_mut(name) {
                Some(known) if list => *known = format!("{known} {value}"),
                Some(known) if name == "UV_FIND_LINKS" => *known = format!("{known},{value}"),
                Some(_) => {}
                None => drop(settings.insert(name.to_owned(), value)),
            }
        }
    }
    // Either variable of the environment overrides the files.
    if host.var("UV_DEFAULT_INDEX").or(host.var("UV_INDEX_URL")).is_some() {
        settings.retain(|name, _| name != "UV_DEFAULT_INDEX" && name != "UV_INDEX_URL");
    }
    settings
}

/// One `uv.toml` as variables.
fn uv_file(table: &toml::Table) -> Vec<(&'static str, String)> {
    let words = |key: &str| -> Vec<&str> {
        let list = table.get(key).and_then(toml::Value::as_array);
        list.into_iter().flatten().filter_map(toml::Value::as_str).collect()
    };
    let mut found = Vec::new();
    for (key, variable) in UV_KEYS {
        match table.get(key) {
            Some(toml::Value::String(text)) => found.push((variable, text.clone())),
            Some(toml::Value::Boolean(yes)) => found.push((variable, yes.to_string())),
            _ => {}
        }
    }
    let (mut index, mut links) = (Vec::new(), words("find-links").join(","));
    for entry in table.get("index").and_then(toml::Value::as_array).into_iter().flatten() {
        let text = |key: &str| entry.get(key).and_then(toml::Value::as_str);
        let set = |key: &str| entry.get(key).and_then(toml::Value::as_bool) == Some(true);
        let Some(url) = text("url") else { continue };
        let named = text("name").map_or_else(|| url.to_owned(), |name| format!("{name}={url}"));
        if set("explicit") {
            // Only packages that a project's own table names use it.
        } else if text("format") == Some("flat") {
            let _ = write!(links, "{}{url}", if links.is_empty() { "" } else { "," });
        } else if set("default") {
            found.push(("UV_DEFAULT_INDEX", named));
        } else {
            index.push(named);
        }
    }
    let lists = [
        ("UV_INDEX", index.join(" ")),
        ("UV_EXTRA_INDEX_URL", words("extra-index-url").join(" ")),
        ("UV_INSECURE_HOST", words("allow-insecure-host").join(" ")),
        ("UV_FIND_LINKS", links),
    ];
    found.extend(lists.into_iter().filter(|(_, value)| !value.is_empty()));
    found
}

/// Adds the settings that only pip or only uv has to the other one, so that both use the same
/// indexes.
pub(super) fn bridge(settings: &mut Settings) {
    keep_urls(settings);
    let known = settings.clone();
    let get = |name: &str| known.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let pip_url = |word: &str| with_credentials(word, &known);
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            settings.insert(name.to_owned(), value);
        }
    };
    let uv_default = get("UV_DEFAULT_INDEX").or(get("UV_INDEX_URL"));
    match (get("PIP_INDEX_URL"), uv_default) {
        (Some(url), None) => set("UV_DEFAULT_INDEX", Some(url.to_owned())),
        (None, Some(index)) => set("PIP_INDEX_URL", Some(pip_url(index))),
        _ => {}
    }
    let uv_more = [get("UV_INDEX"), get("UV_EXTRA_INDEX_URL")].into_iter().flatten();
    let uv_more: Vec<&str> = uv_more.flat_map(str::split_whitespace).collect();
    match get("PIP_EXTRA_INDEX_URL") {
        Some(urls) if uv_more.is_empty() => {
            set("UV_INDEX", Some(urls.to_owned()));
            // pip uses the best version of all indexes. uv's default stops at the first index that has the
            // project.
            let strategy = get("UV_INDEX_STRATEGY").unwrap_or("unsafe-best-match");
            set("UV_INDEX_STRATEGY", Some(strategy.to_owned()));
        }
        None => {
            let urls: Vec<String> = uv_more.into_iter().map(pip_url).collect();
            set("PIP_EXTRA_INDEX_URL", Some(urls.join(" ")));
        }
        Some(_) => {}
    }
    for (one, other) in [("PIP_TRUSTED_HOST", "UV_INSECURE_HOST"), ("PIP_NO_INDEX", "UV_NO_INDEX")]
    {
        match (get(one), get(other)) {
            (Some(value), None) => set(other, Some(value.to_owned())),
            (None, Some(value)) => set(one, Some(value.to_owned())),
            _ => {}
        }
    }
    // pip separates them by spaces, uv by commas.
    match (get("PIP_FIND_LINKS"), get("UV_FIND_LINKS")) {
        (Some(links), None) => set("UV_FIND_LINKS", Some(links.replace(' ', ","))),
        (None, Some(links)) => set("PIP_FIND_LINKS", Some(links.replace(',', " "))),
        _ => {}
    }
}

/// Removes this machine's folders, which containers cannot see.
fn keep_urls(settings: &mut Settings) {
    for (name, between) in [("PIP_FIND_LINKS", " "), ("UV_FIND_LINKS", ",")] {
        let Some(links) = settings.remove(name) else { continue };
        let remote = |link: &&str| link.starts_with("http://") || link.starts_with("https://");
        let links: Vec<&str> = links.split([' ', ',']).filter(remote).collect();
        if !links.is_empty() {
            settings.insert(name.to_owned(), links.join(between));
        }
    }
}

/// uv's `NAME=URL` or `URL` in pip's form: without the name, and with the user and the password
/// from `UV_INDEX_NAME_USERNAME` and `UV_INDEX_NAME_PASSWORD`.
pub(in crate::engine) fn with_credentials(index: &str, settings: &Settings) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let Some((name, url)) = index.split_once('=').filter(|(name, _)| name.chars().all(plain))
    else {
        return index.to_owned();
    };
    let upper: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    let get = |what: &str| settings.get(&format!("UV_INDEX_{upper}_{what}"));
    let (user, password) = (get("USERNAME"), get("PASSWORD"));
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') || (user.is_none() && password.is_none()) {
        return url.to_owned();
    }
    let text = |value: Option<&String>| encoded(value.map_or("", String::as_str));
    format!("{scheme}://{}:{}@{rest}", text(user), text(password))
}

/// Percent-encodes characters of a user or password that are invalid in a URL (RFC 3986, 2.3).
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn is_true(value: &str) -> bool {
    ["1", "true", "yes", "on", "y", "t"].contains(&value.to_lowercase().as_str())
}
