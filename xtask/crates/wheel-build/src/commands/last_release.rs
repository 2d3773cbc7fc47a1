//! `cargo xtask last-release`: the files of the last release, to compare with.

use std::process::ExitCode;

use camino::Utf8PathBuf;

use super::Workspace;
use crate::config::ConfigFile;
use crate::exec::{Exec, ExecError, interrupt};
use crate::ship::release::{download_step, last};
use wheel_audit::UserError;
use wheel_audit::report;

/// Arguments of `last-release`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LastReleaseArgs {
    /// Folder for the wheels and the manifest
    #[arg(value_name = "FOLDER")]
    pub folder: Utf8PathBuf,
    /// Tag that is being released now, and does not count
    #[arg(long, value_name = "TAG")]
    pub not: Option<String>,
}

/// Downloads the wheels and the manifest of the last release that is no draft and no pre-release. Without one, and where
/// GitHub does not answer, the folder stays empty: a comparison is worth no failed run.
///
/// # Errors
/// When the folder cannot be made, or the run was interrupted.
pub(crate) fn run(args: &LastReleaseArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    anyhow::ensure!(
        !args.folder.as_str().is_empty(),
        UserError::new("the folder has an empty name").hint("name a folder")
    );
    fs_err::create_dir_all(&args.folder)?;
    let folder = args.folder.canonicalize_utf8()?;
    let got = last(&exec, &workspace.root, args.not.as_deref()).and_then(|tag| {
        let Some(tag) = tag else { return Ok(None) };
        exec.read_again(&download_step(&workspace.root, &tag, &folder))?;
        Ok(Some(tag))
    });
    match got {
        Ok(Some(tag)) => report::data(&format!("the files of `{tag}` are in {}", args.folder)),
        Ok(None) => report::data("no earlier release"),
        Err(error) if interrupt::asked() => return Err(error),
        Err(error) => {
            let stderr = error.downcast_ref::<ExecError>().map(ExecError::stderr);
            let why =
                stderr.filter(|it| !it.is_empty()).map_or_else(|| error.to_string(), str::to_owned);
            let warning = format!("the last release is not compared with: {}", why.trim());
            report::warning(&UserError::new(warning).hint(
                "`gh auth status` says whether `gh` may read here; in a workflow it needs `GH_TOKEN`",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
