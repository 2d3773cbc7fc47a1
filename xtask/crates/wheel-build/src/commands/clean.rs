//! `cargo xtask clean`: removes what xtask made, and only that.

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

/// The folders of `target/xtask/` that runs fill; what is not named here (the lock, an engine's own
/// files) stays.
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

/// Arguments of `clean`.
#[derive(Debug, clap::Args)]
pub(crate) struct CleanArgs {
    /// The files of `dist/` that its manifest names
    #[arg(long)]
    pub dist: bool,
    /// What our build steps left in the engine's build cache; with `--everywhere`
    #[arg(long)]
    pub cache: bool,
    /// The images that we made (base images, those with interpreters); with `--everywhere`
    #[arg(long)]
    pub images: bool,
    /// `dist/` and what goes without a switch (the work folders below `target/xtask/`); with
    /// `--everywhere` images and build cache, too
    #[arg(long)]
    pub all: bool,
    /// Include what the engine keeps for every checkout alike: images and build cache
    #[arg(long)]
    pub everywhere: bool,
    /// Say what would go, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Which engine is meant
    #[command(flatten)]
    pub engine: EngineArgs,
}

impl CleanArgs {
    /// An image or a cache record does not tell which checkout made it, and several use the same: they go
    /// only where that is said.
    fn check(&self) -> anyhow::Result<()> {
        let shared = self.cache || self.images;
        if shared && !self.everywhere {
            bail!(
                UserError::new("every checkout shares images and build cache, nothing was removed")
                    .hint("add `--everywhere` to remove them for all")
            );
        }
        if self.everywhere && !(shared || self.all) {
            bail!(
                UserError::new("`--everywhere` does not say what is to go, nothing was removed")
                    .hint("add `--images`, `--cache` or `--all`")
            );
        }
        Ok(())
    }
}

/// Removes, under the lock, what is asked for, and says what and how much it was.
///
/// # Errors
/// When another run holds the lock, or the engine does not answer.
pub(crate) fn run(args: &CleanArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    args.check()?;
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    let _lock = Lock::take(&workspace.work, false, |_| {})?;
    let mut cleaner = Cleaner { dry_run: args.dry_run, failed: false };
    let nothing_named = !(args.dist || args.cache || args.images);
    // First what a killed run had promised, or the journal would speak of files that are gone.
    let store = Store::new(&workspace.dist, &workspace.work);
    if !args.dry_run && store.recover()? {
        report::note("finished what an earlier run was killed in");
    }
    if args.all || args.dist {
        cleaner.dist(&workspace, &store)?;
    }
    if args.all && !args.everywhere {
        report::note(
            "images and build cache stay: every checkout shares them; `--everywhere` includes them",
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
    // Last: what asks the engine writes into one of them.
    if args.all || nothing_named {
        for folder in FOLDERS {
            cleaner.folder(&workspace.work.join(folder))?;
        }
    }
    Ok(ExitCode::from(if cleaner.failed { FINDINGS } else { 0 }))
}

struct Cleaner {
    dry_run: bool,
    failed: bool,
}

impl Cleaner {
    fn say(&self, what: &str) {
        let verb = if self.dry_run { "would remove" } else { "removed" };
        report::data(&format!("{verb} {what}"));
    }

    fn folder(&self, folder: &Utf8Path) -> std::io::Result<()> {
        let Ok(found) = std::fs::symlink_metadata(folder) else { return Ok(()) };
        if found.is_symlink() {
            if !self.dry_run {
                fs_err::remove_file(folder)?;
            }
            self.say(&format!("{folder} (a link; what it leads to stays)"));
            return Ok(());
        }
        let (files, bytes) = size(folder);
        if !self.dry_run {
            remove_folder(folder)?;
        }
        self.say(&format!("{folder} ({files} files, {})", file_size(bytes)));
        Ok(())
    }

    fn refused(&mut self, name: &str, reason: &str) {
        self.failed = true;
        report::note(&format!("`{}` stays: {reason}", name.escape_debug()));
    }

    /// What the manifest names, the manifest last; what else lies in `dist/` was put there by someone.
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
                Place::Folder => self.refused(name, "it is a folder"),
                Place::Unsafe(reason) => self.refused(name, &reason),
            }
        }
        if paths.is_empty() {
            return Ok(());
        }
        if !self.dry_run {
            for path in &paths {
                fs_err::remove_file(path)?;
                // Only where nothing else is left in it.
                let _ = path.parent().map(std::fs::remove_dir);
            }
            // A link that the user made stays, and its folder, too.
            let _ = std::fs::remove_dir(&workspace.dist);
        }
        self.say(&format!("{} files of {} ({})", paths.len(), workspace.dist, file_size(bytes)));
        if !self.dry_run && holds_anything(&workspace.dist) {
            self.failed = true;
            report::note(&format!("`{}` holds files that are not ours: they stay", workspace.dist));
        }
        Ok(())
    }

    fn images(&mut self, engine: &Engine) -> Result<(), EngineError> {
        for image in engine.own_images()? {
            let removed = if self.dry_run { Ok(()) } else { engine.remove_image(&image) };
            match removed {
                Ok(()) => self.say(&format!("image {} ({})", image.id, image.size)),
                Err(error @ EngineError::Client { .. }) => {
                    self.failed = true;
                    report::note(&format!("image {} stays: {error}", image.id));
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
                "build cache: {program} keeps it as images without a name, which may be anybody's: they stay"
            ));
            return Ok(());
        }
        let dockerfile = fs_err::read_to_string(
            engine.root.join(&engine.assets).join("docker/Dockerfile.wheels"),
        )?;
        let found = engine.own_cache(&dockerfile)?;
        let left = if self.dry_run { Vec::new() } else { pruned(engine, &dockerfile, &found)? };
        let stays = |record: &&Owned| left.iter().any(|other| other.id == record.id);
        for line in told(found.iter().filter(|record| !stays(record))) {
            self.say(&line);
        }
        let stay = found.iter().filter(stays).count();
        if stay > 0 {
            self.failed = true;
            report::note(&format!("{stay} records of the build cache are in use: they stay"));
        }
        Ok(())
    }
}

/// Removes `records`; those that are still there. One goes after those that were made of it, which may be
/// named in a later call: so once more, as long as that removes any.
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

/// A line for each step that left records, in their order: a step leaves one each time that it is run.
fn told<'a>(records: impl Iterator<Item = &'a Owned>) -> Vec<String> {
    let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
    for record in records {
        match steps.iter_mut().find(|(name, _)| *name == record.what) {
            Some((_, sizes)) => sizes.push(&record.size),
            None => steps.push((&record.what, vec![&record.size])),
        }
    }
    let line = |(what, sizes): (&str, Vec<&str>)| {
        let what = brief(what);
        match sizes.as_slice() {
            [first, _, ..] => {
                format!("build cache, {} times: {what} ({first}, ...)", sizes.len())
            }
            sizes => format!("build cache: {what} ({})", sizes.concat()),
        }
    };
    steps.into_iter().map(line).collect()
}

/// A description in one line of bearable length.
fn brief(what: &str) -> String {
    let text = what.split_whitespace().collect::<Vec<_>>().join(" ");
    // The name of a cache mount stands last, behind its step.
    let (step, id) = text.split_once(" with id ").unwrap_or((&text, ""));
    let gap = if id.is_empty() { "" } else { " " };
    format!("{}{gap}{id}", step.chars().take(100).collect::<String>())
}

fn holds_anything(folder: &Utf8Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// Files and bytes below `folder`.
fn size(folder: &Utf8Path) -> (usize, u64) {
    let walk = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let files = walk.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file);
    files.fold((0, 0), |(files, bytes), meta| (files + 1, bytes + meta.len()))
}
