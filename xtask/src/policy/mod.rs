//! `cargo xtask policy`: updates the facts about platform tags.

mod auditwheel;
mod refresh;
#[cfg(test)]
#[allow(dead_code, reason = "shared with the tests of another crate")]
#[path = "../../crates/wheel-audit/src/wheel/testing.rs"]
mod testing;

use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use wheel_audit::report;
use wheel_build::own::{Exec, FINDINGS, Workspace};

use self::auditwheel::{AuditwheelPackage, auditwheel};
use self::refresh::{Difference, Facts, Family, Kind};

/// The folder of the data files in the workspace.
const DATA: &str = "xtask/crates/wheel-audit/src/policy/data";
/// Version of the report's format.
const SCHEMA_VERSION: u32 = 1;

/// Arguments of `policy`.
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub action: PolicyAction,
}

/// The subcommands of `policy`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum PolicyAction {
    /// Compare the bundled platform policies with auditwheel's, and update them
    #[command(
        after_help = "Examples:\n  # Report what auditwheel has and the bundled policies lack\n  cargo xtask policy \
        refresh --check\n\nExit status: 0 good, 1 `--check` found a difference, 2 could not run."
    )]
    Refresh(RefreshArgs),
}

/// Arguments of `policy refresh`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RefreshArgs {
    /// Change nothing, and exit with status 1 if the copy differs
    #[arg(long)]
    pub check: bool,
    /// Wheel of auditwheel, its folder, or the folder of the installed package [default: the installed package,
    /// or a download]
    #[arg(long, value_name = "PATH")]
    pub from: Option<Utf8PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// The report of `policy refresh`.
#[derive(Debug, Serialize)]
struct Refreshed {
    schema_version: u32,
    /// The release of auditwheel.
    auditwheel: String,
    /// Its path.
    source: Utf8PathBuf,
    differences: Vec<Difference>,
    /// The updated data files.
    written: Vec<Utf8PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// If auditwheel is missing, or a file cannot be read or written.
pub(crate) fn run(args: &PolicyArgs) -> anyhow::Result<ExitCode> {
    let PolicyAction::Refresh(args) = &args.action;
    let workspace = Workspace::find()?;
    let package = auditwheel(&Exec::real(), args.from.as_deref(), &workspace.work)?;
    let refreshed = refresh(&package, &workspace.root.join(DATA), args.check)?;
    if args.json {
        report::json(&refreshed)?;
    } else {
        report::prose(&text(&refreshed));
    }
    let is_behind = args.check && !refreshed.differences.is_empty();
    Ok(if is_behind { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
}

/// Compares the policies, and writes the differences unless `check` is set. Writes all files or none.
fn refresh(package: &AuditwheelPackage, data: &Utf8Path, check: bool) -> anyhow::Result<Refreshed> {
    let (mut differences, mut texts) = (Vec::new(), Vec::new());
    for (family, bytes) in &package.policies {
        let path = data.join(family.copy());
        let before = fs_err::read_to_string(&path)?;
        let published = refresh::published(*family, bytes)?;
        let found = refresh::differences(*family, &published, &refresh::copy(*family, &before)?);
        if !found.is_empty() && !check {
            texts.push((path, rewritten(*family, &published, package, &before)?));
        }
        differences.extend(found);
    }
    for (path, text) in &texts {
        let draft = path.with_extension("toml.draft");
        fs_err::write(&draft, text)?;
        fs_err::rename(draft, path)?;
    }
    Ok(Refreshed {
        schema_version: SCHEMA_VERSION,
        auditwheel: package.version.clone(),
        source: package.path.clone(),
        differences,
        written: texts.into_iter().map(|(path, _)| path).collect(),
    })
}

/// The new text of a data file, after verifying that it equals the published policies.
fn rewritten(
    family: Family,
    published: &Facts,
    package: &AuditwheelPackage,
    before: &str,
) -> anyhow::Result<String> {
    let text = refresh::data_file(family, published, &package.version, before)?;
    let left = refresh::differences(family, published, &refresh::copy(family, &text)?);
    let kinds: Vec<_> = left.iter().map(line).collect();
    anyhow::ensure!(
        left.is_empty(),
        "the format of the data file cannot express this:\n{}",
        kinds.join("\n")
    );
    Ok(text)
}

fn text(refreshed: &Refreshed) -> String {
    let mut lines = vec![
        format!("auditwheel {} in `{}`", refreshed.auditwheel, refreshed.source),
        String::new(),
    ];
    lines.extend(refreshed.differences.iter().map(line));
    let count = refreshed.differences.len();
    lines.push(match (count, refreshed.written.as_slice()) {
        (0, _) => "the copy is up to date".to_owned(),
        (_, []) => format!(
            "\n{count} differences\nhint: update the copy with `cargo xtask policy refresh`"
        ),
        (_, written) => {
            let files: Vec<_> = written.iter().map(|path| format!("`{path}`")).collect();
            format!("\nupdated {} ({count} differences)\nhint: run the tests", files.join(" and "))
        }
    });
    lines.join("\n")
}

/// A line of the report, such as `manylinux_2_42: x86_64 GLIBC versions: the copy lacks 2.42`.
fn line(difference: &Difference) -> String {
    let kind = match difference.kind {
        Kind::Tag => "tag",
        Kind::Alias => "older names",
        Kind::Architecture => "architectures",
        Kind::Version => "versions",
        Kind::Library => "libraries",
        Kind::Symbol => "forbidden symbols",
    };
    let of = if difference.of.is_empty() { String::new() } else { format!("{} ", difference.of) };
    let mut parts = Vec::new();
    for (word, names) in [("lacks", &difference.lacking), ("has beyond it", &difference.beyond)] {
        if !names.is_empty() {
            parts.push(format!("{word} {}", names.join(", ")));
        }
    }
    format!("{}: {of}{kind}: the copy {}", difference.policy, parts.join("; "))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::testing::Folder;
    use super::*;

    /// Copies of the data files, and a package with one policy of each family.
    fn prepared() -> (Folder, AuditwheelPackage) {
        let folder = Folder::new();
        for (family, libc, version) in
            [(Family::Manylinux, "glibc", "2.5"), (Family::Musllinux, "musl", "1.1")]
        {
            let text = format!(
                "# of auditwheel 6.0\nsource = \"auditwheel 6.0\"\n\n[[policy]]\n{libc} = \"{version}\"\n\
                 libraries = [\"libc.so\"]\narches = [\"x86_64\"]\n"
            );
            fs_err::write(folder.path().join(family.copy()), text).unwrap();
        }
        let policy = |name: &str, versions: &str| {
            format!(
                r#"[{{"name": "{name}", "symbol_versions": {{"x86_64": {versions}}}, "lib_whitelist": ["libc.so"]}}]"#
            )
            .into_bytes()
        };
        let policies = vec![
            (Family::Manylinux, policy("manylinux_2_5", r#"{"GLIBC": ["2.5"]}"#)),
            (Family::Musllinux, policy("musllinux_1_1", "{}")),
        ];
        let package = AuditwheelPackage { version: "6.9".into(), path: "/a/b".into(), policies };
        (folder, package)
    }

    #[test]
    fn a_check_changes_nothing_and_a_refresh_updates() {
        let (folder, package) = prepared();
        let path = folder.path().join(Family::Manylinux.copy());
        let before = fs_err::read_to_string(&path).unwrap();
        let refreshed = refresh(&package, folder.path(), true).unwrap();
        for part in ["auditwheel 6.9", "manylinux_2_5: x86_64 GLIBC", "lacks 2.5", "hint: "] {
            assert!(text(&refreshed).contains(part), "{part}: {}", text(&refreshed));
        }
        assert_eq!(fs_err::read_to_string(&path).unwrap(), before);
        let refreshed = refresh(&package, folder.path(), false).unwrap();
        assert_eq!(refreshed.written, std::slice::from_ref(&path), "the other is up to date");
        insta::assert_snapshot!(fs_err::read_to_string(&path).unwrap(), @r#"
        # of auditwheel 6.9
        source = "auditwheel 6.9"

        [[policy]]
        glibc = "2.5"
        libraries = ["libc.so"]
        arches = ["x86_64"]
        [policy.versions.x86_64]
        GLIBC = ["2.5"]
        "#);
        let again = refresh(&package, folder.path(), true).unwrap();
        assert_eq!(again.differences, []);
    }

    #[test]
    fn unsupported_policies_change_no_file() {
        let (folder, mut package) = prepared();
        let read =
            |family: Family| fs_err::read_to_string(folder.path().join(family.copy())).unwrap();
        let before = Family::ALL.map(read);
        let two = r#"[{"name": "musllinux_1_1", "symbol_versions": {"x86_64": {}}, "lib_whitelist": ["libc.so"]},
            {"name": "musllinux_1_2", "symbol_versions": {"x86_64": {}}, "lib_whitelist": []}]"#;
        package.policies[1].1 = two.into();
        let message = refresh(&package, folder.path(), false).unwrap_err().to_string();
        assert!(message.contains("`libc.so`"), "{message}");
        assert_eq!(Family::ALL.map(read), before);
    }
}
