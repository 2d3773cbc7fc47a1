//! The commands of a run, for a person to paste.

use super::base_images;
use super::calls::{build, published, smoke};
use super::durations;
use super::env::Context;
use super::published::today;
use super::sharing::Sharing;
use crate::config::Like;
use crate::engine::bake::Bake;
use crate::engine::base;
use crate::plan::Plan;
use wheel_audit::report::WIDTH;

/// The commands that a run of `plan` would use, ready to paste. The base image is the one that the
/// engine has, or else the one that would be pulled.
pub(crate) fn commands(ctx: &Context<'_>, plan: &Plan) -> String {
    let mut lines = vec![format!("# {}", durations::summary(plan, &ctx.work))];
    let sharing = Sharing::of(plan);
    for (index, job) in plan.jobs.iter().enumerate() {
        lines.push(format!("# {} -> dist/{}", job.title(), job.folder()));
        if let Some(lead) = sharing.first_lead(index) {
            let (lead, own) = (plan.jobs[lead].interpreter, job.interpreter);
            lines.push(format!(
                "# not built if the wheel of {lead} serves {own}: then {own} tests that wheel"
            ));
        }
        let mut base = base::present(ctx.engine, &job.target, &job.platform).unwrap_or_else(|| {
            lines.push(base::pull_step(ctx.engine, &job.target, &job.platform).folded(WIDTH));
            base::unresolved(&job.target, &job.platform)
        });
        base.native = ctx.accelerate.planned_image(ctx.engine, job);
        let export = ctx.work.join("jobs").join(job.slug()).join("export");
        let base = base_images::existing(ctx, job, &base).unwrap_or(base);
        let mut bake = build(ctx, job, &base, (&export, ""));
        bake.progress = "plain";
        lines.push(printed(ctx, &bake));
        if ctx.config.check.like == Some(Like::Index) {
            lines.push("# then xtask compares the wheel with the published one:".to_owned());
            let output = ctx.work.join("jobs").join(job.slug()).join("published");
            let request = (ctx.source.project(), today());
            let mut bake = published(ctx, job, &base, request, &output);
            bake.progress = "plain";
            lines.push(printed(ctx, &bake));
        }
        let wheel = ctx.work.join("jobs").join(job.slug()).join("smoke-wheel");
        lines.push(format!(
            "# then xtask audits and tags the wheel, copies it into {wheel}/ and tests it:"
        ));
        let output = ctx.work.join("jobs").join(job.slug()).join("smoke");
        let bake = smoke(ctx, job, &base, wheel, &output, "plain");
        lines.push(printed(ctx, &bake));
    }
    lines.join("\n")
}

fn printed(ctx: &Context<'_>, bake: &Bake<'_>) -> String {
    ctx.engine
        .bake_step(bake)
        .map_or_else(|error| comment(&error.to_string()), |step| step.folded(WIDTH))
}

/// `text` as lines that a shell skips.
fn comment(text: &str) -> String {
    format!("# {}", text.replace(['\n', '\r'], "\n# "))
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_line_of_an_error_is_a_comment() {
        assert_eq!(super::comment("a\nrm b\rc"), "# a\n# rm b\n# c");
    }
}
