//! The real engine, real packages. `cargo xtask ci` runs these; they need the network.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bake;
mod build;
mod interpreters;
mod interrupt;
mod managed;
mod registry;
mod secrets;
mod shell;
mod sources;
mod workspace;
