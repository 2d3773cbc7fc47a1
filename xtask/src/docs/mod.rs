//! `cargo xtask docs`: writes the generated pages of `docs/`, and checks every page.

mod book;
mod commands;
mod configuration;
mod fragments;
mod lines;
mod links;
mod markdown;
mod shell;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};

pub(crate) use self::book::check as book;
use self::markdown::{Fence, Page};
use wheel_audit::{UserError, report, rule_docs};
use wheel_build::own::{CONFIG_EXAMPLES, CONFIG_SCHEMA, Exec, FINDINGS, Workspace, command_line};

/// The pages at the top of the repository that the checks read, if they exist.
const TOP: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];

/// The commands of [`crate::Developer`], which exist only in this repository.
const DEVELOPER: [&str; 3] = ["policy", "docs", "ci"];

const OUT_OF_DATE: &str = "the page is out of date";

/// Arguments of `docs`.
#[derive(Debug, clap::Args)]
pub(crate) struct DocsArgs {
    /// Action for the pages.
    #[command(subcommand)]
    pub action: Mode,
}

/// Action for the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Subcommand)]
pub(crate) enum Mode {
    /// Write docs/commands.md, docs/configuration.md and docs/checks.md
    #[command(after_help = "Examples:\n  # Write the generated pages\n  cargo xtask docs write")]
    Write,
    /// Check pages: up to date, links, command lines, configuration, mdBook
    #[command(after_help = "Examples:\n  # Check every page\n  cargo xtask docs check\n\n\
        Exit status: 0 every page is good, 1 a page has a problem, 2 could not run.")]
    Check,
}

/// A problem of a page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// The file, relative to the repository.
    file: Utf8PathBuf,
    /// Counted from 1; 0 for the file as a whole.
    line: usize,
    message: String,
}

impl Problem {
    fn new(file: impl Into<Utf8PathBuf>, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.into(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// A page of the documentation: its path relative to the repository, and its content.
struct Source {
    path: Utf8PathBuf,
    page: Page,
}

/// Runs the subcommand.
///
/// # Errors
/// If a page cannot be read or written, or a generated page lacks a text.
pub(crate) fn run(args: &DocsArgs) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    match args.action {
        Mode::Write => {
            write(&workspace.root)?;
            Ok(ExitCode::SUCCESS)
        }
        Mode::Check => {
            let is_good = check(&workspace.root)?;
            let book = book(&Exec::real(), &workspace, "mdbook")?;
            if book.is_none() {
                report::note("skipped: `mdbook` is not installed");
            }
            let is_good = is_good && book != Some(false);
            Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
        }
    }
}

/// The generated pages, by path relative to the repository.
fn generated() -> anyhow::Result<[(&'static str, String); 3]> {
    let tool = command_line::<crate::Developer>();
    let (configuration, mut lacking) = configuration::page(CONFIG_SCHEMA, &CONFIG_EXAMPLES)?;
    let mut built = tool.clone();
    built.build();
    lacking.extend(commands::lacking(&built));
    anyhow::ensure!(
        lacking.is_empty(),
        UserError::new(format!("the generated pages lack texts:\n{}", lacking.join("\n")))
            .hint("add the text where the key or the option is declared")
    );
    Ok([
        ("docs/commands.md", commands::page(tool, &DEVELOPER)),
        ("docs/configuration.md", configuration),
        ("docs/checks.md", report::rules_page(&rule_docs::all())),
    ])
}

/// Writes the generated pages below `root` that differ.
fn write(root: &Utf8Path) -> anyhow::Result<()> {
    fs_err::create_dir_all(root.join("docs"))?;
    for (name, text) in generated()? {
        let path = root.join(name);
        if fs_err::read_to_string(&path).is_ok_and(|found| found == text) {
            report::note(&format!("{name} is current"));
        } else {
            fs_err::write(path, text)?;
            report::note(&format!("wrote {name}"));
        }
    }
    Ok(())
}

/// Checks the pages below `root` and prints the problems to stderr. Returns whether there are none.
///
/// # Errors
/// If a page cannot be read, or a generated page lacks a text.
pub(crate) fn check(root: &Utf8Path) -> anyhow::Result<bool> {
    let problems = problems(root)?;
    for problem in &problems {
        report::failed(&UserError::new(problem.to_string()));
    }
    if problems.iter().any(|problem| problem.message == OUT_OF_DATE) {
        report::hint("`cargo xtask docs write` writes the generated pages");
    }
    Ok(problems.is_empty())
}

/// Blocks and links of `page` that no check would read.
fn unchecked(path: &Utf8Path, page: &Page) -> Vec<Problem> {
    let message = |fence: &Fence| match fence.language() {
        "" => Some("the block names no language: write `text` or `sh` behind the fence".to_owned()),
        name @ ("bash" | "shell" | "zsh" | "shell-session") => {
            Some(format!("no check reads a block of `{name}`: write `sh` behind the fence"))
        }
        _ => None,
    };
    let fences = page.fences.iter();
    let fences = fences.filter_map(|it| Some(Problem::new(path, it.line - 1, message(it)?)));
    let undefined = page.undefined.iter().map(|(line, name)| {
        Problem::new(path, *line, format!("the link `[{name}]` has no address on the page"))
    });
    fences.chain(undefined).collect()
}

/// Every problem of the pages below `root`, sorted by place.
fn problems(root: &Utf8Path) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for (name, text) in generated()? {
        let found = fs_err::read_to_string(root.join(name)).unwrap_or_default();
        if let Some(line) = first_difference(&found, &text) {
            problems.push(Problem::new(name, line, OUT_OF_DATE));
        }
    }
    let sources = sources(root)?;
    problems.extend(links::problems(root, &sources)?);
    let tool = command_line::<crate::Developer>();
    for Source { path, page } in &sources {
        problems.extend(lines::problems(&tool, path, page));
        problems.extend(fragments::problems(path, page));
        problems.extend(unchecked(path, page));
    }
    problems.sort();
    problems.dedup();
    Ok(problems)
}

/// The first line, counted from 1, in which two texts differ.
fn first_difference(one: &str, other: &str) -> Option<usize> {
    let same = one.split('\n').zip(other.split('\n')).take_while(|(one, other)| one == other);
    (one != other).then(|| same.count() + 1)
}

/// The pages at the top of `root` and below `docs/`, sorted.
fn sources(root: &Utf8Path) -> anyhow::Result<Vec<Source>> {
    let mut paths: Vec<Utf8PathBuf> = TOP.iter().map(Utf8PathBuf::from).collect();
    for entry in walkdir::WalkDir::new(root.join("docs")) {
        let path = Utf8PathBuf::try_from(entry?.into_path())?;
        if path.extension() == Some("md") {
            paths.push(path.strip_prefix(root)?.to_owned());
        }
    }
    paths.retain(|path| root.join(path).is_file());
    paths.sort();
    let read = |path: Utf8PathBuf| {
        let page = Page::read(&fs_err::read_to_string(root.join(&path))?);
        Ok(Source { path, page })
    };
    paths.into_iter().map(read).collect()
}
