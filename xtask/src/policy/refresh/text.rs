//! Writes a data file with the additions of each policy to the previous one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};
use wheel_audit::UserError;

use super::{Facts, Family, Policy, RefreshError};
use wheel_audit::policy::{Arch, LibcVersion, SymbolVersion};

/// Maximum width of a line.
const WIDTH: usize = 110;

/// The data file for `facts` of auditwheel `release`. Keeps the text before the first policy of the current file,
/// `before`, with the new release.
///
/// # Errors
/// [`RefreshError::Shrinks`] if a policy lacks names of an older one.
pub(crate) fn data_file(
    family: Family,
    facts: &Facts,
    release: &str,
    before: &str,
) -> Result<String, RefreshError> {
    let mut text = head(before, release);
    let mut earlier = Policy::default();
    for (version, policy) in facts {
        let tag = format!("{}_{}_{}", family.word(), version.major, version.minor);
        grows(&tag, &earlier, policy)?;
        if let Some(arch) = policy.versions.keys().find(|arch| arch.parse::<Arch>().is_err()) {
            return Err(RefreshError::Arch(
                UserError::new(format!("unknown architecture `{arch}`"))
                    .hint("add it to `xtask/crates/wheel-audit/src/policy/arch.rs` first"),
            ));
        }
        let _ = writeln!(text, "[[policy]]\n{} = \"{version}\"", family.libc());
        if let Some(alias) = policy.aliases.first() {
            let _ = writeln!(text, "alias = \"{alias}\"");
        }
        let added: Vec<_> = policy.libraries.difference(&earlier.libraries).cloned().collect();
        list(&mut text, "libraries", &added);
        let arches = policy.versions.keys().filter(|arch| !earlier.versions.contains_key(*arch));
        list(&mut text, "arches", &arches.cloned().collect::<Vec<_>>());
        for (arch, prefixes) in &policy.versions {
            added_versions(&mut text, arch, earlier.versions.get(arch), prefixes);
        }
        text.push('\n');
        earlier = policy.clone();
    }
    bans(&mut text, facts)?;
    Ok(format!("{}\n", text.trim_end()))
}

/// The comments and settings at the top of the file.
fn head(before: &str, release: &str) -> String {
    let end = before.find("[[policy]]").unwrap_or(before.len());
    let head = before.get(..end).unwrap_or_default();
    let line = head.lines().find_map(|line| line.strip_prefix("source = \"auditwheel "));
    match line.and_then(|line| line.strip_suffix('"')) {
        Some(old) => head.replace(&format!("auditwheel {old}"), &format!("auditwheel {release}")),
        None => format!("source = \"auditwheel {release}\"\n{head}\n"),
    }
}

fn added_versions(
    text: &mut String,
    arch: &str,
    earlier: Option<&BTreeMap<String, BTreeSet<String>>>,
    prefixes: &BTreeMap<String, BTreeSet<String>>,
) {
    let mut lines = String::new();
    for (prefix, all) in prefixes {
        let before = earlier.and_then(|earlier| earlier.get(prefix));
        let added = all.iter().filter(|name| before.is_none_or(|before| !before.contains(*name)));
        let mut added: Vec<String> = added.cloned().collect();
        // Numbers in order, then the other names.
        added.sort_by_key(|name| {
            (
                name.parse::<SymbolVersion>().is_err(),
                name.parse::<SymbolVersion>().ok(),
                name.clone(),
            )
        });
        // A name with a dot would be a table. Valid names contain no quotes.
        let is_bare =
            prefix.chars().all(|each| each.is_ascii_alphanumeric() || "_-".contains(each));
        let key = if is_bare { prefix.clone() } else { format!("\"{prefix}\"") };
        list(&mut lines, &key, &added);
    }
    if !lines.is_empty() {
        let _ = write!(text, "[policy.versions.{arch}]\n{lines}");
    }
}

/// `key = ["a", "b"]`, on several lines if necessary. Empty without names.
fn list(text: &mut String, key: &str, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let line = format!("{key} = [{}]", quoted.join(", "));
    if line.len() <= WIDTH {
        let _ = writeln!(text, "{line}");
        return;
    }
    let _ = write!(text, "{key} = [");
    let mut width = WIDTH;
    for name in quoted {
        if width + name.len() + 2 > WIDTH {
            text.push_str("\n   ");
            width = 3;
        }
        let _ = write!(text, " {name},");
        width += name.len() + 2;
    }
    text.push_str("\n]\n");
}

fn shrinks(what: String) -> RefreshError {
    RefreshError::Shrinks(
        UserError::new(what)
            .hint("the data file contains only additions, so extend its format first"),
    )
}

fn grows(tag: &str, earlier: &Policy, policy: &Policy) -> Result<(), RefreshError> {
    let lost = |what: &str| shrinks(format!("`{tag}` lacks {what}, which an older policy has"));
    if let Some(library) = earlier.libraries.difference(&policy.libraries).next() {
        return Err(lost(&format!("the library `{library}`")));
    }
    for (arch, prefixes) in &earlier.versions {
        let Some(now) = policy.versions.get(arch) else {
            return Err(lost(&format!("the architecture `{arch}`")));
        };
        for (prefix, all) in prefixes {
            let missing = |name: &&String| !now.get(prefix).is_some_and(|now| now.contains(*name));
            if let Some(name) = all.iter().find(missing) {
                return Err(lost(&format!("`{prefix}_{name}` on {arch}")));
            }
        }
    }
    Ok(())
}

/// The bans. Each starts with the first policy, and ends with a later policy or never.
fn bans(text: &mut String, facts: &Facts) -> Result<(), RefreshError> {
    let mut bans: BTreeMap<(&str, Option<LibcVersion>), BTreeSet<&str>> = BTreeMap::new();
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    for policy in facts.values() {
        for (library, symbols) in &policy.forbidden {
            seen.extend(symbols.iter().map(|symbol| (library.as_str(), symbol.as_str())));
        }
    }
    for (library, symbol) in seen {
        let bans_it =
            |policy: &Policy| policy.forbidden.get(library).is_some_and(|all| all.contains(symbol));
        let until = facts.iter().find(|(_, policy)| !bans_it(policy)).map(|(version, _)| *version);
        let later = |(version, policy): (&LibcVersion, &Policy)| {
            until.is_some_and(|until| *version >= until) && bans_it(policy)
        };
        if facts.iter().any(later) {
            let what = format!("a later policy forbids `{symbol}` of `{library}` again");
            return Err(shrinks(what));
        }
        bans.entry((library, until)).or_default().insert(symbol);
    }
    // Bans without an end come last.
    let mut bans: Vec<_> = bans.into_iter().collect();
    bans.sort_by_key(|((library, until), _)| (*library, until.is_none(), *until));
    for ((library, until), symbols) in bans {
        let _ = writeln!(text, "[[forbidden]]\nlibrary = \"{library}\"");
        if let Some(until) = until {
            let _ = writeln!(text, "until = \"{until}\"");
        }
        let symbols: Vec<_> = symbols.into_iter().map(str::to_owned).collect();
        list(text, "symbols", &symbols);
        text.push('\n');
    }
    Ok(())
}
