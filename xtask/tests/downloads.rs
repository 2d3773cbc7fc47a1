//! Compares the table of downloads in the documentation with the numbers in the sources.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camino::Utf8Path;

fn read(path: &str) -> String {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs_err::read_to_string(root.join(path)).unwrap()
}

/// The number after `before` in the file at `path`.
fn number(path: &str, before: &str) -> usize {
    let text = read(path);
    let (_, rest) = text.split_once(before).unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// The number of items in the tuple or list after `before`.
fn length(path: &str, before: &str) -> usize {
    let text = read(path);
    let (_, rest) = text.split_once(before).unwrap();
    rest.split([')', ']']).next().unwrap().split(',').filter(|it| !it.trim().is_empty()).count()
}

/// The first number in the column `tries` of the row `what`.
fn documented(what: &str) -> usize {
    let text = read("docs/hosted-ci.md");
    let (_, table) = text.split_once("| download | by | tries | timeout |\n").unwrap();
    let mut rows = table.lines().take_while(|line| line.starts_with('|'));
    let row = rows.find(|row| row.starts_with(&format!("| {what} |"))).unwrap();
    let tries = row.split('|').nth(3).unwrap();
    let digits: String = tries
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap()
}

#[test]
fn the_documented_numbers_of_tries_match_the_sources() {
    let engine = "xtask/crates/wheel-build/src/engine";
    let fetch = 1 + length("scripts/fetch.py", "\nPAUSES = (");
    let client = 1 + length("xtask/crates/wheel-build/src/exec/again.rs", "PAUSES: [u64; 2] = [");
    let pauses = read("scripts/packages.sh");
    let (_, pauses) = pauses.split_once("for pkg_pause in ").unwrap();
    let packages = 1 + pauses.split(';').next().unwrap().split_whitespace().count();
    for (what, tries) in [
        ("packages of Debian and Ubuntu", 1 + number("scripts/packages.sh", "Acquire::Retries \"")),
        ("packages of Enterprise Linux", packages),
        ("packages of Alpine", packages),
        ("`rustup-init`", fetch),
        ("Rust's toolchain", number("scripts/toolchain.sh", "manifest.\n        tries=")),
        (
            "interpreters, provider `managed`",
            1 + number("scripts/provider-managed.sh", "${UV_HTTP_RETRIES:-"),
        ),
        ("interpreters, provider `source`; PyPy", fetch),
        (
            "CPython's archive from a pool of a distribution",
            1 + number("scripts/source-archive.sh", "Acquire::Retries="),
        ),
        ("the package's source archive", fetch),
        ("the published wheel (`like`)", fetch),
        ("base images: lookup and pull", client),
        (
            "base image from packages",
            1 + number(&format!("{engine}/bootstrap.rs"), "Acquire::Retries \\\""),
        ),
        ("releases", client),
        (
            "packages for `--setup`",
            1 + number(&format!("{engine}/setup/apt.rs"), "Acquire::Retries \\\""),
        ),
    ] {
        assert_eq!(documented(what), tries, "{what}");
    }
}
