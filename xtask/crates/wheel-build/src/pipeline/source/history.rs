//! The history of one repository: its commits, and the tags that point to them.
//!
//! HEAD and the tags determine all of it. xtask reads it once and caches it in a folder named after their hash. A run
//! with the same HEAD and tags does not walk the history.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use wheel_audit::digest;
use wheel_audit::files::remove_folder;

use crate::exec::{Exec, Step};

/// Part of each folder's name; changes with the format.
const FORM: &str = "2";
/// Minimum number of digits of an abbreviated id, as in git.
const MIN_DIGITS: u32 = 7;

/// The part of the history that the package's build needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Commits, and the names of files in HEAD and its parents.
    Commits,
    /// The names of files in every commit, to find the commits that changed a folder.
    Trees,
}

/// Needs of the package's build beyond those of every build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    pub extent: Extent,
    /// Name of the current branch.
    pub branch: bool,
}

/// HEAD and its ancestors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct History {
    /// Id of HEAD.
    pub head: String,
    /// `sha1` or `sha256`.
    pub format: String,
    /// Number of digits of an abbreviated id.
    pub abbrev: u32,
    /// Name and id of each tag of these commits.
    pub tags: Vec<(String, String)>,
    /// Ids of the tags that point to HEAD.
    pub head_tags: Vec<String>,
    /// Commits whose parents a shallow clone lacks.
    pub shallow: Vec<String>,
    /// Number of objects in the file `objects`.
    pub objects: usize,
}

/// `git ARGS` in `folder`. The repository's own settings may name untrusted programs: one that reports changes, and
/// those that fetch what a partial clone lacks.
pub(super) fn git<const N: usize>(folder: &Utf8Path, args: [&str; N]) -> Step {
    Step::new("git", ["-c", "core.fsmonitor=false", "-c", "core.quotePath=false"])
        .args(args)
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .cwd(folder)
}

/// The history of the repository of `folder`, and the file with its objects. `None` without a commit.
///
/// # Errors
/// If git fails or `cache` cannot be written.
pub(super) fn history(
    exec: &Exec,
    folder: &Utf8Path,
    extent: Extent,
    cache: &Utf8Path,
) -> io::Result<Option<(History, Utf8PathBuf)>> {
    let head = git(folder, ["rev-parse", "--quiet", "--verify", "HEAD^{commit}"]);
    let found = exec.capture(&head).map_err(io::Error::other)?;
    if !found.success {
        return Ok(None);
    }
    let head = found.stdout.trim().to_owned();
    let args = ["rev-parse", "--show-object-format", "--git-path", "shallow"];
    let output = read(exec, &git(folder, args))?;
    let (format, shallow) = output.trim_end().split_once('\n').unwrap_or((&output, ""));
    let shallow = match fs_err::read_to_string(folder.join(shallow)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let refs = ["for-each-ref", "refs/tags", "--format=%(objectname) %(objecttype) %(refname)"];
    let refs = exec.read_bytes(&git(folder, refs)).map_err(io::Error::other)?;
    let form = format!("{FORM} {extent:?}");
    let all = [form.as_bytes(), format.as_bytes(), head.as_bytes(), shallow.as_bytes(), &refs];
    let kept = cache.join(digest::of_bytes(&all.join(&b'\n')));
    let (facts, objects) = (kept.join("history.json"), kept.join("objects"));
    if let Ok(text) = fs_err::read(&facts)
        && let Ok(history) = serde_json::from_slice(&text)
    {
        return Ok(Some((history, objects)));
    }
    fs_err::create_dir_all(cache)?;
    let draft = tempfile::Builder::new().prefix("history-").tempdir_in(cache)?;
    let draft_folder =
        Utf8Path::from_path(draft.path()).ok_or_else(|| io::Error::other("path is not UTF-8"))?;
    let clone = Clone { exec, folder };
    let history = clone.walk(head, format.to_owned(), extent, &shallow, &refs, draft_folder)?;
    fs_err::write(draft_folder.join("history.json"), serde_json::to_vec(&history)?)?;
    if kept.exists() {
        remove_folder(&kept)?;
    }
    fs_err::rename(draft.keep(), &kept)?;
    Ok(Some((history, objects)))
}

fn read(exec: &Exec, step: &Step) -> io::Result<String> {
    exec.read(step).map_err(io::Error::other)
}

/// Appends the objects `ids` to `out` in order, in the format of `git cat-file --batch`.
pub(super) fn append_objects<'a>(
    exec: &Exec,
    folder: &Utf8Path,
    ids: impl IntoIterator<Item = &'a str>,
    out: &mut dyn io::Write,
) -> io::Result<usize> {
    let ids: Vec<&str> = ids.into_iter().collect();
    if !ids.is_empty() {
        let mut list = tempfile::NamedTempFile::new()?;
        io::Write::write_all(&mut list, (ids.join("\n") + "\n").as_bytes())?;
        let path = Utf8Path::from_path(list.path())
            .ok_or_else(|| io::Error::other("path is not UTF-8"))?;
        exec.save(&git(folder, ["cat-file", "--batch", "--buffer"]).stdin(path), out)?;
    }
    Ok(ids.len())
}

/// Ids and contents from the output of `git cat-file --batch`.
fn batch(mut output: &[u8]) -> Vec<(String, &[u8])> {
    let mut objects = Vec::new();
    while let Some(end) = output.iter().position(|&byte| byte == b'\n') {
        let header = latin_1(&output[..end]);
        let mut words = header.split(' ');
        let id = words.next().unwrap_or_default().to_owned();
        let size: usize = words.nth(1).and_then(|size| size.parse().ok()).unwrap_or_default();
        let Some((content, rest)) = output[end + 1..].split_at_checked(size) else { break };
        objects.push((id, content));
        output = rest.get(1..).unwrap_or_default();
    }
    objects
}

/// A line of `git for-each-ref`.
struct Ref {
    id: String,
    kind: String,
    name: String,
}

fn tag_ref(line: &[u8]) -> Option<Ref> {
    let line = latin_1(line);
    let (id, rest) = line.split_once(' ')?;
    let (kind, name) = rest.split_once(" refs/tags/")?;
    Some(Ref { id: id.to_owned(), kind: kind.to_owned(), name: name.to_owned() })
}

/// A repository of the user, at a folder of its work tree.
struct Clone<'a> {
    exec: &'a Exec,
    folder: &'a Utf8Path,
}

impl Clone<'_> {
    fn walk(
        &self,
        head: String,
        format: String,
        extent: Extent,
        shallow: &str,
        refs: &[u8],
        draft: &Utf8Path,
    ) -> io::Result<History> {
        let list = read(self.exec, &git(self.folder, ["rev-list", "HEAD"]))?;
        let commits: BTreeSet<&str> = list.lines().collect();
        let mut ids: BTreeSet<String> = commits.iter().map(|&id| id.to_owned()).collect();
        ids.extend(self.trees(extent)?);
        let refs: Vec<_> = refs.split(|&byte| byte == b'\n').filter_map(tag_ref).collect();
        let pointers = self.tag_objects(&refs)?;
        let (mut tags, mut head_tags) = (Vec::new(), Vec::new());
        for Ref { id, name, .. } in refs {
            let chain: Vec<&String> =
                std::iter::successors(Some(&id), |id| pointers.get(*id)).collect();
            let Some(target) = chain.last().filter(|id| commits.contains(id.as_str())) else {
                continue;
            };
            if **target == head {
                head_tags.push(name.clone());
            }
            ids.extend(chain.into_iter().cloned());
            tags.push((name, id));
        }
        let mut out = io::BufWriter::new(fs_err::File::create(draft.join("objects"))?);
        let ids = ids.iter().map(String::as_str);
        let objects = append_objects(self.exec, self.folder, ids, &mut out)?;
        io::Write::flush(&mut out)?;
        let mut shallow: Vec<_> = shallow.lines().filter(|id| commits.contains(id)).collect();
        shallow.sort_unstable();
        let shallow = shallow.into_iter().map(str::to_owned).collect();
        let abbrev = self.abbrev(commits.len())?;
        Ok(History { head, format, abbrev, tags, head_tags, shallow, objects })
    }

    /// Ids of the trees to include. A partial clone may lack them.
    fn trees(&self, extent: Extent) -> io::Result<Vec<String>> {
        let args = ["rev-list", "--objects", "--no-object-names", "--filter=blob:none"];
        let step = match extent {
            // `git show -s` compares HEAD with its parents. Libraries that read repositories without git ignore
            // replaced objects and read HEAD's own tree.
            Extent::Commits => git(self.folder, args).args(["--no-walk", "HEAD", "HEAD^@"]),
            Extent::Trees => git(self.folder, args).arg("HEAD"),
        };
        let output = self.exec.capture(&step).map_err(io::Error::other)?;
        Ok(output.stdout.lines().filter(|_| output.success).map(str::to_owned).collect())
    }

    /// Id and target of each annotated tag. The target may be another tag.
    fn tag_objects(&self, refs: &[Ref]) -> io::Result<BTreeMap<String, String>> {
        let mut pointers = BTreeMap::new();
        let annotated = refs.iter().filter(|tag| tag.kind == "tag");
        let mut pending: BTreeSet<String> = annotated.map(|tag| tag.id.clone()).collect();
        while !pending.is_empty() {
            let mut out = Vec::new();
            append_objects(self.exec, self.folder, pending.iter().map(String::as_str), &mut out)?;
            let found = batch(&out).into_iter().filter_map(|(id, content)| {
                let mut lines = content.split(|&byte| byte == b'\n').map(latin_1);
                let target = lines.next()?.strip_prefix("object ")?.to_owned();
                Some((id, target, lines.next()? == "type tag"))
            });
            pending = BTreeSet::new();
            for (id, target, is_tag) in found {
                if is_tag && !pointers.contains_key(&target) {
                    pending.insert(target.clone());
                }
                pointers.insert(id, target);
            }
        }
        Ok(pointers)
    }

    /// Number of digits of an abbreviated id in a clone with only the objects of this history. In the user's clone
    /// it depends on other branches and on packing.
    fn abbrev(&self, commits: usize) -> io::Result<u32> {
        let output = read(self.exec, &git(self.folder, ["count-objects", "-v"]))?;
        let number = |key: &str| {
            let value = output.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            value.and_then(|value| value.parse::<usize>().ok()).unwrap_or_default()
        };
        let at_most = digits(number("count") + number("in-pack"));
        if digits(commits) == at_most {
            return Ok(at_most);
        }
        // Fails if a partial clone lacks trees.
        let count = git(self.folder, ["rev-list", "--objects", "--count", "HEAD"]);
        let counted = self.exec.capture(&count).map_err(io::Error::other)?;
        let objects = counted.stdout.trim().parse().ok().filter(|_| counted.success);
        Ok(objects.map_or(at_most, digits))
    }
}

/// Git's rule: half of the bits of the number of objects, rounded up.
fn digits(objects: usize) -> u32 {
    (usize::BITS - objects.leading_zeros()).div_ceil(2).max(MIN_DIGITS)
}

/// One character for each byte, so that JSON can contain names that are not UTF-8.
pub(super) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_output_of_git_does_not_panic(output: Vec<u8>, size: usize) {
            super::batch(&output);
            super::batch(&[format!("id blob {size}\n").as_bytes(), &output].concat());
        }
    }
}
