//! Native compilers and native apt for emulated platforms: which jobs use them, and the image that provides them.
//! Inside the container, `scripts/accelerate/` makes the final decision.

use camino::Utf8Path;

use crate::config::{Family, Platform, Target};
use crate::engine::Engine;
use crate::engine::base::{self, BaseImage, BasePolicy};
use crate::plan::Job;

/// Replacement of an emulated compiler and apt by native programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accelerate {
    /// Option of the command line.
    pub mode: AccelerateMode,
    /// The platform that runs without emulation.
    pub native: Platform,
}

/// Option of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccelerateMode {
    /// `--no-accelerate`.
    Never,
    /// No option: only where it is known to work.
    Default,
    /// `--accelerate`: also on remote engines and builders, and with a reason where it is impossible.
    Requested,
}

impl Accelerate {
    /// The mode without an option.
    pub(crate) fn by_default(native: Platform) -> Self {
        Self { mode: AccelerateMode::Default, native }
    }

    /// Returns whether builds for `platform` use native programs. The error is a reason to report.
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
            return Err(format!("{platform} has its own engine"));
        }
        // The native platform of a remote engine or builder is unknown. `--accelerate` declares it to be this
        // machine's.
        let elsewhere = client.builder.is_some() || client.endpoint.is_some();
        if self.mode == AccelerateMode::Default && (elsewhere || !client.tool.has_builders()) {
            return Ok(false);
        }
        match target.family {
            Some(Family::Apt) => Ok(true),
            Some(family) => Err(format!("the family {family} has no cross compilers")),
            None => Err(format!("the family of `{}` is unknown", target.image)),
        }
    }

    /// The image that [`NativeImage::onto`] would add, from the engine alone: for `--dry-run`.
    pub(super) fn planned_image(&self, engine: &Engine, job: &Job) -> Option<String> {
        let native = &self.native;
        (self.wanted(engine, &job.target, &job.platform) == Ok(true)).then(|| {
            base::present(engine, &job.target, native)
                .unwrap_or_else(|| base::unresolved(&job.target, native))
                .reference
        })
    }
}

/// How to obtain the native image of a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct NativeImage<'a> {
    pub(super) engine: &'a Engine,
    /// Option and native platform.
    pub(super) accelerate: &'a Accelerate,
    /// How to obtain base images.
    pub(super) base_policy: BasePolicy,
    /// xtask's work folder, `target/xtask`.
    pub(super) work: &'a Utf8Path,
}

impl NativeImage<'_> {
    /// Adds to `base` the image of `target` for the engine's own platform, if builds for `platform` may use its
    /// programs. `notify` receives the reason if they cannot.
    pub(super) fn onto(
        self,
        target: &Target,
        platform: &Platform,
        base: BaseImage,
        notify: &mut dyn FnMut(&str),
    ) -> BaseImage {
        match self.image(target, platform, notify) {
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
        notify: &mut dyn FnMut(&str),
    ) -> Option<BaseImage> {
        let Self { engine, accelerate, base_policy, work } = self;
        let wanted = accelerate.wanted(engine, target, platform);
        let notifies = accelerate.mode == AccelerateMode::Requested || wanted == Ok(true);
        let image = wanted.and_then(|wanted| {
            if !wanted {
                return Ok(None);
            }
            // Its own folder: two images that are made concurrently must not delete each other's files.
            let work = work.join("base").join(format!("native-{}", target.folder(platform)));
            let image =
                base::resolve(engine, target, &accelerate.native, base_policy, &work, notify);
            image.map(Some).map_err(|error| error.to_string())
        });
        image.unwrap_or_else(|why| {
            if notifies {
                notify(&format!("not accelerated: {why}"));
            }
            None
        })
    }
}
