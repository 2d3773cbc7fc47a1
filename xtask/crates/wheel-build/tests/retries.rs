//! Downloads of a build step from a failing server, without an engine; tests/e2e/caches.rs has more.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const BODY: &str = "made up";

/// A server that answers each request with the next of `answers`; returns its address and its counter.
fn server(answers: Vec<String>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/file", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let request = BufReader::new(stream.try_clone().unwrap());
            for line in request.lines() {
                if line.unwrap_or_default().is_empty() {
                    break;
                }
            }
            let count = counter.fetch_add(1, Ordering::SeqCst);
            let answer = answers.get(count).or(answers.last()).unwrap();
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, requests)
}

fn status(code: &str) -> String {
    format!("HTTP/1.1 {code}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn ok(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{BODY}")
}

/// Returns whether `fetch.py` fetches the file from a server with these answers, and the number of requests.
fn fetch(answers: Vec<String>) -> (bool, usize) {
    let dir = tempfile::tempdir().unwrap();
    let (address, requests) = server(answers);
    let sha256 = wheel_audit::digest::of_bytes(BODY.as_bytes());
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/fetch.py"));
    command.arg(address).arg(dir.path().join("file")).arg(sha256).env("no_proxy", "127.0.0.1");
    let fetched = command.status().unwrap().success();
    assert_eq!(fetched, dir.path().join("file").exists());
    (fetched, requests.load(Ordering::SeqCst))
}

#[test]
fn a_server_that_fails_twice_receives_a_third_request() {
    let busy = status("503 Busy");
    assert_eq!(fetch(vec![busy.clone(), busy, ok(BODY.len())]), (true, 3));
    // A connection that breaks, at once or later.
    assert_eq!(fetch(vec![String::new(), ok(BODY.len() + 9), ok(BODY.len())]), (true, 3));
}

#[test]
fn retries_end_after_three_failures_or_a_missing_file() {
    assert_eq!(fetch(vec![status("503 Busy")]), (false, 3));
    assert_eq!(fetch(vec![status("404 None")]), (false, 1));
}

/// The file that `fetch-published.py` fetches from an index with these answers, and the number of requests.
fn fetch_published(answers: Vec<String>) -> (Option<String>, usize) {
    let dir = tempfile::tempdir().unwrap();
    let (address, requests) = server(answers);
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/fetch-published.py"));
    command.args(["demo", ""]).arg(dir.path()).env("no_proxy", "127.0.0.1");
    // Without pip's own retries.
    command
        .env("PIP_INDEX_URL", address)
        .env("PIP_RETRIES", "0")
        .env("PIP_CONFIG_FILE", "/dev/null");
    command.env("PIP_NO_CACHE_DIR", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    let fetched = command.status().unwrap().success();
    let report = fs_err::read(dir.path().join("published.json"));
    let report: Option<serde_json::Value> =
        report.ok().map(|text| serde_json::from_slice(&text).unwrap());
    assert_eq!(fetched, report.is_some());
    let file = report.and_then(|report| report["file"].as_str().map(str::to_owned));
    if let Some(file) = &file {
        assert_eq!(fs_err::read_to_string(dir.path().join(file)).unwrap(), BODY);
    }
    (file, requests.load(Ordering::SeqCst))
}

#[test]
fn an_index_that_breaks_connections_receives_more_requests() {
    let wheel = "demo-1.0-py3-none-any.whl";
    let link = format!("<!DOCTYPE html><a href=\"{wheel}\">{wheel}</a>");
    let page = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{link}",
        link.len()
    );
    // Chunks that are announced and do not arrive.
    let reset =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n9\r\nmade";
    let answers = vec![String::new(), page.clone(), reset.to_owned(), page, ok(BODY.len())];
    assert_eq!(fetch_published(answers), (Some(wheel.to_owned()), 5));
    assert_eq!(fetch_published(vec![status("403 No")]), (None, 1));
}

/// Returns whether `fetch-sdist.py` fetches the archive from an index with these answers, and the number of requests.
fn fetch_sdist(answers: Vec<String>) -> (bool, usize) {
    let dir = tempfile::tempdir().unwrap();
    let (address, requests) = server(answers);
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/fetch-sdist.py"));
    command.args(["demo==1.0", &wheel_audit::digest::of_bytes(BODY.as_bytes())]);
    command.arg(dir.path().join("out")).env("XTASK_CACHE", dir.path().join("cache"));
    command.env("no_proxy", "127.0.0.1").env("PIP_INDEX_URL", address);
    // Without pip's own retries.
    command.env("PIP_RETRIES", "0").env("PIP_CONFIG_FILE", "/dev/null");
    command.env("PIP_NO_CACHE_DIR", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    let fetched = command.status().unwrap().success();
    assert_eq!(fetched, dir.path().join("out/demo-1.0.tar.gz").exists());
    (fetched, requests.load(Ordering::SeqCst))
}

#[test]
fn an_incomplete_source_archive_is_fetched_again() {
    let link = "<!DOCTYPE html><a href=\"demo-1.0.tar.gz\">demo-1.0.tar.gz</a>";
    let page = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{link}",
        link.len()
    );
    let cut = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n9\r\nmade";
    let twice = vec![
        page.clone(),
        cut.to_owned(),
        page.clone(),
        cut.to_owned(),
        page.clone(),
        ok(BODY.len()),
    ];
    assert_eq!(fetch_sdist(twice), (true, 6));
    assert_eq!(fetch_sdist(vec![page.clone(), status("403 No")]), (false, 2));
}

/// Runs the function `test` of `scripts/packages.sh` on a log with this text; returns whether it succeeds.
fn holds(test: &str, log: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    fs_err::write(&path, log).unwrap();
    let script = format!(". \"$1/packages.sh\"; {test} \"$2\"");
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts");
    let mut command = Command::new("sh");
    command.args(["-euc", &script, "sh", scripts]).arg(path);
    command.status().unwrap().success()
}

#[test]
fn only_a_host_that_no_client_reaches_is_unreachable() {
    let url = "https://timed-out.example/connect/dns%20error/404.tar.gz";
    for log in [
        format!("  cause: error sending request for url ({url})\n  cause: client error (Connect)"),
        "  cause: dns error\n  cause: failed to lookup address information".to_owned(),
        "  cause: tcp connect error\n  cause: Connection refused (os error 111)".to_owned(),
        "  cause: operation timed out".to_owned(),
        format!("Network connectivity is disabled, but the data wasn't found in the cache: {url}"),
        format!("E: Failed to fetch {url}  Temporary failure resolving 'mirror.example'"),
        format!(
            "E: Failed to fetch {url}  Could not connect to 127.0.0.1:40301 (127.0.0.1). - connect (111: Connection refused)"
        ),
        "  - Curl error (6): Couldn't resolve host name for [Could not resolve host: a]".to_owned(),
        format!("WARNING: fetching {url}: temporary error (try again later)"),
    ] {
        assert!(holds("unreachable", &log), "{log}");
    }
    for log in [
        format!("  cause: HTTP status client error (401 Unauthorized) for url ({url})"),
        format!("  cause: HTTP status client error (403 Forbidden) for url ({url})"),
        format!(
            "  cause: HTTP status client error (407 Proxy Authentication Required) for url ({url})"
        ),
        format!("  cause: HTTP status client error (429 Too Many Requests) for url ({url})"),
        format!("  cause: HTTP status server error (503 Service Unavailable) for url ({url})"),
        format!(
            "  cause: error sending request for url ({url})\n  cause: client error (Connect)\n  \
                 cause: tunnel error: proxy authorization required"
        ),
        format!(
            "  cause: error sending request for url ({url})\n  cause: invalid peer certificate: UnknownIssuer"
        ),
        format!("  cause: Hash mismatch for {url}"),
        format!("E: Failed to fetch {url}  403  Forbidden [IP: 10.0.0.1 80]"),
        format!("E: The repository '{url} bookworm InRelease' is not signed."),
        "error: No space left on device (os error 28)".to_owned(),
    ] {
        assert!(!holds("unreachable", &log), "{log}");
    }
}
