//! The settings that containers inherit from this machine during a build: its trusted certificates, its
//! proxies and its package indexes.
//!
//! They are passed as build secrets, because an index URL may contain a password. Nothing of them
//! reaches a layer, and [`HostSettings::redact`] removes them from logs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

use camino::{Utf8Path, Utf8PathBuf};

use wheel_audit::files;

mod apt;
mod cargo;
mod indexes;
mod names;
mod redact;

pub(super) use self::indexes::with_credentials;

/// Where systems keep their bundle of trusted certificates.
const CA_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
];

/// Maximum size of a secret in BuildKit (moby/buildkit, `session/secrets`, `MaxSecretSize`).
pub(crate) const SECRET_LIMIT: u64 = 500 * 1024;

/// Maximum size of an environment variable with its name in Linux (`MAX_ARG_STRLEN`).
pub(crate) const VARIABLE_LIMIT: usize = 128 * 1024;

/// Secrets that are not files, and the variable that passes each to the engine's client. Newer clients
/// refuse to read files outside the workspace without permission.
pub(crate) const TEXT_SECRETS: [(&str, &str); 6] = [
    ("settings", "XTASK_HOST_SETTINGS"),
    ("netrc", "XTASK_HOST_NETRC"),
    ("cargo_config", "XTASK_HOST_CARGO_CONFIG"),
    ("apt_conf", "XTASK_HOST_APT_CONF"),
    ("apt_auth", "XTASK_HOST_APT_AUTH"),
    // Not secret, but kept out of the build's cache key, so that machines with other core counts share layers.
    ("cores", "XTASK_HOST_CORES"),
];

/// Reads a machine's environment and files. Tests implement their own.
pub(crate) trait Host {
    /// The value of an environment variable.
    fn var(&self, name: &str) -> Option<String>;
    /// The names of all environment variables.
    fn names(&self) -> Vec<String>;
    /// The files in a folder, sorted; none if it cannot be read.
    fn list(&self, folder: &Utf8Path) -> Vec<Utf8PathBuf>;
    /// The text of a file.
    ///
    /// # Errors
    /// If the file is missing, not text, or too large for a secret.
    fn read(&self, path: &Utf8Path) -> io::Result<String>;
    /// The size of a file in bytes, if it exists.
    fn size(&self, path: &Utf8Path) -> Option<u64>;
}

/// The machine xtask runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThisHost;

impl Host for ThisHost {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn names(&self) -> Vec<String> {
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
    }

    fn list(&self, folder: &Utf8Path) -> Vec<Utf8PathBuf> {
        let Ok(entries) = folder.read_dir_utf8() else { return Vec::new() };
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.into_path())).collect();
        paths.sort();
        paths
    }

    fn read(&self, path: &Utf8Path) -> io::Result<String> {
        files::text(path, SECRET_LIMIT)
    }

    fn size(&self, path: &Utf8Path) -> Option<u64> {
        fs_err::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len())
    }
}

/// A machine, and the problems of reading its settings.
struct Reader<'h> {
    host: &'h dyn Host,
    problems: RefCell<Vec<String>>,
}

impl Reader<'_> {
    fn var(&self, name: &str) -> Option<String> {
        self.host.var(name)
    }

    /// The text of a file; `None` if it is missing, or unreadable, which is recorded.
    fn read(&self, path: &Utf8Path) -> Option<String> {
        let missing = |error: &io::Error| {
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        };
        match self.host.read(path) {
            Ok(text) => Some(text),
            Err(error) if missing(&error) => None,
            Err(error) => {
                self.note(path, &error.to_string());
                None
            }
        }
    }

    /// Like [`Self::read`]; a file that this user cannot read counts as missing.
    fn read_if_allowed(&self, path: &Utf8Path) -> Option<String> {
        match self.host.read(path) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
            _ => self.read(path),
        }
    }

    /// The TOML table in a file, like [`Self::read`].
    fn table(&self, path: &Utf8Path) -> Option<toml::Table> {
        let text = self.read(path)?;
        // The error's own text shows the line, which may contain a password.
        let failed = |error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            self.note(path, &format!("line {line}: {}", error.message()));
        };
        text.parse().map_err(failed).ok()
    }

    fn note(&self, path: &Utf8Path, reason: &str) {
        let problem = format!("`{path}` is not inherited: {reason}");
        let mut problems = self.problems.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

/// The settings that containers inherit during a build.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct HostSettings {
    /// Bundle of trusted certificates (PEM).
    pub ca: Option<Utf8PathBuf>,
    /// `.netrc` with the credentials of indexes; empty if there is none.
    pub netrc: String,
    /// cargo's configuration; empty if there is none.
    pub cargo_config: String,
    /// Environment variables of the build: proxies and indexes.
    pub settings: BTreeMap<String, String>,
    /// Number of cores for one build; `None` for the builder's default.
    pub cores: Option<usize>,
    /// apt's configuration lines for proxies, if there are any.
    pub apt_conf: String,
    /// apt's passwords (`auth.conf`); empty if there are none.
    pub apt_auth: String,
    /// The files that exist and cannot be read, each with the reason.
    pub problems: Vec<String>,
}

/// Prints names only, because the values may contain passwords.
impl std::fmt::Debug for HostSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.settings.keys().collect();
        write!(f, "HostSettings(ca {:?}, settings {names:?})", self.ca)
    }
}

impl HostSettings {
    /// Collects the settings of `host`. `apt_dump` is the output of `apt-config dump Acquire` there, possibly
    /// empty.
    pub(crate) fn collect(host: &impl Host, apt_dump: &str) -> Self {
        let host = Reader { host, problems: RefCell::default() };
        let home = host.var("HOME").map(Utf8PathBuf::from);
        let in_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let config = host.var("XDG_CONFIG_HOME").map(Utf8PathBuf::from).or(in_home(".config"));
        let cargo_home = host.var("CARGO_HOME").map(Utf8PathBuf::from).or(in_home(".cargo"));
        let mut settings = indexes::pip(&host, config.as_deref());
        settings.extend(indexes::uv(&host, config.as_deref()));
        settings.extend(cargo::tokens(&host, cargo_home.as_deref()));
        for name in host.host.names().into_iter().filter(|name| names::inherited(name)) {
            let Some(mut value) = host.var(&name) else { continue };
            // uv uses the indexes of the environment first, then those of its files.
            if let Some(more) = settings.get(&name).filter(|_| name == "UV_INDEX") {
                value = format!("{value} {more}");
            }
            settings.insert(name, value);
        }
        for value in settings.values_mut() {
            *value = one_line(value);
        }
        indexes::bridge(&mut settings);
        let netrc = host.var("NETRC").map(Utf8PathBuf::from).or(in_home(".netrc"));
        Self {
            ca: ca_bundle(host.host),
            netrc: netrc.and_then(|path| host.read(&path)).unwrap_or_default(),
            cargo_config: cargo::config(&host, cargo_home.as_deref()),
            settings,
            cores: None,
            apt_conf: apt::proxies(apt_dump),
            apt_auth: apt::auth(&host),
            problems: host.problems.into_inner(),
        }
    }

    /// The names of the indexes and mirrors that are paths on this machine.
    pub(crate) fn path_settings(&self) -> Vec<&str> {
        let is_address = |name: &str| {
            let ends = ["_INDEX", "_INDEX_URL", "_MIRROR", "_JSON_URL", "_SERVER", "_ROOT"];
            ends.iter().any(|end| name.ends_with(end)) && !name.ends_with("_NO_INDEX")
        };
        let is_path = |word: &str| {
            let address = word.rsplit('=').next().unwrap_or(word);
            word.contains("file:") || address.starts_with(['/', '.', '~'])
        };
        let found = self
            .settings
            .iter()
            .filter(|(name, value)| is_address(name) && value.split_whitespace().any(is_path));
        found.map(|(name, _)| name.as_str()).collect()
    }

    /// The names of the proxies and indexes on a loopback address, which containers cannot reach.
    pub(crate) fn loopback_settings(&self) -> Vec<&str> {
        // A proxy may lack its scheme, and uv writes an index's name before the address.
        let is_local = |(name, value): (&String, &String)| match name.to_lowercase() {
            name if name == "no_proxy" => false,
            name if name.ends_with("_proxy") => is_loopback(value),
            _ => value.split_whitespace().any(|word| word.contains("://") && is_loopback(word)),
        };
        let set = self.settings.iter().filter(|&setting| is_local(setting));
        let mut found: Vec<&str> = set.map(|(name, _)| name.as_str()).collect();
        if self.apt_conf.split('"').any(is_loopback) {
            found.push("apt's Acquire::http::Proxy");
        }
        found
    }

    /// The settings as `KEY=VALUE` lines, the contents of the secret `settings`.
    pub(crate) fn lines(&self) -> String {
        self.settings
            .iter()
            .fold(String::new(), |text, (key, value)| format!("{text}{key}={value}\n"))
    }

    /// The contents of a secret that is not a file, by its name in the Dockerfile.
    pub(crate) fn text(&self, secret: &str) -> Option<String> {
        match secret {
            "settings" => Some(self.lines()),
            "netrc" => Some(self.netrc.clone()),
            "cargo_config" => Some(self.cargo_config.clone()),
            "apt_conf" => Some(self.apt_conf.clone()),
            "apt_auth" => Some(self.apt_auth.clone()),
            "cores" => Some(self.cores.map(|cores| cores.to_string()).unwrap_or_default()),
            _ => None,
        }
    }

    /// The secrets with contents that are not files: name, variable, contents, and the shell
    /// expression that represents them in a printed command.
    pub(super) fn texts(&self) -> Vec<(&'static str, &'static str, String, String)> {
        let with_text = |&(id, variable): &(&'static str, &'static str)| {
            let text = self.text(id).filter(|text| !text.is_empty())?;
            Some((id, variable, text, format!("$(cargo xtask host-settings {id})")))
        };
        TEXT_SECRETS.iter().filter_map(with_text).collect()
    }

    /// All secrets with contents, as files below `/run/secrets` of a step: name and
    /// contents.
    ///
    /// # Errors
    /// If the bundle of certificates cannot be read.
    pub(crate) fn secret_files(&self) -> io::Result<Vec<(&'static str, Vec<u8>)>> {
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

    /// `text` without the settings' values, their credentials and their hosts.
    pub(crate) fn redact(&self, text: &str) -> String {
        redact::redact(text, &redact::needles(self))
    }
}

/// One field of a value that the engine's client parses as CSV (RFC 4180), quoted if necessary.
pub(super) fn csv_field(field: &str) -> String {
    if field.contains([',', '"', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// The lines of `value` as one line. A password may contain consecutive spaces.
fn one_line(value: &str) -> String {
    let lines = value.lines().map(str::trim).filter(|line| !line.is_empty());
    if value.contains(['\n', '\r']) {
        lines.collect::<Vec<_>>().join(" ")
    } else {
        value.to_owned()
    }
}

/// The bundle of certificates that containers inherit: the environment's, or the
/// system's.
pub(super) fn ca_bundle(host: &dyn Host) -> Option<Utf8PathBuf> {
    let named = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"];
    let named = named.iter().filter_map(|name| host.var(name)).map(Utf8PathBuf::from);
    named.chain(CA_BUNDLES.map(Utf8PathBuf::from)).find(|path| host.size(path).is_some())
}

/// Returns whether a URL, or a proxy without a scheme, refers to this machine itself.
pub(crate) fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let by_name = host.eq_ignore_ascii_case("localhost") || host.ends_with(".localhost");
    by_name || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
