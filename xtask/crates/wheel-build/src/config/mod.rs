//! `wheels.toml` and `wheels.local.toml`: read, merge, validate.
//!
//! This module reports every configuration error, with file, line, column and key, before anything is
//! planned. The modules above get valid values only.

mod base_images;
mod build;
mod cache;
mod ci;
mod engine;
mod error;
mod file;
mod interpreters;
mod job_settings;
mod like;
mod load;
mod model;
mod names;
mod overrides;
mod pins;
mod place;
mod publish;
mod raw;
mod source;
mod target;
mod text;
mod usage;
mod validate;
pub(crate) mod words;

pub(crate) use base_images::BaseImages;
pub(crate) use build::{Build, BuildFrontend, Script};
pub(crate) use cache::{Cache, CacheChoice, CacheKind, CacheSpec};
pub(crate) use ci::{Ci, LayerCache, Runner};
pub(crate) use engine::{EngineSettings, Network, Tool};
pub(crate) use file::ConfigFile;
pub(crate) use interpreters::{parse_interpreter, suggestion as suggested_interpreter};
pub(crate) use job_settings::{
    BuildSettings, JobOverride, JobSettings, Repair, RepairMode, Select, Test, build_identifier,
};
pub(crate) use like::Like;
pub use load::check_text;
pub(crate) use load::parse as parse_text;
pub(crate) use load::{load, load_committed};
pub(crate) use model::{
    Bootstrap, BootstrapTool, Check, Config, Family, LocalSource, Platform, Provider, Rust, Source,
    TagPolicy, Toolchain,
};
pub(crate) use names::{
    bootstrap_line, distribution_of, image_name, image_of_name, known_system, target_lines,
    tried_systems,
};
pub(crate) use overrides::{PathPattern, RuleOverride, RuleSeverity};
pub(crate) use pins::{Pins, with_pins};
pub(crate) use publish::{Publish, Word};
pub(crate) use target::{Target, find_target, suggestion};
pub use usage::TEXTS as EXAMPLES;

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod usage_tests;
