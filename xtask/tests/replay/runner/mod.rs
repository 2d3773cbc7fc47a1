//! A runner for the generated workflow: it reads the file like GitHub, and runs its jobs on this machine. An unknown
//! key, function, action or input is an error, never skipped.
#![allow(dead_code, reason = "two tests use it, each another part")]

pub(crate) mod actions;
pub(crate) mod artifacts;
pub(crate) mod caches;
pub(crate) mod compiler;
pub(crate) mod engine;
pub(crate) mod event;
pub(crate) mod expression;
pub(crate) mod functions;
pub(crate) mod hub;
pub(crate) mod job;
pub(crate) mod run;
pub(crate) mod shell;
pub(crate) mod syntax;
pub(crate) mod upload;
pub(crate) mod workflow;
