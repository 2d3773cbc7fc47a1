//! `cargo xtask workflow`: writes the hosted workflow from wheels.toml.

use std::process::ExitCode;

use camino::Utf8Path;

use super::{FINDINGS, Workspace, lock};
use crate::config::{self, Config, ConfigFile};
use crate::ship::missing;
use crate::ship::workflow::{Tool, github, gitlab};
use wheel_audit::UserError;
use wheel_audit::report;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WorkflowArgs {
    #[command(subcommand)]
    pub action: WorkflowAction,
}

/// Subcommands of `workflow`.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum WorkflowAction {
    /// Write the workflow
    Write {
        /// Generate the workflow for this service
        #[arg(long, value_enum, default_value_t = Host::Github)]
        host: Host,
        /// Print the workflow without writing it
        #[arg(long)]
        dry_run: bool,
    },
    /// Exit with 1 if a workflow of the repository is outdated
    Check,
}

/// A service that runs workflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Host {
    /// GitHub Actions: `.github/workflows/wheels-docker.yml`
    Github,
    /// GitLab CI: `.gitlab/wheels.yml`, for `include` in `.gitlab-ci.yml`
    Gitlab,
}

impl Host {
    const ALL: [Self; 2] = [Self::Github, Self::Gitlab];

    /// Path of the workflow in the repository.
    fn path(self) -> &'static str {
        match self {
            Self::Github => github::PATH,
            Self::Gitlab => gitlab::PATH,
        }
    }

    /// The command that writes the workflow.
    fn command(self) -> &'static str {
        match self {
            Self::Github => "cargo xtask workflow write",
            Self::Gitlab => "cargo xtask workflow write --host gitlab",
        }
    }

    fn text(self, config: &Config, tool: &Tool) -> Result<String, UserError> {
        match self {
            Self::Github => github::workflow(config, tool),
            Self::Gitlab => gitlab::pipeline(config, tool),
        }
    }
}

/// Writes, checks or prints the workflow.
///
/// # Errors
/// If wheels.toml is invalid, or a file cannot be read or written.
pub(crate) fn run(args: &WorkflowArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        file.is_default(),
        UserError::new(format!("`workflow` supports only `wheels.toml`, not `{}`", file.name()))
            .hint("run `cargo xtask wheels --config FILE` in your own workflow")
    );
    let workspace = Workspace::of(file)?;
    // Overrides of this machine do not apply to hosted runs.
    let config = config::load_committed(&workspace.root, file)?;
    missing::check_patterns(&config)?;
    let tool = Tool::of(&workspace.root);
    if let Some(warning) = lock::unlocked_in_ci(&workspace, &config)? {
        report::note(&warning);
    }
    match args.action {
        WorkflowAction::Check => check(&workspace.root, &config, &tool),
        WorkflowAction::Write { host, dry_run: true } => {
            report::data(host.text(&config, &tool)?.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        WorkflowAction::Write { host, dry_run: false } => {
            write(&workspace.root, host, &host.text(&config, &tool)?)
        }
    }
}

fn read(root: &Utf8Path, host: Host) -> anyhow::Result<Option<String>> {
    match fs_err::read_to_string(root.join(host.path())) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        result => Ok(Some(result?)),
    }
}

fn write(root: &Utf8Path, host: Host, text: &str) -> anyhow::Result<ExitCode> {
    let path = root.join(host.path());
    if read(root, host)?.as_deref() == Some(text) {
        current(host);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    fs_err::write(&path, text)?;
    report::prose(&format!("wrote `{}`", host.path()));
    Ok(ExitCode::SUCCESS)
}

fn current(host: Host) {
    report::prose(&format!("`{}` is up to date with wheels.toml", host.path()));
}

/// Checks every workflow of the repository; without any, reports GitHub's as missing.
fn check(root: &Utf8Path, config: &Config, tool: &Tool) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let mut found = Vec::new();
    for host in Host::ALL {
        found.extend(read(root, host)?.map(|text| (host, Some(text))));
    }
    if found.is_empty() {
        found.push((Host::Github, None));
    }
    for (host, found) in found {
        let text = host.text(config, tool)?;
        let what = match found {
            Some(found) if found == text => {
                current(host);
                continue;
            }
            Some(found) => {
                let line = first_difference(&found, &text);
                format!(
                    "differs from the output of `{}` (line {line})",
                    host.command().trim_start_matches("cargo xtask ")
                )
            }
            None => "is missing".to_owned(),
        };
        report::note(&format!(
            "error: `{}` {what}\n\nhint: run `{}`. To keep a change, set it in `[ci]` or \
             `[publish]` of wheels.toml, or move it to your own workflow",
            host.path(),
            host.command()
        ));
        code = ExitCode::from(FINDINGS);
    }
    Ok(code)
}

/// Number of the first line that differs, from 1.
fn first_difference(one: &str, other: &str) -> usize {
    1 + one.lines().zip(other.lines()).take_while(|(one, other)| one == other).count()
}
