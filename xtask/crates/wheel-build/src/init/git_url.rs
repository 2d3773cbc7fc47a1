//! Addresses of git repositories in the form that cargo accepts.

use camino::Utf8Path;

/// The schemes of git repositories that cargo accepts.
const SCHEMES: [&str; 7] = ["https", "ssh", "file", "http", "git", "git+ssh", "ssh+git"];

/// `url` as a URL that cargo accepts, without a password; `None` if there is none. git also accepts paths, here from
/// `folder`, or from `home` after `~/`, and for ssh `user@host:path` and `[user@host:port]:path`.
pub(super) fn cargo_url(folder: &Utf8Path, url: &str, home: Option<&str>) -> Option<String> {
    let url = match (url.strip_prefix("~/"), home) {
        (Some(path), Some(home)) => format!("{home}/{path}"),
        _ => url.to_owned(),
    };
    let path = folder.join(&url).canonicalize_utf8();
    let url = path.map_or(url, camino::Utf8PathBuf::into_string);
    // Parsers of URLs drop some control characters.
    if url.contains(char::is_control) {
        return None;
    }
    if url.starts_with('/') {
        return Some(format!("file://{}", encoded(&url)));
    }
    let (scheme, host, path) = if let Some((scheme, rest)) = url.split_once("://") {
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        (scheme, host, path)
    } else {
        let (host, path) = of_ssh(&url)?;
        ("ssh", host, path)
    };
    let path = path.trim_start_matches('/');
    // The manifest is committed. A user remains for ssh only.
    let (login, host) = host.rsplit_once('@').unwrap_or(("", host));
    let user = login.split(':').next().filter(|user| scheme.contains("ssh") && !user.is_empty());
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    // A query can hold a token.
    let is_path = !path.is_empty() && !path.contains(['?', '#']);
    let is_valid = SCHEMES.contains(&scheme)
        && is_path
        && (is_host(host) || host.is_empty() && scheme == "file");
    is_valid.then(|| format!("{scheme}://{user}{host}/{path}"))
}

/// A path as that of a URL.
fn encoded(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3F").replace('#', "%23")
}

/// Host and path of `user@host:path`. The host may be in brackets: an IPv6 address, or a host with its port.
fn of_ssh(url: &str) -> Option<(&str, &str)> {
    let (host, path) = match url.rsplit_once("]:") {
        Some((host, path)) => (url.get(..=host.len())?, path),
        None => url.split_once(':')?,
    };
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_address = |host: &str| host.parse::<std::net::Ipv6Addr>().is_ok();
    // `NAME::ADDRESS` selects a helper program of git.
    let is_ssh = !host.contains('/') && !path.starts_with(':');
    is_ssh.then(|| (inside.filter(|host| !is_address(host)).unwrap_or(host), path))
}

/// Returns whether `host`, possibly with a port, is the host of a URL.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_name = |c: char| c.is_alphanumeric() || "-._".contains(c);
    port.is_none_or(|port| port.parse::<u16>().is_ok())
        && match address {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !name.is_empty() && name.chars().all(is_name),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_git_has_the_form_that_cargo_accepts_or_none() {
        for (url, expected) in [
            ("https://a.example:8443/o/x.git", Some("https://a.example:8443/o/x.git")),
            ("https://me:made-up@a.example/x@y.git", Some("https://a.example/x@y.git")),
            ("ssh://git@a.example/o/x", Some("ssh://git@a.example/o/x")),
            ("ssh://git:made-up@a.example:22/o/x", Some("ssh://git@a.example:22/o/x")),
            ("ssh://git@[2001:db8::1]:22/o/x", Some("ssh://git@[2001:db8::1]:22/o/x")),
            ("git@a.example:o/x.git", Some("ssh://git@a.example/o/x.git")),
            ("a.example:o/x.git", Some("ssh://a.example/o/x.git")),
            ("git@[2001:db8::1]:o/x.git", Some("ssh://git@[2001:db8::1]/o/x.git")),
            ("[2001:db8::1]:o/x.git", Some("ssh://[2001:db8::1]/o/x.git")),
            ("[git@a.example:2222]:o/x.git", Some("ssh://git@a.example:2222/o/x.git")),
            ("[a.example:2222]:/o/x.git", Some("ssh://a.example:2222/o/x.git")),
            ("[git@[2001:db8::1]:2222]:x", Some("ssh://git@[2001:db8::1]:2222/x")),
            ("/srv/x", Some("file:///srv/x")),
            ("file:///srv/x", Some("file:///srv/x")),
            ("~/x", Some("file:///home/me/x")),
            ("~me/x", None),
            ("no/such/folder", None),
            ("a.example:", None),
            ("ext::ssh a.example:o/x", None),
            ("https://a.example", None),
            ("https://[a.example/o/x", None),
            ("https://a.example:port/o/x", None),
            ("[git@a.example:ssh]:x", None),
            ("svn://a.example/o/x", None),
            ("/srv/a b%20?#c", Some("file:///srv/a b%2520%3F%23c")),
            ("https://a.example/x.git?token=made-up", None),
            ("https://a.example/x.git#made-up", None),
            ("git@a.example:o/x\ny", None),
            ("/srv/x\ny", None),
            ("ssh://gi\nt@a.example/x", None),
            ("--upload-pack=x", None),
        ] {
            let found = cargo_url(Utf8Path::new("/nowhere"), url, Some("/home/me"));
            assert_eq!(found.as_deref(), expected, "{url}");
        }
        assert_eq!(cargo_url(Utf8Path::new("/nowhere"), "~/x", None), None);
    }
}
