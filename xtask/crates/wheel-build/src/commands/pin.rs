//! `cargo xtask pin`: resolves image tags to digests and writes them to `wheels.toml`.

use std::collections::BTreeSet;
use std::process::ExitCode;
use wheel_audit::UserError;

use anyhow::Context as _;
use camino::Utf8Path;
use rayon::prelude::*;
use serde::Serialize;

use super::engine_args::EngineArgs;
use super::{COULD_NOT_RUN, FINDINGS, Workspace, native_platform};
use crate::clone::{self, is_clone};
use crate::config::{self, Config, ConfigFile, Pins, Platform, Target, target_lines};
use crate::engine::binfmt;
use crate::engine::registry::{self, Published, Unknown};
use crate::engine::{Engine, EngineError};
use crate::exec::Exec;
use crate::plan;
use wheel_audit::report;

/// Version of the JSON report.
const SCHEMA_VERSION: u32 = 1;

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PinArgs {
    /// Targets and platforms, as for `wheels` [default: all of wheels.toml]
    #[arg(value_name = "TARGET|PLATFORM")]
    pub words: Vec<String>,
    /// Change nothing; exit with 1 if a digest is missing or outdated
    #[arg(long, conflicts_with = "dry_run")]
    pub check: bool,
    /// Print the digests without writing them
    #[arg(long)]
    pub dry_run: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Use of the digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Write,
    Check,
    DryRun,
}

/// State of a pin, compared with the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// The tag still resolves to the pinned digest.
    Current,
    /// The tag resolves to another digest now.
    Outdated,
    /// Nothing is pinned.
    Unpinned,
    /// The registry does not have the image, or not for this platform.
    Refused,
    /// The registry did not answer.
    Silent,
}

/// One image for one platform; the binfmt image has one row for all platforms.
#[derive(Debug, Clone, Serialize)]
struct Row {
    /// Name of the target; `binfmt` for the binfmt image.
    target: String,
    image: String,
    platform: Option<Platform>,
    /// Digest in the configuration.
    pinned: Option<String>,
    /// Digest in the registry.
    found: Option<String>,
    state: State,
    /// Error of the registry.
    #[serde(rename = "said")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    schema_version: u32,
    images: &'a [Row],
    /// Files that were written.
    written: Vec<String>,
}

/// Runs the subcommand.
///
/// # Errors
/// If no registry can be queried or a file cannot be written. Errors of registries are in the report.
pub(crate) fn run(args: &PinArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    let config = workspace.config()?;
    let mode = match (args.check, args.dry_run) {
        (true, _) => Mode::Check,
        (_, true) => Mode::DryRun,
        _ => Mode::Write,
    };
    let wanted = wanted(&config, &args.words, is_clone(&workspace.root))?;
    let engine = EngineArgs::default().engine(&exec, &workspace, &config)?;
    let rows = query(&engine, &wanted)?;
    let written = if mode == Mode::Write { write(&workspace, &rows)? } else { Vec::new() };
    if args.json {
        let schema_version = SCHEMA_VERSION;
        report::json(&Report { schema_version, images: &rows, written })?;
    } else {
        report::text(&table(&rows, report::width()));
        report::note(&closing(&rows, mode, &written));
        if let Some(text) = unreachable_reasons(&rows) {
            report::note(&format!("\n{text}"));
            report::hint("`cargo xtask doctor` shows whether a registry answers");
        } else if mode == Mode::Check && rows.iter().any(is_new) {
            report::hint("`cargo xtask pin` writes them");
        }
    }
    Ok(ExitCode::from(status(&rows, mode)))
}

/// An image to look up, and the rows that depend on it.
#[derive(Debug)]
struct Wanted {
    image: String,
    /// Platforms with their pinned digests; empty for an image that is pinned as a whole.
    platforms: Vec<(Platform, Option<String>)>,
    target: String,
    whole: Option<String>,
}

/// The images of the targets that `words` name. Without words: of all targets, and in a clone of the tool also the
/// binfmt image, whose digest is compiled in.
fn wanted(config: &Config, words: &[String], is_clone: bool) -> anyhow::Result<Vec<Wanted>> {
    let no_target = words.iter().all(|word| word.starts_with("linux/"));
    let request = plan::parse_words(config, words, no_target, &[], &native_platform())?;
    let mut wanted = Vec::new();
    for (target, platforms) in &request.targets {
        let listed = config.targets.iter().any(|listed| listed.name == target.name);
        let lines = target_lines(&target.image, "linux/amd64").map(|it| format!(":{it}"));
        let hint = format!(
            "add a `[[target]]` with this image to wheels.toml first{}",
            lines.unwrap_or_default()
        );
        anyhow::ensure!(
            listed,
            UserError::new(format!("`{}` is not a target of wheels.toml", target.image)).hint(hint)
        );
        wanted.push(of_target(target, platforms));
    }
    if words.is_empty() && is_clone {
        let (image, digest) = binfmt::image();
        let (image, whole) = (image.to_owned(), digest.map(str::to_owned));
        wanted.push(Wanted { image, platforms: Vec::new(), target: "binfmt".to_owned(), whole });
    }
    Ok(wanted)
}

fn of_target(target: &Target, platforms: &[Platform]) -> Wanted {
    let pinned = |platform: &Platform| (platform.clone(), target.digest.get(platform).cloned());
    Wanted {
        image: target.image.clone(),
        platforms: platforms.iter().map(pinned).collect(),
        target: target.name.clone(),
        whole: None,
    }
}

/// Queries all registries concurrently, so that silent ones cost one timeout in total.
fn query(engine: &Engine, wanted: &[Wanted]) -> anyhow::Result<Vec<Row>> {
    let answers: Result<Vec<_>, EngineError> = wanted
        .par_iter()
        .map(|wanted| Ok(rows(wanted, &registry::published(engine, &wanted.image)?)))
        .collect();
    Ok(answers?.into_iter().flatten().collect())
}

fn rows(wanted: &Wanted, answer: &Result<Published, Unknown>) -> Vec<Row> {
    let row = |platform: Option<&Platform>, pinned: &Option<String>| {
        let found = match (answer, platform) {
            (Ok(published), None) => Ok(published.digest.clone()),
            (Ok(published), Some(platform)) => published
                .platforms
                .get(platform)
                .cloned()
                .ok_or_else(|| (State::Refused, format!("no image for {platform}"))),
            (Err(Unknown::Refused(error)), _) => Err((State::Refused, error.clone())),
            (Err(Unknown::Silent(error)), _) => Err((State::Silent, error.clone())),
        };
        let state = match (&found, pinned) {
            (Ok(found), Some(pinned)) if found == pinned => State::Current,
            // The digest of an index applies to each of its platforms.
            (Ok(_), Some(pinned))
                if answer.as_ref().is_ok_and(|published| published.digest == *pinned) =>
            {
                State::Current
            }
            (Ok(_), Some(_)) => State::Outdated,
            (Ok(_), None) => State::Unpinned,
            (Err((state, _)), _) => *state,
        };
        let (found, error) =
            found.map_or_else(|(_, error)| (None, Some(error)), |d| (Some(d), None));
        Row {
            target: wanted.target.clone(),
            image: wanted.image.clone(),
            platform: platform.cloned(),
            pinned: pinned.clone(),
            found,
            state,
            error,
        }
    };
    if wanted.platforms.is_empty() {
        vec![row(None, &wanted.whole)]
    } else {
        wanted.platforms.iter().map(|(platform, pinned)| row(Some(platform), pinned)).collect()
    }
}

/// Writes new digests; returns the changed files, relative to `root`.
fn write(workspace: &Workspace, rows: &[Row]) -> anyhow::Result<Vec<String>> {
    let (mut pins, mut binfmt_digest) = (Pins::new(), None);
    for row in rows.iter().filter(|row| is_new(row)) {
        match (&row.platform, &row.found) {
            (Some(platform), Some(found)) => {
                let of_target = pins.entry(row.target.clone()).or_default();
                of_target.insert(platform.clone(), found.clone());
            }
            (None, Some(found)) => binfmt_digest = Some(found.clone()),
            (_, None) => {}
        }
    }
    let mut written = Vec::new();
    let (root, name) = (&workspace.root, workspace.file.name());
    if !pins.is_empty() {
        let before = fs_err::read_to_string(root.join(&name))?;
        let text = config::with_pins(&before, &pins).map_err(anyhow::Error::msg)?;
        replace(root, &name, &text, &mut written)?;
        // Check that other commands can read the result.
        config::load(root, &workspace.file).with_context(|| format!("wrote an invalid {name}"))?;
    }
    if let Some(digest) = binfmt_digest {
        let before = fs_err::read_to_string(root.join(clone::FORMATS))?;
        let text = binfmt::with_digest(&before, &digest).map_err(anyhow::Error::msg)?;
        replace(root, clone::FORMATS, &text, &mut written)?;
    }
    Ok(written)
}

/// Replaces the file `name` with `text` atomically.
fn replace(
    root: &Utf8Path,
    name: &str,
    text: &str,
    written: &mut Vec<String>,
) -> anyhow::Result<()> {
    let path = root.join(name);
    let draft = path.with_extension("toml.draft");
    fs_err::write(&draft, text)?;
    fs_err::rename(draft, path)?;
    written.push(name.to_owned());
    Ok(())
}

fn status(rows: &[Row], mode: Mode) -> u8 {
    let any = |states: &[State]| rows.iter().any(|row| states.contains(&row.state));
    if any(&[State::Silent]) {
        COULD_NOT_RUN
    } else if any(&[State::Refused])
        || mode == Mode::Check && any(&[State::Unpinned, State::Outdated])
    {
        FINDINGS
    } else {
        0
    }
}

fn table(rows: &[Row], width: usize) -> String {
    let short = |digest: &str| digest.trim_start_matches("sha256:").chars().take(12).collect();
    let row = |row: &Row| {
        let folder = row.platform.as_ref().map(|it| format!("{}-{}", row.target, it.engine_arch()));
        let found: String = row.found.as_deref().map_or_else(String::new, short);
        let state = match row.state {
            State::Current => "current".to_owned(),
            State::Outdated => format!("outdated: {found}"),
            State::Unpinned => format!("not pinned: {found}"),
            State::Refused => {
                format!("not found: {}", row.error.as_deref().unwrap_or_default())
            }
            // Many rows have the same reason, which `unreachable_reasons` prints once.
            State::Silent => "no answer".to_owned(),
        };
        let folder = folder.unwrap_or_else(|| row.target.clone());
        let pinned = row.pinned.as_deref().map_or_else(|| "-".to_owned(), short);
        vec![folder, row.image.clone(), pinned, state]
    };
    let head = ["target", "image", "pinned", "registry"];
    report::table(&head, &rows.iter().map(row).collect::<Vec<_>>(), width)
}

/// Why registries did not answer, each reason once.
fn unreachable_reasons(rows: &[Row]) -> Option<String> {
    let silent = rows.iter().filter(|row| row.state == State::Silent);
    let reasons: BTreeSet<&str> =
        silent.filter_map(|row| row.error.as_deref()).map(reason).collect();
    let reasons: Vec<_> = reasons.iter().map(|error| format!("no answer: {error}")).collect();
    (!reasons.is_empty()).then(|| reasons.join("\n"))
}

/// The error of a client without the request's address, which contains the image's name.
fn reason(error: &str) -> &str {
    let request = error.strip_prefix("failed to do request: ");
    request.and_then(|request| Some(request.split_once("\": ")?.1)).unwrap_or(error)
}

fn is_new(row: &Row) -> bool {
    matches!(row.state, State::Unpinned | State::Outdated)
}

/// Digests that were written, or would be.
fn closing(rows: &[Row], mode: Mode, written: &[String]) -> String {
    let count = rows.iter().filter(|row| is_new(row)).count();
    let files: Vec<_> = written.iter().map(|file| format!("`{file}`")).collect();
    let silent = rows.iter().filter(|row| row.state == State::Silent).count();
    match (mode, count) {
        (_, 0) if silent == rows.len() => {
            "\nno registry answered: no digest was compared".to_owned()
        }
        (_, 0) if silent > 0 => {
            format!(
                "\n{silent} not compared, because no registry answered; every other digest is up to date"
            )
        }
        (_, 0) => "\nno digest is new".to_owned(),
        (Mode::Write, count) => format!("\n{count} digests written into {}", files.join(" and ")),
        (Mode::DryRun, count) => format!("\n{count} digests would be written"),
        (Mode::Check, count) => format!("\n{count} digests are missing or outdated"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    fn debian(pinned: Option<&str>) -> Wanted {
        let pinned = pinned.map(str::to_owned);
        let platforms = vec![(platform("linux/amd64"), pinned), (platform("linux/arm64"), None)];
        let (image, target) = ("debian:12".to_owned(), "debian12".to_owned());
        Wanted { image, platforms, target, whole: None }
    }

    fn published(platforms: &[&str]) -> Published {
        let digests = platforms.iter().map(|p| (platform(p), format!("sha256:{p}"))).collect();
        Published { digest: "sha256:index".to_owned(), platforms: digests }
    }

    #[test]
    fn a_reason_that_all_images_share_is_printed_once() {
        let silent = |name: &str| {
            let url = format!("https://registry.example/v2/{name}/manifests/12");
            let error = format!("failed to do request: Head \"{url}\": dial tcp: no such host");
            rows(&debian(None), &Err(Unknown::Silent(error)))
        };
        let mut all = silent("debian");
        all.extend(silent("ubuntu"));
        let text = unreachable_reasons(&all).unwrap();
        assert_eq!(text.matches("no such host").count(), 1, "{text}");
        assert!(text.contains("dial tcp"), "{text}");
        assert_eq!(
            unreachable_reasons(&rows(&debian(None), &Err(Unknown::Refused("no".to_owned())))),
            None
        );
    }

    #[test]
    fn a_pin_is_current_outdated_or_missing() {
        let answer = Ok(published(&["linux/amd64", "linux/arm64"]));
        let states = |pinned, answer: &Result<Published, Unknown>| {
            rows(&debian(pinned), answer).iter().map(|row| row.state).collect::<Vec<_>>()
        };
        assert_eq!(states(Some("sha256:linux/amd64"), &answer), [State::Current, State::Unpinned]);
        assert_eq!(states(Some("sha256:index"), &answer), [State::Current, State::Unpinned]);
        assert_eq!(states(Some("sha256:x"), &answer), [State::Outdated, State::Unpinned]);
        let one = Ok(published(&["linux/amd64"]));
        assert_eq!(states(None, &one), [State::Unpinned, State::Refused]);
        let silent = Err(Unknown::Silent("500".to_owned()));
        assert_eq!(states(None, &silent), [State::Silent, State::Silent]);
    }

    #[test]
    fn the_exit_status_shows_whether_a_pin_is_open() {
        let of =
            |answer: &Result<Published, Unknown>, mode| status(&rows(&debian(None), answer), mode);
        let good = Ok(published(&["linux/amd64", "linux/arm64"]));
        let modes = [Mode::Write, Mode::Check, Mode::DryRun];
        assert_eq!(modes.map(|mode| of(&good, mode)), [0, FINDINGS, 0]);
        let less = Ok(published(&["linux/amd64"]));
        assert_eq!(modes.map(|mode| of(&less, mode)), [FINDINGS; 3]);
        let silent = Err(Unknown::Silent("500".to_owned()));
        assert_eq!(modes.map(|mode| of(&silent, mode)), [COULD_NOT_RUN; 3]);
    }

    #[test]
    fn the_table_has_the_answer_of_each_registry() {
        let mut all = rows(&debian(Some("sha256:linux/amd64")), &Ok(published(&["linux/amd64"])));
        all.extend(rows(&debian(None), &Err(Unknown::Silent("no answer within 30 s".to_owned()))));
        insta::assert_snapshot!(table(&all, 80), @r"
        target          image      pinned       registry
        debian12-amd64  debian:12  linux/amd64  current
        debian12-arm64  debian:12  -            not found: no image for linux/arm64
        debian12-amd64  debian:12  -            no answer
        debian12-arm64  debian:12  -            no answer
        ");
    }
}
