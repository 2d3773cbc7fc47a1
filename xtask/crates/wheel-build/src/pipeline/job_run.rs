//! State that the steps of one job share.

use camino::Utf8Path;

use super::env::Context;
use super::work::Workspace;
use crate::engine::base::BaseImage;
use crate::live::Watch;
use crate::plan::Job;

/// A job that runs, for its steps.
pub(super) struct JobRun<'a> {
    pub(super) ctx: &'a Context<'a>,
    pub(super) job: &'a Job,
    pub(super) base: &'a BaseImage,
    pub(super) workspace: &'a Workspace,
    pub(super) log: &'a Utf8Path,
    pub(super) watch: &'a dyn Watch,
}
