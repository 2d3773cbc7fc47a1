//! `rules`: every rule that wheels are judged by.

use std::process::ExitCode;

use crate::{audit, report};

/// Arguments of `rules`.
#[derive(Debug, Clone, clap::Args)]
pub struct RulesArgs {
    /// Report on stdout as JSON
    #[arg(long)]
    pub json: bool,
}

/// Lists the rules by code.
///
/// # Errors
/// Never: every rule can be expressed as JSON.
pub fn rules(args: &RulesArgs) -> anyhow::Result<ExitCode> {
    let mut rules: Vec<_> = audit::rules().collect();
    rules.sort_by_key(|rule| rule.code);
    if args.json {
        report::json(&rules)?;
    } else {
        let row = |rule: &&audit::Rule| {
            [rule.code, rule.name, rule.severity.as_str(), rule.help].map(str::to_owned).to_vec()
        };
        let rows: Vec<_> = rules.iter().map(row).collect();
        report::data(&report::table(&["code", "name", "severity", "fix"], &rows));
    }
    Ok(ExitCode::SUCCESS)
}
