//! Tests with the real engine and real packages. `cargo xtask ci` runs them; they require the network.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../crates/wheel-build/tests/common/mod.rs"]
mod common;

mod adopt;
mod alpine;
mod arm64;
mod bake;
mod base_interpreters;
mod build;
#[cfg(feature = "e2e-full")]
mod cache_service;
mod caches;
mod engines;
#[cfg(feature = "e2e-full")]
mod engines_full;
mod faults;
mod first_user;
mod forged;
mod guide;
mod hooks;
mod interpreters;
mod interrupt;
mod isolation;
#[cfg(feature = "e2e-full")]
mod layers;
#[cfg(feature = "e2e-full")]
mod locked;
mod managed;
mod offline;
mod package;
#[cfg(feature = "e2e-full")]
mod pip;
mod registry;
mod repair;
mod replay;
#[cfg(feature = "e2e-full")]
mod replay_cached;
mod reproduce;
mod rpm;
#[path = "../replay/runner/mod.rs"]
mod runner;
#[cfg(feature = "e2e-full")]
mod second;
mod secrets;
mod shell;
mod snapshots;
mod sources;
mod trial;
mod versions;
mod workspace;
