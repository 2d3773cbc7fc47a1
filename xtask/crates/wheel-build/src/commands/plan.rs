//! `cargo xtask plan`: lists the jobs and their settings.

use std::process::ExitCode;

use super::Workspace;
use super::selection::{self, Selection};
use crate::config::{ConfigFile, JobSettings};
use crate::exec::Exec;
use crate::pipeline;
use crate::plan::{self, Job, Plan};
use crate::store::Lock;
use wheel_audit::report;

#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    /// Jobs to show; without targets, all of wheels.toml.
    #[command(flatten)]
    selection: Selection,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the plan.
///
/// # Errors
/// If a word is not valid, or the source cannot be packed.
pub(crate) fn run(args: &PlanArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    let (config, lock) = workspace.locked()?;
    let request = args.selection.request(&config, true)?;
    Selection::check_interpreters(&workspace, &config, &request)?;
    // Packing the source removes the archive that another run builds from.
    let _lock = Lock::take(&workspace.work, true, |holder| {
        report::note(&format!("waiting for another run ({holder})"));
    })?;
    let assets = workspace.assets(&config)?;
    let source = pipeline::prepare(&config, &exec, &workspace.root, &workspace.work)?;
    let inputs = pipeline::inputs(&config, &workspace.root, &assets, &source)?;
    let inputs = plan::Inputs { lock, ..inputs };
    let plan = plan::plan(&config, &request, &inputs);
    selection::warn_unused(&config, &plan);
    if args.json {
        report::json(&plan.view())?;
    } else {
        report::data(&format!(
            "# {}\n\n{}",
            pipeline::summary(&plan, &workspace.work),
            text(&plan)?
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The jobs, grouped by equal settings, and these settings in the notation of wheels.toml, without empty ones.
fn text(plan: &Plan) -> anyhow::Result<String> {
    let mut groups: Vec<(&JobSettings, Vec<String>)> = Vec::new();
    for job in &plan.jobs {
        match groups.iter_mut().find(|(settings, _)| **settings == job.settings) {
            Some((_, jobs)) => jobs.push(job.identifier()),
            None => groups.push((&job.settings, vec![job.identifier()])),
        }
    }
    let group = |(settings, jobs): &(&JobSettings, Vec<String>)| {
        let mut settings = toml::Table::try_from(settings)?;
        drop_empty(&mut settings);
        Ok(format!("# {}\n\n{}", jobs.join("\n# "), toml::to_string(&settings)?))
    };
    let groups: Vec<String> = groups.iter().map(group).collect::<Result<_, toml::ser::Error>>()?;
    Ok(groups.join("\n"))
}

/// Drops empty lists and tables.
fn drop_empty(table: &mut toml::Table) {
    table.retain(|_, value| match value {
        toml::Value::Table(table) => {
            drop_empty(table);
            !table.is_empty()
        }
        toml::Value::Array(list) => !list.is_empty(),
        _ => true,
    });
}

/// The build identifier of each job, one per line.
pub(crate) fn identifiers(plan: &Plan) -> String {
    plan.jobs.iter().map(Job::identifier).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_settings_are_dropped() {
        let mut settings = toml::toml! {
            list = []
            flag = false
            [test]
            requires = []
            [test.env]
            [build]
            env = { A = "" }
        };
        drop_empty(&mut settings);
        let expected = toml::toml! {
            flag = false
            [build]
            env = { A = "" }
        };
        assert_eq!(settings, expected);
    }
}
