//! What apt of this machine tells apt in a container: proxies and credentials.

use camino::{Utf8Path, Utf8PathBuf};

use super::Reader;

/// The proxy lines of `apt-config dump`; timeouts and the like are this machine's own affair, and a
/// program that finds a proxy is not in a container.
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

/// apt's passwords: `auth.conf` and the files of `auth.conf.d`, joined. apt reads those without an ending, too
/// (apt, `GetListOfFilesInDir`).
pub(super) fn auth(host: &Reader<'_>) -> String {
    let mut files = vec![Utf8PathBuf::from("/etc/apt/auth.conf")];
    let parts = host.host.list(Utf8Path::new("/etc/apt/auth.conf.d"));
    files.extend(parts.into_iter().filter(|path| matches!(path.extension(), None | Some("conf"))));
    // Only root may read some of them, as is usual: that is no problem of every run.
    let texts = files.iter().filter_map(|file| host.read_if_allowed(file));
    texts.fold(String::new(), |all, text| format!("{all}{}\n", text.trim_end()))
}
