//! `cargo xtask last-release`: downloads the files of the last release for a comparison.

use std::process::ExitCode;

use camino::Utf8PathBuf;

use super::Workspace;
use crate::config::ConfigFile;
use crate::exec::{Exec, ExecError, interrupt};
use crate::ship::release::{download_step, last};
use wheel_audit::UserError;
use wheel_audit::report;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LastReleaseArgs {
    /// Folder for the wheels and the manifest
    #[arg(value_name = "FOLDER")]
    pub folder: Utf8PathBuf,
    /// Ignore this tag, which is being released now
    #[arg(long, value_name = "TAG")]
    pub not: Option<String>,
}

/// Downloads wheels and manifest of the last release that is neither a draft nor a pre-release. If there is none,
/// or GitHub does not answer, the folder stays empty: a missing comparison must not fail a run.
///
/// # Errors
/// If the folder cannot be created, or the run was interrupted.
pub(crate) fn run(args: &LastReleaseArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    anyhow::ensure!(
        !args.folder.as_str().is_empty(),
        UserError::new("the folder has an empty name").hint("name a folder")
    );
    fs_err::create_dir_all(&args.folder)?;
    let folder = args.folder.canonicalize_utf8()?;
    let downloaded = last(&exec, &workspace.root, args.not.as_deref()).and_then(|tag| {
        let Some(tag) = tag else { return Ok(None) };
        exec.read_again(&download_step(&workspace.root, &tag, &folder))?;
        Ok(Some(tag))
    });
    match downloaded {
        Ok(Some(tag)) => report::prose(&format!("the files of `{tag}` are in {}", args.folder)),
        Ok(None) => report::data("no earlier release"),
        Err(error) if interrupt::received() => return Err(error),
        Err(error) => {
            let stderr = error.downcast_ref::<ExecError>().map(ExecError::stderr);
            let why =
                stderr.filter(|it| !it.is_empty()).map_or_else(|| error.to_string(), str::to_owned);
            let warning = format!("cannot compare with the last release: {}", why.trim());
            report::warning(&UserError::new(warning).hint(
                "`gh auth status` shows whether `gh` has access; in a workflow it requires \
                 `GH_TOKEN`",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
