//! The smoke test: the wheel, under its own name, installed by pip in a clean container of its own
//! target and platform that has the interpreter and no compiler; its modules are imported from
//! what was installed, and a function of each is called.
//!
//! It is a stage of the same Dockerfile, so that it runs wherever the build ran (an emulated
//! platform, another machine's engine) and a stopped run leaves no container behind.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::env::{Context, PipelineError};
use super::job::common_args;
use super::work::Workspace;
use crate::engine::bake::Bake;
use crate::engine::base::BaseImage;
use crate::plan::{Job, smoke_inputs};
use crate::report::Watch;

pub(super) fn run(
    ctx: &Context<'_>,
    job: &Job,
    base: &BaseImage,
    wheel: &Utf8Path,
    workspace: &Workspace,
    log: &Utf8Path,
    watch: &dyn Watch,
) -> Result<(), PipelineError> {
    let title = job.title();
    let name = wheel.file_name().unwrap_or_default();
    let context = workspace.fresh("smoke-wheel")?;
    fs_err::copy(wheel, context.join(name))?;
    let output = workspace.fresh("smoke")?;
    let bake = call(ctx, job, base, context, &output, "rawjson");
    let file = name.to_owned();
    ctx.engine
        .bake(&bake, log, &mut |event| watch.event(&title, event))
        .map_err(|source| PipelineError::Smoke { file, source })?;
    if !output.join("smoke.json").is_file() {
        let message = format!("the smoke test of `{name}` ended well but left no smoke.json");
        return Err(PipelineError::Wrong(message));
    }
    Ok(())
}

/// The bake call that tests the one wheel in the folder `wheel`.
pub(super) fn call<'a>(
    ctx: &'a Context<'_>,
    job: &'a Job,
    base: &BaseImage,
    wheel: Utf8PathBuf,
    output: &'a Utf8Path,
    progress: &'a str,
) -> Bake<'a> {
    let mut args = common_args(ctx, job, base);
    let (imports, calls) = smoke_inputs(ctx.config);
    args.insert("SMOKE_IMPORTS", imports);
    args.insert("SMOKE_CALLS", calls);
    Bake {
        target: "smoke",
        platform: &job.platform,
        args,
        contexts: BTreeMap::from([("wheel", wheel)]),
        output,
        metadata: None,
        no_cache: false,
        builder: ctx.engine.builder.as_deref(),
        progress,
    }
}
