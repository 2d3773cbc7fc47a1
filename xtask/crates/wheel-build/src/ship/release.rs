//! A release on GitHub: which commands make it, from what is to be released and what is there already.
//!
//! A tag has a release of its own. The default branch has one pre-release that follows it: its files are
//! replaced in place, so that a run which is cut off takes none away that another one had brought, and
//! its tag moves to the commit that they were built from.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use pep440_rs::Version;
use serde::Deserialize;

use crate::config::Config;
use crate::exec::{Exec, Step};
use wheel_audit::UserError;

/// What is released, by its Git reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Release {
    /// `refs/tags/NAME`: a release of its own.
    Tag(String),
    /// `refs/heads/NAME` of the default branch: the pre-release with this tag.
    Rolling(String),
}

/// What there is to release.
#[derive(Debug, Clone)]
pub(crate) struct Assets {
    /// The commit that it was built from.
    pub commit: String,
    /// Title of the release.
    pub title: String,
    /// The file with the notes.
    pub notes: Utf8PathBuf,
    /// The folder with the files.
    pub folder: Utf8PathBuf,
    /// Their names, in order.
    pub files: Vec<String>,
}

impl Release {
    /// What `reference` stands for.
    ///
    /// # Errors
    /// When the reference is neither a tag nor the default branch.
    pub(crate) fn of(reference: &str, config: &Config) -> Result<Self, UserError> {
        let branch = config.ci.branch.as_ref().map_or("main", |branch| branch.0.as_str());
        let plain = |name: &str| !name.is_empty() && !name.starts_with('-');
        if let Some(tag) = reference.strip_prefix("refs/tags/").filter(|tag| plain(tag)) {
            return Ok(Self::Tag(tag.to_owned()));
        }
        if reference.strip_prefix("refs/heads/") == Some(branch) {
            return Ok(Self::Rolling(config.publish.rolling.0.clone()));
        }
        let (reference, branch) = (reference.to_owned(), branch.to_owned());
        Err(UserError::new(format!("`{reference}` is neither a tag nor the branch `{branch}`")).hint(format!(
            "`refs/tags/v1.0` makes a release, `refs/heads/{branch}` the pre-release that follows the \
             branch (`[ci] branch` in wheels.toml)"
        )))
    }

    /// The tag of the release.
    pub(crate) fn tag(&self) -> &str {
        match self {
            Self::Tag(tag) | Self::Rolling(tag) => tag,
        }
    }

    /// Whether a tag that is a version is that of the wheels. Other tags may be called anything.
    ///
    /// # Errors
    /// When the tag names another version than the wheels.
    pub(crate) fn fits(&self, version: &str) -> Result<(), UserError> {
        let Self::Tag(tag) = self else { return Ok(()) };
        let number = tag.rsplit('/').next().unwrap_or(tag).trim_start_matches('v');
        let asked = number.parse::<Version>();
        // In a file name `-` is written `_`.
        let found = version.replace('_', "-").parse::<Version>();
        match (asked, found) {
            (Ok(asked), Ok(found)) if asked != found => Err(UserError::new(format!(
                "the tag `{tag}` is for another version than the wheels, which are {version}"
            ))
            .hint(
                "an index never takes a file name twice, so set the version in wheels.toml or in \
                     the package first, and then the tag",
            )),
            _ => Ok(()),
        }
    }
}

#[derive(Deserialize)]
struct View {
    assets: Vec<Asset>,
}

#[derive(Deserialize)]
struct Asset {
    name: String,
}

/// The names of the files that the release has; `None` where there is no such release.
///
/// # Errors
/// When GitHub cannot be asked.
pub(crate) fn existing(
    exec: &Exec,
    root: &Utf8Path,
    release: &Release,
) -> anyhow::Result<Option<Vec<String>>> {
    let step = gh(root, ["release", "view", release.tag(), "--json", "assets"]);
    match exec.read(&step) {
        Ok(text) => {
            let view: View =
                serde_json::from_str(&text).context("`gh release view` gave no list of files")?;
            Ok(Some(view.assets.into_iter().map(|asset| asset.name).collect()))
        }
        // The words of `gh`, whose exit status is 1 for every failure.
        Err(error) if error.stderr().contains("release not found") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sees that `commit` is the full name of one.
///
/// # Errors
/// When it is no commit.
pub(crate) fn check_commit(commit: &str) -> Result<(), UserError> {
    if commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(UserError::new(format!("`{commit}` is no commit: 40 hexadecimal digits"))
        .hint("`--commit \"$(git rev-parse HEAD)\"` names the commit that is checked out"))
}

/// The commands that make the release, `existing` being what [`existing()`] found.
///
/// # Errors
/// When it is no commit.
pub(crate) fn steps(
    root: &Utf8Path,
    release: &Release,
    assets: &Assets,
    existing: Option<&[String]>,
) -> Result<Vec<Step>, UserError> {
    let Assets { commit, title, notes, .. } = assets;
    check_commit(commit)?;
    let tag = release.tag();
    let files = || assets.files.iter().map(|name| assets.folder.join(name).into_string());
    let text = ["--title", title, "--notes-file", notes.as_str()];
    Ok(match (release, existing) {
        (Release::Tag(_), None) => {
            let create = ["release", "create", tag, "--verify-tag"].into_iter().chain(text);
            vec![with(gh(root, create), files())]
        }
        // Someone wrote it, or an earlier attempt: its notes stay.
        (Release::Tag(_), Some(_)) => {
            vec![with(gh(root, ["release", "upload", tag, "--clobber"]), files())]
        }
        (Release::Rolling(_), None) => {
            let create = ["release", "create", tag, "--prerelease", "--target", commit];
            vec![with(gh(root, create.into_iter().chain(text)), files())]
        }
        (Release::Rolling(_), Some(existing)) => {
            let upload = gh(root, ["release", "upload", tag, "--clobber"]);
            let mut steps = vec![with(upload, files())];
            for old in existing.iter().filter(|name| !assets.files.contains(name)) {
                steps.push(gh(root, ["release", "delete-asset", "--yes", "--", tag, old]));
            }
            let reference = format!("repos/{{owner}}/{{repo}}/git/refs/tags/{tag}");
            let sha = format!("sha={commit}");
            let patch = ["api", "--method", "PATCH", &reference, "-f", &sha, "-F", "force=true"];
            steps.push(gh(root, patch.into_iter().chain(["--silent"])));
            let edit = ["release", "edit", tag, "--prerelease"].into_iter().chain(text);
            steps.push(gh(root, edit));
            steps
        }
    })
}

fn gh<'a>(root: &Utf8Path, args: impl IntoIterator<Item = &'a str>) -> Step {
    let hint = "`gh auth status` says whether `gh` may write here; in a workflow it needs `GH_TOKEN` \
                and the permission `contents: write`";
    Step::new("gh", args).cwd(root).hint(hint)
}

fn with(step: Step, files: impl Iterator<Item = String>) -> Step {
    files.fold(step, Step::arg)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn assets() -> Assets {
        Assets {
            commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            title: "demo 1.0".to_owned(),
            notes: "notes.md".into(),
            folder: "out".into(),
            files: vec!["SHA256SUMS".to_owned(), "a.whl".to_owned()],
        }
    }

    fn lines(release: &Release, existing: Option<&[String]>) -> String {
        let steps = steps("/r".into(), release, &assets(), existing).unwrap();
        let lines: Vec<_> =
            steps.iter().map(|step| step.to_string().replace("cd /r && ", "")).collect();
        lines.join("\n")
    }

    #[test]
    fn a_tag_has_a_release_of_its_own() {
        let tag = Release::Tag("v1.0".to_owned());
        insta::assert_snapshot!(lines(&tag, None), @r"
        gh release create v1.0 --verify-tag --title 'demo 1.0' --notes-file notes.md out/SHA256SUMS out/a.whl
        ");
        insta::assert_snapshot!(lines(&tag, Some(&[])), @r"
        gh release upload v1.0 --clobber out/SHA256SUMS out/a.whl
        ");
    }

    #[test]
    fn the_pre_release_follows_the_branch_and_loses_old_files_last() {
        let rolling = Release::Rolling("wheels-latest".to_owned());
        insta::assert_snapshot!(lines(&rolling, None), @r"
        gh release create wheels-latest --prerelease --target 0123456789abcdef0123456789abcdef01234567 --title 'demo 1.0' --notes-file notes.md out/SHA256SUMS out/a.whl
        ");
        let old = ["a.whl".to_owned(), "old.whl".to_owned()];
        insta::assert_snapshot!(lines(&rolling, Some(&old)), @r"
        gh release upload wheels-latest --clobber out/SHA256SUMS out/a.whl
        gh release delete-asset --yes -- wheels-latest old.whl
        gh api --method PATCH 'repos/{owner}/{repo}/git/refs/tags/wheels-latest' -f sha=0123456789abcdef0123456789abcdef01234567 -F force=true --silent
        gh release edit wheels-latest --prerelease --title 'demo 1.0' --notes-file notes.md
        ");
    }

    #[test]
    fn a_tag_that_is_a_version_is_that_of_the_wheels() {
        let fits = |tag: &str| Release::Tag(tag.to_owned()).fits("1.0.post1").is_ok();
        assert!(fits("v1.0.post1") && fits("1.0-1") && fits("demo/v1.0.post1"));
        assert!(fits("spring"), "no version at all");
        assert!(!fits("v1.0") && !fits("v1.0.post2"));
        assert!(Release::Rolling("1.0".to_owned()).fits("2.0").is_ok());
    }

    #[test]
    fn what_is_no_commit_is_refused() {
        let assets = Assets { commit: "main".to_owned(), ..assets() };
        let error = steps("/r".into(), &Release::Rolling("l".to_owned()), &assets, None);
        assert!(error.unwrap_err().to_string().contains("`main` is no commit"));
    }

    #[test]
    fn a_release_that_there_is_not_is_told_from_a_failure() {
        use crate::exec::Captured;
        let ask = |captured: Captured| {
            let exec = Exec::fake(move |_| Ok(captured.clone()));
            existing(&exec, "/r".into(), &Release::Tag("v1".to_owned()))
        };
        assert_eq!(ask(Captured::failed("release not found")).unwrap(), None);
        let json = "{\"assets\":[{\"name\":\"a.whl\",\"size\":1}]}";
        assert_eq!(ask(Captured::ok(json)).unwrap(), Some(vec!["a.whl".to_owned()]));
        assert!(ask(Captured::failed("HTTP 401: Bad credentials")).is_err());
        assert!(ask(Captured::ok("[]")).is_err());
    }
}
