//! Compares auditwheel's policies (`auditwheel/policy/manylinux-policy.json` and `musllinux-policy.json`) with this
//! project's copy, and updates the copy.

mod compare;
mod copy;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use wheel_audit::UserError;

use serde::Deserialize;
use thiserror::Error;

use wheel_audit::policy::LibcVersion;

pub(super) use compare::{Difference, Kind, differences};
pub(super) use copy::copy;
pub(super) use text::data_file;

/// Maximum size of a policy file, in bytes. The current one has 127,035.
pub(super) const MAX_POLICY: u64 = 8 << 20;
/// Maximum number of names in a list, over all policies. The current one has about 10,000.
const MAX_NAMES: usize = 500_000;

/// The reason why a text is not a usable list of policies.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum RefreshError {
    /// It does not have auditwheel's format.
    #[error("not a policy file of auditwheel: {0}")]
    Form(String),
    /// Its policies are not additions to the previous ones.
    #[error("{0}")]
    Shrinks(#[source] UserError),
    /// An unknown architecture.
    #[error("{0}")]
    Arch(#[source] UserError),
    /// The copy does not have the format of the data files.
    #[error("`{0}` cannot be read: {1}")]
    Copy(&'static str, String),
}

/// The C library of a list of policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// `manylinux_X_Y`.
    Manylinux,
    /// `musllinux_X_Y`.
    Musllinux,
}

impl Family {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Manylinux, Self::Musllinux];

    /// The prefix of the tags.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Manylinux => "manylinux",
            Self::Musllinux => "musllinux",
        }
    }

    /// The key of the C library's version in the data file.
    fn libc(self) -> &'static str {
        match self {
            Self::Manylinux => "glibc",
            Self::Musllinux => "musl",
        }
    }

    /// The file in the auditwheel package, below `auditwheel/policy/`.
    pub(super) fn published(self) -> &'static str {
        match self {
            Self::Manylinux => "manylinux-policy.json",
            Self::Musllinux => "musllinux-policy.json",
        }
    }

    /// The project's copy, below `xtask/crates/wheel-audit/src/policy/data/`.
    pub(super) fn copy(self) -> &'static str {
        match self {
            Self::Manylinux => "manylinux.toml",
            Self::Musllinux => "musllinux.toml",
        }
    }
}

/// The policies of a list, each with everything that it allows and forbids.
pub(super) type Facts = BTreeMap<LibcVersion, Policy>;

/// A policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Policy {
    /// Older names: `manylinux2014`.
    pub aliases: BTreeSet<String>,
    /// Symbol versions by architecture and prefix. Includes architectures without any.
    pub versions: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// System libraries.
    pub libraries: BTreeSet<String>,
    /// Forbidden symbols by library.
    pub forbidden: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Published {
    name: String,
    #[serde(default)]
    aliases: BTreeSet<String>,
    symbol_versions: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    lib_whitelist: BTreeSet<String>,
    #[serde(default)]
    blacklist: BTreeMap<String, BTreeSet<String>>,
}

/// Reads a policy file of auditwheel. Skips `linux`, which promises nothing.
///
/// # Errors
/// [`RefreshError::Form`] if it has another format, a policy of another family, or a policy twice.
pub(super) fn published(family: Family, bytes: &[u8]) -> Result<Facts, RefreshError> {
    let wrong = |text: String| RefreshError::Form(text);
    if bytes.len() as u64 > MAX_POLICY {
        return Err(wrong(format!("it has more than {MAX_POLICY} bytes")));
    }
    let list: Vec<Published> =
        serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let mut facts = Facts::new();
    for each in list.into_iter().filter(|each| each.name != "linux") {
        let version = version(family, &each.name).ok_or_else(|| {
            wrong(format!("`{}` is not a {} policy", each.name.escape_debug(), family.word()))
        })?;
        if let Some(name) = each.names().find(|name| !is_plain(name)) {
            return Err(wrong(format!("`{}` is not a valid name", name.escape_debug())));
        }
        if facts.insert(version, each.policy()).is_some() {
            return Err(wrong(format!("there are two policies for {version}")));
        }
    }
    if facts.is_empty() {
        return Err(wrong("it contains no policies".to_owned()));
    }
    if carry_over(&mut facts) { Ok(facts) } else { Err(wrong("it has too many names".to_owned())) }
}

impl Published {
    /// All names in it that reach a data file.
    fn names(&self) -> impl Iterator<Item = &String> {
        let prefixes = self.symbol_versions.values().flatten();
        let versions = prefixes.flat_map(|(prefix, all)| all.iter().chain([prefix]));
        let banned = self.blacklist.iter().flat_map(|(library, all)| all.iter().chain([library]));
        let others = self.symbol_versions.keys().chain(&self.lib_whitelist).chain(&self.aliases);
        versions.chain(banned).chain(others)
    }

    fn policy(self) -> Policy {
        let (mut versions, mut forbidden) = (self.symbol_versions, self.blacklist);
        for prefixes in versions.values_mut() {
            prefixes.retain(|_, all| !all.is_empty());
        }
        forbidden.retain(|_, symbols| !symbols.is_empty());
        Policy { aliases: self.aliases, versions, libraries: self.lib_whitelist, forbidden }
    }
}

/// Carries the versions of an architecture over to later policies that omit it (`ppc64` after `2_17`), because newer
/// systems still have them. `false` if the names exceed the limit.
fn carry_over(facts: &mut Facts) -> bool {
    let (mut earlier, mut names) = (BTreeMap::new(), 0_usize);
    for policy in facts.values_mut() {
        for (arch, versions) in &earlier {
            policy.versions.entry(String::clone(arch)).or_insert_with(|| BTreeMap::clone(versions));
        }
        let of_arch = |prefixes: &BTreeMap<String, BTreeSet<String>>| {
            1 + prefixes.values().map(|all| 1 + all.len()).sum::<usize>()
        };
        names += policy.versions.values().map(of_arch).sum::<usize>();
        if names > MAX_NAMES {
            return false;
        }
        earlier.clone_from(&policy.versions);
    }
    true
}

/// The version in `manylinux_2_17`.
fn version(family: Family, name: &str) -> Option<LibcVersion> {
    let rest = name.strip_prefix(family.word())?.strip_prefix('_')?;
    rest.replacen('_', ".", 1).parse().ok()
}

/// Returns whether it is a valid name of an architecture, library, symbol or version. Other names must not reach a data file.
fn is_plain(text: &str) -> bool {
    let plain = |each: char| each.is_ascii_alphanumeric() || "._+-@".contains(each);
    !text.is_empty() && text.len() < 200 && text.chars().all(plain)
}

#[cfg(test)]
mod tests;
