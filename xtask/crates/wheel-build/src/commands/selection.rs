//! Which jobs a command is about: targets, platforms, interpreters, build identifiers.

use wheel_audit::UserError;
use wheel_audit::report;

use super::native_platform;
use crate::config::{Config, Select};
use crate::pipeline;
use crate::plan::{self, Plan, Request};

/// The words and options that select jobs.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Selection {
    /// Base images or target names, and platforms: `debian:12 linux/amd64`
    #[arg(value_name = "TARGET|PLATFORM")]
    pub words: Vec<String>,
    /// Every target of wheels.toml; what cannot run on this machine is reported, and the rest is built
    #[arg(long)]
    pub all: bool,
    /// Interpreters, e.g. `cp311,cp314t`; all of wheels.toml where absent
    #[arg(long, value_name = "TAG")]
    pub python: Vec<String>,
    /// Build identifiers or patterns of them, e.g. `cp313-*`; without targets, of all in wheels.toml
    #[arg(long, value_name = "PATTERN")]
    pub only: Vec<String>,
    /// Build identifiers or patterns of them that are left out, e.g. `*-debian13_*`
    #[arg(long, value_name = "PATTERN")]
    pub skip: Vec<String>,
}

impl Selection {
    /// Whether everything is meant, without a word on what.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && !self.all
    }

    /// The request; with no word on targets, all of them where `--only` narrows them, or where that
    /// is what the command does by itself (`all`).
    ///
    /// # Errors
    /// For a word that means nothing.
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
                .hint("`--print-build-identifiers` without `--skip` prints them"));
        }
        Ok(request)
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
        "`cargo xtask wheels --print-build-identifiers` prints them".to_owned()
    };
    UserError::new(format!("`{option} {pattern}` matches none of the {} builds", identifiers.len()))
        .hint(hint)
}

/// Tells what of the configuration does not do what it seems to.
pub(crate) fn tell(config: &Config, plan: &Plan) {
    for pattern in plan::unused_overrides(config, plan) {
        report::note(&format!("warning: `[[override]] select = \"{pattern}\"` matches no build"));
    }
    for (name, reason) in pipeline::withheld(config, std::env::vars_os()) {
        report::note(&format!("warning: `env-pass` does not pass `{name}`: {reason}"));
    }
}
