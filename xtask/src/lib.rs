//! Builds Python wheels inside the Linux systems their users run, proves and ships them.
//!
//! Rooms and the arrows between them are drawn in `ARCHITECTURE.md`.

pub mod audit;
pub mod cli;
pub mod commands;
pub mod config;
pub mod digest;
pub mod elf;
pub mod engine;
pub mod exec;
pub mod files;
pub mod isa;
pub mod pipeline;
pub mod plan;
pub mod policy;
pub mod report;
pub mod ship;
pub mod store;
pub(crate) mod text;
pub mod wheel;
