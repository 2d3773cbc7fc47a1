//! `cargo xtask index`: writes a folder for installers or an upload.

use std::process::ExitCode;
use wheel_audit::UserError;

use camino::Utf8PathBuf;

use super::{FINDINGS, Workspace};
use crate::config::{Config, ConfigFile};
use crate::pipeline;
use crate::ship::published::{self, Wheel};
use crate::ship::{index, missing};
use crate::store::Store;
use wheel_audit::audit::{self, Expectations, Inputs, Settings, Verdict};
use wheel_audit::report;

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct IndexArgs {
    /// Empty, new, or filled by an earlier `index` with the same files
    #[arg(value_name = "FOLDER")]
    pub folder: Utf8PathBuf,
    /// Write the wheels only, for an upload
    #[arg(long)]
    pub flat: bool,
    /// Fail if an index would reject a wheel, if no smoke test covers it, or if a required wheel is missing
    #[arg(long)]
    pub publish: bool,
}

/// Writes the published wheels of `dist/` to the folder.
///
/// # Errors
/// If `dist/` is damaged, two wheels have one name, or the folder cannot be written.
pub(crate) fn run(args: &IndexArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        !args.folder.as_str().is_empty(),
        UserError::new("the folder has an empty name")
            .hint("name an empty or new folder, and check that a variable in the command is set")
    );
    let workspace = Workspace::of(file)?;
    let config = workspace.config()?;
    let store = Store::new(&workspace.dist, &workspace.work);
    let mut wheels = published::wheels(&config, &store)?;
    if args.publish && !is_publishable(&config, &store, &mut wheels)? {
        return Ok(ExitCode::from(FINDINGS));
    }
    let mut files = published::copies(&store, &wheels);
    if !args.flat {
        files.extend(index::pages(store.dist(), &wheels));
    }
    published::fill(&args.folder, &files)?;
    let pages = if args.flat { "" } else { ", with index pages in `simple/`" };
    report::prose(&format!("{} in {}{pages}", report::counted(wheels.len(), "wheel"), args.folder));
    Ok(ExitCode::SUCCESS)
}

/// Reports what prevents an upload (defect 13), because a partial upload cannot be undone. Removes optional wheels
/// without a smoke test from `wheels`.
fn is_publishable(config: &Config, store: &Store, wheels: &mut Vec<Wheel>) -> anyhow::Result<bool> {
    let mut inputs = Inputs::find(&[store.dist().to_owned()])?;
    inputs.requested = Some(pipeline::requested(config));
    let isa = config.check.isa.values().copied().collect();
    let expectations = Expectations { isa, ..Expectations::default() };
    let settings = Settings { publish: true, ..pipeline::settings(config)? };
    let found = audit::audit_inputs(&inputs, &expectations, &settings, &|_| {});
    let mut good = found.verdict == Verdict::Pass;
    if !good {
        report::note(&report::verify_text(&found, report::width()));
    }
    for missing in missing::missing(config, store)? {
        report::note(&format!("{}: {missing}", missing.word()));
        good &= !missing.required;
    }
    for wheel in wheels.iter().filter(|wheel| wheel.is_untested()) {
        let path = &wheel.entry.path;
        if missing::is_optional(config, &wheel.entry) {
            report::note(&format!("warning: `{path}` is skipped: it was not smoke-tested"));
        } else {
            report::note(&format!("error: `{path}` was not smoke-tested"));
            good = false;
        }
    }
    wheels.retain(|wheel| !wheel.is_untested());
    if good && wheels.is_empty() {
        report::note("error: no wheel in `dist/` was smoke-tested");
        good = false;
    }
    if !good {
        report::hint("nothing was written: first build or collect these wheels");
    }
    Ok(good)
}
