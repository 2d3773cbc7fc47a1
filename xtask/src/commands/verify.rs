//! `cargo xtask verify`: everything that can be wrong with wheels.

use std::process::ExitCode;

use camino::Utf8PathBuf;

use super::{Workspace, asked_paths, exit_code};
use crate::audit::{self, Depth, Inputs, Promise, Settings};
use crate::report::{self, Count};

/// Arguments of `verify`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct VerifyArgs {
    /// Wheels, ELF files, folders; `-` reads a list from stdin; `dist/` where absent
    #[arg(value_name = "PATH")]
    pub paths: Vec<Utf8PathBuf>,
    /// The wheels are to be published: what an index refuses is an error
    #[arg(long)]
    pub publish: bool,
    /// Leave the instruction set out, which takes most of the time
    #[arg(long)]
    pub no_isa: bool,
    /// Report on stdout as JSON
    #[arg(long)]
    pub json: bool,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Reads the files, every byte of them, and says what is wrong.
///
/// # Errors
/// When there is nothing to look at.
pub fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let inputs = Inputs::find(&asked_paths(&args.paths)?)?;
    let depth = if args.no_isa { Depth::Bytes } else { Depth::Code };
    let settings = Settings { depth, publish: args.publish, ..Settings::default() };
    let count = Count::new(inputs.wheels.len() + inputs.files.len(), args.quiet);
    // What `wheels.toml` promises, it promises of this repository's own wheels.
    let config = Workspace::find().ok().filter(|_| args.paths.is_empty());
    let config = config.map(|workspace| workspace.config()).transpose()?;
    let isa = config.iter().flat_map(|config| config.check.isa.values().copied()).collect();
    let promise = Promise { isa, ..Promise::default() };
    let found = audit::judge(&inputs, &promise, &settings, &|path| count.done(path.as_str()));
    count.finish();
    if args.json {
        report::json(&found)?;
    } else {
        report::data(&report::verify_text(&found));
    }
    Ok(exit_code(&found))
}
