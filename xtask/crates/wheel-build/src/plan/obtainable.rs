//! Interpreters that no provider has.

use wheel_audit::UserError;
use wheel_audit::policy::Libc;
use wheel_audit::wheel::Interpreter;

use super::Request;
use crate::config::{Config, Family, Provider, Target, build_identifier};

/// Rejects a job whose interpreter no provider has.
///
/// # Errors
/// If the target has musl and the interpreter is neither `CPython` nor possibly in the base image.
pub(crate) fn check_obtainable(config: &Config, request: &Request) -> Result<(), UserError> {
    let mut jobs = request.places().filter(|(target, platform, interpreter)| {
        request.selects(&build_identifier(*interpreter, target, platform))
            && lacks(config, target, *interpreter)
    });
    let Some((target, _, interpreter)) = jobs.next() else { return Ok(()) };
    let name = &target.name;
    Err(UserError::new(format!(
        "no provider has `{interpreter}` for the target `{name}`: PyPy and GraalPy have no builds for musl"
    ))
    .hint(format!("set `pythons` without `{interpreter}` in `[[target]]` of `{name}`")))
}

/// Returns whether no provider has `interpreter` (docs/interpreters.md, "Available interpreters").
fn lacks(config: &Config, target: &Target, interpreter: Interpreter) -> bool {
    let is_musl = match target.libc {
        Some(libc) => matches!(libc, Libc::Musl(_)),
        None => target.family == Some(Family::Apk),
    };
    is_musl && !interpreter.is_cpython() && !may_be_in_image(config, target)
}

/// Returns whether the base image may contain it: one of the user's own, not of Alpine or musllinux.
fn may_be_in_image(config: &Config, target: &Target) -> bool {
    // A registry may have a port.
    let name = target.image.rsplit('/').next().unwrap_or_default();
    let image = name.split(['@', ':']).next().unwrap_or_default();
    let is_known = image == "alpine" || image == "python" || image.starts_with("musllinux_");
    config.build.providers.contains(&Provider::Image) && !is_known
}
