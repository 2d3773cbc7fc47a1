//! `[build]`: how wheels are built.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use glob::Pattern;
use serde::{Deserialize, Serialize};

use super::interpreters;
use super::{Family, Provider, words};
use wheel_audit::wheel::Interpreter;

/// `[build]`: how the wheels are built.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "they are the keys of the file")]
pub(crate) struct Build {
    /// Recipe of the justfile that builds the wheel of each requested interpreter into `dist/`. [default: `build-all`]
    #[serde(default = "default_recipe", deserialize_with = "words::recipe")]
    pub recipe: String,
    /// Interpreters to build for, such as `cp313`, `cp314t` and `pp311`. `--python` selects some of them. Required.
    #[serde(deserialize_with = "interpreters::list")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub pythons: Vec<Interpreter>,
    /// Where interpreters come from. The build tries the providers in this order. [default: all, in the order `image`,
    /// `distro`, `managed`, `source`]
    #[serde(default = "default_providers")]
    pub providers: Vec<Provider>,
    /// Requirements file with hashes that pins the build requirements, relative to the workspace root. [default: the build
    /// backend's own requirements]
    #[serde(default, deserialize_with = "words::file")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub requirements: Option<Utf8PathBuf>,
    /// Environment variables of the build. [default: none]
    #[serde(default)]
    pub env: Env,
    /// Variables of this machine to pass to the build, as name patterns. `env` overrides them. [default: none]
    #[serde(default, rename = "env-pass")]
    pub env_pass: Vec<NamePattern>,
    /// Additional system packages to install for the build, by package family. [default: none]
    #[serde(default, deserialize_with = "words::package")]
    pub system_packages: BTreeMap<Family, Vec<String>>,
    /// Shell command to run once for all interpreters of a target, in the package's folder. [default: none]
    #[serde(default)]
    pub before: Option<Script>,
    /// Shell command to run before each interpreter's build, in the package's folder. [default: none]
    #[serde(default, rename = "before-build")]
    pub before_build: Option<Script>,
    /// Settings for the build backend (PEP 517). [default: none]
    #[serde(default, rename = "config-settings")]
    pub config_settings: ConfigSettings,
    /// Program that calls the build backend. [default: `uv`]
    #[serde(default, rename = "build-frontend")]
    pub build_frontend: BuildFrontend,
    /// Additional requirements to fetch for the build: the packages that `before-build` installs. [default: none]
    #[serde(default, deserialize_with = "words::value")]
    pub requires: Vec<String>,
    /// Allow the package's code to use the network during the build. The build is then not isolated.
    /// [default: false]
    #[serde(default)]
    pub network: bool,
}

fn default_recipe() -> String {
    "build-all".to_owned()
}

fn default_providers() -> Vec<Provider> {
    vec![Provider::Image, Provider::Distro, Provider::Managed, Provider::Source]
}

/// A string or a list of strings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a string or a list of strings")]
pub(crate) enum OneOrMany {
    /// A string.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(list) => list,
        }
    }
}

/// Shell commands as one text for `sh -c`. `&&` joins the items of a list, as in cibuildwheel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(with = "OneOrMany"))]
#[serde(try_from = "OneOrMany")]
pub(crate) struct Script(pub String);

impl TryFrom<OneOrMany> for Script {
    type Error = String;

    fn try_from(value: OneOrMany) -> Result<Self, String> {
        let commands = value.into_vec();
        if commands.iter().any(|command| command.trim().is_empty()) || commands.is_empty() {
            return Err("the command is empty; remove the key to run no command".to_owned());
        }
        if commands.iter().any(|command| command.contains(['\0', '\r'])) {
            return Err("the command contains a NUL or a carriage return".to_owned());
        }
        // On one line, `&&` could become part of a comment or apply to the last line alone.
        let in_a_line = commands.iter().all(|command| !command.contains(['#', '\n']));
        Ok(Self(commands.join(if in_a_line { " && " } else { "\n(exit $?)\n" })))
    }
}

/// Program that calls the build backend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum BuildFrontend {
    /// `uv build`.
    #[default]
    Uv,
    /// `python -m build` of the Python Packaging Authority.
    Build,
}

impl BuildFrontend {
    /// The name in the configuration and the container scripts.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Uv => "uv",
            Self::Build => "build",
        }
    }
}

/// Environment variables, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "BTreeMap<String, String>")]
pub(crate) struct Env(pub BTreeMap<String, String>);

impl TryFrom<BTreeMap<String, String>> for Env {
    type Error = String;

    fn try_from(map: BTreeMap<String, String>) -> Result<Self, String> {
        for (name, value) in &map {
            if !is_env_name(name) {
                return Err(format!("`{name}` is not a valid name of an environment variable"));
            }
            if value.contains(['\n', '\r', '\0']) {
                return Err(format!("the value of `{name}` contains a newline or a NUL"));
            }
        }
        Ok(Self(map))
    }
}

fn is_env_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Settings for the build backend, by key. A key may have several values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(with = "BTreeMap<String, OneOrMany>"))]
#[serde(try_from = "BTreeMap<String, OneOrMany>")]
pub(crate) struct ConfigSettings(pub BTreeMap<String, Vec<String>>);

impl TryFrom<BTreeMap<String, OneOrMany>> for ConfigSettings {
    type Error = String;

    fn try_from(map: BTreeMap<String, OneOrMany>) -> Result<Self, String> {
        let line = |text: &str| !text.contains(['\n', '\r', '\0']);
        let mut settings = BTreeMap::new();
        for (key, value) in map {
            let values = value.into_vec();
            if key.is_empty() || key.contains('=') || !line(&key) {
                return Err(format!("`{}` is not a valid key of a setting", key.escape_debug()));
            }
            if !values.iter().all(|value| line(value)) {
                return Err(format!("the value of `{key}` contains a newline or a NUL"));
            }
            settings.insert(key, values);
        }
        Ok(Self(settings))
    }
}

impl ConfigSettings {
    /// One line `KEY=VALUE` for each value.
    pub(crate) fn lines(&self) -> String {
        let pairs = self.0.iter().flat_map(|(key, values)| values.iter().map(move |it| (key, it)));
        pairs.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("\n")
    }
}

/// Words in the names of variables that hold secrets.
const SECRET_WORDS: [&str; 10] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "APIKEY",
    "API_KEY",
    "PRIVATE_KEY",
    "ACCESS_KEY",
];

/// Returns whether the name of a variable suggests a secret. Values of `env-pass` end up in the build cache and
/// possibly in the wheel.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| name.contains(word)) || name.ends_with("_AUTH")
}

/// A pattern of variable names, such as `SETUPTOOLS_SCM_*`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(with = "String"))]
#[serde(try_from = "String", into = "String")]
pub(crate) struct NamePattern(Pattern);

impl TryFrom<String> for NamePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_*?".contains(c);
        let start: String = text.chars().take_while(|c| !"*?".contains(*c)).collect();
        if !is_env_name(&start) || !text.chars().all(plain) {
            return Err(format!(
                "`{}` is not a valid name of a variable: use a letter, then letters, digits and `_`, with \
                 `*` for any of them",
                text.escape_debug()
            ));
        }
        if is_secret(&start) {
            return Err(format!(
                "`{text}` names a secret, and the build cache would store its value; credentials for the \
                 package index are passed on automatically (netrc, pip.conf)"
            ));
        }
        Pattern::new(&text).map(Self).map_err(|error| error.msg.to_owned())
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.0.as_str().to_owned()
    }
}

impl NamePattern {
    /// Returns whether the pattern matches the variable `name` and the variable is not a secret.
    pub(crate) fn allows(&self, name: &str) -> bool {
        self.0.matches(name) && !is_secret(name)
    }

    /// Returns whether the pattern matches the variable `name`, but the variable is a secret.
    pub(crate) fn withholds(&self, name: &str) -> bool {
        self.0.matches(name) && is_secret(name)
    }
}
