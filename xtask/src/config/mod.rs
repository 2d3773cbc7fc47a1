//! `wheels.toml` and `wheels.local.toml`: read, merged, validated.
//!
//! Everything that can be wrong with them is said here, with the file and the line, before
//! anything is planned. The rooms above get values that hold.

mod base_images;
mod cache;
mod ci;
mod engine;
mod load;
mod model;
mod names;
mod origin;
mod overrides;
mod pins;
mod publish;
mod target;
pub mod words;

pub use base_images::BaseImages;
pub use cache::{Cache, CacheKind, CacheSpec};
pub use ci::{Ci, Runner};
pub use engine::{EngineSettings, Network, Tool};
#[cfg(test)]
pub(crate) use load::parse as parse_text;
pub use load::{ConfigError, load, load_committed};
pub use model::{
    Bootstrap, BootstrapTool, Build, Check, Config, Family, InterpreterId, Libc, Platform,
    Provider, Rust, Source, TagPolicy, Toolchain,
};
pub use names::{ImageName, image_name};
pub use overrides::{PathPattern, Reason, RuleOverride, RuleSeverity};
pub use pins::{Pins, with_pins};
pub use publish::{Publish, Word};
pub use target::{Target, TargetError, find_target, name_of_image};

#[cfg(test)]
mod tests;
