//! A release on GitHub: the commands that create or update it.
//!
//! A tag has its own release. The default branch has one rolling pre-release. `release` replaces its files in
//! place, so an interrupted run removes no files of an earlier run. Its tag moves to the commit of the files.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use pep440_rs::Version;
use serde::Deserialize;

use super::tag;
use crate::config::Config;
use crate::exec::{Exec, Step};
use wheel_audit::UserError;
use wheel_audit::dist::MANIFEST;

/// Kind of release, by Git reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Release {
    /// `refs/tags/NAME`: its own release.
    Tag(String),
    /// `refs/heads/NAME` of the default branch: the rolling pre-release with this tag.
    Rolling(String),
}

/// Contents of a release.
#[derive(Debug, Clone)]
pub(crate) struct Assets {
    /// Commit that the wheels were built from.
    pub commit: String,
    /// Title of the release.
    pub title: String,
    /// File with the notes.
    pub notes: Utf8PathBuf,
    /// Folder with the files.
    pub folder: Utf8PathBuf,
    /// Names of the files, in order.
    pub files: Vec<String>,
}

impl Release {
    /// Parses a Git reference.
    ///
    /// # Errors
    /// If the reference is neither a tag nor the default branch.
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
            "use `refs/tags/v1.0` for a release, `refs/heads/{branch}` for the rolling pre-release \
             of the branch (`[ci] branch` in wheels.toml)"
        )))
    }

    pub(crate) fn tag(&self) -> &str {
        match self {
            Self::Tag(tag) | Self::Rolling(tag) => tag,
        }
    }

    /// Returns whether this releases wheels of `project` in `version`: false for a tag that is not a version of it.
    ///
    /// # Errors
    /// If the tag names another version than the wheels.
    pub(crate) fn takes(&self, project: &str, version: &str) -> Result<bool, UserError> {
        let Self::Tag(tag) = self else { return Ok(true) };
        let Some(tagged) = tag::version(tag, project) else { return Ok(false) };
        // File names contain `_` instead of `-`.
        let found = version.replace('_', "-").parse::<Version>();
        if found.is_ok_and(|found| found == tagged) {
            return Ok(true);
        }
        Err(UserError::new(format!(
            "the tag `{tag}` names another version than the wheels, which have {version}"
        ))
        .hint(
            "an index accepts each file name only once: first set the version in wheels.toml or \
             the package, then create the tag",
        ))
    }
}

/// The message for a tag that is not a version.
pub(crate) fn nothing(tag: &str, project: &str) -> String {
    format!(
        "nothing is released: the tag `{tag}` is not a version of {project} (`1.0`, `v1.0`, \
         `{project}-1.0`, `{project}/v1.0`)"
    )
}

/// The command that prints the commit of the tag of `release` on the remote; `None` for the pre-release, whose tag
/// the release itself moves.
pub(crate) fn commit_step(root: &Utf8Path, release: &Release) -> Option<Step> {
    let Release::Tag(tag) = release else { return None };
    // Unlike the tag's object, this is the commit of an annotated tag as well.
    let path = format!("repos/{{owner}}/{{repo}}/commits/tags/{tag}");
    Some(gh(root, ["api", &path, "--jq", ".sha"]))
}

/// Rejects a tag that names another commit on the remote than the one of the wheels: it was moved or deleted during
/// this run.
///
/// # Errors
/// If the tag differs, or GitHub cannot be queried.
pub(crate) fn check_tag(
    exec: &Exec,
    root: &Utf8Path,
    release: &Release,
    commit: &str,
) -> anyhow::Result<()> {
    let Some(step) = commit_step(root, release) else { return Ok(()) };
    let tag = release.tag();
    let now = match exec.read_again(&step) {
        Ok(now) => now.trim().to_ascii_lowercase(),
        // `gh` prints GitHub's status for an unknown reference.
        Err(error) if ["HTTP 404", "HTTP 422"].iter().any(|it| error.stderr().contains(it)) => {
            let error = UserError::new(format!("GitHub has no commit for the tag `{tag}`"));
            anyhow::bail!(error.hint("push the tag; its own workflow run creates the release"));
        }
        Err(error) => return Err(error.into()),
    };
    anyhow::ensure!(
        now == commit.to_ascii_lowercase(),
        UserError::new(format!(
            "the tag `{tag}` was moved to commit {now}, but the wheels were built from {commit}"
        ))
        .hint("the workflow run of the moved tag releases the wheels of its commit")
    );
    Ok(())
}

#[derive(Deserialize)]
struct View {
    assets: Vec<Asset>,
}

#[derive(Deserialize)]
struct Asset {
    name: String,
}

/// Names of the files of an existing release; `None` if the release does not exist.
///
/// # Errors
/// If GitHub cannot be queried.
pub(crate) fn existing(
    exec: &Exec,
    root: &Utf8Path,
    release: &Release,
) -> anyhow::Result<Option<Vec<String>>> {
    let step = gh(root, ["release", "view", release.tag(), "--json", "assets"]);
    match exec.read_again(&step) {
        Ok(text) => {
            let view: View = serde_json::from_str(&text)
                .context("`gh release view` printed no list of files")?;
            Ok(Some(view.assets.into_iter().map(|asset| asset.name).collect()))
        }
        // `gh` exits with 1 for every failure, so its message decides.
        Err(error) if error.stderr().contains("release not found") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "tagName")]
    tag: String,
}

/// Tag of the newest release that is not a draft, not a pre-release, and not `except`.
///
/// # Errors
/// If GitHub cannot be queried.
pub(crate) fn last(
    exec: &Exec,
    root: &Utf8Path,
    except: Option<&str>,
) -> anyhow::Result<Option<String>> {
    let options = ["--exclude-drafts", "--exclude-pre-releases", "--limit", "20"];
    let step = gh(root, ["release", "list", "--json", "tagName"].into_iter().chain(options));
    let text = exec.read_again(&step)?;
    let all: Vec<Listed> =
        serde_json::from_str(&text).context("`gh release list` printed no list of releases")?;
    Ok(all.into_iter().map(|listed| listed.tag).find(|tag| Some(tag.as_str()) != except))
}

/// The command that downloads the files for a comparison.
pub(crate) fn download_step(root: &Utf8Path, tag: &str, folder: &Utf8Path) -> Step {
    let patterns = ["--pattern", "*.whl", "--pattern", MANIFEST];
    let download = ["release", "download", "--clobber", "--dir", folder.as_str()];
    gh(root, download.into_iter().chain(patterns).chain(["--", tag]))
}

/// Requires `commit` to be a full commit hash.
///
/// # Errors
/// If it is not.
pub(crate) fn check_commit(commit: &str) -> Result<(), UserError> {
    if commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(UserError::new(format!("`{commit}` is not a commit hash of 40 hexadecimal digits"))
        .hint("`--commit \"$(git rev-parse HEAD)\"` names the current commit"))
}

/// The commands that create or update the release. `existing` is the result of [`existing()`].
///
/// # Errors
/// If the commit is not a full hash.
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
        // The release exists, so its notes are kept.
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
    let hint = "`gh auth status` shows whether `gh` has write access; in a workflow it requires \
                `GH_TOKEN` and the permission `contents: write`";
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
    fn each_tag_has_its_own_release() {
        let tag = Release::Tag("v1.0".to_owned());
        insta::assert_snapshot!(lines(&tag, None), @r"
        gh release create v1.0 --verify-tag --title 'demo 1.0' --notes-file notes.md out/SHA256SUMS out/a.whl
        ");
        insta::assert_snapshot!(lines(&tag, Some(&[])), @r"
        gh release upload v1.0 --clobber out/SHA256SUMS out/a.whl
        ");
    }

    #[test]
    fn the_pre_release_follows_the_branch_and_drops_old_files_last() {
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
    fn a_version_tag_must_match_the_wheels() {
        let takes = |tag: &str| Release::Tag(tag.to_owned()).takes("demo", "1.0.post1").ok();
        for tag in ["v1.0.post1", "1.0-1", "demo/v1.0.post1", "demo-1.0.post1"] {
            assert_eq!(takes(tag), Some(true), "{tag}");
        }
        assert_eq!((takes("spring"), takes("other-1.0")), (Some(false), Some(false)));
        assert_eq!((takes("v1.0"), takes("demo-1.0.post2")), (None, None));
        assert_eq!(Release::Rolling("1.0".to_owned()).takes("demo", "2.0").ok(), Some(true));
    }

    #[test]
    fn a_moved_or_deleted_tag_is_rejected_with_both_commits() {
        use crate::exec::Captured;
        let built = assets().commit;
        let check = |release: &Release, answer: Captured| {
            let exec = Exec::fake(move |_| Ok(answer.clone()));
            check_tag(&exec, "/r".into(), release, &built).map_err(|error| error.to_string())
        };
        let tag = Release::Tag("demo/v1.0".to_owned());
        assert!(check(&tag, Captured::ok(&format!("{}\n", built.to_uppercase()))).is_ok());
        let moved = check(&tag, Captured::ok(&"f".repeat(40))).unwrap_err();
        assert!(moved.contains(&built) && moved.contains(&"f".repeat(40)), "{moved}");
        for message in ["gh: Not Found (HTTP 404)", "gh: No commit found (HTTP 422)", "HTTP 401"] {
            assert!(check(&tag, Captured::failed(message)).is_err(), "{message}");
        }
        let rolling = Release::Rolling("l".to_owned());
        assert!(check(&rolling, Captured::failed("not queried")).is_ok());
        let step = commit_step("/r".into(), &tag).unwrap();
        assert_eq!(step.args[1], "repos/{owner}/{repo}/commits/tags/demo/v1.0");
    }

    #[test]
    fn a_branch_name_is_rejected_as_a_commit() {
        let assets = Assets { commit: "main".to_owned(), ..assets() };
        let error = steps("/r".into(), &Release::Rolling("l".to_owned()), &assets, None);
        let error = error.unwrap_err();
        assert!(error.to_string().contains("`main`"), "{error}");
        assert!(error.hint.unwrap().contains("git rev-parse HEAD"));
    }

    #[test]
    fn a_missing_release_is_not_a_failure() {
        use crate::exec::Captured;
        let query = |captured: Captured| {
            let exec = Exec::fake(move |_| Ok(captured.clone()));
            existing(&exec, "/r".into(), &Release::Tag("v1".to_owned()))
        };
        assert_eq!(query(Captured::failed("release not found")).unwrap(), None);
        let json = "{\"assets\":[{\"name\":\"a.whl\",\"size\":1}]}";
        assert_eq!(query(Captured::ok(json)).unwrap(), Some(vec!["a.whl".to_owned()]));
        assert!(query(Captured::failed("HTTP 401: Bad credentials")).is_err());
        assert!(query(Captured::ok("[]")).is_err());
    }
}
