//! `cargo xtask release-notes` and `cargo xtask release`: publishes `dist/` on GitHub.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use wheel_audit::UserError;

use anyhow::Context as _;
use camino::Utf8PathBuf;

use super::{FINDINGS, Workspace};
use crate::config::ConfigFile;
use crate::exec::Exec;
use crate::pipeline::BuildInfo;
use crate::ship::missing::{Missing, missing};
use crate::ship::notes;
use crate::ship::published::{self, Content, Wheel};
use crate::ship::release::{self, Assets, Release};
use crate::store::Store;
use wheel_audit::dist::{MANIFEST, documents_of};
use wheel_audit::files::{self, remove_folder};
use wheel_audit::report;

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct NotesArgs {
    /// Print notes for this git reference, as for `release`. If its tag does not match the wheels' version, the notes
    /// state that nothing is released
    #[arg(long = "for", value_name = "REF")]
    pub reference: Option<String>,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ReleaseArgs {
    /// Git reference: `refs/tags/v1.0`, or `refs/heads/main` for a rolling pre-release
    #[arg(value_name = "REF")]
    pub reference: String,
    /// Release this commit, which the wheels were built from
    #[arg(long, value_name = "SHA")]
    pub commit: String,
    /// Release even if required wheels are missing
    #[arg(long)]
    pub partial: bool,
    /// Print only the lines `publish=` and `released=` with `true` or `false`, for `>> "$GITHUB_OUTPUT"` in a workflow
    #[arg(long)]
    pub github: bool,
    /// Print the exact commands without running them
    #[arg(long)]
    pub dry_run: bool,
}

/// Prints the notes.
///
/// # Errors
/// If `dist/` is damaged or has nothing to publish.
pub(crate) fn notes(args: &NotesArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::of(file)?;
    let config = workspace.config()?;
    let store = Store::new(&workspace.dist, &workspace.work);
    let wheels = published::wheels(&config, &store)?;
    if let Some(reference) = &args.reference {
        let (release, project) = (Release::of(reference, &config)?, project(&wheels));
        if !release.takes(project, notes::version(&wheels).unwrap_or_default())? {
            report::data(&report::markdown_text(&release::nothing(release.tag(), project)));
            return Ok(ExitCode::SUCCESS);
        }
    }
    let missing = missing(&config, &store)?;
    report::data(notes::notes(&wheels, &infos(&store, &wheels)?, &missing).trim_end());
    Ok(ExitCode::SUCCESS)
}

/// Creates or updates the release.
///
/// # Errors
/// If `dist/` cannot be released, or `gh` fails.
pub(crate) fn run(args: &ReleaseArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    let config = workspace.config()?;
    let release = Release::of(&args.reference, &config)?;
    release::check_commit(&args.commit)?;
    let store = Store::new(&workspace.dist, &workspace.work);
    let wheels = published::wheels(&config, &store)?;
    let Some(version) = notes::version(&wheels) else {
        report::failed(
            &UserError::new("the wheels in `dist/` have different versions")
                .hint("rebuild all wheels"),
        );
        return Ok(ExitCode::from(FINDINGS));
    };
    let (project, is_tag) = (project(&wheels), matches!(release, Release::Tag(_)));
    if !release.takes(project, version)? {
        done(args, (false, false), &release::nothing(release.tag(), project));
        return Ok(ExitCode::SUCCESS);
    }
    let missing = missing(&config, &store)?;
    if !is_complete(&missing, args.partial) {
        return Ok(ExitCode::from(FINDINGS));
    }
    let folder = workspace.work.join("release");
    let text = notes::notes(&wheels, &infos(&store, &wheels)?, &missing);
    let files = assets(&store, &wheels)?;
    let assets = Assets {
        commit: args.commit.clone(),
        title: title(&release, project, version, &args.commit),
        notes: folder.join("notes.md"),
        folder: folder.join("files"),
        files: files.keys().cloned().collect(),
    };
    if args.dry_run {
        let check = release::commit_step(&workspace.root, &release);
        for step in
            check.into_iter().chain(release::steps(&workspace.root, &release, &assets, None)?)
        {
            let print = if args.github { report::note } else { report::data };
            print(&step.folded(report::WIDTH));
        }
        report::note(
            "note: these commands create a release; an existing release is updated instead",
        );
        if args.github {
            done(args, (is_tag, false), "nothing was run");
        }
        return Ok(ExitCode::SUCCESS);
    }
    release::check_tag(&exec, &workspace.root, &release, &args.commit)?;
    remove_folder(&folder)?;
    published::fill(&assets.folder, &files)?;
    fs_err::write(&assets.notes, text)?;
    let existing = release::existing(&exec, &workspace.root, &release)?;
    for step in release::steps(&workspace.root, &release, &assets, existing.as_deref())? {
        report::note(&step.folded(report::WIDTH));
        // A retry of `create` could collide with a partly created release.
        let is_new = step.args.get(1).is_some_and(|verb| verb == "create");
        if is_new {
            exec.read(&step)?
        } else {
            exec.read_again(&step)?
        };
    }
    let number = report::counted(files.len(), "file");
    done(args, (is_tag, true), &format!("{number} in the release `{}`", release.tag()));
    Ok(ExitCode::SUCCESS)
}

/// Name of the released project.
fn project(wheels: &[Wheel]) -> &str {
    wheels.first().map_or("wheels", |wheel| wheel.name.distribution.as_str())
}

fn title(release: &Release, project: &str, version: &str, commit: &str) -> String {
    match release {
        Release::Tag(_) => format!("{project} {version}"),
        Release::Rolling(_) => {
            let short = commit.get(..12).unwrap_or(commit);
            format!("{project} {version}, wheels of {short}")
        }
    }
}

/// Reports the outcome. In a workflow: whether to publish to the index, and whether there is a release.
fn done(args: &ReleaseArgs, (publish, released): (bool, bool), text: &str) {
    if args.github {
        report::note(text);
        report::data(&format!("publish={publish}\nreleased={released}"));
    } else {
        report::data(text);
    }
}

/// Reports missing wheels. Returns whether the release is complete, or may be incomplete (`partial`).
fn is_complete(missing: &[Missing], partial: bool) -> bool {
    for each in missing {
        let word = if partial { "warning" } else { each.word() };
        report::note(&format!("{word}: {each}"));
    }
    let complete = partial || !missing.iter().any(|each| each.required);
    if !complete {
        report::hint(
            "nothing was released: build these wheels, or use `--partial`; `[ci] required` in \
             wheels.toml lists the wheels that a release requires",
        );
    }
    complete
}

/// The build reports of the wheels' folders.
fn infos(store: &Store, wheels: &[Wheel]) -> anyhow::Result<BTreeMap<String, BuildInfo>> {
    let mut infos = BTreeMap::new();
    for folder in wheels.iter().map(Wheel::folder) {
        if !infos.contains_key(folder) {
            let path = format!("{folder}/build-info.json");
            let text = store.read(&path)?.with_context(|| format!("`{path}` is missing"))?;
            let info = BuildInfo::parse(&text);
            let info = info.map_err(anyhow::Error::msg).with_context(|| format!("`{path}`"))?;
            infos.insert(folder.to_owned(), info);
        }
    }
    Ok(infos)
}

/// Files of the release: the wheels, their reports by folder, the manifest, and the checksums of all of these.
fn assets(store: &Store, wheels: &[Wheel]) -> anyhow::Result<BTreeMap<String, Content>> {
    let mut files = published::copies(store, wheels);
    let mut copy = |name: String, from: Utf8PathBuf| -> anyhow::Result<()> {
        let sha256 = files::sha256(&from)?;
        files.insert(name, Content::Copy { from, sha256 });
        Ok(())
    };
    for folder in wheels.iter().map(Wheel::folder).collect::<std::collections::BTreeSet<_>>() {
        for proof in ["build-info", "audit"] {
            let from = store.dist().join(folder).join(format!("{proof}.json"));
            copy(format!("{proof}-{folder}.json"), from)?;
        }
    }
    for wheel in wheels {
        for (name, path) in
            documents_of(wheel.file()).into_iter().zip(documents_of(&wheel.entry.path))
        {
            copy(name, store.dist().join(path))?;
        }
    }
    copy(MANIFEST.to_owned(), store.dist().join(MANIFEST))?;
    let mut sums = String::new();
    for (name, content) in &files {
        if let Content::Copy { sha256, .. } = content {
            let _ = writeln!(sums, "{sha256}  {name}");
        }
    }
    files.insert("SHA256SUMS".to_owned(), Content::Text(sums));
    Ok(files)
}
