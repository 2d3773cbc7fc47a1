//! What the containers inherit from this machine while they build: the certificates it trusts, its
//! proxies and its package indexes.
//!
//! All of it travels as build secrets, because an index URL may hold a password: nothing of it
//! reaches a layer, and [`HostSettings::redact`] keeps it out of logs.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

/// Environment variables that are handed on as they are.
const HANDED_ON: [&str; 24] = [
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PIP_PROXY",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_RETRIES",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_INSECURE_HOST",
    "UV_PYTHON_INSTALL_MIRROR",
    "UV_PYPY_INSTALL_MIRROR",
    "UV_PYTHON_DOWNLOADS_JSON_URL",
    "PYTHON_SOURCE_MIRROR",
    "RUSTUP_DIST_SERVER",
];

/// Keys of pip's configuration file that mean the same inside a container; paths do not.
const PIP_KEYS: [&str; 6] =
    ["index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries"];

/// Where systems keep the bundle of certificates they trust.
const CA_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
];

/// The largest secret that BuildKit takes (moby/buildkit, `session/secrets`, `MaxSecretSize`).
pub const SECRET_LIMIT: u64 = 500 * 1024;

/// Secrets that are no files, and the variable through which each reaches the engine's client. Not
/// files, because newer clients refuse to read files outside the workspace unasked.
pub const TEXT_SECRETS: [(&str, &str); 4] = [
    ("settings", "XTASK_HOST_SETTINGS"),
    ("netrc", "XTASK_HOST_NETRC"),
    ("cargo_config", "XTASK_HOST_CARGO_CONFIG"),
    ("apt_conf", "XTASK_HOST_APT_CONF"),
];

/// Reads a machine: its environment and its files. A test gives its own.
pub trait Host {
    /// The value of an environment variable.
    fn var(&self, name: &str) -> Option<String>;
    /// The text of a file, where it is there and can be read.
    fn read(&self, path: &Utf8Path) -> Option<String>;
    /// The size of a file in bytes, where it is there.
    fn size(&self, path: &Utf8Path) -> Option<u64>;
}

/// The machine xtask runs on.
#[derive(Debug, Clone, Copy)]
pub struct ThisHost;

impl Host for ThisHost {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn read(&self, path: &Utf8Path) -> Option<String> {
        fs_err::read_to_string(path).ok()
    }

    fn size(&self, path: &Utf8Path) -> Option<u64> {
        fs_err::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len())
    }
}

/// What the containers inherit while they build.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// Bundle of trusted certificates (PEM).
    pub ca: Option<Utf8PathBuf>,
    /// `.netrc` with the credentials of indexes; empty where there is none.
    pub netrc: String,
    /// cargo's configuration; empty where there is none.
    pub cargo_config: String,
    /// Environment of the build: proxies and indexes.
    pub settings: BTreeMap<String, String>,
    /// apt's configuration lines (proxies), where this machine has some.
    pub apt_conf: String,
}

/// Names only: the values may hold passwords.
impl std::fmt::Debug for HostSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.settings.keys().collect();
        write!(f, "HostSettings(ca {:?}, settings {names:?})", self.ca)
    }
}

impl HostSettings {
    /// Gathers the settings of `host`; `apt_dump` is what `apt-config dump Acquire` printed there,
    /// or nothing.
    pub fn gather(host: &impl Host, apt_dump: &str) -> Self {
        let home = host.var("HOME").map(Utf8PathBuf::from);
        let in_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let text = |path: Option<Utf8PathBuf>| path.and_then(|path| host.read(&path));
        let mut settings = pip_settings(host, home.as_deref());
        for name in HANDED_ON {
            if let Some(value) = host.var(name) {
                settings.insert(name.to_owned(), one_line(&value));
            }
        }
        let cargo_home = host.var("CARGO_HOME").map(Utf8PathBuf::from).or(in_home(".cargo"));
        let netrc = host.var("NETRC").map(Utf8PathBuf::from).or(in_home(".netrc"));
        Self {
            ca: ca_bundle(host),
            netrc: text(netrc).unwrap_or_default(),
            cargo_config: text(cargo_home.map(|dir| dir.join("config.toml"))).unwrap_or_default(),
            settings,
            apt_conf: apt_proxies(apt_dump),
        }
    }

    /// The settings as `KEY=VALUE` lines: what the secret `settings` holds.
    pub fn lines(&self) -> String {
        self.settings
            .iter()
            .fold(String::new(), |text, (key, value)| format!("{text}{key}={value}\n"))
    }

    /// What one secret that is no file holds, by the name it has in the Dockerfile.
    pub fn text(&self, secret: &str) -> Option<String> {
        match secret {
            "settings" => Some(self.lines()),
            "netrc" => Some(self.netrc.clone()),
            "cargo_config" => Some(self.cargo_config.clone()),
            "apt_conf" => Some(self.apt_conf.clone()),
            _ => None,
        }
    }

    /// The secrets that are no files and hold something: name, variable, contents, and the shell
    /// expression that a printed command shows in their place.
    pub(super) fn texts(&self) -> Vec<(&'static str, &'static str, String, String)> {
        let with_text = |&(id, variable): &(&'static str, &'static str)| {
            let text = self.text(id).filter(|text| !text.is_empty())?;
            Some((id, variable, text, format!("$(cargo xtask host-settings {id})")))
        };
        TEXT_SECRETS.iter().filter_map(with_text).collect()
    }

    /// All secrets that hold something, as the files that a step finds below `/run/secrets`: name and
    /// contents.
    ///
    /// # Errors
    /// When the bundle of certificates cannot be read.
    pub fn secret_files(&self) -> std::io::Result<Vec<(&'static str, Vec<u8>)>> {
        let mut files = Vec::new();
        if let Some(bundle) = &self.ca {
            files.push(("ca", fs_err::read(bundle)?));
        }
        files.extend(self.texts().into_iter().map(|(id, _, text, _)| (id, text.into_bytes())));
        Ok(files)
    }

    /// The values of bake's `secrets` attribute.
    pub(super) fn secrets(&self) -> Vec<String> {
        let ca = self.ca.iter().map(|path| format!("id=ca,{}", csv_field(&format!("src={path}"))));
        let texts = self.texts();
        ca.chain(texts.iter().map(|(id, variable, ..)| format!("id={id},env={variable}"))).collect()
    }

    /// `text` without any of the settings' values, their credentials and their hosts.
    pub fn redact(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for needle in self.needles() {
            if clean.contains(&needle) {
                clean = clean.replace(&needle, "****");
            }
        }
        clean
    }

    /// What must not be shown, longest first so that a part does not hide the whole.
    fn needles(&self) -> Vec<String> {
        let urls = |text: &str| -> Vec<String> {
            text.split_whitespace().flat_map(|word| word.split('"')).flat_map(url_parts).collect()
        };
        let mut needles: Vec<String> =
            self.settings.values().flat_map(|value| urls(value)).collect();
        needles.extend(urls(&self.apt_conf));
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        needles.dedup();
        needles
    }
}

/// One field of a value that the engine's client reads as CSV (RFC 4180): quoted where it has to be.
pub(super) fn csv_field(field: &str) -> String {
    if field.contains([',', '"', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// A URL, and of it the authority with and without credentials and the credentials by themselves.
fn url_parts(word: &str) -> Vec<String> {
    // Proxies are often written without a scheme, with credentials all the same.
    let rest = match word.split_once("://") {
        Some((_, rest)) => rest,
        None if word.contains('@') => word,
        None => return Vec::new(),
    };
    let authority = rest.split(['/', '?', ';']).next().unwrap_or(rest);
    let mut parts = vec![word.trim_end_matches([';', '/']).to_owned(), authority.to_owned()];
    if let Some((user, host)) = authority.rsplit_once('@') {
        parts.push(host.to_owned());
        parts.extend(user.split_once(':').map(|(_, password)| password.to_owned()));
    }
    // A short word such as a port-less `proxy` would blot out half a log.
    parts.retain(|part| part.len() >= 6);
    parts
}

fn one_line(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The bundle of certificates that containers are handed: what the environment names, else the
/// system's.
pub(super) fn ca_bundle(host: &impl Host) -> Option<Utf8PathBuf> {
    let named = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"];
    let named = named.iter().filter_map(|name| host.var(name)).map(Utf8PathBuf::from);
    named.chain(CA_BUNDLES.map(Utf8PathBuf::from)).find(|path| host.size(path).is_some())
}

/// What pip's configuration files say, as pip's environment variables: global file first, the
/// user's over it, the one that `PIP_CONFIG_FILE` names last (pip documentation, "Configuration").
fn pip_settings(host: &impl Host, home: Option<&Utf8Path>) -> BTreeMap<String, String> {
    let mut files = vec![Utf8PathBuf::from("/etc/pip.conf")];
    if let Some(home) = home {
        files.push(home.join(".pip/pip.conf"));
        files.push(home.join(".config/pip/pip.conf"));
    }
    files.extend(host.var("PIP_CONFIG_FILE").map(Utf8PathBuf::from));
    let mut settings = BTreeMap::new();
    for text in files.iter().filter_map(|file| host.read(file)) {
        for (key, value) in ini_values(&text, &["global", "install", "download"]) {
            if PIP_KEYS.contains(&key.as_str()) {
                let name = format!("PIP_{}", key.to_uppercase().replace('-', "_"));
                settings.insert(name, one_line(&value));
            }
        }
    }
    settings
}

/// The keys of some sections of an INI file, continuation lines joined (Python's `configparser`).
fn ini_values(text: &str, sections: &[&str]) -> Vec<(String, String)> {
    let mut values: Vec<(String, String)> = Vec::new();
    let (mut inside, mut open) = (false, false);
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = sections.contains(&name);
            open = false;
        } else if !inside {
        } else if line.starts_with([' ', '\t']) && open {
            if let Some((_, value)) = values.last_mut() {
                value.push(' ');
                value.push_str(trimmed);
            }
        } else if let Some((key, value)) = trimmed.split_once(['=', ':']) {
            let key = key.trim().to_lowercase().replace('_', "-");
            values.push((key, value.trim().to_owned()));
            open = true;
        }
    }
    values
}

/// The proxy lines of `apt-config dump`; timeouts and the like are this machine's own affair.
fn apt_proxies(dump: &str) -> String {
    let proxy = |line: &&str| {
        let key = line.split_whitespace().next().unwrap_or_default().to_lowercase();
        key.starts_with("acquire::http") && key.contains("proxy") && !line.ends_with("\"\";")
    };
    dump.lines().filter(proxy).fold(String::new(), |text, line| format!("{text}{line}\n"))
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
