//! Where an adopting repository gets the tool from.

use std::fmt;
use std::io;
use std::str::FromStr;
use wheel_audit::UserError;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use toml_edit::{DocumentMut, Item, value};
use walkdir::WalkDir;

use super::git_url::cargo_url;
use crate::clone::{CRATE, NOT_VENDORED, VENDORED, is_clone};
use crate::engine::doctor::docker::without_credentials;
use crate::exec::{Exec, Step};

/// The folder of the tool's copy in the adopting repository.
pub(super) const VENDOR: &str = "xtask/vendor";

/// The hint for a clone whose origin is of no use.
const FORMS: &str = "use `--tool git=URL#REV`, `--tool path=DIR` or `--tool vendor`";

/// Where the tool comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tool {
    /// A commit of a git repository.
    Git {
        /// Its URL.
        url: String,
        /// The commit, or a tag.
        rev: String,
    },
    /// A clone on this machine or in the repository.
    Path(Utf8PathBuf),
    /// A copy in `xtask/vendor/`.
    Vendor,
}

impl FromStr for Tool {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not one of `git=URL#REV`, `path=DIR` and `vendor`");
        match text.split_once('=') {
            None if text == "vendor" => Ok(Self::Vendor),
            Some(("path", dir)) if !dir.is_empty() => Ok(Self::Path(dir.into())),
            Some(("git", place)) => match place.rsplit_once('#') {
                Some((url, rev)) if !url.is_empty() && !rev.is_empty() => {
                    let cargo = cargo_url(Utf8Path::new(""), url, home().as_deref());
                    let url = cargo.ok_or_else(|| {
                        format!(
                            "`{url}` is not a URL that cargo accepts, such as `https://HOST/PATH`"
                        )
                    })?;
                    Ok(Self::Git { url, rev: rev.to_owned() })
                }
                None if !place.is_empty() => Err(UserError::explain(
                    &UserError::new(format!("`{place}` names no revision"))
                        .hint(format!("write `git={place}#REV`, where REV is a commit or a tag")),
                )),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git { url, rev } => write!(f, "{url} at {rev}"),
            Self::Path(dir) => write!(f, "{dir}"),
            Self::Vendor => write!(f, "a copy in {VENDOR}/"),
        }
    }
}

impl Tool {
    /// The `origin` and the current commit of the clone `root`.
    ///
    /// # Errors
    /// If `root` is not a clone of the tool or not a git repository, or has no `origin`.
    pub(super) fn of_clone(exec: &Exec, root: &Utf8Path) -> anyhow::Result<Self> {
        anyhow::ensure!(
            is_clone(root),
            UserError::new(format!("`{root}` is not a clone of the tool")).hint(FORMS)
        );
        let git = |args: &[&str]| -> anyhow::Result<String> {
            let step = Step::new("git", args.iter().copied()).cwd(root).hint(FORMS);
            Ok(exec.read(&step)?.trim().to_owned())
        };
        let origin = git(&["remote", "get-url", "origin"])?;
        let url = cargo_url(root, &origin, home().as_deref()).ok_or_else(|| {
            let origin = without_credentials(&origin);
            UserError::new(format!(
                "`{origin}`, the `origin` of `{root}`, has no form that cargo accepts"
            ))
            .hint(FORMS)
        })?;
        Ok(Self::Git { url, rev: git(&["rev-parse", "HEAD"])? })
    }

    /// The tool in the clone `root`, if `manifest`, the text of an `xtask/Cargo.toml`, uses another commit of a git
    /// repository; with the revision that it uses.
    pub(crate) fn differing(
        exec: &Exec,
        root: &Utf8Path,
        manifest: &str,
    ) -> Option<(Self, String)> {
        let manifest: toml::Table = manifest.parse().unwrap_or_default();
        let dependency = manifest.get("dependencies").and_then(|it| it.get("wheel-build"));
        let text = |key| dependency?.get(key)?.as_str();
        let used = text("rev").or(text("tag")).filter(|rev| !rev.starts_with('-'))?;
        let tool = Self::of_clone(exec, root).ok()?;
        let commit = format!("{used}^{{commit}}");
        let step = Step::new("git", ["rev-parse", "--verify", "--quiet", commit.as_str()]);
        // A revision that the clone does not have is another one.
        let found = exec.read(&step.cwd(root)).unwrap_or_default();
        let is_same = matches!(&tool, Self::Git { rev, .. } if found.trim() == rev);
        (!is_same).then(|| (tool, used.to_owned()))
    }

    /// The dependency as an inline table, for the manifest in `repository/xtask/`.
    ///
    /// # Errors
    /// If a path does not hold a clone of the tool.
    pub(super) fn dependency(&self, repository: &Utf8Path) -> anyhow::Result<String> {
        let text = |text: &str| value(text).to_string();
        Ok(match self {
            Self::Git { url, rev } => format!("{{ git = {}, rev = {} }}", text(url), text(rev)),
            Self::Path(dir) => {
                let dir = dir.canonicalize_utf8().with_context(|| format!("`{dir}`"))?;
                anyhow::ensure!(
                    is_clone(&dir),
                    "`{dir}` is not a clone of the tool: it has no `{CRATE}/Cargo.toml`"
                );
                format!(
                    "{{ path = {} }}",
                    text(relative(&repository.join("xtask"), &dir.join(CRATE)).as_str())
                )
            }
            Self::Vendor => format!("{{ path = {} }}", text(&format!("vendor/{CRATE}"))),
        })
    }
}

/// This user's home folder.
fn home() -> Option<String> {
    std::env::var("HOME").ok().filter(|home| !home.is_empty())
}

/// The relative path from the folder `from` to `to`, both absolute.
fn relative(from: &Utf8Path, to: &Utf8Path) -> Utf8PathBuf {
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| "..");
    up.chain(to.components().skip(common).map(|part| part.as_str())).collect()
}

/// The files of the tool's copy, by path, from the clone `root`. Errors name `command`.
///
/// # Errors
/// If `root` is not a clone of the tool, or a file cannot be read.
pub(super) fn vendored(
    root: &Utf8Path,
    command: &str,
) -> anyhow::Result<Vec<(Utf8PathBuf, Vec<u8>)>> {
    anyhow::ensure!(
        is_clone(root),
        UserError::new(format!(
            "`{root}` is not a clone of the tool, so there are no files to copy"
        ))
        .hint(format!("run `cargo xtask {command} --tool vendor` in a clone of the tool"))
    );
    let mut files = vec![("Cargo.toml".into(), workspace(root)?.into_bytes())];
    for part in VENDORED {
        let entries = WalkDir::new(root.join(part)).sort_by_file_name().into_iter();
        for entry in entries.filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            entry.depth() != 1 || !NOT_VENDORED.contains(&&*name)
        }) {
            let entry = entry?;
            let path = Utf8Path::from_path(entry.path()).context("a file name is not UTF-8")?;
            if !entry.file_type().is_file() || path.as_str().contains("__pycache__") {
                continue;
            }
            let name = path.strip_prefix(root)?.to_owned();
            let bytes = if name.file_name() == Some("Cargo.toml") {
                library(path)?.into_bytes()
            } else {
                fs_err::read(path)?
            };
            files.push((name, bytes));
        }
    }
    Ok(files)
}

/// The manifest of the copy's workspace, which the crates inherit from.
fn workspace(root: &Utf8Path) -> anyhow::Result<String> {
    let text = fs_err::read_to_string(root.join("Cargo.toml"))?;
    let mut manifest: DocumentMut = text.parse()?;
    manifest.remove("profile");
    manifest["workspace"]["members"] = value(toml_edit::Array::from_iter(["xtask/crates/*"]));
    Ok(manifest.to_string())
}

/// A crate's manifest without the parts that only tests need.
fn library(path: &Utf8Path) -> anyhow::Result<String> {
    let mut manifest: DocumentMut = fs_err::read_to_string(path)?.parse()?;
    for table in ["dev-dependencies", "bench", "test", "example"] {
        manifest.remove(table);
    }
    Ok(manifest.to_string())
}

/// `text`, an `xtask/Cargo.toml`, with `tool` as its dependency.
///
/// # Errors
/// If `text` is not a manifest.
pub(super) fn with_dependency(text: &str, tool: &str) -> io::Result<String> {
    let wrong = |error: toml_edit::TomlError| io::Error::other(error.to_string());
    let mut manifest: DocumentMut = text.parse().map_err(wrong)?;
    let dependency: DocumentMut = format!("a = {tool}\n").parse().map_err(wrong)?;
    manifest["dependencies"]["wheel-build"] = dependency.get("a").cloned().unwrap_or(Item::None);
    Ok(manifest.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::exec::Captured;

    #[test]
    fn a_tool_has_three_forms() {
        let git = "git=https://a.example/x.git#v1".parse::<Tool>().unwrap();
        assert_eq!(
            git.dependency(Utf8Path::new("/r")).unwrap(),
            "{ git = \"https://a.example/x.git\", rev = \"v1\" }"
        );
        assert_eq!("vendor".parse::<Tool>().unwrap(), Tool::Vendor);
        assert!(
            "path=no/such/folder".parse::<Tool>().unwrap().dependency(Utf8Path::new("/r")).is_err()
        );
        for wrong in [
            "git=https://a.example/x.git",
            "git=#v1",
            "path=",
            "svn=a#b",
            "vendor=x",
            "git=~nobody/x#v1",
            "",
        ] {
            assert!(wrong.parse::<Tool>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn another_revision_than_that_of_the_clone_is_found() {
        let clone = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap();
        let (old, new) = ("a".repeat(40), "b".repeat(40));
        let commits = [("HEAD", &new), ("v1^{commit}", &old), ("v2^{commit}", &new)];
        let commits = commits.map(|(name, commit)| (name.to_owned(), commit.clone()));
        let exec = Exec::fake(move |step| {
            let name = step.args.last().unwrap().clone();
            let found = commits.iter().find(|(known, _)| *known == name);
            Ok(match found {
                Some((_, commit)) => Captured::ok(commit),
                None if name == "origin" => Captured::ok("https://a.example/x.git"),
                None => Captured::failed("unknown revision"),
            })
        });
        let used = |dependency: &str| {
            let text = format!("[dependencies]\nwheel-build = {{ {dependency} }}\n");
            Tool::differing(&exec, clone, &text).map(|(tool, used)| (tool.to_string(), used))
        };
        let other = |rev: &str| Some((format!("https://a.example/x.git at {new}"), rev.to_owned()));
        assert_eq!(used("git = 'u', rev = 'v1'"), other("v1"));
        assert_eq!(used("git = 'u', tag = 'v3'"), other("v3"));
        assert_eq!(used("git = 'u', rev = 'v2'"), None);
        assert_eq!(used("git = 'u', branch = 'main'"), None);
        assert_eq!(used("path = '../tool'"), None);
    }

    #[test]
    fn an_origin_has_no_credentials_and_a_full_path() {
        let clone = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap();
        let of = |origin: &'static str| {
            let exec = Exec::fake(move |step| {
                let is_origin = step.args.last().unwrap() == "origin";
                Ok(Captured::ok(if is_origin { origin } else { "c0ffee" }))
            });
            Tool::of_clone(&exec, clone).map(|tool| tool.to_string())
        };
        for (origin, expected) in [
            ("https://me:made-up@a.example:8443/x@y.git", "https://a.example:8443/x@y.git"),
            ("https://a.example/o/x.git", "https://a.example/o/x.git"),
            ("ssh://git:made-up@a.example:22/o/x", "ssh://git@a.example:22/o/x"),
            ("git@a.example:o/x.git", "ssh://git@a.example/o/x.git"),
        ] {
            assert_eq!(of(origin).unwrap(), format!("{expected} at c0ffee"));
        }
        let root = clone.canonicalize_utf8().unwrap();
        assert_eq!(of("xtask/..").unwrap(), format!("file://{root} at c0ffee"));
        let error = of("https://me:made-up@[a.example/o/x.git").unwrap_err();
        let error = error.downcast::<UserError>().unwrap();
        assert!(
            !error.message.contains("made-up") && error.message.contains("a.example"),
            "{error}"
        );
        assert_eq!(error.hint.as_deref(), Some(FORMS));
    }

    #[test]
    fn paths_are_relative_to_the_manifest() {
        let relative =
            |from: &str, to: &str| relative(Utf8Path::new(from), Utf8Path::new(to)).into_string();
        assert_eq!(relative("/a/b/xtask", "/a/tool/x"), "../../tool/x");
        assert_eq!(relative("/a/xtask", "/a/xtask/vendor/x"), "vendor/x");
    }

    #[test]
    fn a_dependency_is_replaced_and_the_rest_stays() {
        let text = "[dependencies]\n# mine\nserde = \"1\"\nwheel-build = { path = \"a\" }\n";
        let new = with_dependency(text, "{ git = \"u\", rev = \"r\" }").unwrap();
        assert!(
            new.contains("# mine\nserde = \"1\"")
                && new.contains("wheel-build = { git = \"u\", rev = \"r\" }"),
            "{new}"
        );
    }
}
