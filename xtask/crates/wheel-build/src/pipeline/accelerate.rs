//! Native compilers and apt for emulated platforms: whether a job may have them, and the image that they
//! come from. Inside the container `scripts/accelerate/` has the last word.

use camino::Utf8Path;

use crate::config::{Family, Platform, Target};
use crate::engine::Engine;
use crate::engine::base::{self, BaseImage, BasePolicy};
use crate::plan::Job;

/// Whether programs of the engine's own platform may do an emulated compiler's or apt's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accelerate {
    /// What was asked for.
    pub mode: AccelerateMode,
    /// The platform that runs without emulation.
    pub native: Platform,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccelerateMode {
    /// `--no-accelerate`.
    Never,
    /// Nothing: where it is known to work.
    Default,
    /// `--accelerate`: also on engines and builders elsewhere, and where it cannot be, the reason.
    Requested,
}

impl Accelerate {
    /// Where it is known to work, as when nothing is asked for.
    pub(crate) fn by_default(native: Platform) -> Self {
        Self { mode: AccelerateMode::Default, native }
    }

    /// Whether builds for `platform` have use for it; the reason why not, where there is one to tell.
    fn wanted(
        &self,
        engine: &Engine,
        target: &Target,
        platform: &Platform,
    ) -> Result<bool, String> {
        if self.mode == AccelerateMode::Never || *platform == self.native {
            return Ok(false);
        }
        let client = &engine.client;
        if client.nodes.contains_key(platform) {
            return Err(format!("{platform} has an engine of its own"));
        }
        // Nothing is known of their platform; who asks says that it is this machine's.
        let elsewhere = client.builder.is_some() || client.endpoint.is_some();
        if self.mode == AccelerateMode::Default && (elsewhere || !client.tool.has_builders()) {
            return Ok(false);
        }
        match target.family {
            Some(Family::Apt) => Ok(true),
            Some(family) => Err(format!("the family {family} has no cross compilers")),
            None => Err(format!("nothing says which family `{}` is of", target.image)),
        }
    }

    /// The image that [`NativeImage::onto`] would add, without asking anyone but the engine: for a printed plan.
    pub(super) fn planned_image(&self, engine: &Engine, job: &Job) -> Option<String> {
        let native = &self.native;
        (self.wanted(engine, &job.target, &job.platform) == Ok(true)).then(|| {
            base::present(engine, &job.target, native)
                .unwrap_or_else(|| base::unresolved(&job.target, native))
                .reference
        })
    }
}

/// How the native image of a target is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct NativeImage<'a> {
    /// The engine.
    pub(super) engine: &'a Engine,
    /// What is wanted.
    pub(super) accelerate: &'a Accelerate,
    /// How base images may be obtained.
    pub(super) base_policy: BasePolicy,
    /// xtask's own folder, `target/xtask`.
    pub(super) work: &'a Utf8Path,
}

impl NativeImage<'_> {
    /// `base`, with the image of `target` for the engine's own platform where programs of that platform
    /// may be used for `platform`; it is got as a base image is. `say` is told why there is none.
    pub(super) fn onto(
        self,
        target: &Target,
        platform: &Platform,
        base: BaseImage,
        say: &mut dyn FnMut(&str),
    ) -> BaseImage {
        match self.image(target, platform, say) {
            None => base,
            Some(image) => {
                let contexts = base.contexts.into_iter().chain(image.contexts).collect();
                BaseImage { native: Some(image.reference), contexts, ..base }
            }
        }
    }

    fn image(
        self,
        target: &Target,
        platform: &Platform,
        say: &mut dyn FnMut(&str),
    ) -> Option<BaseImage> {
        let Self { engine, accelerate, base_policy, work } = self;
        let wanted = accelerate.wanted(engine, target, platform);
        let tell = accelerate.mode == AccelerateMode::Requested || wanted == Ok(true);
        let image = wanted.and_then(|wanted| {
            if !wanted {
                return Ok(None);
            }
            // A folder of its own: two that are made at the same time must not clear away each other's files.
            let work = work.join("base").join(format!("native-{}", target.folder(platform)));
            let image = base::resolve(engine, target, &accelerate.native, base_policy, &work, say);
            image.map(Some).map_err(|error| error.to_string())
        });
        image.unwrap_or_else(|why| {
            if tell {
                say(&format!("not accelerated: {why}"));
            }
            None
        })
    }
}
