//! The matrix of hosted CI: one machine for each target and platform.

use serde::Serialize;
use wheel_audit::UserError;

use super::Request;
use crate::config::{Config, Platform};

/// One entry of the matrix: the work of one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MatrixEntry {
    /// The folder below `dist/`, also part of the names of jobs and artifacts: `debian12-amd64`.
    pub name: String,
    pub target: String,
    /// Image reference.
    pub image: String,
    /// Platform, e.g. `linux/amd64`.
    pub platform: String,
    /// Label of the machine.
    pub runner: String,
    /// True if the machine must emulate the platform.
    pub emulated: bool,
    /// True if a release requires one of its wheels.
    pub required: bool,
}

/// The error for a platform without a native machine.
pub(crate) fn no_runner(platform: &Platform) -> UserError {
    UserError::new(format!("no known machine runs {platform} natively")).hint(format!(
        "name one in wheels.toml, `[ci] runners = {{ \"{platform}\" = \"LABEL\" }}`, or emulate it \
         with `[ci] emulate = [\"{platform}\"]`, which takes several times as long"
    ))
}

/// The matrix of `request`, in its order.
///
/// # Errors
/// If a platform has no native machine.
pub(crate) fn matrix(config: &Config, request: &Request) -> Result<Vec<MatrixEntry>, UserError> {
    let pairs = request
        .targets
        .iter()
        .flat_map(|(target, platforms)| platforms.iter().map(move |platform| (target, platform)));
    let entry = |(target, platform): (&crate::config::Target, &Platform)| {
        let runner = config.ci.runner(platform);
        let runner = runner.ok_or_else(|| no_runner(platform))?;
        Ok(MatrixEntry {
            name: target.folder(platform),
            target: target.name.clone(),
            image: target.image.clone(),
            platform: platform.to_string(),
            runner: runner.label,
            emulated: runner.emulated,
            required: target.pythons.iter().any(|it| config.requires(*it, target, platform)),
        })
    };
    pairs.map(entry).collect()
}
