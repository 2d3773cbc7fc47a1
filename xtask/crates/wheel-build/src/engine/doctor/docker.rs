//! Parses what the container client, the engine and buildx report.

use std::fmt;

use serde::Deserialize;

use crate::exec::{Captured, ExecError};

/// The oldest supported engine: named contexts, `RUN --network`, `RUN` heredocs.
pub(crate) const OLDEST_ENGINE: Version = Version::new(23, 0, 0);
/// The oldest supported buildx: the first with progress as JSON lines.
pub(crate) const OLDEST_BUILDX: Version = Version::new(0, 13, 0);

/// The comparable part of a version: `26.1.5+dfsg1` is 26.1.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version([u32; 3]);

impl Version {
    /// The version `major.minor.patch`.
    pub(crate) const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self([major, minor, patch])
    }

    /// Parses the number at the start of `text`: `v0.17.1`, `0.13.1+ds1`, `29.0`; `None` if it has fewer
    /// than two parts.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut parts = text[..end].split('.').map(str::parse);
        let major = parts.next()?.ok()?;
        let minor = parts.next()?.ok()?;
        let patch = parts.next().and_then(Result::ok).unwrap_or(0);
        Some(Self([major, minor, patch]))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// The program `docker`, or its replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its version as it prints it.
    pub version: String,
    /// The current context, which selects the engine if `DOCKER_HOST` is not set.
    pub context: String,
    /// True if it is podman, which has no buildx.
    pub podman: bool,
}

/// The state of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EngineState {
    /// Unknown, because there is no client.
    NoClient,
    /// It does not answer; the client's message.
    Silent(String),
    /// It exists, but this user has no access to it.
    Denied,
    /// It answers.
    Answers(Server),
}

/// An engine that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Its version as it prints it, such as `26.1.5+dfsg1`.
    pub version: String,
    /// Its data folder, if known.
    pub data: Option<String>,
    /// True if it stores images in containerd, which allows several platforms under one name.
    /// `None` if unknown.
    pub containerd_store: Option<bool>,
}

impl Server {
    /// Returns whether it is new enough. An unreadable version counts as new.
    pub(crate) fn is_new_enough(&self) -> bool {
        Version::parse(&self.version).is_none_or(|version| version >= OLDEST_ENGINE)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VersionReport {
    client: Option<ClientReport>,
    server: Option<ServerReport>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ClientReport {
    #[serde(default)]
    version: String,
    #[serde(default)]
    context: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ServerReport {
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InfoReport {
    docker_root_dir: Option<String>,
    driver_status: Option<Vec<Vec<String>>>,
}

/// Parses the output of `docker version --format '{{json .}}'`. If the engine does not answer, `Server` is
/// null.
pub(crate) fn read_version(answer: &Result<Captured, ExecError>) -> (Option<Client>, EngineState) {
    let captured = match answer {
        Ok(captured) => captured,
        Err(ExecError::NotFound { .. }) => return (None, EngineState::NoClient),
        Err(error) => return (Some(unknown_client()), EngineState::Silent(error.to_string())),
    };
    let report: Option<VersionReport> = serde_json::from_str(captured.stdout.trim()).ok();
    let (client, server) = report.map_or((None, None), |report| (report.client, report.server));
    let podman = captured.stderr.to_lowercase().contains("podman");
    let client = client.map_or_else(unknown_client, |client| Client {
        version: client.version,
        context: client.context,
        podman: false,
    });
    let engine = match server {
        Some(server) => EngineState::Answers(Server {
            version: server.version,
            data: None,
            containerd_store: None,
        }),
        None if captured.stderr.contains("permission denied") => EngineState::Denied,
        None => EngineState::Silent(first_line(&captured.stderr)),
    };
    (Some(Client { podman, ..client }), engine)
}

fn unknown_client() -> Client {
    Client { version: "unknown".to_owned(), context: String::new(), podman: false }
}

/// Adds the information of `docker info --format '{{json .}}'` to `server`.
pub(crate) fn read_info(server: &mut Server, json: &str) {
    let Ok(info) = serde_json::from_str::<InfoReport>(json.trim()) else { return };
    server.data = info.docker_root_dir.filter(|dir| !dir.is_empty());
    server.containerd_store = info
        .driver_status
        .map(|status| status.iter().flatten().any(|word| word == "io.containerd.snapshotter.v1"));
}

/// Parses the output of `docker buildx version`: the first version after the program's name.
pub(crate) fn read_buildx(stdout: &str) -> Option<Version> {
    stdout.split_whitespace().skip(1).find_map(Version::parse)
}

/// The builder that `docker buildx` uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Builder {
    /// Its name.
    pub name: String,
    /// Its driver, such as `docker` or `docker-container`; empty if it does not answer.
    pub driver: String,
}

/// Parses the output of `docker buildx inspect`.
pub(crate) fn read_builder(stdout: &str) -> Option<Builder> {
    let field = |name: &str| {
        let value = stdout.lines().find_map(|line| line.strip_prefix(name));
        value.map(|value| value.trim().to_owned())
    };
    Some(Builder { name: field("Name:")?, driver: field("Driver:").unwrap_or_default() })
}

/// The first line of `text` that is not empty, without credentials.
pub(crate) fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    without_credentials(line)
}

/// `text` without users, passwords and queries in its addresses.
pub(crate) fn without_credentials(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let ends = |c: char| c == '"' || c == '\'' || c == '`' || c.is_whitespace();
        let (word, others) = after.split_at(after.find(ends).unwrap_or(after.len()));
        let (authority, path) = word.split_at(word.find('/').unwrap_or(word.len()));
        let (all, next) = after.split_at(after.find(char::is_whitespace).unwrap_or(after.len()));
        if !authority.contains('@') && has_word_as_port(authority) && all.contains('@') {
            clean.push_str("...");
            rest = next;
            continue;
        }
        let host = match authority.split_once('?') {
            // A query, or a password with a question mark.
            Some((_, query)) if query.contains('@') => "...",
            Some((host, _)) => host,
            None => authority,
        };
        // `http://a,http://b`: the next address begins before the first slash.
        let scheme = host.strip_suffix(':').filter(|_| path.starts_with("//"));
        clean.push_str(scheme.unwrap_or(host).rsplit('@').next().unwrap_or_default());
        rest = match path.split_once('?') {
            _ if authority.contains('?') => others,
            _ if scheme.is_some() => &after[authority.len() - 1..],
            Some((path, _)) if !path.contains("://") => {
                clean.push_str(path);
                others
            }
            _ => &after[authority.len()..],
        };
    }
    clean.push_str(rest);
    clean
}

/// Returns whether `authority` has text in place of a port: the start of a password with a slash or a quote.
fn has_word_as_port(authority: &str) -> bool {
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    !port.contains(']') && port.contains(|c: char| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_users_passwords_and_queries() {
        for (text, expected) in [
            (
                "at http://u:p@a.example/x, http://b.example",
                "at http://a.example/x, http://b.example",
            ),
            (
                "'http://u:p@a.example' \"https://t@b.example/\"",
                "'http://a.example' \"https://b.example/\"",
            ),
            ("https://a.example/simple?token=x/pip/: 401", "https://a.example/simple 401"),
            ("`https://a.example?token=x@y` failed", "`https://...` failed"),
            ("https://a.example?token=x", "https://a.example"),
            ("https://u:p?x@a.example/simple", "https://..."),
            ("http://u:p@a/http://v:q@b/c?d=e f", "http://a/http://b/c f"),
            ("is it http://a.example/? yes", "is it http://a.example/ yes"),
            ("no address?", "no address?"),
            ("http://a.example,http://u:p@b.example/x?t=y", "http://a.example,http://b.example/x"),
            ("http://u:p@a,http://v:q@b:80,c", "http://a,http://b:80,c"),
            ("at http://u:p/w@a.example/x failed", "at http://... failed"),
            ("at 'http://u:it's@a.example/x' failed", "at 'http://... failed"),
            ("http://u:p@[2001:db8::1]:80/x@y", "http://[2001:db8::1]:80/x@y"),
            ("http://[2001:db8::1]/x@y", "http://[2001:db8::1]/x@y"),
            ("git+https://u:p@a.example/x@v1#egg=y", "git+https://a.example/x@v1#egg=y"),
            ("http://a.example:8080, me@b", "http://a.example:8080, me@b"),
        ] {
            assert_eq!(without_credentials(text), expected);
        }
    }

    #[test]
    fn versions_compare_as_numbers() {
        let parse = |text| Version::parse(text).map(|version| version.to_string());
        assert_eq!(parse("26.1.5+dfsg1").as_deref(), Some("26.1.5"));
        assert_eq!(parse("v0.17.1-desktop.1").as_deref(), Some("0.17.1"));
        assert_eq!(parse("29.0").as_deref(), Some("29.0.0"));
        assert_eq!(parse("dev"), None);
        assert!(Version::parse("0.9.1") < Some(OLDEST_BUILDX));
        assert!(Version::parse("20.10.24") < Some(OLDEST_ENGINE));
    }

    #[test]
    fn every_form_of_buildx_version_is_parsed() {
        let read = |text| read_buildx(text).map(|version| version.to_string());
        let distribution = "github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3\n";
        assert_eq!(read(distribution).as_deref(), Some("0.13.1"));
        assert_eq!(read("github.com/docker/buildx v0.17.1 257815a").as_deref(), Some("0.17.1"));
        assert_eq!(read("github.com/docker/buildx v0.30.0-desktop.1 x").as_deref(), Some("0.30.0"));
        assert_eq!(read("docker: 'buildx' is not a docker command."), None);
    }

    fn version(stdout: &str, stderr: &str) -> (Option<Client>, EngineState) {
        let captured = Captured { stderr: stderr.to_owned(), ..Captured::ok(stdout) };
        read_version(&Ok(captured))
    }

    fn server(version: &str) -> EngineState {
        let version = version.to_owned();
        EngineState::Answers(Server { version, data: None, containerd_store: None })
    }

    #[test]
    fn version_reports_of_old_and_new_engines_are_parsed() {
        let old = r#"{"Client":{"Platform":{"Name":""},"Version":"20.10.24+dfsg1","Context":"default","Experimental":true},"Server":{"Components":[],"Version":"20.10.24+dfsg1"}}"#;
        let (client, engine) = version(old, "");
        assert_eq!(client.map(|client| client.version).as_deref(), Some("20.10.24+dfsg1"));
        assert!(matches!(&engine, EngineState::Answers(server) if !server.is_new_enough()));
        for (text, found) in [
            (
                r#"{"Client":{"Version":"26.1.5+dfsg1","Context":"default"},"Server":{"Version":"26.1.5+dfsg1"}}"#,
                "26.1.5+dfsg1",
            ),
            (
                r#"{"Client":{"Version":"28.2.2","DefaultAPIVersion":"1.50","Context":"rootless"},"Server":{"Version":"28.2.2"}}"#,
                "28.2.2",
            ),
            (
                r#"{"Client":{"Version":"29.1.0","Context":"default"},"Server":{"Version":"29.1.0","MinAPIVersion":"1.44"}}"#,
                "29.1.0",
            ),
        ] {
            let (_, engine) = version(text, "");
            assert_eq!(engine, server(found));
            assert!(matches!(&engine, EngineState::Answers(server) if server.is_new_enough()));
        }
    }

    #[test]
    fn a_client_alone_is_not_an_engine() {
        let alone = r#"{"Client":{"Version":"28.2.2","Context":"default"},"Server":null}"#;
        let (client, engine) = version(
            alone,
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker \
             daemon running?\n",
        );
        assert!(client.is_some_and(|client| client.context == "default" && !client.podman));
        assert!(
            matches!(engine, EngineState::Silent(reason) if reason.starts_with("Cannot connect"))
        );
        let (_, engine) = version(alone, "permission denied while trying to connect to the ...");
        assert_eq!(engine, EngineState::Denied);
        let (client, _) = version(
            r#"{"Client":{"APIVersion":"4.3.1","Version":"4.3.1"}}"#,
            "Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg.",
        );
        assert!(client.is_some_and(|client| client.podman));
    }

    #[test]
    fn the_image_store_is_parsed_from_the_driver_status() {
        let mut found = Server { version: "26.1.5".to_owned(), data: None, containerd_store: None };
        read_info(
            &mut found,
            r#"{"Driver":"overlayfs","DockerRootDir":"/var/lib/docker","DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]]}"#,
        );
        assert_eq!(found.containerd_store, Some(true));
        assert_eq!(found.data.as_deref(), Some("/var/lib/docker"));
        read_info(
            &mut found,
            r#"{"Driver":"overlay2","DockerRootDir":"/var/lib/docker","DriverStatus":[["Backing Filesystem","extfs"]]}"#,
        );
        assert_eq!(found.containerd_store, Some(false));
    }

    #[test]
    fn the_current_builder_is_parsed() {
        let found =
            read_builder("Name:          default\nDriver:        docker\n\nNodes:\nName: x");
        assert_eq!(
            found,
            Some(Builder { name: "default".to_owned(), driver: "docker".to_owned() })
        );
        assert_eq!(read_builder("ERROR: no builder"), None);
    }

    #[test]
    fn messages_contain_no_credentials() {
        assert_eq!(
            first_line("\n E: http://me:p%40ss@mirror.example/debian failed, https://a@b.example"),
            "E: http://mirror.example/debian failed, https://b.example"
        );
        assert_eq!(first_line("see https://x.example/a@b"), "see https://x.example/a@b");
    }
}
