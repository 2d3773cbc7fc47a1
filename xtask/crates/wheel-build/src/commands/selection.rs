//! Options that select jobs: targets, platforms, interpreters, build identifiers.

use wheel_audit::UserError;
use wheel_audit::report;

use super::{Workspace, native_platform};
use crate::config::{Config, Select};
use crate::pipeline;
use crate::plan::{self, Plan, Request};

/// Words and options that select jobs.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Selection {
    /// Base images or target names, and platforms, e.g. `debian:12 linux/amd64` [default platforms: all of the target]
    #[arg(value_name = "TARGET|PLATFORM")]
    pub words: Vec<String>,
    /// Select every target of wheels.toml; skip platforms that this machine cannot run and report them at the end
    #[arg(long)]
    pub all: bool,
    /// Select only these interpreters, e.g. `cp311,cp314t` [default: all of wheels.toml]
    #[arg(long, value_name = "TAG")]
    pub python: Vec<String>,
    /// Select build identifiers or patterns, e.g. `cp313-*` [default targets: all of wheels.toml]
    #[arg(long, value_name = "PATTERN")]
    pub only: Vec<String>,
    /// Skip build identifiers or patterns, e.g. `*-debian13_*`
    #[arg(long, value_name = "PATTERN")]
    pub skip: Vec<String>,
}

impl Selection {
    /// No target was selected.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && !self.all
    }

    /// The request. Without targets it covers all of them if `all` is set or `--only` narrows them.
    ///
    /// # Errors
    /// If a word or pattern is not valid.
    pub(crate) fn request(&self, config: &Config, all: bool) -> Result<Request, UserError> {
        let all = self.all || self.is_empty() && (all || !self.only.is_empty());
        let native = native_platform();
        let mut request = plan::parse_words(config, &self.words, all, &self.python, &native)?;
        request.only = patterns("--only", &self.only)?;
        request.skip = patterns("--skip", &self.skip)?;
        let identifiers = request.identifiers();
        for (option, select) in [("--only", &request.only), ("--skip", &request.skip)] {
            let unused = select.iter().flat_map(|select| select.unused(&identifiers)).next();
            if let Some(pattern) = unused {
                return Err(no_match(option, pattern, &identifiers));
            }
        }
        if !identifiers.iter().any(|identifier| request.selects(identifier)) {
            return Err(UserError::new("`--skip` excludes every requested build")
                .hint("`cargo xtask wheels --print-build-identifiers` lists the identifiers"));
        }
        Ok(request)
    }

    /// As [`check_interpreters`], with a hint that names the options of this selection.
    ///
    /// # Errors
    /// As for [`check_interpreters`].
    pub(crate) fn check_interpreters(
        workspace: &Workspace,
        config: &Config,
        request: &Request,
    ) -> Result<(), UserError> {
        check_interpreters(workspace, config, request).map_err(|mut error| {
            if let Some(hint) = &mut error.hint {
                hint.push_str(", or select others with `--python`, `--only` or `--skip`");
            }
            error
        })
    }
}

fn patterns(option: &str, words: &[String]) -> Result<Option<Select>, UserError> {
    if words.is_empty() {
        return Ok(None);
    }
    let select = Select::parse(words.iter().map(String::as_str));
    select.map(Some).map_err(|error| UserError::new(format!("`{option}`: {error}")))
}

fn no_match(option: &str, pattern: &str, identifiers: &[String]) -> UserError {
    let distance = |it: &&String| strsim::damerau_levenshtein(it, pattern);
    let near = identifiers.iter().min_by_key(distance).filter(|it| distance(it) <= 3);
    let longer = format!("{pattern}-*");
    let hint = if Select::parse([longer.as_str()])
        .is_ok_and(|select| identifiers.iter().any(|it| select.matches(it)))
    {
        format!("did you mean `{longer}`?")
    } else if let Some(near) = near {
        format!("did you mean `{near}`?")
    } else {
        "`cargo xtask wheels --print-build-identifiers` lists the identifiers".to_owned()
    };
    UserError::new(format!("`{option} {pattern}` matches none of the {} builds", identifiers.len()))
        .hint(hint)
}

/// Rejects a job that cannot succeed: no provider has its interpreter, or the package excludes it. The hint names keys
/// only, because `matrix` has no options that select interpreters.
///
/// # Errors
/// If there is such a job.
pub(crate) fn check_interpreters(
    workspace: &Workspace,
    config: &Config,
    request: &Request,
) -> Result<(), UserError> {
    pipeline::check_requires_python(config, &workspace.root, request.interpreters())?;
    plan::check_obtainable(config, request)
}

/// Warns about parts of the configuration that have no effect.
pub(crate) fn warn_unused(config: &Config, plan: &Plan) {
    for pattern in plan::unused_overrides(config, plan) {
        report::note(&format!("warning: `[[override]] select = \"{pattern}\"` matches no build"));
    }
    if !config.unused_test_keys.is_empty() {
        let keys = config.unused_test_keys.join("\n  ");
        let message = format!("no tests run, because these keys need a `command`:\n  {keys}");
        report::warning(
            &UserError::new(message).hint(
                "set `command` in `[test]`, for example `command = \"pytest {project}/tests\"`",
            ),
        );
    }
    for (name, reason) in pipeline::withheld(config, std::env::vars_os()) {
        report::note(&format!("warning: `env-pass` does not pass `{name}`: {reason}"));
    }
}
