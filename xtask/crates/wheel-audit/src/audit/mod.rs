//! The verdict on a wheel: first the facts, what is in the file, then the findings, the facts held
//! against what the wheel's own name and its target promise.
//!
//! Facts are read once (`build_context`), every check reads them and nothing else (`checks`). To add a
//! check, write its rules and its function in a file of its own and name it in the table of
//! `checks`.

mod blame;
mod budget;
mod build_context;
mod bundled;
mod checks;
mod contents;
mod context;
mod dispatch;
mod elf_file;
mod extension;
mod facts;
mod finding;
mod inputs;
mod library;
mod link;
mod loading;
mod matrix;
mod members;
mod needs;
mod non_elf;
mod obstacle;
mod obstacles;
mod origin;
mod passes;
mod preload;
mod reading;
mod repeated;
mod report;
mod requirement;
mod script_modules;
mod search;
mod settings;
mod variant;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use serde::Serialize;
use thiserror::Error;

pub use checks::rules;
pub use checks::set::like::newest_installable;
pub use checks::set::shape::WheelContents;
pub use facts::{Culprit, ElfReport, WheelFacts};
pub use finding::{Finding, Place, Rule, Severity};
pub use inputs::{Asked, InputError, Inputs};
pub use matrix::{Blocked, Blocker, Cell, State};
pub use origin::{Certainty, Origin};
pub use passes::MAX_WHOLE_ELF;
pub use report::{FileAudit, Report, SCHEMA_VERSION, Unread};
pub use settings::{Depth, FAMILY, Override, Settings};

use crate::dist::{self, DistFault, DistProblem};
use crate::isa::Level;
use crate::policy::{Arch, Libc, PlatformTag};
use crate::text::shown;
use crate::wheel::Interpreter;

/// The version of all that judges wheels, rules and data: `build.rs` makes it of their files.
pub const RULES_VERSION: &str = env!("XTASK_RULES");

/// What the wheel is expected to be, beside what its name says. The default expects nothing more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectations {
    /// The systems of the target: the wheel has to install and load on all of them.
    pub platform_tag: Option<PlatformTag>,
    /// The architecture that was built for.
    pub arch: Option<Arch>,
    /// The limit is this C library and nothing else, whatever the wheel's name promises.
    pub limit: Option<Libc>,
    /// The instruction set levels that are enough, one for each machine.
    pub isa: Vec<Level>,
    /// The interpreter that was built for.
    pub interpreter: Option<Interpreter>,
    /// The C library of the system that it was built on, where the build says.
    pub built_on: Option<Libc>,
    /// What calls for an extension module, as a clause for messages, if anything does: then a wheel without machine code is a
    /// build that failed silently.
    pub native: Option<String>,
}

/// Facts and findings: what `audit.json` holds of a wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// What is in the wheel.
    #[serde(flatten)]
    pub facts: WheelFacts,
    /// The path as it was asked for; `None` in `audit.json`, which lies beside the wheel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Utf8PathBuf>,
    /// The file name of the published wheel that it was compared with, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<String>,
    /// [`Audit::verdict`], for readers of the file.
    verdict: Verdict,
    /// The listed systems on which an installer takes it and the loader does not, or may not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<Blocked>,
    /// What is wrong with it, worst first.
    pub findings: Vec<Finding>,
}

/// Is the wheel good?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No finding is an error.
    Pass,
    /// At least one is.
    Fail,
}

impl Audit {
    /// [`Verdict::Fail`] if any finding is an error.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Compares the wheel, which is at `path`, with the one at `published`.
    pub fn compare(&mut self, path: &Utf8Path, published: &Utf8Path, settings: &Settings) {
        let findings = checks::set::like::differences::find((path, self.facts.size), published);
        self.compared_with = published.file_name().map(|name| shown(name).to_string());
        self.add(findings, settings);
    }

    /// Notes that there is no published wheel to compare with, and why.
    pub fn nothing_published(&mut self, reason: &str, settings: &Settings) {
        let finding = checks::set::like::nothing_published(&self.facts.file, reason);
        self.add(vec![finding], settings);
    }

    fn add(&mut self, mut findings: Vec<Finding>, settings: &Settings) {
        settings.apply(&self.facts.file, &mut findings);
        self.findings.append(&mut findings);
        self.findings.sort();
        self.verdict = Verdict::of(&self.findings);
    }
}

impl Verdict {
    fn of(findings: &[Finding]) -> Self {
        let is_error = |finding: &Finding| finding.severity == Severity::Error;
        if findings.iter().any(is_error) { Self::Fail } else { Self::Pass }
    }
}

/// Why a wheel could not be looked at. What is wrong with the wheel itself is a finding, however
/// broken it is.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The file could not be opened or read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The path has no file name.
    #[error("`{}` is no file", .0.as_str().escape_debug())]
    NoFile(Utf8PathBuf),
}

/// Judges the wheel at `path`.
///
/// Each member is checked against its declared size and checksum while it passes by. In memory at
/// one time are, for each thread, one ELF file of at most [`MAX_WHOLE_ELF`] bytes or the tables of a
/// larger one, and of everything else a buffer.
///
/// # Errors
/// [`AuditError`] if the file cannot be read; anything else is a finding.
pub fn audit_wheel(
    path: &Utf8Path,
    expectations: &Expectations,
    settings: &Settings,
) -> Result<Audit, AuditError> {
    let context = build_context::of_wheel(path, expectations, settings.depth)?;
    let mut findings = checks::run(&context, settings.depth);
    settings.apply(&context.facts.file, &mut findings);
    let verdict = Verdict::of(&findings);
    let facts = context.facts;
    let blocked = Vec::new();
    let mut audit = Audit { facts, path: None, compared_with: None, verdict, blocked, findings };
    audit.blocked = audit.find_blocked();
    Ok(audit)
}

/// Judges many wheels, on all cores; the results are in the order of the jobs. `done` is called
/// after each.
pub fn audit_wheels(
    jobs: &[(Utf8PathBuf, Expectations)],
    settings: &Settings,
    done: &(dyn Fn(&Utf8Path) + Sync),
) -> Vec<Result<Audit, AuditError>> {
    let audit = |(path, expectations): &(Utf8PathBuf, Expectations)| {
        let result = audit_wheel(path, expectations, settings);
        done(path);
        result
    };
    jobs.par_iter().with_max_len(1).map(audit).collect()
}

/// Judges all that was asked for, all of it by the same promise. `done` is called after each file.
pub fn judge(
    inputs: &Inputs,
    expectations: &Expectations,
    settings: &Settings,
    done: &(dyn Fn(&Utf8Path) + Sync),
) -> Report {
    let job = |path: &Utf8PathBuf| {
        let built_on = expectations.built_on.or_else(|| origin::beside(path));
        (path.clone(), Expectations { built_on, ..expectations.clone() })
    };
    let jobs: Vec<_> = inputs.wheels.iter().map(job).collect();
    let linked = |path: &Utf8PathBuf| {
        let message = "it is a link below a folder, which is not followed: name the wheel itself";
        Unread { path: path.clone(), message: message.to_owned() }
    };
    let mut unread: Vec<_> = inputs.linked.iter().map(linked).collect();
    let mut keep = |path: &Utf8Path, error: AuditError| {
        unread.push(Unread { path: path.to_owned(), message: error.to_string() });
    };
    let mut wheels = Vec::new();
    for (path, result) in inputs.wheels.iter().zip(audit_wheels(&jobs, settings, done)) {
        match result {
            Ok(audit) => wheels.push(Audit { path: Some(path.clone()), ..audit }),
            Err(error) => keep(path, error),
        }
    }
    let audit = |path: &Utf8PathBuf| {
        let result = audit_file(path, expectations, settings);
        done(path);
        result
    };
    let audits: Vec<_> = inputs.files.par_iter().with_max_len(1).map(audit).collect();
    let mut files = Vec::new();
    for (path, result) in inputs.files.iter().zip(audits) {
        match result {
            Ok(audit) => files.push(audit),
            Err(error) => keep(path, error),
        }
    }
    let mut findings = Vec::new();
    if settings.depth != Depth::Floor {
        compare_each(&mut wheels, &inputs.like, settings);
        findings = folders(inputs, &wheels);
        findings.extend(checks::set::findings(inputs, &wheels, settings.publish));
    }
    settings.apply_each(&mut findings);
    Report::new(wheels, files, findings, unread)
}

/// Compares each of the wheels with the one of `like` that is most like it.
fn compare_each(wheels: &mut [Audit], like: &[Utf8PathBuf], settings: &Settings) {
    wheels.par_iter_mut().for_each(|audit| {
        let published = checks::set::like::most_alike(&audit.facts.file, like);
        if let (Some(path), Some(published)) = (audit.path.clone(), published) {
            audit.compare(&path, &published, settings);
        }
    });
}

/// What is wrong with the folders that were asked for.
fn folders(inputs: &Inputs, wheels: &[Audit]) -> Vec<Finding> {
    let hash = |audit: &Audit| Some((audit.path.clone()?, audit.facts.sha256.clone()?));
    let known = wheels.iter().filter_map(hash).collect();
    let folder = |folder: &Utf8PathBuf| -> Vec<Finding> {
        let mut problems = dist::check(folder, &known);
        // Other folders of wheels need none.
        let is_told = problems.iter().any(|problem| problem.fault == DistFault::Manifest);
        if inputs.asked.is_some() && !folder.join(dist::MANIFEST).exists() && !is_told {
            problems.push(DistProblem {
                fault: DistFault::Manifest,
                path: dist::MANIFEST.to_owned(),
                message: "there is none, so that nobody knows what belongs here".to_owned(),
            });
        }
        problems.extend(inputs.asked.iter().flat_map(|asked| asked.problems.clone()));
        problems.iter().map(|problem| checks::dist::finding(folder, problem)).collect()
    };
    inputs.folders.iter().flat_map(folder).collect()
}

/// Judges an ELF file that lies in no wheel: a library, an executable.
///
/// # Errors
/// [`AuditError`] if the file cannot be read; anything else is a finding.
pub fn audit_file(
    path: &Utf8Path,
    expectations: &Expectations,
    settings: &Settings,
) -> Result<FileAudit, AuditError> {
    let facts = passes::elf_file(path, settings.depth)?;
    let context = build_context::of_file(path, expectations, facts, settings.depth);
    let mut findings = checks::run_file(&context);
    settings.apply(path.as_str(), &mut findings);
    let verdict = Verdict::of(&findings);
    let facts = context.facts.elf.into_iter().next();
    Ok(FileAudit { facts, file: path.to_owned(), verdict, findings })
}

#[cfg(test)]
pub(crate) mod tests;
