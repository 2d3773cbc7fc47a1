//! `cargo xtask verify`: the checks that a wheel passes before it enters `dist/`, on any wheel.

use std::process::ExitCode;

use camino::Utf8PathBuf;
use clap::builder::UnknownArgumentValueParser;

use super::telling::{TellArgs, judge_and_tell};
use super::{asked_paths, own_config};
use crate::audit::{Asked, Depth, Inputs, Promise, Settings};
use crate::{pipeline, report};

/// Arguments of `verify`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct VerifyArgs {
    /// Wheels, ELF files, folders; `-` reads a list from stdin; `dist/` where absent
    #[arg(value_name = "PATH")]
    pub paths: Vec<Utf8PathBuf>,
    /// The wheels are to be published: what an index refuses is an error
    #[arg(long)]
    pub publish: bool,
    /// Compare with published wheels of the same project
    #[arg(long, value_name = "FOLDER-OR-WHEEL")]
    pub like: Vec<Utf8PathBuf>,
    /// Of what wheels.toml asks for only these folders: `debian12-amd64`
    #[arg(long, value_name = "NAME", conflicts_with = "paths")]
    pub only: Vec<String>,
    /// Leave the machine code unread, which takes about a third of the time
    #[arg(long)]
    pub no_isa: bool,
    /// What other commands take, and this one reads in each wheel's own name
    #[arg(long, hide = true, value_parser = limits_elsewhere())]
    pub max: Option<String>,
    /// As `max`
    #[arg(long, hide = true, value_parser = limits_elsewhere())]
    pub target: Option<String>,
    /// How to tell it
    #[command(flatten)]
    pub tell: TellArgs,
}

/// Answers `--max` and `--target` with the command that has them.
fn limits_elsewhere() -> UnknownArgumentValueParser {
    UnknownArgumentValueParser::suggest(
        "`verify` holds a wheel against what its own name promises; \
         `cargo xtask check-glibc --max 2.36` or `--target debian:12` against another limit",
    )
}

/// Reads the files, every byte of them, and says what is wrong.
///
/// # Errors
/// When there is nothing to look at.
pub fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let mut inputs = Inputs::find(&asked_paths(&args.paths)?)?;
    let depth = if args.no_isa { Depth::Bytes } else { Depth::Code };
    let config = own_config(&args.paths)?;
    if !args.only.is_empty() {
        let of_it = |path: &Utf8PathBuf| {
            let folder = path.parent().and_then(|folder| folder.file_name());
            folder.is_some_and(|folder| args.only.iter().any(|name| name == folder))
        };
        inputs.wheels.retain(of_it);
        inputs.files.retain(of_it);
    }
    inputs.like = published(&args.like)?;
    inputs.asked =
        config.as_ref().map(|config| narrowed(pipeline::asked(config), &args.only)).transpose()?;
    let own = config.as_ref().map(pipeline::settings).transpose()?.unwrap_or_default();
    let settings = Settings { depth, publish: args.publish || own.publish, ..own };
    anyhow::ensure!(
        !(inputs.wheels.is_empty() && inputs.files.is_empty() && inputs.linked.is_empty()),
        "there is nothing to verify in {}\n\nhint: `cargo xtask wheels` builds the wheels of a folder",
        args.only.join(", ")
    );
    let isa = config.iter().flat_map(|config| config.check.isa.values().copied()).collect();
    let promise = Promise { isa, ..Promise::default() };
    judge_and_tell(&inputs, &promise, &settings, &args.tell, report::verify_text)
}

/// What was asked for, of the folders of `--only`.
fn narrowed(mut asked: Asked, only: &[String]) -> anyhow::Result<Asked> {
    if only.is_empty() {
        return Ok(asked);
    }
    if let Some(other) = only.iter().find(|name| !asked.folders.contains_key(*name)) {
        let known: Vec<_> = asked.folders.into_keys().collect();
        let distance = |name: &&String| strsim::damerau_levenshtein(name, other);
        let of_target = known.iter().find(|name| name.starts_with(&format!("{other}-")));
        let near = known.iter().min_by_key(distance).filter(|near| distance(near) <= 2);
        let meant = of_target.or(near);
        let meant = meant
            .map_or_else(String::new, |meant| format!("\n\nhint: did you mean `--only {meant}`?"));
        anyhow::bail!("`--only {other}` is no folder of wheels.toml ({}){meant}", known.join(", "));
    }
    asked.folders.retain(|name, _| only.contains(name));
    asked.optional.clear();
    Ok(asked)
}

/// The wheels of `--like`.
fn published(paths: &[Utf8PathBuf]) -> anyhow::Result<Vec<Utf8PathBuf>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let found = Inputs::find(paths)?;
    if let Some(other) = found.files.iter().find(|file| paths.contains(file)) {
        let other = other.as_str().escape_debug();
        anyhow::bail!("`--like {other}` is no wheel\n\nhint: name wheels, or folders with wheels");
    }
    anyhow::ensure!(!found.wheels.is_empty(), "there is no wheel in what `--like` names");
    Ok(found.wheels)
}
