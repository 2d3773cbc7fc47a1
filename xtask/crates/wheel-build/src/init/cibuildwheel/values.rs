//! Values of cibuildwheel's options as keys of `wheels.toml`. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

/// Keys such as `build.env`, and their values.
pub(in crate::init) type Keys = BTreeMap<String, Value>;

/// How an option becomes keys.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// Not at all.
    #[default]
    None,
    /// With the other options that select builds.
    Select,
    /// A shell command or a list of them.
    Script,
    /// Commands that install system packages.
    Packages,
    /// Commands that install Python packages.
    Install,
    /// A command of auditwheel.
    Repair,
    /// The name of a build frontend.
    Frontend,
    /// Words in shell quotes.
    Words,
    /// Names with commas or spaces between them.
    Names,
    /// Variables, whose values may contain shell syntax.
    Env,
    /// Settings, one or several values each.
    Settings,
}

/// Package managers and the families of their packages.
const MANAGERS: [(&str, &str); 5] =
    [("yum", "dnf"), ("dnf", "dnf"), ("apt-get", "apt"), ("apt", "apt"), ("apk", "apk")];
/// Options of a package manager that change nothing about the packages.
const QUIET: [&str; 5] = ["-y", "-q", "--quiet", "--no-cache", "--no-install-recommends"];
/// Syntax that `sh` of Debian and Ubuntu (dash) does not have.
const BASH: [&str; 6] = ["[[", "<<<", "<(", "source ", "pushd ", "pipefail"];

/// Shell syntax besides `&&`.
const SYNTAX: [char; 13] = ['"', '\'', '`', '$', ';', '|', '(', ')', '<', '>', '#', '\\', '\n'];
const WRONG_TYPE: &str = "the type of its value is wrong";

impl Form {
    /// The key `to` and related ones for `value`. `left` gets a reason for each part that is left
    /// out.
    ///
    /// # Errors
    /// If the value does not have this form.
    pub(super) fn keys(
        self,
        to: &str,
        value: &Value,
        left: &mut Vec<String>,
    ) -> Result<Keys, String> {
        let mut keys = Keys::new();
        let mut set = |key: &str, value: Value| keys.insert(key.to_owned(), value);
        let value = match (self, value) {
            (Self::Env, _) => variables(value, left)?.into(),
            (Self::Settings, _) => settings(value)?.into(),
            (Self::Frontend, _) => frontend(value)?,
            (Self::Repair, _) => return repair(&strings(value)?),
            (Self::Packages, _) => {
                let (packages, others) = packages(&strings(value)?, left);
                set("build.system_packages", packages.into());
                script(&others, left)
            }
            (Self::Install, _) => {
                let commands = strings(value)?;
                set("build.requires", requires(&commands, left).into());
                script(&commands, left)
            }
            (Self::Script, _) => script(&strings(value)?, left),
            (Self::Words, Value::String(text)) => words(text)?.into(),
            (Self::Names, Value::String(text)) => {
                text.replace(',', " ").split_whitespace().collect::<Vec<_>>().into()
            }
            _ => strings(value)?.into(),
        };
        set(to, value);
        Ok(keys)
    }
}

/// A string, or the strings of a list, without blank ones.
pub(super) fn strings(value: &Value) -> Result<Vec<String>, String> {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let strings: Option<Vec<_>> = values.iter().map(Value::as_str).collect();
    let strings = strings.ok_or(WRONG_TYPE)?;
    Ok(strings.into_iter().filter(|it| !it.trim().is_empty()).map(str::to_owned).collect())
}

fn words(text: &str) -> Result<Vec<String>, String> {
    shlex::split(text).ok_or_else(|| "a quote is not closed".to_owned())
}

/// One command as a string, several as a list.
fn script(commands: &[String], left: &mut Vec<String>) -> Value {
    for syntax in BASH.iter().filter(|syntax| commands.iter().any(|text| text.contains(**syntax))) {
        left.push(format!("`sh` of Debian and Ubuntu has no `{}`", syntax.trim()));
    }
    match commands {
        [command] => Value::String(command.clone()),
        _ => commands.to_vec().into(),
    }
}

/// The commands that `&&` joins, if nothing else is shell syntax.
fn parts(commands: &[String]) -> impl Iterator<Item = &str> {
    let split = |text: &'_ String| if text.contains(SYNTAX) { "\0" } else { "&&" };
    let parts = commands.iter().flat_map(move |text| text.split(split(text)));
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// System packages by family.
type Packages = BTreeMap<&'static str, Vec<String>>;

/// `before-all`: the system packages by family, and other commands.
fn packages(commands: &[String], left: &mut Vec<String>) -> (Packages, Vec<String>) {
    let (mut packages, mut others) = (Packages::new(), Vec::new());
    for part in parts(commands) {
        let (options, names): (Vec<_>, Vec<_>) =
            part.split_whitespace().partition(|word| word.starts_with('-'));
        let is_simple =
            !part.contains(SYNTAX) && options.iter().all(|option| QUIET.contains(option));
        let manager = MANAGERS.iter().find(|(name, _)| is_simple && names.first() == Some(name));
        match (manager, names.get(1..)) {
            // The tool updates the lists itself, and keeps no cache in a wheel.
            (Some((_, "apt" | "apk")), Some(["update"]))
            | (Some(_), Some(["makecache" | "clean" | "autoclean", ..])) => {}
            (Some((_, family)), Some(["install" | "add", names @ ..])) => {
                packages
                    .entry(*family)
                    .or_default()
                    .extend(names.iter().map(|it| (*it).to_owned()));
            }
            _ => others.push(part.to_owned()),
        }
    }
    let is_absent = |it: &&str| !packages.is_empty() && !packages.contains_key(*it);
    let absent = ["apt", "dnf"].into_iter().filter(is_absent);
    left.extend(absent.map(|it| format!("add the names of the packages for `{it}`")));
    if !others.is_empty() {
        left.push("`[build] before` has no network; `[build] network = true` allows it".to_owned());
    }
    (packages, others)
}

/// `before-build`: the requirements that pip installs.
fn requires(commands: &[String], left: &mut Vec<String>) -> Vec<String> {
    let mut requires = Vec::new();
    let is_name = |name: &str| !name.starts_with(['-', '.']) && !name.contains(['/', '{']);
    for part in parts(commands).filter(|part| part.contains("pip install")) {
        let names = part.split("pip install").nth(1).unwrap_or_default();
        if !part.contains(SYNTAX) && names.split_whitespace().all(is_name) {
            requires.extend(names.split_whitespace().map(str::to_owned));
        } else {
            left.push(format!("add what `{part}` installs to `[build] requires`"));
        }
    }
    requires
}

/// `repair-wheel-command`: options of auditwheel.
///
/// # Errors
/// If it is another command, or has other options.
fn repair(commands: &[String]) -> Result<Keys, String> {
    if commands.is_empty() {
        return Ok(Keys::from([("repair.mode".to_owned(), "off".into())]));
    }
    let all = words(&commands.join(" && "))?;
    let mut all = all.iter().map(String::as_str);
    if (all.next(), all.next()) != (Some("auditwheel"), Some("repair")) {
        return Err("only `auditwheel repair` has a counterpart".to_owned());
    }
    let (mut keys, mut exclude) = (Keys::new(), Vec::new());
    while let Some(word) = all.next() {
        match word {
            "--strip" => drop(keys.insert("repair.strip".to_owned(), true.into())),
            "--exclude" => exclude.extend(all.next()),
            "-w" | "--wheel-dir" => drop(all.next()),
            "{wheel}" | "-v" | "--verbose" => {}
            other => return Err(format!("`{other}` has no counterpart")),
        }
    }
    keys.insert("repair.exclude".to_owned(), exclude.into());
    Ok(keys)
}

/// `build-frontend`: a name, or a table with arguments.
fn frontend(value: &Value) -> Result<Value, String> {
    match value.as_str() {
        Some("uv" | "build[uv]" | "default") => Ok("uv".into()),
        Some("build") => Ok("build".into()),
        _ => Err("this frontend or its arguments are not supported".to_owned()),
    }
}

/// A table, or words such as `NAME=VALUE`.
fn table(value: &Value) -> Result<Table, String> {
    let Value::String(text) = value else {
        return Ok(value.as_table().cloned().ok_or(WRONG_TYPE)?);
    };
    let all = words(text)?;
    let pairs = all.iter().map(|word| word.split_once('='));
    let pairs: Option<Table> = pairs.map(|it| it.map(|(k, v)| (k.to_owned(), v.into()))).collect();
    let pairs = pairs.filter(|pairs| pairs.len() == all.len());
    pairs.ok_or_else(|| "it is not a list of different `NAME=VALUE`".to_owned())
}

/// The variables whose values are literal.
fn variables(value: &Value, left: &mut Vec<String>) -> Result<Table, String> {
    let syntax: &[char] = if value.is_str() { &['$', '`'] } else { &['$', '`', '\\', '"'] };
    let is_literal = |value: &Value| value.as_str().is_some_and(|text| !text.contains(syntax));
    let (literal, other): (Table, Table) =
        table(value)?.into_iter().partition(|(_, value)| is_literal(value));
    left.extend(other.keys().map(|name| format!("the value of `{name}` is not literal")));
    // uv and the fetch step ignore them, and a variable of pip switches off the reuse of environments.
    let (constraints, literal): (Table, Table) =
        literal.into_iter().partition(|(name, _)| name.ends_with("_CONSTRAINT"));
    left.extend(constraints.keys().map(|name| format!("use `[build] requirements` for `{name}`")));
    Ok(literal)
}

fn settings(value: &Value) -> Result<Table, String> {
    let (table, text) = (table(value)?, value.to_string());
    let is_literal = !text.contains("{project}") && !text.contains("{package}");
    let why = "`[build] config-settings` replaces no `{project}` or `{package}`";
    is_literal.then_some(table).ok_or_else(|| why.to_owned())
}
