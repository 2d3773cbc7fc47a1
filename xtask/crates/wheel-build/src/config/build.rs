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
    /// The just recipe that builds every requested interpreter's wheel into `dist/`.
    #[serde(default = "default_recipe", deserialize_with = "words::recipe")]
    pub recipe: String,
    /// The interpreters that are built unless `--python` narrows them.
    #[serde(deserialize_with = "interpreters::list")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub pythons: Vec<Interpreter>,
    /// Where interpreters come from, in the order they are tried.
    #[serde(default = "default_providers")]
    pub providers: Vec<Provider>,
    /// Hash-locked requirements of the build backend, relative to the workspace root.
    #[serde(default, deserialize_with = "words::file")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub requirements: Option<Utf8PathBuf>,
    /// Environment of the build.
    #[serde(default)]
    pub env: Env,
    /// Variables of this machine that the build gets: patterns of names. `env` wins.
    #[serde(default, rename = "env-pass")]
    pub env_pass: Vec<NamePattern>,
    /// Further system packages, by family.
    #[serde(default, deserialize_with = "words::package")]
    pub system_packages: BTreeMap<Family, Vec<String>>,
    /// Shell command that runs once for all interpreters of a target, in the package's folder.
    #[serde(default)]
    pub before: Option<Script>,
    /// Shell command that runs before each interpreter's build, in the package's folder.
    #[serde(default, rename = "before-build")]
    pub before_build: Option<Script>,
    /// Settings for the build backend (PEP 517).
    #[serde(default, rename = "config-settings")]
    pub config_settings: ConfigSettings,
    /// What calls the build backend.
    #[serde(default, rename = "build-frontend")]
    pub build_frontend: BuildFrontend,
    /// Further requirements that are fetched for the build: what `before-build` installs.
    #[serde(default, deserialize_with = "words::value")]
    pub requires: Vec<String>,
    /// Whether the package's code may use the network while it builds. Such a build is not isolated.
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

/// Shell commands, in one text for `sh -c`. A list is joined by `&&`, as cibuildwheel does.
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
            return Err("a command is empty; leave the key out to run none".to_owned());
        }
        if commands.iter().any(|command| command.contains(['\0', '\r'])) {
            return Err("a command holds a NUL or a carriage return".to_owned());
        }
        // In a line, `&&` would belong to a comment, or check the last line alone. `sh -e` runs these.
        let in_a_line = commands.iter().all(|command| !command.contains(['#', '\n']));
        Ok(Self(commands.join(if in_a_line { " && " } else { "\n(exit $?)\n" })))
    }
}

/// What calls the build backend.
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
    /// The word that the container scripts use.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Uv => "uv",
            Self::Build => "build",
        }
    }
}

/// Variables of an environment, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "BTreeMap<String, String>")]
pub(crate) struct Env(pub BTreeMap<String, String>);

impl TryFrom<BTreeMap<String, String>> for Env {
    type Error = String;

    fn try_from(map: BTreeMap<String, String>) -> Result<Self, String> {
        for (name, value) in &map {
            if !is_env_name(name) {
                return Err(format!("`{name}` is no name of an environment variable"));
            }
            if value.contains(['\n', '\r', '\0']) {
                return Err(format!("the value of `{name}` holds a newline or a NUL"));
            }
        }
        Ok(Self(map))
    }
}

fn is_env_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Settings for the build backend, by key; a key may come several times.
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
                return Err(format!("`{}` is no key of a setting", key.escape_debug()));
            }
            if !values.iter().all(|value| line(value)) {
                return Err(format!("the value of `{key}` holds a newline or a NUL"));
            }
            settings.insert(key, values);
        }
        Ok(Self(settings))
    }
}

impl ConfigSettings {
    /// A line `KEY=VALUE` for each value.
    pub(crate) fn lines(&self) -> String {
        let pairs = self.0.iter().flat_map(|(key, values)| values.iter().map(move |it| (key, it)));
        pairs.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("\n")
    }
}

/// Parts of names of variables that hold secrets.
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

/// Whether a variable is one whose value no build may see, as far as its name tells: a value of
/// `env-pass` is in the build cache, and may be in the wheel.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| name.contains(word)) || name.ends_with("_AUTH")
}

/// A pattern of variables' names: `SETUPTOOLS_SCM_*`.
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
                "`{}` is no name of a variable: it begins with a letter, then come letters, \
                 digits, `_`, and `*` for any of them",
                text.escape_debug()
            ));
        }
        if is_secret(&start) {
            return Err(format!(
                "`{text}` names a secret, and what a build is given stays in its cache; the index's \
                 credentials come by themselves (netrc, pip.conf)"
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
    /// Whether the build gets the variable `name` by this pattern.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.0.matches(name) && !is_secret(name)
    }

    /// Whether it would get it, but for what the name says it is.
    pub(crate) fn withholds(&self, name: &str) -> bool {
        self.0.matches(name) && is_secret(name)
    }
}
