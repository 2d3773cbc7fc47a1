//! Audits wheels: reads the facts of a wheel, and compares them with the promises of its name and target.
//!
//! `build_context` reads the facts once, and the checks use nothing else. To add a check, write its rules
//! and its function in a new file below `checks`, and list it in the table there.

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
mod unresolved;
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
pub use inputs::{InputError, Inputs, RequestedWheels};
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

/// The version of rules, data and code of the audit. `build.rs` computes it from their files.
pub const RULES_VERSION: &str = env!("XTASK_RULES");

/// Expectations of a wheel in addition to its name. The default has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectations {
    /// The target's platform tag: the wheel must install and load on all of its systems.
    pub platform_tag: Option<PlatformTag>,
    /// The architecture of the build.
    pub arch: Option<Arch>,
    /// The oldest C library that the wheel must support, instead of the promises of its name.
    pub limit: Option<Libc>,
    /// The instruction set levels that the wheel may require, one per architecture.
    pub isa: Vec<Level>,
    /// The interpreter of the build.
    pub interpreter: Option<Interpreter>,
    /// The C library of the build system, if the build records it.
    pub built_on: Option<Libc>,
    /// The evidence that the package has an extension module, as a clause for messages. If set, a wheel without
    /// machine code is an error.
    pub native: Option<String>,
}

/// Facts and findings of a wheel, as in `audit.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// The facts.
    #[serde(flatten)]
    pub facts: WheelFacts,
    /// The path from the command line. `None` in `audit.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Utf8PathBuf>,
    /// The file name of the published wheel that the comparison used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<String>,
    /// As [`Audit::verdict`], for the JSON report.
    verdict: Verdict,
    /// The known systems that install the wheel but do not, or may not, load it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<Blocked>,
    /// The findings, worst first.
    pub findings: Vec<Finding>,
}

/// The verdict on a wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No finding is an error.
    Pass,
    /// At least one finding is an error.
    Fail,
}

impl Audit {
    /// [`Verdict::Fail`] if any finding is an error.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Compares the wheel at `path` with the one at `published`.
    pub fn compare(&mut self, path: &Utf8Path, published: &Utf8Path, settings: &Settings) {
        let findings = checks::set::like::differences::find((path, self.facts.size), published);
        self.compared_with = published.file_name().map(|name| shown(name).to_string());
        self.add(findings, settings);
    }

    /// Adds a finding that no published wheel is comparable, with the reason.
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

/// The reason why a wheel is unreadable. Faults of the wheel itself are findings.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The file could not be opened or read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The path has no file name.
    #[error("`{}` is not a file", .0.as_str().escape_debug())]
    NoFile(Utf8PathBuf),
}

/// Audits the wheel at `path`.
///
/// Reads each member once and checks its declared size and checksum. Each thread holds one ELF file of at
/// most [`MAX_WHOLE_ELF`] bytes, or the tables of a larger one, and a buffer for other files.
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

/// Audits many wheels on all cores. The results are in the order of `jobs`. Calls `done` after each wheel.
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

/// Audits all inputs with the same expectations. Calls `done` after each file.
pub fn audit_inputs(
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
        let message = "is a symbolic link in a folder, which is not followed; pass the path of the wheel itself";
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

/// Compares each wheel with the most similar one in `like`.
fn compare_each(wheels: &mut [Audit], like: &[Utf8PathBuf], settings: &Settings) {
    wheels.par_iter_mut().for_each(|audit| {
        let published = checks::set::like::most_similar(&audit.facts.file, like);
        if let (Some(path), Some(published)) = (audit.path.clone(), published) {
            audit.compare(&path, &published, settings);
        }
    });
}

/// Checks the manifests and checksums of the input folders.
fn folders(inputs: &Inputs, wheels: &[Audit]) -> Vec<Finding> {
    let hash = |audit: &Audit| Some((audit.path.clone()?, audit.facts.sha256.clone()?));
    let known = wheels.iter().filter_map(hash).collect();
    let folder = |folder: &Utf8PathBuf| -> Vec<Finding> {
        let mut problems = dist::check(folder, &known);
        // Other folders of wheels need no manifest.
        let is_reported = problems.iter().any(|problem| problem.fault == DistFault::Manifest);
        if inputs.requested.is_some() && !folder.join(dist::MANIFEST).exists() && !is_reported {
            problems.push(DistProblem {
                fault: DistFault::Manifest,
                path: dist::MANIFEST.to_owned(),
                message: "missing, so the files of the folder cannot be verified".to_owned(),
            });
        }
        problems.extend(inputs.requested.iter().flat_map(|requested| requested.problems.clone()));
        problems.iter().map(|problem| checks::dist::finding(folder, problem)).collect()
    };
    inputs.folders.iter().flat_map(folder).collect()
}

/// Audits an ELF file outside of a wheel: a library or an executable.
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
