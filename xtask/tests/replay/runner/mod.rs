//! A runner of GitHub's for the generated workflow: it reads the file as GitHub does, and carries out its jobs on this
//! machine. What it does not know (a key, a function, an action, an input) is an error, never skipped.
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
