//! `cargo xtask clean`: removes files, images and caches that xtask made.

use std::collections::BTreeSet;
use std::process::ExitCode;
use wheel_audit::UserError;

use anyhow::bail;
use camino::{Utf8Path, Utf8PathBuf};

use super::engine_args::EngineArgs;
use super::{FINDINGS, Workspace};
use crate::config::ConfigFile;
use crate::engine::clean::Owned;
use crate::engine::{Engine, EngineError};
use crate::exec::Exec;
use crate::store::{Lock, Store};
use wheel_audit::dist::MANIFEST;
use wheel_audit::files::{Place, place, remove_folder};
use wheel_audit::report;
use wheel_audit::text::file_size;

/// Steps whose records are smaller share one line.
const SMALL: u64 = 1_000_000;

/// Folders of `target/xtask/` that runs fill. Everything else stays, e.g. the lock and an engine's own files.
const FOLDERS: [&str; 17] = [
    "auditwheel",
    "assets",
    "base",
    "build-info",
    "commit",
    "history",
    "host",
    "jobs",
    "locking",
    "logs",
    "output",
    "release",
    "reproduce",
    "shell",
    "source",
    "tools",
    "try",
];

#[derive(Debug, clap::Args)]
pub(crate) struct CleanArgs {
    /// Remove the files of `dist/` that its manifest lists
    #[arg(long)]
    pub dist: bool,
    /// Remove the build cache of xtask's steps; requires `--everywhere`
    #[arg(long)]
    pub cache: bool,
    /// Remove base images and images with interpreters that xtask made; requires `--everywhere`
    #[arg(long)]
    pub images: bool,
    /// Remove `dist/` and work folders; with `--everywhere`, also images and build cache
    #[arg(long)]
    pub all: bool,
    /// Include what all checkouts share: images and build cache
    #[arg(long)]
    pub everywhere: bool,
    /// Print the list without removing anything
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
}

impl CleanArgs {
    /// Images and cache records do not record which checkout made them, so removing them requires `--everywhere`.
    fn check(&self) -> anyhow::Result<()> {
        let shared = self.cache || self.images;
        if shared && !self.everywhere {
            bail!(
                UserError::new("nothing was removed: all checkouts share images and build cache")
                    .hint("add `--everywhere` to remove them for all checkouts")
            );
        }
        if self.everywhere && !(shared || self.all) {
            bail!(
                UserError::new(
                    "nothing was removed: `--everywhere` requires `--images`, `--cache` or `--all`"
                )
                .hint("add `--images`, `--cache` or `--all`")
            );
        }
        Ok(())
    }
}

/// Takes the lock, removes what was requested, and reports names and sizes.
///
/// # Errors
/// If another run holds the lock, or the engine does not answer.
pub(crate) fn run(args: &CleanArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    args.check()?;
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    let _lock = Lock::take(&workspace.work, false, |_| {})?;
    let mut cleaner = Cleaner { dry_run: args.dry_run, failed: false, found: false, bytes: 0 };
    let nothing_named = !(args.dist || args.cache || args.images);
    // Recover first: the journal of a killed run must not name files that are gone.
    let store = Store::new(&workspace.dist, &workspace.work);
    if !args.dry_run && store.recover()? {
        report::note("recovered `dist/` after an interrupted run");
    }
    if args.all || args.dist {
        cleaner.dist(&workspace, &store)?;
    }
    if args.all && !args.everywhere {
        report::note(
            "kept images and build cache, which all checkouts share; `--everywhere` removes them",
        );
    } else if args.all || args.cache || args.images {
        let engine = args.engine.engine(&exec, &workspace, &workspace.config()?)?;
        if args.all || args.images {
            cleaner.images(&engine)?;
        }
        if args.all || args.cache {
            cleaner.cache(&engine)?;
        }
    }
    // Last, because queries to the engine write into one of these folders.
    if args.all || nothing_named {
        for folder in FOLDERS {
            cleaner.folder(&workspace.work.join(folder))?;
        }
    }
    if cleaner.bytes > 0 {
        let verb = if args.dry_run { "would free" } else { "freed" };
        report::prose(&format!("{verb} about {}", file_size(cleaner.bytes)));
    } else if !cleaner.found && !cleaner.failed {
        report::prose("nothing to remove");
    }
    Ok(ExitCode::from(if cleaner.failed { FINDINGS } else { 0 }))
}

struct Cleaner {
    dry_run: bool,
    failed: bool,
    /// True if anything was removed, or would be.
    found: bool,
    /// Size of everything removed.
    bytes: u64,
}

impl Cleaner {
    fn report_removed(&mut self, what: &str, bytes: u64) {
        self.found = true;
        self.bytes += bytes;
        let verb = if self.dry_run { "would remove" } else { "removed" };
        report::prose(&format!("{verb} {what}"));
    }

    fn folder(&mut self, folder: &Utf8Path) -> std::io::Result<()> {
        let Ok(found) = std::fs::symlink_metadata(folder) else { return Ok(()) };
        if found.is_symlink() {
            if !self.dry_run {
                fs_err::remove_file(folder)?;
            }
            self.report_removed(&format!("{folder} (a link; its target is kept)"), 0);
            return Ok(());
        }
        let (files, bytes) = size(folder);
        if !self.dry_run {
            remove_folder(folder)?;
        }
        self.report_removed(
            &format!("{folder} ({}, {})", report::counted(files, "file"), file_size(bytes)),
            bytes,
        );
        Ok(())
    }

    fn kept(&mut self, name: &str, reason: &str) {
        self.failed = true;
        report::note(&format!("kept `{}`: {reason}", name.escape_debug()));
    }

    /// Removes the files that the manifest lists, and the manifest last. Other files in `dist/` are kept.
    fn dist(&mut self, workspace: &Workspace, store: &Store) -> anyhow::Result<()> {
        let manifest = store.manifest()?;
        let (mut paths, mut bytes): (Vec<Utf8PathBuf>, u64) = (Vec::new(), 0);
        let names: BTreeSet<&str> =
            manifest.files.iter().map(|entry| entry.path.as_str()).collect();
        for name in names.into_iter().filter(|name| *name != MANIFEST).chain([MANIFEST]) {
            match place(&workspace.dist, name) {
                Place::File(size) => {
                    paths.push(workspace.dist.join(name));
                    bytes += size;
                }
                Place::Missing => {}
                Place::Folder => self.kept(name, "it is a folder"),
                Place::Unsafe(reason) => self.kept(name, &reason),
            }
        }
        if paths.is_empty() {
            return Ok(());
        }
        if !self.dry_run {
            for path in &paths {
                fs_err::remove_file(path)?;
                // Succeeds only if the folder is empty.
                let _ = path.parent().map(std::fs::remove_dir);
            }
            // Keep a link that the user made, and its folder.
            let _ = std::fs::remove_dir(&workspace.dist);
        }
        self.report_removed(
            &format!("{} files of {} ({})", paths.len(), workspace.dist, file_size(bytes)),
            bytes,
        );
        if !self.dry_run && holds_anything(&workspace.dist) {
            self.failed = true;
            report::note(&format!(
                "kept `{}`: it contains files that xtask did not write",
                workspace.dist
            ));
        }
        Ok(())
    }

    fn images(&mut self, engine: &Engine) -> Result<(), EngineError> {
        for image in engine.own_images()? {
            let removed = if self.dry_run { Ok(()) } else { engine.remove_image(&image) };
            match removed {
                Ok(()) => {
                    self.report_removed(
                        &format!("image {} ({})", image.id, image.size),
                        image.bytes(),
                    );
                }
                Err(error @ EngineError::Client { .. }) => {
                    self.failed = true;
                    report::note(&format!("kept image {}: {error}", image.id));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn cache(&mut self, engine: &Engine) -> anyhow::Result<()> {
        let tool = engine.client.tool;
        if !tool.has_builders() {
            let program = tool.program();
            report::note(&format!(
                "kept the build cache: {program} stores it as images without a name, which may \
                 belong to other programs"
            ));
            return Ok(());
        }
        let dockerfile = fs_err::read_to_string(
            engine.root.join(&engine.assets).join("docker/Dockerfile.wheels"),
        )?;
        let found = engine.own_cache(&dockerfile)?;
        let left = if self.dry_run { Vec::new() } else { pruned(engine, &dockerfile, &found)? };
        let stays = |record: &&Owned| left.iter().any(|other| other.id == record.id);
        for (line, bytes) in step_lines(found.iter().filter(|record| !stays(record))) {
            self.report_removed(&line, bytes);
        }
        let stay = found.iter().filter(stays).count();
        if stay > 0 {
            self.failed = true;
            report::note(&format!("kept {stay} records of the build cache that are in use"));
        }
        Ok(())
    }
}

/// Removes `records` and returns those that remain. A record can only go after the records made from it, so this
/// repeats as long as a pass removes any.
fn pruned(engine: &Engine, dockerfile: &str, records: &[Owned]) -> Result<Vec<Owned>, EngineError> {
    let mut left = records.to_vec();
    loop {
        let before = left.len();
        for step in engine.prune_steps(&left) {
            engine.query(&step)?;
        }
        left = engine.own_cache(dockerfile)?;
        if left.is_empty() || left.len() >= before {
            return Ok(left);
        }
    }
}

/// One line and its size in bytes for each step that left records, in order, and one for all small steps. A step
/// leaves one record each time it runs.
fn step_lines<'a>(records: impl Iterator<Item = &'a Owned>) -> Vec<(String, u64)> {
    let mut steps: Vec<(&str, u32, u64)> = Vec::new();
    for record in records {
        match steps.iter_mut().find(|(name, ..)| *name == record.what) {
            Some((_, times, bytes)) => (*times, *bytes) = (*times + 1, *bytes + record.bytes()),
            None => steps.push((&record.what, 1, record.bytes())),
        }
    }
    let (small, large): (Vec<_>, Vec<_>) =
        steps.into_iter().partition(|(_, _, bytes)| *bytes < SMALL);
    let line = |(what, times, bytes): (&str, u32, u64)| {
        let times = if times > 1 { format!(", {times} times") } else { String::new() };
        (format!("build cache{times}: {} ({})", shorten(what), file_size(bytes)), bytes)
    };
    let mut lines: Vec<_> = large.into_iter().map(line).collect();
    if !small.is_empty() {
        let bytes = small.iter().map(|(_, _, bytes)| bytes).sum();
        let what = format!("build cache of {} small steps ({})", small.len(), file_size(bytes));
        lines.push((what, bytes));
    }
    lines
}

/// Shortens a description to one line.
fn shorten(what: &str) -> String {
    let text = what.split_whitespace().collect::<Vec<_>>().join(" ");
    // The name of a cache mount comes last, after its step.
    let (step, id) = text.split_once(" with id ").unwrap_or((&text, ""));
    let gap = if id.is_empty() { "" } else { " " };
    format!("{}{gap}{id}", step.chars().take(100).collect::<String>())
}

fn holds_anything(folder: &Utf8Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// Number of files and bytes below `folder`.
fn size(folder: &Utf8Path) -> (usize, u64) {
    let walk = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let files = walk.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file);
    files.fold((0, 0), |(files, bytes), meta| (files + 1, bytes + meta.len()))
}
