//! Known causes of too new version needs, with help (`data/causes.toml`).

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use glob::Pattern;
use serde::Deserialize;

/// The help for the need of `version` (`GLIBC_2.38`) by `symbols`, in one line. `None` if the cause is unknown.
pub(crate) fn help_of(version: &str, symbols: &[&str]) -> Option<Cow<'static, str>> {
    static FILE: LazyLock<Causes> = LazyLock::new(load);
    let fits = |cause: &&Cause| cause.fits(version, symbols);
    if let Some(cause) = FILE.causes.iter().find(fits) {
        return Some(Cow::Borrowed(&cause.help));
    }
    let is_cxx = version.starts_with("GLIBCXX_") || version.starts_with("CXXABI_1");
    let since = match FILE.gcc.get(version) {
        Some(release) => format!("is of GCC {release}"),
        None => "is newer than any that is known".to_owned(),
    };
    is_cxx.then(|| {
        Cow::Owned(format!(
            "compile with a compiler for older systems (`gcc-toolset`), which links newer functions \
             statically, or with `-static-libstdc++`: this libstdc++ {since}"
        ))
    })
}

struct Causes {
    causes: Vec<Cause>,
    gcc: BTreeMap<String, String>,
}

struct Cause {
    versions: Vec<Pattern>,
    symbols: Vec<Pattern>,
    help: String,
}

impl Cause {
    fn fits(&self, version: &str, symbols: &[&str]) -> bool {
        let any = |patterns: &[Pattern], text: &str| patterns.iter().any(|each| each.matches(text));
        let by_symbol = || symbols.iter().any(|symbol| any(&self.symbols, symbol));
        any(&self.versions, version) && (self.symbols.is_empty() || by_symbol())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    cause: Vec<Row>,
    gcc: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    versions: Vec<String>,
    #[serde(default)]
    symbols: Vec<String>,
    help: String,
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> Causes {
    let file: File =
        toml::from_str(include_str!("data/causes.toml")).expect("data/causes.toml is well-formed");
    let patterns = |all: Vec<String>| {
        let pattern = |text: &String| Pattern::new(text).expect("each name is a pattern");
        all.iter().map(pattern).collect()
    };
    let cause = |row: Row| Cause {
        versions: patterns(row.versions),
        symbols: patterns(row.symbols),
        help: row.help,
    };
    Causes { causes: file.cause.into_iter().map(cause).collect(), gcc: file.gcc }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    #[test]
    fn known_causes_are_distinguished() {
        for (version, symbols, part) in [
            ("GLIBC_2.38", &["__isoc23_strtol"][..], "`__isoc23_*`"),
            ("GLIBC_2.38", &["strlcpy"], "`strlcat`"),
            ("GLIBC_2.38", &["fmod"], "libm"),
            ("GLIBC_2.36", &["arc4random_buf"], "getrandom"),
            ("GLIBC_2.35", &["_dl_find_object"], "unwinder"),
            ("GLIBC_2.34", &["pthread_create"], "before 2.34"),
            ("GLIBC_2.34", &["__libc_start_main"], "before 2.34"),
            ("GLIBC_2.33", &["other", "fstat64"], "before 2.33"),
            ("GLIBC_2.3.4", &["__memcpy_chk"], "FORTIFY"),
            ("GLIBC_ABI_DT_RELR", &[], "nopack-relative-relocs"),
            ("GLIBC_ABI_GNU2_TLS", &[], "-mtls-dialect=gnu"),
            ("GLIBC_PRIVATE", &["__libc_fork"], "no private symbol"),
            ("GLIBCXX_3.4.30", &["f"], "GCC 12.1"),
            ("GLIBCXX_3.4.99", &["f"], "newer than any"),
            ("CXXABI_1.3.15", &[], "GCC 14.1"),
        ] {
            let help = help_of(version, symbols).unwrap();
            assert!(help.contains(part), "{version} {symbols:?}: {help}");
        }
        assert_eq!(help_of("GLIBC_2.40", &["new_function"]), None);
        assert_eq!(help_of("OPENSSL_3.0.0", &["SSL_new"]), None);
        assert_eq!(help_of("CXXABI_FLOAT128", &[]), None);
    }

    #[test]
    fn each_help_is_one_line_without_a_full_stop() {
        let causes = load();
        for cause in causes.causes {
            assert!(!cause.help.ends_with('.') && !cause.help.contains('\n'), "{}", cause.help);
        }
    }
}
