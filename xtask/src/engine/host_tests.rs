#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[derive(Default)]
struct Machine {
    vars: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<&'static str, &'static str>,
}

impl Host for Machine {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).map(|value| (*value).to_owned())
    }

    fn read(&self, path: &Utf8Path) -> Option<String> {
        self.files.get(path.as_str()).map(|text| (*text).to_owned())
    }

    fn size(&self, path: &Utf8Path) -> Option<u64> {
        self.files.get(path.as_str()).map(|text| text.len() as u64)
    }
}

#[test]
fn a_bare_machine_hands_on_nothing() {
    let settings = HostSettings::gather(&Machine::default(), "");
    assert_eq!(settings, HostSettings::default());
    assert!(settings.secrets().is_empty());
}

#[test]
fn pip_files_are_merged_in_pips_order_and_the_environment_wins() {
    let machine = Machine {
        vars: BTreeMap::from([("HOME", "/h"), ("PIP_TRUSTED_HOST", "env.example")]),
        files: BTreeMap::from([
            ("/etc/pip.conf", "[global]\nindex-url = https://global.example/\ntimeout: 9\n"),
            (
                "/h/.config/pip/pip.conf",
                "# mine\n[global]\nindex_url = https://u:pw@user.example/simple\n\
                 trusted-host = user.example\ncert = /home/ca.pem\n\
                 extra-index-url =\n  https://a.example/\n  https://b.example/\n\
                 [list]\nformat = columns\n",
            ),
        ]),
    };
    let settings = HostSettings::gather(&machine, "");
    assert_eq!(
        settings.lines(),
        "PIP_EXTRA_INDEX_URL=https://a.example/ https://b.example/\n\
         PIP_INDEX_URL=https://u:pw@user.example/simple\n\
         PIP_TIMEOUT=9\nPIP_TRUSTED_HOST=env.example\n"
    );
}

#[test]
fn only_proxies_of_apt_are_handed_on() {
    let dump = "Acquire \"\";\nAcquire::http::Proxy \"http://proxy.example:3128\";\n\
                Acquire::https::Proxy \"\";\nAcquire::Check-Date \"false\";\n";
    assert_eq!(apt_proxies(dump), "Acquire::http::Proxy \"http://proxy.example:3128\";\n");
}

#[test]
fn a_log_shows_neither_urls_nor_hosts_nor_passwords() {
    let settings = HostSettings {
        settings: BTreeMap::from([(
            "PIP_INDEX_URL".to_owned(),
            "https://user:hunter2x@index.example/simple".to_owned(),
        )]),
        ..HostSettings::default()
    };
    let line = "Looking in indexes: https://user:****@index.example/simple and hunter2x";
    let clean = settings.redact(line);
    assert!(!clean.contains("index.example") && !clean.contains("hunter2x"), "{clean}");
    assert!(clean.starts_with("Looking in indexes: "), "{clean}");
}

#[test]
fn the_bundle_that_the_environment_names_comes_first() {
    let files = BTreeMap::from([("/etc/ssl/certs/ca-certificates.crt", "x"), ("/my.pem", "y")]);
    let machine = Machine { vars: BTreeMap::from([("SSL_CERT_FILE", "/my.pem")]), files };
    let settings = HostSettings::gather(&machine, "");
    assert_eq!(settings.ca.as_deref(), Some(Utf8Path::new("/my.pem")));
    assert_eq!(settings.secrets(), ["id=ca,src=/my.pem"]);
}
