//! Builds Python wheels inside the Linux systems their users run, proves and ships them.
//!
//! Rooms and the arrows between them are drawn in `ARCHITECTURE.md`.

pub mod audit;
pub mod commands;
pub mod elf;
pub mod engine;
pub mod exec;
pub mod policy;
pub mod report;
pub mod wheel;
