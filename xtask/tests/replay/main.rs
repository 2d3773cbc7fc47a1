//! The generated workflow, carried out on this machine. Here the engine is a script; `tests/e2e/replay.rs` has the
//! same with a real one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../crates/wheel-build/tests/common/mod.rs"]
mod common;
mod expressions;
mod rules;
mod runner;
mod runs;
