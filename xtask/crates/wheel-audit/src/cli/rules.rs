//! `rules`: lists and explains the rules.

use std::process::ExitCode;

use crate::{report, rule_docs};

/// Arguments of `rules`.
#[derive(Debug, Clone, clap::Args)]
pub struct RulesArgs {
    /// Explain this rule: a code (`ELF003`), a name (`floor-above-promise`) or a family (`ELF`)
    /// [default: list all rules]
    #[arg(value_name = "CODE")]
    pub rule: Option<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print the documentation page `docs/checks.md`
    #[arg(long, conflicts_with = "rule")]
    pub markdown: bool,
}

/// Lists the rules, or explains some.
///
/// # Errors
/// If no rule has this code, name or family.
pub fn rules(args: &RulesArgs) -> anyhow::Result<ExitCode> {
    let found = match &args.rule {
        Some(word) => rule_docs::find(word)?,
        None => rule_docs::all(),
    };
    if args.json {
        report::json(&found)?;
    } else if args.markdown {
        report::data(report::rules_page(&found).trim_end());
    } else if args.rule.is_some() {
        let texts: Vec<String> = found.iter().map(report::rule_details).collect();
        report::text(texts.join("\n\n").trim_end());
    } else {
        report::text(&report::rules_table(&found));
    }
    Ok(ExitCode::SUCCESS)
}
