//! Runs the generated workflow on this machine with a fake engine. `tests/e2e/replay.rs` does the same with the real
//! one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../crates/wheel-build/tests/common/mod.rs"]
mod common;
mod expressions;
mod rules;
mod runner;
mod runs;
