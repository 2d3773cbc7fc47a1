//! Lists the parts that this machine has and lacks for building wheels, with a hint for each missing one.
//!
//! Invariant: an examination changes nothing; only [`super::setup`] changes a machine.

pub(crate) mod binfmt;
pub(crate) mod docker;
pub(crate) mod facts;
#[cfg(test)]
pub(crate) mod fixture;
mod indexes;
pub(crate) mod items;
pub(crate) mod machine;
pub(crate) mod reach;

use std::collections::BTreeSet;

use serde::Serialize;

pub(crate) use self::facts::Facts;
pub(crate) use self::machine::Machine;
use crate::engine::setup::SetupOptions;
use crate::exec::Exec;

/// Increased when a field of [`Diagnosis`] changes its meaning.
const SCHEMA_VERSION: u32 = 1;

/// The result of an examination.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Diagnosis {
    schema_version: u32,
    /// True if `cargo xtask wheels` can run.
    pub ready: bool,
    /// One item for each part of the machine.
    pub items: Vec<Item>,
    /// The facts behind the items.
    #[serde(skip)]
    pub facts: Facts,
}

/// One part of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Item {
    /// Its name, such as `buildx`.
    pub name: String,
    /// Its state.
    pub state: State,
    /// True if it is required to build any wheel.
    pub required: bool,
    /// A short description.
    pub detail: String,
    /// The command that fixes it, ready to paste.
    #[serde(rename = "cure")]
    pub hint: Option<String>,
}

/// The state of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Good.
    Ok,
    /// Missing or unusable.
    Missing,
    /// Usable, with a possible problem.
    Warning,
    /// Unknown.
    Unknown,
}

impl State {
    /// The word in tables and JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
        }
    }
}

impl Diagnosis {
    /// Judges `facts`.
    pub(crate) fn of(facts: Facts) -> Self {
        let items = items::evaluate(&facts);
        let ready = !items.iter().any(|item| item.required && item.state == State::Missing);
        Self { schema_version: SCHEMA_VERSION, ready, items, facts }
    }

    /// The items that `options` requires and this machine lacks.
    pub(crate) fn missing(&self, options: &SetupOptions) -> Vec<Item> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        if options.engine {
            names.extend(["client", "engine", "buildx"].map(str::to_owned));
        }
        if options.bootstrap {
            names.insert("mmdebstrap".to_owned());
        }
        let mut missing: Vec<Item> =
            self.items.iter().filter(|item| names.contains(&item.name)).cloned().collect();
        missing.extend(options.emulators.iter().map(|arch| items::emulator(&self.facts, arch)));
        if options.bootstrap && options.bootstraps.iter().any(|how| self.facts.lacks_keyring(how)) {
            missing.push(items::ubuntu_keyring());
        }
        missing.retain(|item| item.state == State::Missing);
        missing
    }
}

/// Examines `machine`, including the registry of `image`, the base image of the first target.
pub(crate) fn examine(exec: &Exec, machine: &Machine, image: &str) -> Diagnosis {
    Diagnosis::of(Facts::collect(exec, machine, image))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::fixture::Fixture;
    use super::*;

    #[test]
    fn a_good_machine_is_ready_and_the_json_has_no_credentials() {
        let machine = fixture::debian_12()
            .programs(&[
                "/usr/bin/docker",
                "/usr/bin/mmdebstrap",
                "/usr/bin/git",
                "/usr/bin/python3",
            ])
            .file("/etc/ssl/certs/ca-certificates.crt", "x")
            .var("https_proxy", "http://me:secret@proxy.example");
        let diagnosis = machine.diagnosis(&fixture::fine());
        let json = serde_json::to_string_pretty(&diagnosis).unwrap();
        assert!(!json.contains("secret") && !json.contains("u:p"), "{json}");
        assert!(
            json.starts_with("{\n  \"schema_version\": 1,\n  \"ready\": true,\n  \"items\": [")
        );
        let lines = diagnosis.items.iter().map(|item| serde_json::to_string(item).unwrap());
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
        {"name":"system","state":"ok","required":false,"detail":"Debian GNU/Linux 12 (bookworm), linux/amd64, without systemd","cure":null}
        {"name":"privileges","state":"ok","required":false,"detail":"root","cure":null}
        {"name":"client","state":"ok","required":true,"detail":"docker 26.1.5+dfsg1","cure":null}
        {"name":"engine","state":"ok","required":true,"detail":"docker 26.1.5+dfsg1","cure":null}
        {"name":"image store","state":"ok","required":false,"detail":"containerd: several platforms under one name","cure":null}
        {"name":"buildx","state":"ok","required":true,"detail":"0.13.1","cure":null}
        {"name":"builder","state":"ok","required":false,"detail":"default, driver docker","cure":null}
        {"name":"emulator arm64","state":"missing","required":false,"detail":"`/proc/sys/fs/binfmt_misc` is not mounted","cure":"cargo xtask binfmt install arm64"}
        {"name":"container registry","state":"warning","required":false,"detail":"registry.example: no such host; base images are made from packages","cure":null}
        {"name":"mmdebstrap","state":"ok","required":true,"detail":"/usr/bin/mmdebstrap","cure":null}
        {"name":"arch-test","state":"missing","required":false,"detail":"mmdebstrap requires it for foreign platforms","cure":"cargo xtask setup --emulate arm64"}
        {"name":"python index","state":"warning","required":false,"detail":"[Errno 111] Connection refused","cure":"python3 -m pip config set global.index-url https://INDEX/simple"}
        {"name":"certificates","state":"ok","required":false,"detail":"/etc/ssl/certs/ca-certificates.crt, 1 KiB","cure":null}
        {"name":"proxies","state":"ok","required":false,"detail":"https_proxy","cure":null}
        {"name":"engine disk","state":"ok","required":false,"detail":"40 GiB free at `/var/lib/docker`","cure":null}
        {"name":"workspace disk","state":"ok","required":false,"detail":"40 GiB free at `/repo`","cure":null}
        {"name":"git","state":"ok","required":false,"detail":"/usr/bin/git","cure":null}
        {"name":"gh","state":"missing","required":false,"detail":"optional: makes releases for `cargo xtask release`","cure":"https://cli.github.com"}
        {"name":"just","state":"missing","required":false,"detail":"optional: runs `docker/justfile` by hand; containers have their own","cure":"cargo install just"}
        "#);
    }

    #[test]
    fn a_machine_without_a_required_item_is_not_ready() {
        let bare = fixture::debian_12().diagnosis(&fixture::no_engine());
        let options = SetupOptions {
            engine: true,
            bootstrap: true,
            emulators: BTreeSet::from(["arm64".to_owned(), "amd64".to_owned()]),
            ..SetupOptions::default()
        };
        let missing: Vec<_> = bare.missing(&options).into_iter().map(|item| item.name).collect();
        assert!(!bare.ready);
        assert_eq!(missing, ["client", "engine", "buildx", "mmdebstrap", "emulator arm64"]);
        assert!(bare.missing(&SetupOptions::default()).is_empty());
    }

    #[test]
    fn a_keyring_that_a_base_image_requires_counts_as_missing() {
        let noble = "tool = 'mmdebstrap'\nsuite = 'noble'\n\
                     keyring = '/usr/share/keyrings/ubuntu-archive-keyring.gpg'";
        let options = SetupOptions {
            bootstrap: true,
            bootstraps: vec![toml::from_str(noble).unwrap()],
            ..SetupOptions::default()
        };
        let machine = || fixture::debian_12().programs(&["/usr/bin/mmdebstrap"]);
        let names = |machine: Fixture| {
            let missing = machine.diagnosis(&fixture::fine()).missing(&options);
            missing.into_iter().map(|item| item.name).collect::<Vec<_>>()
        };
        assert_eq!(names(machine()), ["ubuntu-keyring"]);
        let key = "/usr/share/keyrings/ubuntu-archive-keyring.gpg";
        assert!(names(machine().file(key, "x")).is_empty());
    }

    #[test]
    fn the_item_of_an_old_engine_or_buildx_has_both_versions() {
        let machine = fixture::debian_12().programs(&["/usr/bin/docker"]);
        let detail = |exec: &Exec, name: &str| {
            let items = machine.diagnosis(exec).items;
            items.into_iter().find(|item| item.name == name).unwrap().detail
        };
        let old = fixture::engine("20.10.24+dfsg1", "v0.9.1");
        assert!(detail(&old, "engine").contains("20.10.24+dfsg1"), "the version found");
        assert!(detail(&old, "engine").contains("23.0.0"), "the version required");
        assert!(detail(&old, "buildx").contains("0.9.1"), "the version found");
        assert!(detail(&old, "buildx").contains("0.13.0"), "the version required");
    }

    #[test]
    fn a_large_certificate_bundle_and_a_full_disk_are_warnings() {
        let mut machine = fixture::debian_12()
            .var("SSL_CERT_FILE", "/etc/big.pem")
            .file("/etc/big.pem", &"x".repeat(600 * 1024));
        machine.machine.free = |_| Some(2 << 30);
        let items = machine.diagnosis(&fixture::no_engine()).items;
        let state = |name: &str| items.iter().find(|item| item.name == name).unwrap().state;
        assert_eq!(state("certificates"), State::Warning);
        assert_eq!(state("workspace disk"), State::Warning);
    }

    #[test]
    fn a_proxy_that_containers_cannot_reach_is_a_warning() {
        let item = |url: &str| {
            let diagnosis =
                fixture::debian_12().var("https_proxy", url).diagnosis(&fixture::fine());
            diagnosis.items.into_iter().find(|item| item.name == "proxies").unwrap()
        };
        let found = item("http://me:secret@127.0.0.1:3128");
        assert_eq!(found.state, State::Warning);
        assert!(found.hint.is_some() && !found.detail.contains("secret"), "{found:?}");
        assert_eq!(item("http://proxy.example:3128").state, State::Ok);
    }
}
