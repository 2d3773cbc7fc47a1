//! Native compilers for emulated platforms: whether a job may have them, and the image that they come
//! from. Inside the container `scripts/accelerate.sh` has the last word.

use super::env::Context;
use crate::config::{Family, Platform};
use crate::engine::base::{self, BaseImage, Ways};
use crate::plan::Job;

/// Whether compilers of the engine's own platform may do an emulated compiler's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accelerate {
    /// What was asked for.
    pub wish: Wish,
    /// The platform that runs without emulation.
    pub native: Platform,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// `--no-accelerate`.
    Never,
    /// Nothing: where it is known to work.
    Default,
    /// `--accelerate`: also on engines and builders elsewhere, and where it cannot be, the reason.
    Asked,
}

impl Accelerate {
    /// Whether `job` has use for it; the reason why not, where there is one to tell.
    fn wanted(&self, ctx: &Context<'_>, job: &Job) -> Result<bool, String> {
        if self.wish == Wish::Never || job.platform == self.native {
            return Ok(false);
        }
        let client = &ctx.engine.client;
        if client.nodes.contains_key(&job.platform) {
            return Err(format!("{} has an engine of its own", job.platform));
        }
        // Nothing is known of their platform; who asks says that it is this machine's.
        let elsewhere = client.builder.is_some() || client.endpoint.is_some();
        if self.wish == Wish::Default && (elsewhere || !client.tool.has_builders()) {
            return Ok(false);
        }
        match job.target.family {
            Some(Family::Apt) => Ok(true),
            Some(family) => Err(format!("the family {family} has no cross compilers")),
            None => Err(format!("nothing says which family `{}` is of", job.target.image)),
        }
    }
}

/// `base`, with the image of `job`'s target for the engine's own platform where compilers of that platform
/// may be used for `job`; it is got as a base image is. `say` is told why there is none.
pub(super) fn with_native(
    ctx: &Context<'_>,
    job: &Job,
    base: BaseImage,
    ways: Ways,
    say: &mut dyn FnMut(&str),
) -> BaseImage {
    match native_image(ctx, job, ways, say) {
        None => base,
        Some(image) => {
            let contexts = base.contexts.into_iter().chain(image.contexts).collect();
            BaseImage { native: Some(image.reference), contexts, ..base }
        }
    }
}

fn native_image(
    ctx: &Context<'_>,
    job: &Job,
    ways: Ways,
    say: &mut dyn FnMut(&str),
) -> Option<BaseImage> {
    let native = &ctx.accelerate.native;
    let image = ctx.accelerate.wanted(ctx, job).and_then(|wanted| {
        if !wanted {
            return Ok(None);
        }
        let work = ctx.work.join("base").join(format!("native-{}", job.folder()));
        let image = base::resolve(ctx.engine, &job.target, native, ways, &work, say);
        image.map(Some).map_err(|error| error.to_string())
    });
    image.unwrap_or_else(|why| {
        if ctx.accelerate.wish == Wish::Asked || ctx.accelerate.wanted(ctx, job) == Ok(true) {
            say(&format!("not accelerated: {why}"));
        }
        None
    })
}

/// The image of [`with_native`], without asking anyone but the engine: for a printed plan.
pub(super) fn planned_image(ctx: &Context<'_>, job: &Job) -> Option<String> {
    let native = &ctx.accelerate.native;
    (ctx.accelerate.wanted(ctx, job) == Ok(true)).then(|| {
        base::present(ctx.engine, &job.target, native)
            .unwrap_or_else(|| base::unresolved(&job.target, native))
            .reference
    })
}
