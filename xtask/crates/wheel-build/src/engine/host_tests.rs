#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

/// The text of a file that cannot be read.
const UNREADABLE: &str = "\0";

#[derive(Default)]
struct Machine {
    vars: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<&'static str, &'static str>,
}

impl Host for Machine {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).map(|value| (*value).to_owned())
    }

    fn names(&self) -> Vec<String> {
        self.vars.keys().map(|name| (*name).to_owned()).collect()
    }

    fn list(&self, folder: &Utf8Path) -> Vec<Utf8PathBuf> {
        let inside = |path: &&str| Utf8Path::new(path).parent() == Some(folder);
        self.files.keys().copied().filter(inside).map(Utf8PathBuf::from).collect()
    }

    fn read(&self, path: &Utf8Path) -> io::Result<String> {
        match self.files.get(path.as_str()) {
            Some(&UNREADABLE) => Err(ErrorKind::PermissionDenied.into()),
            Some(text) => Ok((*text).to_owned()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn size(&self, path: &Utf8Path) -> Option<u64> {
        self.files.get(path.as_str()).map(|text| text.len() as u64)
    }
}

#[test]
fn a_bare_machine_passes_no_settings() {
    let settings = HostSettings::collect(&Machine::default(), "");
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
    let settings = HostSettings::collect(&machine, "");
    assert_eq!(
        settings.lines(),
        "PIP_EXTRA_INDEX_URL=https://a.example/ https://b.example/\n\
         PIP_INDEX_URL=https://u:pw@user.example/simple\n\
         PIP_TIMEOUT=9\nPIP_TRUSTED_HOST=env.example\n\
         UV_DEFAULT_INDEX=https://u:pw@user.example/simple\n\
         UV_INDEX=https://a.example/ https://b.example/\n\
         UV_INDEX_STRATEGY=unsafe-best-match\nUV_INSECURE_HOST=env.example\n"
    );
}

#[test]
fn only_apts_proxies_are_inherited() {
    let dump = "Acquire \"\";\nAcquire::http::Proxy \"http://proxy.example:3128\";\n\
                Acquire::https::Proxy \"\";\n\
                Acquire::http::Proxy-Auto-Detect \"/usr/bin/find-proxy\";\nAcquire::Check-Date \"false\";\n";
    assert_eq!(apt::proxies(dump), "Acquire::http::Proxy \"http://proxy.example:3128\";\n");
}

#[test]
fn a_log_shows_no_urls_hosts_or_passwords() {
    let settings = HostSettings {
        settings: BTreeMap::from([(
            "PIP_INDEX_URL".to_owned(),
            "https://user:hunter2x@index.example/simple".to_owned(),
        )]),
        ..HostSettings::default()
    };
    let line = "Looking in indexes: https://user:****@index.example/simple and hunter2x";
    let clean = HostSettings { cores: Some(2), ..settings.clone() }.redact(line);
    assert!(!clean.contains("index.example") && !clean.contains("hunter2x"), "{clean}");
    assert!(clean.starts_with("Looking in indexes: "), "{clean}");
}

#[test]
fn the_certificate_bundle_of_the_environment_comes_first() {
    let files = BTreeMap::from([("/etc/ssl/certs/ca-certificates.crt", "x"), ("/my.pem", "y")]);
    let machine = Machine { vars: BTreeMap::from([("SSL_CERT_FILE", "/my.pem")]), files };
    let settings = HostSettings::collect(&machine, "");
    assert_eq!(settings.ca.as_deref(), Some(Utf8Path::new("/my.pem")));
    assert_eq!(settings.secrets(), ["id=ca,src=/my.pem"]);
}

/// The settings of a machine with these variables and files.
fn settings_of<const V: usize, const F: usize>(
    vars: [(&'static str, &'static str); V],
    files: [(&'static str, &'static str); F],
) -> BTreeMap<String, String> {
    let machine = Machine { vars: BTreeMap::from(vars), files: BTreeMap::from(files) };
    HostSettings::collect(&machine, "").settings
}

#[test]
fn pip_receives_a_named_index_of_uv_with_its_password() {
    let settings = settings_of(
        [
            ("UV_INDEX", "corp-x=https://pkgs.example/simple"),
            ("UV_INDEX_CORP_X_USERNAME", "me"),
            ("UV_INDEX_CORP_X_PASSWORD", "a/b@c"),
            ("UV_DEFAULT_INDEX", "https://all.example/simple"),
            ("UV_PUBLISH_TOKEN", "made-up"),
        ],
        [],
    );
    assert_eq!(settings["UV_INDEX_CORP_X_PASSWORD"], "a/b@c");
    let shown = HostSettings { settings: settings.clone(), ..HostSettings::default() }
        .redact("password a/b@c or a%2Fb%40c");
    assert!(!shown.contains("a/b@c") && !shown.contains("a%2Fb%40c"), "{shown}");
    assert_eq!(settings["PIP_INDEX_URL"], "https://all.example/simple");
    assert_eq!(settings["PIP_EXTRA_INDEX_URL"], "https://me:a%2Fb%40c@pkgs.example/simple");
    assert!(!settings.contains_key("UV_PUBLISH_TOKEN"));
}

#[test]
fn the_environment_overrides_uv_toml_of_user_and_system() {
    let user = "no-index = false\nfind-links = [\"/here\", \"https://flat.example/w\"]\n\
        [[index]]\nname = \"a\"\nurl = \"https://a.example/\"\n\
        [[index]]\nname = \"only\"\nurl = \"https://only.example/\"\nexplicit = true\n\
        [[index]]\nurl = \"https://default.example/\"\ndefault = true\n";
    let system = "index-strategy = \"first-index\"\nallow-insecure-host = [\"h.example\"]\n\
        [[index]]\nurl = \"https://b.example/\"\n";
    let files = [("/x/uv/uv.toml", user), ("/etc/uv/uv.toml", system)];
    let settings = settings_of([("XDG_CONFIG_HOME", "/x")], files);
    assert_eq!(settings["UV_INDEX"], "a=https://a.example/ https://b.example/");
    assert_eq!(settings["PIP_EXTRA_INDEX_URL"], "https://a.example/ https://b.example/");
    assert_eq!(settings["PIP_INDEX_URL"], "https://default.example/");
    assert_eq!(settings["PIP_FIND_LINKS"], "https://flat.example/w");
    assert_eq!(settings["PIP_TRUSTED_HOST"], "h.example");
    assert_eq!(settings["UV_INDEX_STRATEGY"], "first-index");
    let vars = [("XDG_CONFIG_HOME", "/x"), ("UV_INDEX_URL", "https://env.example/")];
    let settings = settings_of(vars, files);
    assert_eq!(settings["PIP_INDEX_URL"], "https://env.example/");
    assert!(!settings.contains_key("UV_DEFAULT_INDEX"));
    let named = settings_of([("XDG_CONFIG_HOME", "/x"), ("UV_CONFIG_FILE", "/n")], files);
    assert!(named.is_empty(), "a named file replaces all others");
}

#[test]
fn pip_reads_the_folders_of_the_desktop_standard() {
    let files = [
        ("/etc/xdg/pip/pip.conf", "[install]\nindex-url = https://install.example/\n"),
        ("/x/pip/pip.conf", "[global]\nindex-url = https://global.example/\nretries = 7\n"),
        ("/named", "[global]\nretries = 9\n"),
    ];
    let settings = settings_of([("XDG_CONFIG_HOME", "/x")], files);
    assert_eq!(
        settings["PIP_INDEX_URL"], "https://install.example/",
        "as in pip, the install section wins"
    );
    assert_eq!(settings["PIP_RETRIES"], "7");
    let named = [("XDG_CONFIG_HOME", "/x"), ("PIP_CONFIG_FILE", "/named")];
    assert_eq!(settings_of(named, files)["PIP_RETRIES"], "9");
    let none = [("XDG_CONFIG_HOME", "/x"), ("PIP_CONFIG_FILE", "/dev/null")];
    assert!(settings_of(none, files).is_empty());
}

#[test]
fn cargo_registry_tokens_are_inherited_except_for_publishing() {
    let text = "[registry]\ntoken = \"publish\"\n[registries.my-corp]\ntoken = \"made-up\"\n";
    let settings = settings_of([("HOME", "/h")], [("/h/.cargo/credentials.toml", text)]);
    assert_eq!(
        settings,
        BTreeMap::from([("CARGO_REGISTRIES_MY_CORP_TOKEN".to_owned(), "made-up".to_owned())])
    );
}

#[test]
fn apts_passwords_are_a_separate_secret() {
    let files = BTreeMap::from([
        ("/etc/apt/auth.conf", "machine a.example login me password made-up\n"),
        ("/etc/apt/auth.conf.d/b.conf", "machine b.example login me password made-up-too"),
        ("/etc/apt/auth.conf.d/90c", "machine c.example login me password made-up-three"),
        ("/etc/apt/auth.conf.d/b.bak", "machine old.example login me password old"),
    ]);
    let settings = HostSettings::collect(&Machine { files, ..Machine::default() }, "");
    assert!(settings.apt_auth.contains("a.example") && settings.apt_auth.contains("made-up-too\n"));
    assert!(settings.apt_auth.contains("made-up-three"));
    assert!(!settings.apt_auth.contains("old.example"));
    assert_eq!(settings.secrets(), ["id=apt_auth,env=XTASK_HOST_APT_AUTH"]);
}

#[test]
fn proxies_and_indexes_on_a_loopback_address_are_reported() {
    for url in ["http://127.0.0.1:3128", "localhost:8080", "http://me:pw@[::1]:1/", "127.3.2.1:1"] {
        assert!(is_loopback(url), "{url}");
    }
    for url in ["http://proxy.example:3128", "http://10.0.0.1", "http://127.0.0.1.example", ""] {
        assert!(!is_loopback(url), "{url}");
    }
    let vars = BTreeMap::from([
        ("https_proxy", "http://127.0.0.1:3128"),
        ("no_proxy", "localhost"),
        ("all_proxy", "http://proxy.example:1"),
        ("PIP_INDEX_URL", "http://localhost:3141/team/dev/+simple/"),
        ("PIP_TRUSTED_HOST", "localhost"),
        ("UV_INDEX", "far=https://index.example/simple near=http://127.0.0.1:3141/simple"),
    ]);
    let dump = "Acquire::http::Proxy \"http://[::1]:3142\";\n";
    let settings = HostSettings::collect(&Machine { vars, ..Machine::default() }, dump);
    let found = settings.loopback_settings();
    // pip and uv share their indexes.
    let (pip, uv) = (["PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"], ["UV_DEFAULT_INDEX", "UV_INDEX"]);
    let proxies = ["https_proxy", "apt's Acquire::http::Proxy"];
    assert_eq!(found, [pip, uv, proxies].concat());
}

#[test]
fn an_unreadable_file_is_reported_without_its_content() {
    let files = BTreeMap::from([
        ("/etc/pip.conf", UNREADABLE),
        ("/etc/apt/auth.conf", UNREADABLE),
        ("/h/.netrc", UNREADABLE),
        ("/h/.config/uv/uv.toml", "offline = true\nindex-url = https://me:made-up@a.example\n"),
        ("/h/.cargo/credentials.toml", "[registries.a]\ntoken = made-up\n"),
    ]);
    let vars = BTreeMap::from([("HOME", "/h")]);
    let settings = HostSettings::collect(&Machine { vars, files }, "");
    let problems = settings.problems.join("\n");
    let expected = [
        "`/etc/pip.conf` is not inherited: permission denied",
        "`/h/.netrc` is not inherited: permission denied",
        "`/h/.config/uv/uv.toml` is not inherited: line 2: ",
        "`/h/.cargo/credentials.toml` is not inherited: line 2: ",
    ];
    for problem in expected {
        assert!(problems.contains(problem), "{problem}: {problems}");
    }
    assert_eq!(settings.problems.len(), expected.len(), "{problems}");
    assert!(!problems.contains("made-up"), "{problems}");
}

#[test]
fn cargo_configuration_is_inherited_without_flags_and_paths() {
    let text = "[build]\nrustc-wrapper = \"sccache\"\nrustflags = [\"-Ctarget-cpu=native\"]\n\
        [env]\nA = \"b\"\n[registry]\ntoken = \"publish\"\n\
        [http]\ncainfo = \"/ca.pem\"\nproxy = \"http://p.example:1\"\n\
        [registries.corp]\nindex = \"sparse+https://c.example/\"\ncredential-provider = \"x\"\n\
        [source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"/v\"\n\
        [source.a]\nreplace-with = \"b\"\n[source.b]\nregistry = \"https://b.example\"\n";
    let files = BTreeMap::from([("/h/.cargo/config.toml", text)]);
    let settings =
        HostSettings::collect(&Machine { files, vars: BTreeMap::from([("HOME", "/h")]) }, "");
    let expected = "[http]\nproxy = \"http://p.example:1\"\n\n\
        [registries.corp]\nindex = \"sparse+https://c.example/\"\n\n\
        [source.a]\nreplace-with = \"b\"\n\n[source.b]\nregistry = \"https://b.example\"\n";
    assert_eq!(settings.cargo_config, expected);
}

#[test]
fn the_table_of_uv_pip_overrides_the_rest() {
    let text = "index-url = \"https://top.example/\"\nextra-index-url = [\"https://t.example/\"]\n\
        [pip]\nindex-url = \"https://pip.example/\"\nextra-index-url = [\"https://p.example/\"]\n";
    let settings = settings_of([("XDG_CONFIG_HOME", "/x")], [("/x/uv/uv.toml", text)]);
    assert_eq!(settings["UV_INDEX_URL"], "https://pip.example/");
    assert_eq!(settings["PIP_INDEX_URL"], "https://pip.example/");
    assert_eq!(settings["UV_EXTRA_INDEX_URL"], "https://p.example/ https://t.example/");
}

#[test]
fn a_value_stays_unchanged_and_its_lines_become_one() {
    let settings = settings_of(
        [
            ("UV_INDEX_A_PASSWORD", "a  b "),
            ("UV_INDEX_A_USERNAME", "me\n"),
            ("PIP_EXTRA_INDEX_URL", "\n https://a.example/\r\n https://b.example/\n"),
        ],
        [("/etc/pip.conf", "[global] ; mine\r\n--retries = 2\r\n")],
    );
    assert_eq!(settings["UV_INDEX_A_PASSWORD"], "a  b ");
    assert_eq!(settings["UV_INDEX_A_USERNAME"], "me");
    assert_eq!(settings["PIP_EXTRA_INDEX_URL"], "https://a.example/ https://b.example/");
    assert_eq!(settings["PIP_RETRIES"], "2");
}

#[test]
fn an_index_that_is_a_local_path_is_reported() {
    let vars = BTreeMap::from([
        ("PIP_INDEX_URL", "file:///srv/simple"),
        ("UV_INDEX", "https://a.example/ corp=/srv/b"),
        ("UV_PYTHON_DOWNLOADS_JSON_URL", "./list.json"),
        ("UV_PYTHON_INSTALL_MIRROR", "https://m.example/a"),
        ("UV_NO_INDEX", "/"),
        ("NO_PROXY", ".example"),
    ]);
    let settings = HostSettings::collect(&Machine { vars, ..Machine::default() }, "");
    let expected = [
        "PIP_EXTRA_INDEX_URL",
        "PIP_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_PYTHON_DOWNLOADS_JSON_URL",
    ];
    assert_eq!(settings.path_settings(), expected);
}

/// The indentation of a line determines its key, as in Python's `configparser`.
#[test]
fn a_pip_conf_may_be_indented() {
    let text = "[global]\n  index-url = https://a.example/\n  retries = 3\n  # a list\n  extra-index-url =\n\
        \x20   https://b.example/\n    [install]\n  timeout = 4\n[list]\n  timeout = 5\n";
    let settings = settings_of([], [("/etc/pip.conf", text)]);
    assert_eq!(settings["PIP_INDEX_URL"], "https://a.example/");
    assert_eq!(settings["PIP_RETRIES"], "3");
    assert_eq!(settings["PIP_EXTRA_INDEX_URL"], "https://b.example/ [install]");
    assert_eq!(settings["PIP_TIMEOUT"], "4");
}

#[test]
fn the_number_of_cores_is_a_setting_of_the_build() {
    let settings = HostSettings { cores: Some(3), ..HostSettings::default() };
    assert_eq!(settings.text("cores").unwrap(), "3");
    assert_eq!(settings.secrets(), ["id=cores,env=XTASK_HOST_CORES"]);
}
