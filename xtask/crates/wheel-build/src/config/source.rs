//! `[source]`: checks that the types alone cannot make.

use std::ops::Range;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use glob::Pattern;
use toml::Spanned;

use super::error::ConfigError;
use super::overrides::PathPattern;
use super::place::item;
use super::raw::RawSource;
use super::validate::Checker;
use super::{LocalSource, Source};

impl Checker<'_> {
    pub(super) fn source(&self, raw: &Spanned<RawSource>) -> Result<Source, ConfigError> {
        let (span, raw) = (raw.span(), raw.get_ref());
        match (&raw.sdist, &raw.path) {
            (Some(sdist), None) => {
                let Some(sha256) = &raw.sha256 else {
                    let message = "`sdist` requires its `sha256`, so that every build uses the same \
                                   source; the index shows it beside the file";
                    return Err(self.at(sdist.span(), &[], message));
                };
                if let Some((key, span)) = local_key(raw) {
                    let message = format!(
                        "`{key}` requires `path`: the index decides what a source archive contains"
                    );
                    return Err(self.at(span, &[], message));
                }
                self.sdist(sdist, sha256)
            }
            (None, Some(path)) => Ok(Source::Path(self.local(raw, path)?)),
            _ => {
                let message =
                    "the source is missing; write `sdist = \"name==version\"` or `path = \".\"`";
                Err(self.at(span, &[], message))
            }
        }
    }

    fn local(
        &self,
        raw: &RawSource,
        path: &Spanned<Utf8PathBuf>,
    ) -> Result<LocalSource, ConfigError> {
        if raw.sha256.is_some() || leaves_folder(path.get_ref()) {
            let message = "`path` must be a folder of this repository, relative to this file, and \
                           has no `sha256`";
            return Err(self.at(path.span(), &[], message));
        }
        if let Some(package) =
            raw.package.as_ref().filter(|package| leaves_folder(package.get_ref()))
        {
            let message = "`package` must be a folder below `path`, relative to it";
            return Err(self.at(package.span(), &[], message));
        }
        let package = raw.package.as_ref().map(|package| package.get_ref().as_path());
        // `.` and `./python/` are the same folders as `` and `python`.
        let parts = package.into_iter().flat_map(Utf8Path::components);
        let package = parts.filter(|part| *part != Utf8Component::CurDir).collect();
        Ok(LocalSource {
            path: path.get_ref().clone(),
            package,
            include: self.patterns("include", raw.include.as_ref())?,
            exclude: self.patterns("exclude", raw.exclude.as_ref())?,
            submodules: self.patterns("submodules", raw.submodules.as_ref())?,
            git: raw.git.as_ref().is_none_or(|git| *git.get_ref()),
        })
    }

    /// Patterns of paths below `path`.
    fn patterns(
        &self,
        key: &str,
        raw: Option<&Spanned<Vec<PathPattern>>>,
    ) -> Result<Vec<PathPattern>, ConfigError> {
        let Some(raw) = raw else { return Ok(Vec::new()) };
        let is_outside = |pattern: &PathPattern| leaves_folder(Utf8Path::new(pattern.0.as_str()));
        if let Some(index) = raw.get_ref().iter().position(is_outside) {
            let message = format!("`{key}` must name files below `path`, relative to it");
            return Err(self.at(raw.span(), &[&item(index)], message));
        }
        Ok(raw.get_ref().iter().map(plain).collect())
    }

    fn sdist(
        &self,
        sdist: &Spanned<String>,
        sha256: &Spanned<String>,
    ) -> Result<Source, ConfigError> {
        let word = |c: char| c.is_ascii_alphanumeric() || "._-+!".contains(c);
        let parts = sdist.get_ref().split_once("==").filter(|(name, version)| {
            let starts = |text: &str| text.starts_with(|c: char| c.is_ascii_alphanumeric());
            starts(name) && starts(version) && name.chars().chain(version.chars()).all(word)
        });
        let Some((name, version)) = parts else {
            let message = format!("`{}` is not of the form `name==version`", sdist.get_ref());
            return Err(self.at(sdist.span(), &[], message));
        };
        let hash = sha256.get_ref();
        if hash.len() != 64 || !hash.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
            let message = "`sha256` is not 64 lower-case hexadecimal digits".to_owned();
            return Err(self.at(sha256.span(), &[], message));
        }
        let (name, version) = (name.to_owned(), version.to_owned());
        Ok(Source::Sdist { name, version, sha256: hash.clone() })
    }
}

/// `./docs/` means the same as `docs`.
fn plain(pattern: &PathPattern) -> PathPattern {
    let text = pattern.0.as_str().trim_start_matches("./").trim_end_matches('/');
    Pattern::new(text).map_or_else(|_| pattern.clone(), PathPattern)
}

/// Returns whether a relative path leaves its folder.
fn leaves_folder(path: &Utf8Path) -> bool {
    path.is_absolute() || path.components().any(|part| part == Utf8Component::ParentDir)
}

/// The first key that only a local folder supports, and its place.
fn local_key(raw: &RawSource) -> Option<(&'static str, Range<usize>)> {
    let patterns =
        [("include", &raw.include), ("exclude", &raw.exclude), ("submodules", &raw.submodules)];
    let patterns = patterns.into_iter().filter_map(|(key, it)| Some((key, it.as_ref()?.span())));
    let package = raw.package.as_ref().map(|it| ("package", it.span()));
    let git = raw.git.as_ref().map(|it| ("git", it.span()));
    package.into_iter().chain(patterns).chain(git).next()
}
