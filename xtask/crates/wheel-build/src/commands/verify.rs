//! `cargo xtask verify`: runs the checks of a build on any wheel.

use std::process::ExitCode;
use wheel_audit::UserError;

use camino::Utf8PathBuf;
use wheel_audit::audit::RequestedWheels;
use wheel_audit::cli;

use super::{Workspace, own_config, requested_inputs};
use crate::config::ConfigFile;
use crate::pipeline;

#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) verify: cli::VerifyArgs,
    /// Verify only these folders of `dist/`, e.g. `debian12-amd64`
    #[arg(long, value_name = "NAME", conflicts_with = "paths")]
    pub(crate) only: Vec<String>,
}

/// Reads every byte of the files and reports findings.
///
/// # Errors
/// If there are no files to verify.
pub(crate) fn run(args: &VerifyArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let mut inputs = requested_inputs(&args.verify.paths, file)?;
    let config = own_config(&args.verify.paths, file)?;
    if !args.only.is_empty() {
        let of_it = |path: &Utf8PathBuf| {
            let folder = path.parent().and_then(|folder| folder.file_name());
            folder.is_some_and(|folder| args.only.iter().any(|name| name == folder))
        };
        inputs.wheels.retain(of_it);
        inputs.files.retain(of_it);
    }
    if let Some(config) = &config {
        let workspace = Workspace::of(file)?;
        let lock = workspace.lock_file()?;
        let problems = |lock| pipeline::problems(&workspace.dist, &file.lock_name(), lock);
        let problems = lock.as_ref().map(problems).unwrap_or_default();
        let requested = RequestedWheels { problems, ..pipeline::requested(config) };
        inputs.requested = Some(narrowed(requested, &args.only)?);
    }
    anyhow::ensure!(
        !(inputs.wheels.is_empty() && inputs.files.is_empty() && inputs.linked.is_empty()),
        UserError::new(format!("nothing to verify in {}", args.only.join(", ")))
            .hint("run `cargo xtask wheels` to build the wheels of a folder")
    );
    let own = config.as_ref().map(pipeline::settings).transpose()?.unwrap_or_default();
    let isa = config.iter().flat_map(|config| config.check.isa.values().copied()).collect();
    cli::verify(&args.verify, inputs, own, isa)
}

/// Keeps the expected wheels of the folders that `--only` names.
fn narrowed(mut requested: RequestedWheels, only: &[String]) -> anyhow::Result<RequestedWheels> {
    if only.is_empty() {
        return Ok(requested);
    }
    if let Some(other) = only.iter().find(|name| !requested.folders.contains_key(*name)) {
        let known: Vec<_> = requested.folders.into_keys().collect();
        let distance = |name: &&String| strsim::damerau_levenshtein(name, other);
        let of_target = known.iter().find(|name| name.starts_with(&format!("{other}-")));
        let near = known.iter().min_by_key(distance).filter(|near| distance(near) <= 2);
        let suggestion = of_target.or(near);
        let message =
            format!("`--only {other}` is not a folder of wheels.toml ({})", known.join(", "));
        let hint = suggestion.map(|suggestion| format!("did you mean `--only {suggestion}`?"));
        anyhow::bail!(UserError { message, hint });
    }
    requested.folders.retain(|name, _| only.contains(name));
    let is_of = |path: &str| only.iter().any(|name| path.starts_with(&format!("{name}/")));
    requested.problems.retain(|problem| is_of(&problem.path));
    requested.optional.clear();
    Ok(requested)
}
