//! Checks that the types alone cannot make.

use std::collections::BTreeSet;
use std::ops::Range;

use camino::{Utf8Component, Utf8PathBuf};
use toml::Spanned;

use super::error::{ConfigError, nearest, suggested};
use super::place::item;
use super::raw::{RawConfig, RawTarget};
use super::text::Text;
use super::{
    Build, Cache, Check, Ci, Config, JobOverride, LayerCache, Target, Test, image_name, words,
};
use wheel_audit::isa::Machine;
use wheel_audit::policy::{Libc, LibcVersion};
use wheel_audit::wheel::Interpreter;

/// Validates `raw`, which was parsed from `text`.
///
/// # Errors
/// The first invalid value, with its place.
pub(super) fn validated(text: &Text<'_>, raw: RawConfig) -> Result<Config, ConfigError> {
    Checker { text }.config(raw)
}

pub(super) struct Checker<'a> {
    pub(super) text: &'a Text<'a>,
}

impl Checker<'_> {
    fn config(&self, raw: RawConfig) -> Result<Config, ConfigError> {
        let source = self.source(&raw.source)?;
        self.build(&raw.build)?;
        let check = self.check(raw.check)?;
        let mut names = BTreeSet::new();
        let mut targets = Vec::new();
        for target in raw.target {
            let name = target.get_ref().name.span();
            let target = self.target(target.into_inner(), &raw.build.get_ref().pythons)?;
            if !names.insert(target.name.clone()) {
                return Err(self.at(name, &[], format!("two targets are named `{}`", target.name)));
            }
            targets.push(target);
        }
        let unused_test_keys = self.unused_test_keys(&raw.test, &raw.job_override);
        Ok(Config {
            source,
            check,
            ci: self.ci(raw.ci, &targets)?,
            publish: self.named(raw.publish, &targets, |publish| &publish.targets)?,
            cache: self.cache(raw.cache)?,
            build: raw.build.into_inner(),
            toolchain: raw.toolchain,
            repair: raw.repair,
            test: raw.test,
            job_overrides: raw.job_override,
            engine: raw.engine,
            base_images: raw.base_image,
            targets,
            overrides: Vec::new(),
            unused_test_keys,
        })
    }

    /// The keys of `test`, and of `test` in `overrides`, that only a `command` uses, if there is none.
    fn unused_test_keys(&self, test: &Test, overrides: &[JobOverride]) -> Vec<String> {
        if test.command.is_some() || overrides.iter().any(|each| each.test.command.is_some()) {
            return Vec::new();
        }
        let path = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let items: Vec<String> = (0..overrides.len()).map(item).collect();
        let tables = items.iter().map(|item| path(&["override", item, "test"]));
        let tables = [path(&["test"])].into_iter().chain(tables);
        let keys = tables.flat_map(|table| {
            Test::KEYS_OF_COMMAND.map(|key| [table.as_slice(), &[key.to_owned()]].concat())
        });
        keys.filter_map(|key| self.text.mention(&key)).collect()
    }

    pub(super) fn at(
        &self,
        span: Range<usize>,
        below: &[&str],
        message: impl Into<String>,
    ) -> ConfigError {
        self.text.at(span, below, message.into())
    }

    /// Validates a table whose `targets` must name existing targets.
    fn named<T: Default>(
        &self,
        raw: Option<Spanned<T>>,
        targets: &[Target],
        words: impl Fn(&T) -> &Vec<String>,
    ) -> Result<T, ConfigError> {
        let Some(raw) = raw else { return Ok(T::default()) };
        let (span, table) = (raw.span(), raw.into_inner());
        let is_known = |word: &str| targets.iter().any(|target| target.is_called(word));
        let Some((index, word)) =
            words(&table).iter().enumerate().find(|(_, word)| !is_known(word))
        else {
            return Ok(table);
        };
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        let known = targets.iter().flat_map(|target| [target.name.as_str(), target.image.as_str()]);
        let near = nearest(word, known).map(str::to_owned);
        let hint = (!names.is_empty()).then(|| format!("targets: {}", names.join(", ")));
        let mut path = self.text.path(span);
        path.extend(["targets".to_owned(), item(index)]);
        Err(self.text.invalid(&path, false, format!("there is no target `{word}`"), near, hint))
    }

    fn ci(&self, raw: Option<Spanned<Ci>>, targets: &[Target]) -> Result<Ci, ConfigError> {
        let span = raw.as_ref().map(Spanned::span).unwrap_or_default();
        let ci = self.named(raw, targets, |ci| &ci.targets)?;
        match (ci.cache, &ci.cache_repository) {
            (LayerCache::Registry, None) => {
                let message = "`cache = \"registry\"` requires `cache-repository`";
                Err(self.at(span, &["cache"], message))
            }
            (LayerCache::Gha | LayerCache::None, Some(_)) => {
                let message = "`cache-repository` requires `cache = \"registry\"`";
                Err(self.at(span, &["cache-repository"], message))
            }
            _ => Ok(ci),
        }
    }

    fn cache(&self, raw: Option<Spanned<Cache>>) -> Result<Cache, ConfigError> {
        let Some(raw) = raw else { return Ok(Cache::default()) };
        let (span, cache) = (raw.span(), raw.into_inner());
        cache.lacking().map_or(Ok(()), |(list, index, message)| {
            Err(self.at(span, &[list, &item(index)], message))
        })?;
        Ok(cache)
    }

    fn build(&self, build: &Spanned<Build>) -> Result<(), ConfigError> {
        let (span, build) = (build.span(), build.get_ref());
        for (key, is_empty) in
            [("pythons", build.pythons.is_empty()), ("providers", build.providers.is_empty())]
        {
            if is_empty {
                return Err(self.at(span, &[key], "the list is empty"));
            }
        }
        let leaves = |path: &&Utf8PathBuf| {
            path.components().any(|part| !matches!(part, Utf8Component::Normal(_)))
        };
        if let Some(path) = build.requirements.as_ref().filter(leaves) {
            let message = format!("`{path}` is not a file of the repository");
            return Err(self.at(span, &["requirements"], message));
        }
        Ok(())
    }

    fn check(&self, check: Option<Spanned<Check>>) -> Result<Check, ConfigError> {
        let Some(check) = check else { return Ok(Check::default()) };
        let span = check.span();
        let mut check = check.into_inner();
        for each in &mut check.overrides {
            each.place = self.text.place_of(each.code.span());
        }
        if let Some(module) = check.calls.keys().find(|module| !check.imports.contains(module)) {
            let mut path = self.text.path(span);
            path.extend(["calls".to_owned(), module.clone()]);
            let near = nearest(module, check.imports.iter().map(String::as_str));
            let message = format!("`check.imports` does not name `{module}`");
            return Err(self.text.invalid(&path, true, message, near.map(str::to_owned), None));
        }
        for (arch, level) in &check.isa {
            let machine = match arch.as_str() {
                "amd64" => Some(Machine::X86_64),
                "386" => Some(Machine::I686),
                "arm64" => Some(Machine::Aarch64),
                _ => None,
            };
            if machine != Some(level.machine()) {
                let mut path = self.text.path(span);
                path.extend(["isa".to_owned(), arch.clone()]);
                let message = match machine {
                    None => format!("`{arch}` is not one of amd64, arm64 and 386"),
                    Some(_) => format!("`{level}` is not a level of {arch}"),
                };
                let near = machine.is_none().then(|| suggested(&path, arch)).flatten();
                return Err(self.text.invalid(&path, machine.is_none(), message, near, None));
            }
        }
        Ok(check)
    }

    /// Validates a target; `pythons` are those of `[build]`.
    fn target(&self, raw: RawTarget, pythons: &[Interpreter]) -> Result<Target, ConfigError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        // Images use the name, and OCI distribution allows a dot or `_` only between letters or digits.
        let is_part =
            |part: &str| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-');
        let name = raw.name.get_ref();
        if !name.chars().all(plain) || !name.split(['.', '_']).all(is_part) {
            let message = format!(
                "`{name}` is not a valid target name: use lower-case letters and digits, with `.`, `_` or `-` between them"
            );
            return Err(self.at(raw.name.span(), &[], message));
        }
        words::IMAGE
            .check(raw.image.get_ref())
            .map_err(|message| self.at(raw.image.span(), &[], message))?;
        if raw.platforms.is_empty() {
            let message = format!("target `{name}` has no platforms");
            return Err(self.at(raw.name.span(), &[], message));
        }
        if raw.pythons.as_ref().is_some_and(Vec::is_empty) {
            let message =
                format!("target `{name}` has no interpreters; remove `pythons` to build for all");
            return Err(self.at(raw.name.span(), &[], message));
        }
        for digest in raw.digest.values() {
            let hex = digest.get_ref().strip_prefix("sha256:").unwrap_or_default();
            if hex.len() != 64 || !hex.chars().all(|c| c.is_ascii_hexdigit()) {
                let message = format!("`{}` is not a digest (`sha256:…`)", digest.get_ref());
                return Err(self.at(digest.span(), &[], message));
            }
        }
        if let Some(bootstrap) = &raw.bootstrap
            && let Some(problem) = bootstrap.get_ref().problem()
        {
            return Err(self.at(bootstrap.span(), &[], problem));
        }
        if let Some(snapshot) = &raw.snapshot {
            words::SNAPSHOT
                .check(snapshot.get_ref())
                .map_err(|message| self.at(snapshot.span(), &[], message))?;
        }
        if let Some(url) = &raw.snapshot_url {
            words::check_snapshot_url(url.get_ref())
                .map_err(|message| self.at(url.span(), &[], message))?;
            if raw.snapshot.is_none() {
                let message = "`snapshot-url` requires `snapshot`";
                return Err(self.at(url.span(), &[], message));
            }
        }
        let digest = raw.digest.into_iter().map(|(k, v)| (k, v.into_inner())).collect();
        Ok(Target {
            libc: self.libc(&raw.name, raw.glibc.as_ref(), raw.musl.as_ref())?,
            name: raw.name.into_inner(),
            image: image_name(raw.image.get_ref()).image,
            family: raw.family,
            platforms: raw.platforms,
            pythons: raw.pythons.unwrap_or_else(|| pythons.to_vec()),
            digest,
            bootstrap: raw.bootstrap.map(Spanned::into_inner),
            snapshot: raw.snapshot.map(Spanned::into_inner),
            snapshot_url: raw.snapshot_url.map(Spanned::into_inner),
        })
    }

    fn libc(
        &self,
        name: &Spanned<String>,
        glibc: Option<&Spanned<String>>,
        musl: Option<&Spanned<String>>,
    ) -> Result<Option<Libc>, ConfigError> {
        let (text, make): (_, fn(LibcVersion) -> Libc) = match (glibc, musl) {
            (Some(text), None) => (text, Libc::Glibc),
            (None, Some(text)) => (text, Libc::Musl),
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let message =
                    format!("target `{}` has both `glibc` and `musl`; keep one", name.get_ref());
                return Err(self.at(name.span(), &[], message));
            }
        };
        text.get_ref().parse().map(|version| Some(make(version))).map_err(|_| {
            let message = format!("`{}` is not a version like \"2.36\"", text.get_ref());
            self.at(text.span(), &[], message)
        })
    }
}
