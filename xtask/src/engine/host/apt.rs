//! What apt of this machine tells apt in a container: proxies and credentials.

use camino::{Utf8Path, Utf8PathBuf};

use super::Host;

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

/// apt's passwords: `auth.conf` and the files of `auth.conf.d`, joined.
pub(super) fn auth(host: &impl Host) -> String {
    let mut files = vec![Utf8PathBuf::from("/etc/apt/auth.conf")];
    let parts = host.list(Utf8Path::new("/etc/apt/auth.conf.d"));
    files.extend(parts.into_iter().filter(|path| path.extension() == Some("conf")));
    let texts = files.iter().filter_map(|file| host.read(file));
    texts.fold(String::new(), |all, text| format!("{all}{}\n", text.trim_end()))
}
