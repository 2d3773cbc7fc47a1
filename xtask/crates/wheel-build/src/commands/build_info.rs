//! `cargo xtask build-info`: describes a target's build environment.

use std::process::ExitCode;

use super::engine_args::{self, BuildArgs};
use super::{Workspace, native_platform, setup};
use crate::config::ConfigFile;
use crate::exec::Exec;
use crate::live::{Detail, Live};
use crate::pipeline::{self, Accelerate};
use crate::plan;
use crate::store::Lock;
use wheel_audit::report;

#[derive(Debug, clap::Args)]
pub(crate) struct BuildInfoArgs {
    /// Base images or target names, and platforms, e.g. `debian:12 linux/arm64` [default platform: this machine's]
    #[arg(value_name = "TARGET|PLATFORM", required = true)]
    pub words: Vec<String>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Choose how to obtain base images
    #[arg(long, value_enum, default_value_t)]
    pub base: crate::engine::base::BasePolicy,
    #[command(flatten)]
    pub engine: BuildArgs,
}

/// Builds the stage `build-info` and prints its report.
///
/// # Errors
/// If the engine cannot build it.
pub(crate) fn run(args: &BuildInfoArgs, file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (exec, workspace) = (Exec::real(), Workspace::of(file)?);
    let config = workspace.config()?;
    let native = native_platform();
    let request = plan::parse_words(&config, &args.words, false, &[], &native)?;
    // Obtaining a base image uses a folder that two runs must not share.
    let _lock = Lock::take(&workspace.work, true, |holder| {
        report::note(&format!("waiting for another run ({holder})"));
    })?;
    let engine = args.engine.engine(&exec, &workspace, &config)?;
    let typed = args.words.iter().any(|word| word.starts_with("linux/"));
    // Without a platform, show one environment only.
    let own = [native.clone()];
    let places = request.targets.iter().map(|(target, platforms)| {
        (target, if typed { platforms.as_slice() } else { own.as_slice() })
    });
    let image = request.targets.first().map_or("", |(target, _)| &target.image);
    let platforms = places.clone().flat_map(|(_, platforms)| platforms);
    setup::require_platforms(&engine, &workspace.root, image, platforms)?;
    engine_args::announce(&engine)?;
    let live = Live::new(Detail::Steps);
    let accelerate = Accelerate::by_default(native.clone());
    let mut all = Vec::new();
    for (target, platforms) in places {
        for platform in platforms {
            let request = pipeline::EnvironmentRequest {
                target,
                platform,
                base_policy: args.base,
                accelerate: &accelerate,
            };
            all.push(pipeline::environment(&config, &engine, &request, &workspace.work, &live)?);
        }
    }
    if args.json {
        report::json(&all)?;
    } else {
        let texts: Vec<_> = all.iter().map(pipeline::BuildInfo::text).collect();
        report::data(texts.join("\n").trim_end());
    }
    Ok(ExitCode::SUCCESS)
}
