//! Reading: TOML to validated values, with the line of what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use thiserror::Error;
use toml::{Spanned, Table, Value};

use super::origin::{LOCAL, MAIN, Merged, line_of};
use super::{
    BaseImages, Bootstrap, Build, Cache, Check, Ci, Config, EngineSettings, Family, InterpreterId,
    Platform, Publish, Source, Target, Toolchain,
};
use super::{image_name, words};
use wheel_audit::isa::Machine;
use wheel_audit::policy::{Libc, LibcVersion};

/// Why the configuration does not hold.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    /// The file is not there or cannot be read.
    #[error("{0}\n\nhint: `cargo xtask init PATH` in a clone of the tool writes wheels.toml")]
    Read(std::io::Error),
    /// TOML or the shape is wrong.
    #[error("`{file}`: {error}")]
    Toml {
        /// Which file.
        file: Utf8PathBuf,
        /// What the reader says, with line and column.
        error: String,
    },
    /// A value is wrong.
    #[error("`{file}`, line {line}: {message}")]
    Invalid {
        /// Which file.
        file: Utf8PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong and how it is mended.
        message: String,
    },
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct RawConfig {
    #[cfg_attr(test, schemars(with = "RawSource"))]
    source: Spanned<RawSource>,
    #[cfg_attr(test, schemars(with = "Build"))]
    build: Spanned<Build>,
    #[serde(default)]
    toolchain: Toolchain,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Check>"))]
    check: Option<Spanned<Check>>,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Ci>"))]
    ci: Option<Spanned<Ci>>,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Publish>"))]
    publish: Option<Spanned<Publish>>,
    #[serde(default)]
    engine: EngineSettings,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Cache>"))]
    cache: Option<Spanned<Cache>>,
    #[serde(default, rename = "base-image")]
    base_image: BaseImages,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<RawTarget>"))]
    target: Vec<Spanned<RawTarget>>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct RawSource {
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    sdist: Option<Spanned<String>>,
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    sha256: Option<Spanned<String>>,
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    path: Option<Spanned<Utf8PathBuf>>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct RawTarget {
    #[cfg_attr(test, schemars(with = "String"))]
    name: Spanned<String>,
    #[cfg_attr(test, schemars(with = "String"))]
    image: Spanned<String>,
    family: Option<Family>,
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    glibc: Option<Spanned<String>>,
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    musl: Option<Spanned<String>>,
    platforms: Vec<Platform>,
    pythons: Option<Vec<InterpreterId>>,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<Platform, String>"))]
    digest: BTreeMap<Platform, Spanned<String>>,
    #[cfg_attr(test, schemars(with = "Option<Bootstrap>"))]
    bootstrap: Option<Spanned<Bootstrap>>,
}

/// Reads `wheels.toml` in `root` and lays `wheels.local.toml` over it where there is one.
///
/// # Errors
/// [`ConfigError`], which names the file and, where a value is wrong, its line.
pub(crate) fn load(root: &Utf8Path) -> Result<Config, ConfigError> {
    let text = fs_err::read_to_string(root.join(MAIN)).map_err(ConfigError::Read)?;
    // The main file has to hold by itself, so that its errors carry its own lines.
    let config = parse(Utf8Path::new(MAIN), &text)?;
    let local = root.join(LOCAL);
    if !local.exists() {
        return Ok(config);
    }
    let local_text = fs_err::read_to_string(&local).map_err(ConfigError::Read)?;
    overlay(&text, &local_text)
}

/// Reads `wheels.toml` alone: what does not depend on the machine.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_committed(root: &Utf8Path) -> Result<Config, ConfigError> {
    let text = fs_err::read_to_string(root.join(MAIN)).map_err(ConfigError::Read)?;
    parse(Utf8Path::new(MAIN), &text)
}

fn toml_error(file: &str, error: &impl ToString) -> ConfigError {
    let said = error.to_string().trim_end().to_owned();
    let hint = wrong_type(&said).map(|hint| format!("\n\nhint: {hint}"));
    let error = said + hint.as_deref().unwrap_or_default();
    ConfigError::Toml { file: file.into(), error }
}

/// How a value of the wrong type is written, where serde's words (`invalid type: floating point
/// `2.36`, expected a string`) tell it.
fn wrong_type(error: &str) -> Option<String> {
    let (found, expected) =
        error.split_once("invalid type: ")?.1.lines().next()?.split_once(", expected ")?;
    let value = found.split_once(['`', '"'])?.1.trim_end_matches(['`', '"']);
    if expected.starts_with("a sequence") {
        return Some(format!("write a list: [\"{value}\"]"));
    }
    let is_number = found.starts_with("integer") || found.starts_with("floating point");
    if let Some(name) = expected.strip_prefix("struct ") {
        return Some(format!("write a table: `[{}]`, and settings below it", name.to_lowercase()));
    }
    match expected {
        "a boolean" => Some("write true or false, without quotes".to_owned()),
        _ if expected.contains("string") || (is_number && !expected.contains("integer")) => {
            Some(format!("write it in quotes: \"{value}\""))
        }
        _ => None,
    }
}

/// Lays `local` over `main`, table by table; `[[target]]` entries are matched by their name.
fn overlay(main: &str, local: &str) -> Result<Config, ConfigError> {
    let mut merged: Table = toml::from_str(main).map_err(|error| toml_error(MAIN, &error))?;
    let over: Table = toml::from_str(local).map_err(|error| toml_error(LOCAL, &error))?;
    let mut overrides = Vec::new();
    merge(&mut merged, over, "", &mut overrides);
    let text = toml::to_string(&merged).map_err(|error| toml_error(LOCAL, &error))?;
    // For what neither file has: which keys the local file touched.
    let file = format!("{MAIN} with {LOCAL} laid over it ({})", overrides.join(", "));
    let checker = Checker {
        file: Utf8Path::new(&file),
        text: &text,
        merged: Some(Merged { main, local, text: &text }),
    };
    let raw = toml::from_str(&text).map_err(|error: toml::de::Error| {
        let said = error.message().to_owned();
        let hint = wrong_type(&said).map(|hint| format!("\n\nhint: {hint}")).unwrap_or_default();
        checker.at(error.span().map_or(0, |span| span.start), said + &hint)
    })?;
    let mut config = checker.config(raw)?;
    config.overrides = overrides;
    Ok(config)
}

fn merge(into: &mut Table, over: Table, at: &str, overrides: &mut Vec<String>) {
    for (key, value) in over {
        let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        match (into.get_mut(&key), value) {
            // One source takes the place of the other: keys of both kinds would contradict.
            (Some(Value::Table(below)), Value::Table(value)) if path != "source" => {
                merge(below, value, &path, overrides);
            }
            (Some(Value::Array(below)), Value::Array(value)) if path == "target" => {
                merge_targets(below, value, overrides);
            }
            (_, value) => {
                into.insert(key, value);
                overrides.push(path);
            }
        }
    }
}

fn merge_targets(into: &mut Vec<Value>, over: Vec<Value>, overrides: &mut Vec<String>) {
    for value in over {
        let name = value.get("name").and_then(Value::as_str).unwrap_or("?").to_owned();
        let path = format!("target.{name}");
        let same = |v: &&mut Value| v.get("name").and_then(Value::as_str) == Some(name.as_str());
        match (into.iter_mut().find(same), value) {
            (Some(Value::Table(below)), Value::Table(mut value)) => {
                value.remove("name");
                merge(below, value, &path, overrides);
            }
            (_, value) => {
                into.push(value);
                overrides.push(path);
            }
        }
    }
}

/// Parses and validates one configuration text; `file` is what errors call it.
pub(crate) fn parse(file: &Utf8Path, text: &str) -> Result<Config, ConfigError> {
    let raw = toml::from_str(text).map_err(|error| toml_error(file.as_str(), &error))?;
    Checker { file, text, merged: None }.config(raw)
}

struct Checker<'a> {
    file: &'a Utf8Path,
    text: &'a str,
    /// What `text` was merged from, if it was.
    merged: Option<Merged<'a>>,
}

impl Checker<'_> {
    fn config(&self, raw: RawConfig) -> Result<Config, ConfigError> {
        let source = self.source(&raw.source)?;
        self.build(&raw.build)?;
        let check = self.check(raw.check)?;
        let mut names = BTreeSet::new();
        let mut targets = Vec::new();
        for target in raw.target {
            let line = target.span().start;
            let target = self.target(target.into_inner(), &raw.build.get_ref().pythons)?;
            if !names.insert(target.name.clone()) {
                return Err(self.at(line, format!("there are two targets named `{}`", target.name)));
            }
            targets.push(target);
        }
        Ok(Config {
            source,
            check,
            ci: self.named(raw.ci, "ci", &targets, |ci| &ci.targets)?,
            publish: self.named(raw.publish, "publish", &targets, |publish| &publish.targets)?,
            cache: self.cache(raw.cache)?,
            build: raw.build.into_inner(),
            toolchain: raw.toolchain,
            engine: raw.engine,
            base_images: raw.base_image,
            targets,
            overrides: Vec::new(),
        })
    }

    fn at(&self, offset: usize, message: String) -> ConfigError {
        let (file, line) = self.origin(offset);
        ConfigError::Invalid { file, line, message }
    }

    /// File and line, as errors name them.
    fn place(&self, offset: usize) -> String {
        let (file, line) = self.origin(offset);
        format!("`{file}`, line {line}")
    }

    fn origin(&self, offset: usize) -> (Utf8PathBuf, usize) {
        let line = line_of(self.text, offset);
        let origin = self.merged.as_ref().and_then(|merged| merged.origin(line));
        origin.unwrap_or_else(|| (self.file.to_owned(), line))
    }

    /// A table that names targets, each of which has to be there.
    fn named<T: Default>(
        &self,
        raw: Option<Spanned<T>>,
        name: &str,
        targets: &[Target],
        words: impl Fn(&T) -> &Vec<String>,
    ) -> Result<T, ConfigError> {
        let Some(raw) = raw else { return Ok(T::default()) };
        let (start, table) = (raw.span().start, raw.into_inner());
        let known = |word: &&String| targets.iter().any(|target| target.is_called(word));
        if let Some(word) = words(&table).iter().find(|word| !known(word)) {
            let names: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
            let names = names.join(", ");
            let message =
                format!("`[{name}] targets` names `{word}`, which is no target ({names})");
            return Err(self.at(start, message));
        }
        Ok(table)
    }

    fn cache(&self, raw: Option<Spanned<Cache>>) -> Result<Cache, ConfigError> {
        let Some(raw) = raw else { return Ok(Cache::default()) };
        let (start, cache) = (raw.span().start, raw.into_inner());
        cache.lacking().map_or(Ok(()), |message| Err(self.at(start, message)))?;
        Ok(cache)
    }

    fn source(&self, raw: &Spanned<RawSource>) -> Result<Source, ConfigError> {
        let (start, raw) = (raw.span().start, raw.get_ref());
        match (&raw.sdist, &raw.path) {
            (Some(sdist), None) => {
                let Some(sha256) = &raw.sha256 else {
                    let message = "`sdist` needs its `sha256`, so that every build has the same \
                                   source; the index shows it beside the file";
                    return Err(self.at(sdist.span().start, message.to_owned()));
                };
                self.sdist(sdist, sha256)
            }
            (None, Some(path)) => {
                let outside = path.get_ref().components().any(|part| part.as_str() == "..");
                if raw.sha256.is_some() || path.get_ref().is_absolute() || outside {
                    let message = "`path` is a folder of this repository, relative to this \
                                   file, and has no `sha256`: it is hashed at each build";
                    return Err(self.at(path.span().start, message.to_owned()));
                }
                Ok(Source::Path { path: path.get_ref().clone() })
            }
            _ => {
                let message = "one of `sdist = \"name==version\"` or `path = \".\"` has to say \
                               where the source comes from";
                Err(self.at(start, message.to_owned()))
            }
        }
    }

    fn sdist(
        &self,
        sdist: &Spanned<String>,
        sha256: &Spanned<String>,
    ) -> Result<Source, ConfigError> {
        let word = |c: char| c.is_ascii_alphanumeric() || "._-+!".contains(c);
        let parts = sdist.get_ref().split_once("==").filter(|(name, version)| {
            let starts = |text: &str| text.starts_with(|c: char| c.is_ascii_alphanumeric());
            starts(name) && starts(version) && name.chars().chain(version.chars()).all(word)
        });
        let Some((name, version)) = parts else {
            let message = format!("`{}` is not of the form `name==version`", sdist.get_ref());
            return Err(self.at(sdist.span().start, message));
        };
        let hash = sha256.get_ref();
        if hash.len() != 64 || !hash.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
            let message = "`sha256` is not 64 lower-case hexadecimal digits".to_owned();
            return Err(self.at(sha256.span().start, message));
        }
        let (name, version) = (name.to_owned(), version.to_owned());
        Ok(Source::Sdist { name, version, sha256: hash.clone() })
    }

    fn build(&self, build: &Spanned<Build>) -> Result<(), ConfigError> {
        let (start, build) = (build.span().start, build.get_ref());
        if build.pythons.is_empty() || build.providers.is_empty() {
            let message = "`pythons` and `providers` must name at least one each".to_owned();
            return Err(self.at(start, message));
        }
        let leaves = |path: &&Utf8PathBuf| {
            path.components().any(|part| !matches!(part, Utf8Component::Normal(_)))
        };
        if let Some(path) = build.requirements.as_ref().filter(leaves) {
            let message =
                format!("`requirements` is `{path}`: it has to be a file of the repository");
            return Err(self.at(start, message));
        }
        if let Some(name) = build.env.keys().find(|name| !is_env_name(name)) {
            return Err(self.at(start, format!("`{name}` is no name of an environment variable")));
        }
        if let Some((name, _)) =
            build.env.iter().find(|(_, value)| value.contains(['\n', '\r', '\0']))
        {
            let message = format!("the value of `{name}` holds a newline or a NUL");
            return Err(self.at(start, message));
        }
        Ok(())
    }

    fn check(&self, check: Option<Spanned<Check>>) -> Result<Check, ConfigError> {
        let Some(check) = check else { return Ok(Check::default()) };
        let start = check.span().start;
        let mut check = check.into_inner();
        for each in &mut check.overrides {
            each.place = self.place(each.code.span().start);
        }
        if let Some(module) = check.calls.keys().find(|module| !check.imports.contains(module)) {
            let message = format!("`check.calls` names `{module}`, which `imports` does not");
            return Err(self.at(start, message));
        }
        for (arch, level) in &check.isa {
            let fits = match arch.as_str() {
                "amd64" => level.machine() == Machine::X86_64,
                "386" => level.machine() == Machine::I686,
                "arm64" => level.machine() == Machine::Aarch64,
                _ => false,
            };
            if !fits {
                let message = format!(
                    "`check.isa` gives `{arch}` the level `{level}`: it takes amd64, arm64 and 386, \
                     each with a level of its own"
                );
                return Err(self.at(start, message));
            }
        }
        Ok(check)
    }

    /// `pythons` are those of `[build]`.
    fn target(&self, raw: RawTarget, pythons: &[InterpreterId]) -> Result<Target, ConfigError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        // Images are named after it: a dot stands between letters or digits there (OCI distribution).
        let is_part =
            |part: &str| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-');
        let name = raw.name.get_ref();
        if !name.chars().all(plain) || !name.split('.').all(is_part) {
            let message = format!(
                "`{name}` is no target name: lower-case letters and digits, with `.` or `-` between them"
            );
            return Err(self.at(raw.name.span().start, message));
        }
        words::IMAGE
            .check(raw.image.get_ref())
            .map_err(|message| self.at(raw.image.span().start, message))?;
        if raw.platforms.is_empty() {
            let message = format!("target `{name}` has no platforms");
            return Err(self.at(raw.name.span().start, message));
        }
        if raw.pythons.as_ref().is_some_and(Vec::is_empty) {
            let message =
                format!("target `{name}` has no interpreters: without `pythons` it has all");
            return Err(self.at(raw.name.span().start, message));
        }
        for digest in raw.digest.values() {
            let hex = digest.get_ref().strip_prefix("sha256:").unwrap_or_default();
            if hex.len() != 64 || !hex.chars().all(|c| c.is_ascii_hexdigit()) {
                let message = format!("`{}` is no digest (`sha256:…`)", digest.get_ref());
                return Err(self.at(digest.span().start, message));
            }
        }
        if let Some(bootstrap) = &raw.bootstrap
            && let Some(flaw) = bootstrap.get_ref().flaw()
        {
            return Err(self.at(bootstrap.span().start, format!("`bootstrap`: {flaw}")));
        }
        let digest = raw.digest.into_iter().map(|(k, v)| (k, v.into_inner())).collect();
        Ok(Target {
            libc: self.libc(&raw.name, raw.glibc.as_ref(), raw.musl.as_ref())?,
            name: raw.name.into_inner(),
            image: image_name(raw.image.get_ref()).image,
            family: raw.family,
            platforms: raw.platforms,
            pythons: raw.pythons.unwrap_or_else(|| pythons.to_vec()),
            digest,
            bootstrap: raw.bootstrap.map(Spanned::into_inner),
        })
    }

    fn libc(
        &self,
        name: &Spanned<String>,
        glibc: Option<&Spanned<String>>,
        musl: Option<&Spanned<String>>,
    ) -> Result<Option<Libc>, ConfigError> {
        let (text, make): (_, fn(LibcVersion) -> Libc) = match (glibc, musl) {
            (Some(text), None) => (text, Libc::Glibc),
            (None, Some(text)) => (text, Libc::Musl),
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let message =
                    format!("target `{}` has both `glibc` and `musl`: it has one", name.get_ref());
                return Err(self.at(name.span().start, message));
            }
        };
        text.get_ref().parse().map(|version| Some(make(version))).map_err(|_| {
            let message = format!("`{}` is no version like \"2.36\"", text.get_ref());
            self.at(text.span().start, message)
        })
    }
}

fn is_env_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The JSON schema of the configuration.
#[cfg(test)]
pub(super) fn schema() -> schemars::Schema {
    let settings = schemars::generate::SchemaSettings::draft07();
    settings.into_generator().into_root_schema_for::<RawConfig>()
}
