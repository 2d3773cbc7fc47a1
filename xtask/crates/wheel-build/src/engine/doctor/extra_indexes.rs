//! The package indexes beside the main one. pip skips an index that does not answer, so each is queried alone.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use super::docker::without_credentials;
use super::machine::Machine;
use super::reach::{LIMIT, Reach, reach};
use crate::engine::host::with_credentials;
use crate::exec::{Exec, Step};

/// pip's settings that add other sources of packages.
const OTHERS: [&str; 3] = ["PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS"];

/// Each extra index of pip and uv without its credentials, and whether it answers.
pub(super) fn query(exec: &Exec, machine: &Machine) -> Vec<(String, Reach)> {
    let settings = machine.inherited_settings();
    let urls = urls(&settings);
    let has_python = machine.find("python3").is_some();
    let settings = &settings;
    thread::scope(|scope| {
        let query = move |url: &String| {
            if !has_python {
                return Reach::Untried("there is no `python3`");
            }
            query_one(exec, settings, url)
        };
        let all: Vec<_> = urls.iter().map(|url| (url, scope.spawn(move || query(url)))).collect();
        let name = |url: &str| without_credentials(url).replace("://@", "://");
        let all = all.into_iter().map(|(url, query)| {
            (name(url), query.join().unwrap_or(Reach::Untried("the query failed")))
        });
        all.collect()
    })
}

/// The addresses of the extra indexes with their credentials, each once.
fn urls(settings: &BTreeMap<String, String>) -> Vec<String> {
    let names = ["PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"];
    let words = names.iter().filter_map(|name| settings.get(*name));
    let mut known = BTreeSet::new();
    // uv writes an index's name before the address, and its credentials into other variables.
    let words = words.flat_map(|words| words.split_whitespace());
    let urls = words.map(|word| with_credentials(word, settings)).filter(|url| {
        let is_url = url.starts_with("http://") || url.starts_with("https://");
        is_url && known.insert(address(url).trim_end_matches('/').to_owned())
    });
    urls.collect()
}

/// `url` without scheme and credentials.
fn address(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find('/').unwrap_or(rest.len());
    rest.get(..end).and_then(|host| host.rfind('@')).map_or(rest, |at| &rest[at + 1..])
}

fn query_one(exec: &Exec, settings: &BTreeMap<String, String>, url: &str) -> Reach {
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
    step = step.secret_env("PIP_INDEX_URL", url.to_owned(), "...");
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
        let reach = query_one(&exec, &BTreeMap::new(), "http://a.example/simple");
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
