//! `cargo xtask binfmt`: registers emulators for the requested architectures.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;

use super::{FINDINGS, Workspace, setup};
use crate::config::{ConfigFile, Platform};
use crate::engine::binfmt::{self, InstallMethod, Row, Status};
use crate::engine::doctor::binfmt::Arch;
use crate::engine::doctor::{Facts, Machine};
use crate::exec::Exec;
use wheel_audit::{UserError, report};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BinfmtArgs {
    #[command(subcommand)]
    pub command: BinfmtCommand,
}

/// Subcommands of `binfmt`.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum BinfmtCommand {
    /// Register emulators with the kernel until the next boot
    Install {
        /// Architectures, e.g. `arm64`, `riscv64`, `linux/s390x`
        #[arg(required = true, value_name = "ARCH", value_parser = arch)]
        arches: Vec<&'static Arch>,
        /// Choose the source of the emulators
        #[arg(long, value_enum, default_value = "auto")]
        method: InstallMethod,
        /// Print the exact commands without running them
        #[arg(long)]
        dry_run: bool,
    },
    /// List registered emulators and run a foreign program with each
    Status {
        /// Architectures [default: all]
        #[arg(value_name = "ARCH", value_parser = arch)]
        arches: Vec<&'static Arch>,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove only the emulators that `install` registered
    Uninstall {
        /// Architectures [default: all]
        #[arg(value_name = "ARCH", value_parser = arch)]
        arches: Vec<&'static Arch>,
        /// Print the exact commands without running them
        #[arg(long)]
        dry_run: bool,
    },
}

/// Parses `arm64`, `linux/arm64` or `linux/arm64/v8`.
fn arch(word: &str) -> Result<&'static Arch, String> {
    let bare = word.strip_prefix("linux/").unwrap_or(word);
    let platform = format!("linux/{bare}").parse::<Platform>().ok();
    platform.and_then(|platform| Arch::find(platform.engine_arch())).ok_or_else(|| {
        let known = Arch::names().collect::<Vec<_>>().join(", ");
        format!("unknown architecture `{word}`; known architectures: {known}")
    })
}

/// Runs the subcommand on this machine.
///
/// # Errors
/// If an emulator cannot be registered or removed.
pub(crate) fn run(args: &BinfmtArgs, exec: &Exec, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (workspace, image) = Workspace::with_image(file)?;
    let machine = Machine::this(&workspace.root);
    require_linux(&machine)?;
    let facts = || Facts::collect(exec, &machine, &image);
    match &args.command {
        BinfmtCommand::Install { arches, method, dry_run } => {
            install(exec, &machine, &facts(), arches, *method, *dry_run)
        }
        BinfmtCommand::Status { arches, json } => status(exec, &machine, arches, *json),
        BinfmtCommand::Uninstall { arches, dry_run } => {
            let status = binfmt::examine(exec, &machine, &all(arches))?;
            for row in &status.architectures {
                for other in row.emulators.iter().filter(|one| !one.is_own()) {
                    let how = other.image_removal();
                    let how = how.map_or_else(String::new, |how| format!(" (`{how}` removes it)"));
                    report::note(&format!(
                        "kept `{}`, registered by {}{how}",
                        other.name, other.by
                    ));
                }
            }
            let plan = binfmt::uninstall(&machine, &facts(), &status);
            setup::execute(&plan, exec, "nothing to remove", *dry_run)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Fails unless this machine's own kernel runs foreign programs.
fn require_linux(machine: &Machine) -> Result<(), UserError> {
    if machine.is_linux() {
        return Ok(());
    }
    let message = format!("`cargo xtask binfmt` works on Linux only, not on {}", machine.system);
    let image = binfmt::image().0;
    Err(UserError::new(message).hint(format!(
        "the engine's virtual machine runs the emulators: `docker run --privileged --rm {image} \
         --install arm64`, then `cargo xtask doctor`"
    )))
}

fn all(arches: &[&'static Arch]) -> Vec<&'static Arch> {
    if arches.is_empty() { Arch::all().collect() } else { arches.to_vec() }
}

fn install(
    exec: &Exec,
    machine: &Machine,
    facts: &Facts,
    arches: &[&'static Arch],
    method: InstallMethod,
    dry_run: bool,
) -> anyhow::Result<ExitCode> {
    let before = binfmt::examine(exec, machine, arches)?;
    for row in before.architectures.iter().filter(|row| row.state.is_good()) {
        report::note(&line(row));
    }
    let plan = binfmt::install(exec, machine, facts, &before, method)?;
    if !setup::execute(&plan, exec, "nothing to install", dry_run)? {
        return Ok(ExitCode::SUCCESS);
    }
    let after = binfmt::examine(exec, machine, arches)?;
    let bad: Vec<_> = after.architectures.iter().filter(|row| !row.state.is_good()).collect();
    if !bad.is_empty() {
        let lines = bad.into_iter().map(line).collect::<Vec<_>>().join("\n  ");
        bail!(
            UserError::new(format!("not emulated after the installation:\n  {lines}"))
                .hint("run `cargo xtask binfmt uninstall`, then install with another `cargo xtask binfmt install --method`")
        );
    }
    report::prose(&table(&after));
    Ok(ExitCode::SUCCESS)
}

fn status(
    exec: &Exec,
    machine: &Machine,
    arches: &[&'static Arch],
    json: bool,
) -> anyhow::Result<ExitCode> {
    let status = binfmt::examine(exec, machine, &all(arches))?;
    if json {
        report::json(&status)?;
    } else {
        report::prose(&table(&status));
    }
    let good = arches.is_empty() || status.architectures.iter().all(|row| row.state.is_good());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

fn table(status: &Status) -> String {
    let mut text = status.architectures.iter().map(line).collect::<Vec<_>>().join("\n");
    if !status.mounted {
        text.push_str(
            "\n\nbinfmt_misc is not mounted; `cargo xtask binfmt install ARCH` mounts it",
        );
    } else if !status.enabled {
        text.push_str(
            "\n\nemulation is disabled; to enable it as root: `echo 1 > \
             /proc/sys/fs/binfmt_misc/status`",
        );
    }
    text
}

fn line(row: &Row) -> String {
    let mut text = format!("{:8} {:9}", row.arch, row.state.as_str());
    for emulator in &row.emulators {
        let _ = write!(text, " {} by {}: {};", emulator.name, emulator.by, emulator.interpreter);
    }
    let _ = write!(text, " {}", row.why.as_deref().unwrap_or_default());
    text.trim_end_matches([' ', ';']).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::engine::doctor::fixture;

    #[test]
    fn emulators_require_a_linux_kernel() {
        let mut machine = fixture::debian_12().machine;
        assert_eq!(require_linux(&machine), Ok(()));
        machine.system = "macos";
        let error = require_linux(&machine).unwrap_err();
        assert!(error.message.contains("macos"), "{error}");
        assert!(error.hint.unwrap().contains(binfmt::image().0));
    }

    #[test]
    fn architectures_are_parsed_like_platforms() {
        for word in ["arm64", "linux/arm64", "linux/arm64/v8", "arm64/v8"] {
            assert_eq!(arch(word).unwrap().name, "arm64", "{word}");
        }
        assert_eq!(arch("linux/386").unwrap().qemu, "i386");
        assert!(arch("aarch64").unwrap_err().contains("amd64, arm64, 386, arm"));
    }
}
