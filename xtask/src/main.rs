//! `cargo xtask` in this repository: the tool, and the commands that its developers add.

mod ci;
mod docs;
mod policy;

use std::process::ExitCode;

/// The developers' own commands.
#[derive(Debug, clap::Subcommand)]
enum Developer {
    /// Keep the facts about platform tags up to date
    Policy(policy::PolicyArgs),
    /// Write the generated pages of docs/, or check every page
    Docs(docs::DocsArgs),
    /// Run every check of this repository, then build a wheel with the real engine
    #[command(
        after_help = "Examples:\n  # Run every check, and install the tools that are missing\n  cargo xtask ci \
        --setup\n  # Run the checks that need no engine\n  cargo xtask ci --no-engine\n\n\
        Exit status: 0 every check passed, 1 a check failed, 2 could not run."
    )]
    Ci(ci::CiArgs),
}

fn main() -> ExitCode {
    wheel_build::main_with(|command| match command {
        Developer::Policy(args) => policy::run(&args),
        Developer::Docs(args) => docs::run(&args),
        Developer::Ci(args) => ci::run(&args),
    })
}
