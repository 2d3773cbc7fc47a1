//! The functions of GitHub's expressions.

use camino::Utf8Path;
use glob::{MatchOptions, Pattern};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::expression::{Evaluated, Scope, Status, string};

/// Calls the function `name`.
pub(crate) fn call(name: &str, args: &[Value], scope: &Scope) -> Evaluated<Value> {
    let status = |of: fn(Status) -> bool| match scope.status {
        Some(status) if args.is_empty() => Ok(Value::Bool(of(status))),
        _ => Err(format!("`{name}()` has no arguments and its place in `if`")),
    };
    let text = |at: usize| args.get(at).map(string).unwrap_or_default().to_lowercase();
    match (name.to_ascii_lowercase().as_str(), args.len()) {
        ("success", _) => status(|status| status.success),
        ("failure", _) => status(|status| status.failure),
        ("cancelled", _) => status(|status| status.cancelled),
        ("always", _) => status(|_| true),
        ("contains", 2) => Ok(Value::Bool(match &args[0] {
            Value::Array(list) => list.iter().any(|item| string(item).to_lowercase() == text(1)),
            _ => text(0).contains(&text(1)),
        })),
        ("startswith", 2) => Ok(Value::Bool(text(0).starts_with(&text(1)))),
        ("endswith", 2) => Ok(Value::Bool(text(0).ends_with(&text(1)))),
        ("format", 1..) => format(&string(&args[0]), &args[1..]),
        ("join", 1..=2) => {
            let separator = args.get(1).map_or_else(|| ",".to_owned(), string);
            Ok(Value::String(match &args[0] {
                Value::Array(list) => list.iter().map(string).collect::<Vec<_>>().join(&separator),
                other => string(other),
            }))
        }
        ("tojson", 1) => {
            serde_json::to_string_pretty(&args[0]).map(Value::String).map_err(|e| e.to_string())
        }
        ("fromjson", 1) => {
            serde_json::from_str(&string(&args[0])).map_err(|e| format!("fromJSON: {e}"))
        }
        ("hashfiles", 1..) => {
            let workspace = scope.workspace.as_ref();
            let workspace = workspace.ok_or("`hashFiles` has its place in a step")?;
            let patterns: Vec<_> = args.iter().map(string).collect();
            hash_files(workspace, &patterns).map(Value::String)
        }
        (_, count) => Err(format!("there is no function `{name}` with {count} arguments")),
    }
}

/// Replaces `{0}` and the like in `text`; `{{` is one brace.
fn format(text: &str, values: &[Value]) -> Evaluated<Value> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        whole += &rest[..at];
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            whole += brace;
            rest = after;
            continue;
        }
        let number = after.split_once('}').filter(|_| brace == "{");
        let (number, after) = number.ok_or_else(|| format!("format: `{text}`"))?;
        let value = number.parse::<usize>().ok().and_then(|number| values.get(number));
        whole += &string(value.ok_or_else(|| format!("format: no argument {{{number}}}"))?);
        rest = after;
    }
    Ok(Value::String(whole + rest))
}

/// The hash of the files below `root` that match a pattern, or whose folder does, in the order of their paths; empty
/// if there are none. Later patterns with `!` exclude files.
pub(crate) fn hash_files(root: &Utf8Path, patterns: &[String]) -> Evaluated<String> {
    let patterns: Vec<&str> =
        patterns.iter().flat_map(|text| text.lines()).map(str::trim).collect();
    let mut digests = Vec::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry.map_err(|error| error.to_string())?;
        let path = Utf8Path::from_path(entry.path()).ok_or("a path that is no UTF-8")?;
        let name = path.strip_prefix(root).unwrap_or(path);
        if entry.file_type().is_file() && matches(&patterns, name)? {
            let bytes = fs_err::read(path).map_err(|error| error.to_string())?;
            digests.extend(Sha256::digest(bytes));
        }
    }
    let is_empty = digests.is_empty();
    Ok(if is_empty { String::new() } else { wheel_audit::digest::of_bytes(&digests) })
}

/// Returns whether `patterns` select the file `path`.
pub(crate) fn matches(patterns: &[&str], path: &Utf8Path) -> Evaluated<bool> {
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::default() };
    let mut chosen = false;
    for pattern in patterns.iter().filter(|pattern| !pattern.is_empty()) {
        let (wanted, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => (false, pattern),
            None => (true, *pattern),
        };
        let glob = Pattern::new(pattern.trim_end_matches('/')).map_err(|e| e.to_string())?;
        // A folder selects everything in it.
        if path.ancestors().any(|path| glob.matches_with(path.as_str(), options)) {
            chosen = wanted;
        }
    }
    Ok(chosen)
}
