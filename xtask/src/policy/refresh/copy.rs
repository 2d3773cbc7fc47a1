//! Reads the project's data files.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use wheel_audit::policy::{Arch, LibcVersion};

use super::{Facts, Family, Policy, RefreshError};

/// The part of a data file that auditwheel's lists contain.
#[derive(Debug, Deserialize)]
struct Table {
    #[serde(rename = "policy")]
    policies: Vec<Added>,
    #[serde(default)]
    forbidden: Vec<Ban>,
}

/// The additions of a policy to the previous one.
#[derive(Debug, Deserialize)]
struct Added {
    #[serde(alias = "glibc", alias = "musl")]
    libc: LibcVersion,
    alias: Option<String>,
    #[serde(default)]
    libraries: Vec<String>,
    #[serde(default)]
    arches: Vec<Arch>,
    #[serde(default)]
    versions: BTreeMap<Arch, BTreeMap<String, Vec<String>>>,
}

/// Forbidden symbols, up to a policy that allows them.
#[derive(Debug, Deserialize)]
struct Ban {
    library: String,
    until: Option<LibcVersion>,
    symbols: BTreeSet<String>,
}

/// Reads a data file, and accumulates the additions of each policy.
///
/// # Errors
/// [`RefreshError::Copy`] if it does not have this format.
pub(crate) fn copy(family: Family, text: &str) -> Result<Facts, RefreshError> {
    let table: Table = toml::from_str(text)
        .map_err(|error| RefreshError::Copy(family.copy(), error.to_string()))?;
    let mut policies: Vec<_> = table.policies.iter().collect();
    policies.sort_by_key(|policy| policy.libc);
    let (mut facts, mut all) = (Facts::new(), Policy::default());
    for policy in policies {
        all.aliases = policy.alias.iter().cloned().collect();
        all.libraries.extend(policy.libraries.iter().cloned());
        for arch in &policy.arches {
            all.versions.entry(arch.to_string()).or_default();
        }
        for (arch, prefixes) in &policy.versions {
            let own = all.versions.entry(arch.to_string()).or_default();
            for (prefix, names) in prefixes {
                own.entry(prefix.clone()).or_default().extend(names.iter().cloned());
            }
        }
        all.forbidden.clear();
        for ban in
            table.forbidden.iter().filter(|ban| ban.until.is_none_or(|end| policy.libc < end))
        {
            let symbols = all.forbidden.entry(ban.library.clone()).or_default();
            symbols.extend(ban.symbols.iter().cloned());
        }
        facts.insert(policy.libc, all.clone());
    }
    Ok(facts)
}
