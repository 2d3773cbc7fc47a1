//! apt's proxies and credentials, for apt in a container.

use camino::{Utf8Path, Utf8PathBuf};

use super::Reader;

/// The proxy lines of `apt-config dump`. Timeouts belong to this machine, and a program that detects
/// proxies is not in a container.
pub(super) fn proxies(dump: &str) -> String {
    let proxy = |line: &&str| {
        let key = line.split_whitespace().next().unwrap_or_default().to_lowercase();
        key.starts_with("acquire::http")
            && key.contains("proxy")
            && !key.contains("detect")
            && !line.ends_with("\"\";")
    };
    dump.lines().filter(proxy).fold(String::new(), |text, line| format!("{text}{line}\n"))
}

/// apt's passwords: `auth.conf` and the files of `auth.conf.d`, joined. apt also reads files without an extension
/// (apt, `GetListOfFilesInDir`).
pub(super) fn auth(host: &Reader<'_>) -> String {
    let mut files = vec![Utf8PathBuf::from("/etc/apt/auth.conf")];
    let parts = host.host.list(Utf8Path::new("/etc/apt/auth.conf.d"));
    files.extend(parts.into_iter().filter(|path| matches!(path.extension(), None | Some("conf"))));
    // Some are usually readable by root only, which is no problem to report in every run.
    let texts = files.iter().filter_map(|file| host.read_if_allowed(file));
    texts.fold(String::new(), |all, text| format!("{all}{}\n", text.trim_end()))
}
