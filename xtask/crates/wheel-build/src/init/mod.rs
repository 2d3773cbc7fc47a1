//! `cargo xtask init`: writes what a repository needs to use this tool, and keeps it up to date.

mod cibuildwheel;
mod fill;
mod git_url;
mod member;
mod package;
pub(crate) mod project;
mod record;
mod repository;
mod texts;
mod tool;
mod upgrade;

use std::collections::BTreeMap;
use wheel_audit::UserError;
use wheel_audit::files::{Place, place};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use toml_edit::{DocumentMut, Item, Table, value};

pub use cibuildwheel::OPTIONS;
pub(crate) use tool::Tool;
pub(crate) use upgrade::{State, upgrade};

use self::cibuildwheel::Translation;
use self::project::Project;
use self::record::Record;
use self::texts::Layout;
use crate::clone::is_clone;
use crate::config::ConfigFile;
use crate::exec::Exec;
use crate::ship::workflow::{self, github};
use crate::{config, schema};

const CONFIG: &str = "wheels.toml";
const ALIAS: &str = ".cargo/config.toml";
/// The old name of that file. cargo prefers it ("Hierarchical structure" in the Cargo book).
const OLD_ALIAS: &str = ".cargo/config";
const MANIFEST: &str = "xtask/Cargo.toml";
const MAIN: &str = "xtask/src/main.rs";
const SCHEMA: &str = "xtask/wheels.schema.json";
const ATTRIBUTES: &str = "xtask/.gitattributes";

/// Options of an adoption.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The repository that adopts the tool, absolute.
    pub(crate) repository: &'a Utf8Path,
    /// This clone of the tool.
    pub(crate) clone: &'a Utf8Path,
    /// Where the tool comes from [default: the clone's origin].
    pub(crate) tool: Option<Tool>,
    /// The folder of the repository that holds the package [default: detected].
    pub(crate) package: Option<&'a Utf8Path>,
    /// True if `xtask/` becomes a member of the repository's workspace.
    pub(crate) member: bool,
}

/// A file that `init` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Relative to the repository.
    pub(crate) path: Utf8PathBuf,
    /// Action for the file.
    pub(crate) change: Change,
}

/// The change to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Create it with these bytes.
    Create(Vec<u8>),
    /// Add lines to the existing file.
    Add {
        /// The added lines.
        lines: Vec<String>,
        /// The whole new text.
        text: String,
    },
    /// Keep the existing file.
    Keep,
}

/// Files that `init` will write.
#[derive(Debug)]
pub(crate) struct Adoption {
    /// Where the tool comes from.
    pub(crate) tool: Tool,
    /// The files, sorted by path. The copy of the tool comes last.
    pub(crate) files: Vec<Planned>,
    /// True if `wheels.toml` names the interpreter of Debian 12, which is the quickest to build for there.
    pub(crate) has_debian_python: bool,
    /// Options of `[tool.cibuildwheel]` that need a decision; `None` if nothing was translated.
    pub(crate) open_options: Option<Vec<String>>,
    /// A note about the repository's location.
    pub(crate) note: Option<String>,
    /// Existing files that prevent the adoption. If there are any, nothing is written.
    pub(crate) conflicts: Vec<String>,
}

/// Plans the files of an adoption and writes nothing.
///
/// # Errors
/// If the repository is a clone of the tool or has no package, a file that `init` reads is invalid, or the tool is
/// not where the request expects it.
pub(crate) fn plan(exec: &Exec, request: &Request<'_>) -> anyhow::Result<Adoption> {
    let repository = request.repository;
    anyhow::ensure!(
        !is_clone(repository),
        UserError::new(format!("`{repository}` is a clone of the tool itself"))
            .hint("name the folder of a package's repository as PATH")
    );
    let layout = if request.member { Layout::Member } else { Layout::Own };
    let package = package::find(repository, request.package)?;
    let pyproject = read(&repository.join(&package), "pyproject.toml")?.unwrap_or_default();
    let project = Project::parse(&pyproject)?;
    let tool = match &request.tool {
        Some(tool) => tool.clone(),
        None => Tool::of_clone(exec, request.clone)?,
    };
    let (wheels, translation) = match read(repository, CONFIG)? {
        Some(text) => (text, None),
        None => wheels_toml(&project, &pyproject, &package)?,
    };
    let config = config::parse_text(Utf8Path::new(CONFIG), &wheels)?;
    let mut plan =
        Planner { repository, files: Vec::new(), conflicts: Vec::new(), record: Record::default() };
    plan.keep_or_create(CONFIG, wheels);
    plan.alias(layout)?;
    let manifest = texts::manifest(layout, &tool.dependency(repository)?);
    let compiled = workflow::Tool::of_manifest(repository, &manifest);
    plan.create(MANIFEST, manifest.into_bytes())?;
    plan.owned(MAIN, texts::MAIN.as_bytes().to_vec())?;
    plan.owned(SCHEMA, schema::TEXT.as_bytes().to_vec())?;
    plan.owned(ATTRIBUTES, texts::ATTRIBUTES.as_bytes().to_vec())?;
    let hosted = github::workflow(&config, &compiled)?;
    plan.owned(github::PATH, hosted.into_bytes())?;
    plan.ignored()?;
    match layout {
        Layout::Member => plan.member(tool == Tool::Vendor)?,
        // The tool is tested with these versions.
        Layout::Own => plan.keep_or_create(
            "xtask/Cargo.lock",
            read(request.clone, "Cargo.lock")?.unwrap_or_default(),
        ),
    }
    if tool == Tool::Vendor {
        for (path, bytes) in tool::vendored(request.clone, &format!("init {repository}"))? {
            plan.owned(Utf8Path::new(tool::VENDOR).join(path).as_str(), bytes)?;
        }
    }
    let has_debian_python = config.build.pythons.iter().any(|tag| tag.to_string() == "cp311");
    let record = plan.record.text();
    plan.create(record::PATH, record.into_bytes())?;
    let Planner { mut files, conflicts, .. } = plan;
    files.sort_by_key(|file| (file.path.starts_with(tool::VENDOR), file.path.clone()));
    let note = repository::note(exec, repository);
    let options = |it: Translation| it.remarks.into_values().flatten().collect();
    let open_options = translation.map(options);
    Ok(Adoption { tool, files, has_debian_python, open_options, note, conflicts })
}

/// The `wheels.toml` for the package in the folder `package` of a repository, and the translation in it.
///
/// # Errors
/// If no interpreter is left.
pub(crate) fn wheels_toml(
    project: &Project,
    pyproject: &str,
    package: &Utf8Path,
) -> Result<(String, Option<Translation>), UserError> {
    let translation = Translation::of(pyproject, project);
    Ok((texts::wheels_toml(project, package, translation.as_ref())?, translation))
}

/// Writes the planned files.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn write(repository: &Utf8Path, files: &[Planned]) -> std::io::Result<()> {
    for Planned { path, change } in files {
        let bytes = match change {
            Change::Create(bytes) => bytes.as_slice(),
            Change::Add { text, .. } => text.as_bytes(),
            Change::Keep => continue,
        };
        let path = repository.join(path);
        fs_err::create_dir_all(path.parent().unwrap_or(repository))?;
        fs_err::write(path, bytes)?;
    }
    Ok(())
}

/// The text of a file; `None` if it does not exist.
fn read(folder: &Utf8Path, name: &str) -> anyhow::Result<Option<String>> {
    match fs_err::read_to_string(folder.join(name)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

struct Planner<'a> {
    repository: &'a Utf8Path,
    files: Vec<Planned>,
    conflicts: Vec<String>,
    record: Record,
}

impl Planner<'_> {
    fn push(&mut self, path: &str, change: Change) {
        if change != Change::Keep
            && let Place::Unsafe(why) = place(self.repository, path)
        {
            self.conflicts.push(format!("`{path}`: {why}"));
        }
        self.files.push(Planned { path: path.into(), change });
    }

    /// Plans a file that belongs to the repository once it exists.
    fn keep_or_create(&mut self, path: &str, text: String) {
        let is_there = self.repository.join(path).exists();
        let change = if is_there { Change::Keep } else { Change::Create(text.into_bytes()) };
        self.push(path, change);
    }

    /// Plans a file that must not exist with other contents.
    fn create(&mut self, path: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        let change = match fs_err::read(self.repository.join(path)) {
            Ok(found) if found == bytes => Change::Keep,
            Ok(_) => {
                self.conflicts.push(format!("`{path}` exists with other contents"));
                Change::Keep
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Change::Create(bytes),
            Err(error) => return Err(error.into()),
        };
        self.push(path, change);
        Ok(())
    }

    /// Plans a file that the tool keeps up to date.
    fn owned(&mut self, path: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        self.record.add(path, &bytes);
        self.create(path, bytes)
    }

    fn add(&mut self, path: &str, lines: Vec<String>, text: String) {
        let is_new = !self.repository.join(path).exists();
        let change = match lines.is_empty() {
            true => Change::Keep,
            false if is_new => Change::Create(text.into_bytes()),
            false => Change::Add { lines, text },
        };
        self.push(path, change);
    }

    /// Plans the alias `cargo xtask`.
    fn alias(&mut self, layout: Layout) -> anyhow::Result<()> {
        if read(self.repository, OLD_ALIAS)?.is_some() {
            self.conflicts.push(format!(
                "`{OLD_ALIAS}` exists, and cargo would ignore `{ALIAS}` beside it; rename it"
            ));
            return Ok(());
        }
        let text = read(self.repository, ALIAS)?.unwrap_or_default();
        let mut config: DocumentMut = text.parse().with_context(|| format!("`{ALIAS}`"))?;
        let aliases = config.entry("alias").or_insert(Item::Table(Table::new()));
        let aliases = aliases
            .as_table_like_mut()
            .with_context(|| format!("`{ALIAS}`: `alias` is not a table"))?;
        match aliases.get("xtask") {
            Some(words) if words.as_str() == Some(layout.alias()) => {
                self.add(ALIAS, Vec::new(), text);
            }
            // cargo also accepts a list of words.
            Some(words) => self.conflicts.push(format!(
                "`{ALIAS}` already defines the alias `xtask` as `{}`",
                words.to_string().trim().escape_debug()
            )),
            None => {
                aliases.insert("xtask", value(layout.alias()));
                let line = format!("alias.xtask = \"{}\"", layout.alias());
                self.add(ALIAS, vec![line], config.to_string());
            }
        }
        Ok(())
    }

    /// Plans the lines of `.gitignore`.
    fn ignored(&mut self) -> anyhow::Result<()> {
        let path = ".gitignore";
        let mut text = read(self.repository, path)?.unwrap_or_default();
        // `target` also ignores `/target/`.
        let plain = |line: &str| line.trim().trim_matches('/').to_owned();
        let is_there = |line: &&str| !text.lines().any(|other| plain(other) == plain(line));
        let lines: Vec<String> =
            texts::IGNORED.iter().copied().filter(is_there).map(str::to_owned).collect();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.extend(lines.iter().map(|line| format!("{line}\n")));
        self.add(path, lines, text);
        Ok(())
    }

    /// Plans `xtask` as a member of the existing workspace.
    fn member(&mut self, is_copied: bool) -> anyhow::Result<()> {
        let path = "Cargo.toml";
        let Some(text) = read(self.repository, path)? else {
            self.conflicts
                .push(format!("`--member` requires a workspace in `{path}`; leave the option out"));
            return Ok(());
        };
        let (text, lines) = member::join(&text, is_copied).with_context(|| format!("`{path}`"))?;
        self.add(path, lines, text);
        Ok(())
    }
}

/// The current contents of the files that the tool keeps up to date, by path.
fn current(repository: &Utf8Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let config = config::load_committed(repository, &ConfigFile::default())?;
    let compiled = workflow::Tool::of(repository);
    let hosted = github::workflow(&config, &compiled)?;
    Ok(BTreeMap::from([
        (MAIN.to_owned(), texts::MAIN.as_bytes().to_vec()),
        (SCHEMA.to_owned(), schema::TEXT.as_bytes().to_vec()),
        (ATTRIBUTES.to_owned(), texts::ATTRIBUTES.as_bytes().to_vec()),
        (github::PATH.to_owned(), hosted.into_bytes()),
    ]))
}
