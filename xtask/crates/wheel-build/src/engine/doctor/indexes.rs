//! The package indexes that builds inherit. pip skips an index that does not answer, so each is queried alone.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use super::docker::without_credentials;
use super::machine::Machine;
use super::reach::{LIMIT, Reach, reach};
use crate::engine::host::with_credentials;
use crate::exec::{Exec, Step};

/// pip's settings that add other sources of packages.
const OTHERS: [&str; 3] = ["PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS"];

/// Returns whether the main index answers: that of pip, or of uv if only uv has one, or the public one.
pub(super) fn query_main(exec: &Exec, machine: &Machine) -> Reach {
    let settings = machine.inherited_settings();
    if machine.find("python3").is_none() {
        return Reach::Untried("there is no `python3`");
    }
    let url = settings.get("PIP_INDEX_URL");
    match (query_one(exec, &settings, url.map(String::as_str)), url) {
        (Reach::No(reason), Some(url)) => Reach::No(format!("{}: {reason}", public(url))),
        (reach, _) => reach,
    }
}

/// `url` without its credentials.
fn public(url: &str) -> String {
    without_credentials(url).replace("://@", "://")
}

/// Each other index of pip and uv without its credentials, and whether it answers.
pub(super) fn query_extra(exec: &Exec, machine: &Machine) -> Vec<(String, Reach)> {
    let settings = machine.inherited_settings();
    let urls = urls(&settings);
    let has_python = machine.find("python3").is_some();
    let settings = &settings;
    thread::scope(|scope| {
        let query = move |url: &String| {
            if !has_python {
                return Reach::Untried("there is no `python3`");
            }
            query_one(exec, settings, Some(url))
        };
        let all: Vec<_> = urls.iter().map(|url| (url, scope.spawn(move || query(url)))).collect();
        let all = all.into_iter().map(|(url, query)| {
            (public(url), query.join().unwrap_or(Reach::Untried("the query failed")))
        });
        all.collect()
    })
}

/// The addresses of the indexes beside pip's main one with their credentials, each once.
fn urls(settings: &BTreeMap<String, String>) -> Vec<String> {
    let uv_main = ["UV_DEFAULT_INDEX", "UV_INDEX_URL"];
    let uv_main = uv_main.iter().find_map(|name| settings.get(*name));
    let names = ["PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"];
    let words = uv_main.into_iter().chain(names.iter().filter_map(|name| settings.get(*name)));
    let main = settings.get("PIP_INDEX_URL").map(|url| key(url));
    let mut known: BTreeSet<String> = main.into_iter().collect();
    // uv writes an index's name before the address, and its credentials into other variables.
    let words = words.flat_map(|words| words.split_whitespace());
    let urls = words.map(|word| with_credentials(word, settings)).filter(|url| {
        let is_url = url.starts_with("http://") || url.starts_with("https://");
        is_url && known.insert(key(url))
    });
    urls.collect()
}

/// `url` without scheme, credentials and the last slash, which identifies an index.
fn key(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find('/').unwrap_or(rest.len());
    let host = rest.get(..end).and_then(|host| host.rfind('@'));
    host.map_or(rest, |at| &rest[at + 1..]).trim_end_matches('/').to_owned()
}

/// Returns whether the index `url` of pip answers; pip's own default without one.
fn query_one(exec: &Exec, settings: &BTreeMap<String, String>, url: Option<&str>) -> Reach {
    let args = "-m pip --disable-pip-version-check --no-input --retries 0 --timeout 4 -vv \
                index versions pip";
    let mut step = Step::new("python3", args.split_whitespace()).env("LC_ALL", "C").timeout(LIMIT);
    for (name, value) in settings.iter().filter(|(name, _)| name.starts_with("PIP_")) {
        step = step.secret_env(name, value.clone(), "...");
    }
    for name in OTHERS {
        step = step.env(name, "");
    }
    // The settings above include those of the files.
    step = step.env("PIP_CONFIG_FILE", "/dev/null");
    if let Some(url) = url {
        step = step.secret_env("PIP_INDEX_URL", url.to_owned(), "...");
    }
    let answer = match exec.capture(&step) {
        Ok(answer) if !answer.success => answer,
        other => return reach(other),
    };
    let failed = answer.stdout.lines().find_map(|line| {
        let (_, reason) = line.trim().strip_prefix("Could not fetch URL ")?.split_once(": ")?;
        Some(reason.trim_end_matches(" - skipping").to_owned())
    });
    match failed {
        // An index need not have pip.
        Some(reason) if reason.starts_with("404 ") => Reach::Yes,
        Some(reason) => Reach::No(short(&reason)),
        None if answer.stderr.contains("is not a trusted or secure host") => {
            Reach::No("pip ignores it: not a trusted or secure host".to_owned())
        }
        None if answer.stderr.contains("No matching distribution") => Reach::Yes,
        None if answer.stderr.contains("No module named") => {
            Reach::Untried("there is no `python3 -m pip`")
        }
        None if answer.stderr.contains("unknown command") => {
            Reach::Untried("`python3 -m pip` is too old")
        }
        None => Reach::Untried("`python3 -m pip index` does not work"),
    }
}

/// `401 Client Error: Unauthorized`, or the last cause of a failed connection.
fn short(reason: &str) -> String {
    let reason = reason.split(" for url: ").next().unwrap_or_default();
    let is_status = reason.starts_with(|c: char| c.is_ascii_digit());
    // `(Caused by NewConnectionError('<object>: [Errno 111] Connection refused'))`
    let end = reason.rfind(['\'', '"']);
    let quoted = end.and_then(|end| reason[..end].rsplit(&reason[end..=end]).next());
    let last = quoted.unwrap_or(reason).rsplit(": ").next().unwrap_or_default();
    without_credentials(if is_status { reason } else { last })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::{State, fixture};
    use super::*;
    use crate::exec::{Captured, EnvValue};

    /// pip's lines about an index.
    fn answer(line: &str) -> Captured {
        Captured {
            stdout: line.to_owned(),
            ..Captured::failed("ERROR: No matching distribution found")
        }
    }

    #[test]
    fn an_index_that_pip_ignores_is_not_reachable() {
        let exec = Exec::fake(|_| {
            Ok(Captured::failed(
                "WARNING: The repository located at a.example is not a trusted or secure host and is being ignored.\n\
                 ERROR: No matching distribution found for pip",
            ))
        });
        let reach = query_one(&exec, &BTreeMap::new(), Some("http://a.example/simple"));
        assert!(matches!(reach, Reach::No(_)), "{reach:?}");
    }

    #[test]
    fn the_reason_is_the_last_cause() {
        for (reason, expected) in [
            (
                "401 Client Error: Unauthorized for url: https://x/",
                "401 Client Error: Unauthorized",
            ),
            (
                "Max retries exceeded with url: /pip/ (Caused by ResponseError('too many 500 error responses'))",
                "too many 500 error responses",
            ),
            (
                "connection error: (Caused by ConnectTimeoutError(<x>, 'Connection to h timed out. (timeout=4)'))",
                "Connection to h timed out. (timeout=4)",
            ),
            (
                "(Caused by SSLError(E(1, \"[SSL: X] failed: certificate is not valid for 'h'. (_ssl.c:1)\")))",
                "certificate is not valid for 'h'. (_ssl.c:1)",
            ),
        ] {
            assert_eq!(short(reason), expected);
        }
    }

    #[test]
    fn the_address_has_the_credentials_of_uv_and_is_queried_once() {
        let settings = [
            ("PIP_EXTRA_INDEX_URL", "https://a.example/simple"),
            (
                "UV_INDEX",
                "httpx=https://own.example/simple https://a.example/simple/ a=file:///http",
            ),
            ("UV_INDEX_HTTPX_USERNAME", "me"),
            ("UV_INDEX_HTTPX_PASSWORD", "made-up"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let own = "https://me:made-up@own.example/simple";
        assert_eq!(urls(&settings), ["https://a.example/simple", own]);
    }

    #[test]
    fn the_main_index_is_that_of_builds_and_is_queried_once() {
        let exec = Exec::fake(|step| {
            let url = match step.env.get("PIP_INDEX_URL") {
                Some(EnvValue::Secret { value, .. }) => value.as_str(),
                _ => "https://public.example",
            };
            let line = format!(
                "Could not fetch URL {url}/pip/: 401 Client Error: Unauthorized for url: {url}/pip/ - skipping"
            );
            Ok(answer(&line))
        });
        let details = |machine: fixture::Fixture| {
            let items = machine.programs(&["/usr/bin/python3"]).diagnosis(&exec).items;
            let detail = |name: &str| Some(items.iter().find(|it| it.name == name)?.detail.clone());
            (detail("python index").unwrap(), detail("extra indexes"))
        };
        let unauthorized = "401 Client Error: Unauthorized";
        let of = |url: &str| format!("{url}: {unauthorized}");
        assert_eq!(details(fixture::debian_12()), (unauthorized.to_owned(), None));
        // Builds have no other index than that of uv.
        let secret = "https://me:made-up@uv.example/simple?token=made-up";
        for name in ["UV_DEFAULT_INDEX", "UV_INDEX_URL"] {
            let found = details(fixture::debian_12().var(name, secret));
            assert_eq!(found, (of("https://uv.example/simple"), None));
        }
        let file =
            "[[index]]\nname = \"own\"\nurl = \"https://uv.example/simple\"\ndefault = true\n";
        let found = details(fixture::debian_12().file("/etc/uv/uv.toml", file));
        assert_eq!(found, (of("https://uv.example/simple"), None));
        // Each tool has its own.
        let both = fixture::debian_12().var("UV_DEFAULT_INDEX", secret);
        let found = details(both.var("PIP_INDEX_URL", "https://pip.example/simple/"));
        let expected = (of("https://pip.example/simple/"), Some(of("https://uv.example/simple")));
        assert_eq!(found, expected);
    }

    #[test]
    fn each_extra_index_is_queried_alone_and_without_credentials_in_the_report() {
        let refused = "Could not fetch URL http://u:****@down.example/simple/pip/: connection error: \
            HTTPConnectionPool(host='down.example', port=80): Max retries exceeded (Caused by \
            NewConnectionError('<x>: [Errno 111] Connection refused')) - skipping";
        let exec = Exec::fake(move |step| {
            assert!(!format!("{step}").contains("made-up"), "{step}");
            let url = match step.env.get("PIP_INDEX_URL") {
                Some(EnvValue::Secret { value, .. }) => value.as_str(),
                _ => return Ok(Captured::failed("no answer")),
            };
            assert!(
                matches!(&step.env["PIP_EXTRA_INDEX_URL"], EnvValue::Plain(none) if none.is_empty())
            );
            let status =
                |text: &str| answer(&format!("Could not fetch URL {url}/pip/: {text} - skipping"));
            Ok(match url {
                "http://u:made-up@down.example/simple" => answer(refused),
                "https://own.example/simple" => {
                    status("404 Client Error: Not Found for url: https://x")
                }
                "https://me:made-up@denied.example/simple" => status(
                    "401 Client Error: Unauthorized for url: https://denied.example/simple/pip/",
                ),
                other => Captured::failed(other),
            })
        });
        let item = |machine: fixture::Fixture| {
            let items = machine.programs(&["/usr/bin/python3"]).diagnosis(&exec).items;
            items.into_iter().find(|item| item.name == "extra indexes")
        };
        assert_eq!(item(fixture::debian_12()), None);
        let own = || fixture::debian_12().var("UV_INDEX", "own=https://own.example/simple");
        assert_eq!(item(own()).unwrap().state, State::Ok);
        let urls = "http://u:made-up@down.example/simple https://me:made-up@denied.example/simple";
        let found = item(own().var("PIP_EXTRA_INDEX_URL", urls)).unwrap();
        assert_eq!(found.state, State::Warning);
        for part in ["down.example", "Connection refused", "denied.example", "401"] {
            assert!(found.detail.contains(part), "{found:?}");
        }
        assert!(
            !found.detail.contains("//own.example") && !found.detail.contains("made-up"),
            "{found:?}"
        );
        assert!(found.hint.is_some());
    }
}
