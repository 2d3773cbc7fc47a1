//! `cargo xtask host-settings`: prints secrets for a pasted `--dry-run`.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::engine::host::{HostSettings, ThisHost};
use crate::exec::{Exec, Step};
use wheel_audit::report;

#[derive(Debug, clap::Args)]
pub(crate) struct HostSettingsArgs {
    /// Secret to print: `ca`, `settings`, `netrc`, `cargo_config`, `apt_conf` or `apt_auth`
    pub secret: String,
}

/// Prints one secret for a shell's `$(...)`. It may contain passwords, so it does not belong in a log.
///
/// # Errors
/// If no secret has that name.
pub(crate) fn run(args: &HostSettingsArgs) -> anyhow::Result<ExitCode> {
    let dump = Exec::real().read(&Step::new("apt-config", ["dump", "Acquire"])).unwrap_or_default();
    let host = HostSettings::collect(&ThisHost, &dump);
    let text = match (args.secret.as_str(), &host.ca) {
        ("ca", Some(bundle)) => Some(fs_err::read_to_string(bundle)?),
        ("ca", None) => Some(String::new()),
        (secret, _) => host.text(secret),
    };
    let text = text.with_context(|| {
        format!(
            "unknown secret `{}`; known secrets: ca, settings, netrc, cargo_config, apt_conf, \
             apt_auth",
            args.secret
        )
    })?;
    if std::io::stdout().is_terminal() {
        report::data(text.trim_end_matches('\n'));
    } else {
        // Byte for byte, for a build step. A closed pipe is not an error.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
    Ok(ExitCode::SUCCESS)
}
