//! `cargo xtask doctor`: reports the state of this machine, with a fix for each missing part.

use std::process::ExitCode;

use super::Workspace;
use crate::config::{self, Config, Platform};
use crate::engine::doctor::{self, Diagnosis, Item, Machine, State};
use crate::exec::Exec;
use wheel_audit::report;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DoctorArgs {
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Examines this machine and prints the result. `image` is the first target's base image.
///
/// # Errors
/// If the result cannot be written as JSON.
pub(crate) fn run(
    args: &DoctorArgs,
    exec: &Exec,
    workspace: &Workspace,
    image: &str,
) -> anyhow::Result<ExitCode> {
    let mut diagnosis = doctor::examine(exec, &Machine::this(&workspace.root), image);
    diagnosis.items.push(pins(&config::load(&workspace.root, &workspace.file)?));
    if args.json {
        report::json(&diagnosis)?;
    } else {
        report::text(&table(&diagnosis, report::width()));
    }
    Ok(if diagnosis.ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reports which base images of `config` are pinned by digest.
fn pins(config: &Config) -> Item {
    let (mut pinned, mut loose, mut targets) = (0, Vec::new(), Vec::new());
    for target in &config.targets {
        let unpinned = |platform: &&Platform| !target.digest.contains_key(platform);
        let open: Vec<_> = target.platforms.iter().filter(unpinned).collect();
        pinned += target.platforms.len() - open.len();
        if !open.is_empty() {
            targets.push(target.name.as_str());
        }
        loose.extend(open.into_iter().map(|platform| target.folder(platform)));
    }
    let all = pinned + loose.len();
    let (state, detail, hint) = if loose.is_empty() {
        (State::Ok, format!("all {all} pinned by digest"), None)
    } else {
        let detail = format!("{pinned} of {all} pinned by digest, not: {}", loose.join(", "));
        (State::Warning, detail, Some(format!("cargo xtask pin {}", targets.join(" "))))
    };
    Item { name: "base images".to_owned(), state, required: false, detail, hint }
}

/// The result as a table of at most `width` columns.
fn table(diagnosis: &Diagnosis, width: usize) -> String {
    let longest = diagnosis.items.iter().map(|item| item.name.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for item in &diagnosis.items {
        let start = format!("{:longest$}  {:7}  ", item.name, item.state.as_str());
        let indent = " ".repeat(start.len());
        lines.push(report::wrap(&item.detail, width, &start, &indent));
        if let Some(hint) = &item.hint {
            lines.push(report::wrap(hint, width, &format!("{indent}hint: "), &indent));
        }
    }
    format!("{}\n\n{}", lines.join("\n"), report::fold(&verdict(diagnosis), width))
}

fn verdict(diagnosis: &Diagnosis) -> String {
    let lacks = |item: &&Item| item.required && item.state == State::Missing;
    let names: Vec<_> = diagnosis.items.iter().filter(lacks).map(|item| &*item.name).collect();
    if names.is_empty() {
        "ready: `cargo xtask wheels` can run".to_owned()
    } else {
        format!("not ready, missing: {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use crate::engine::doctor::fixture;

    #[test]
    fn unpinned_images_are_named_with_the_command_that_pins_them() {
        let text = "[source]\npath = \".\"\n[build]\npythons = [\"cp311\"]\n[[target]]\nname = \"a\"\n\
            image = \"debian:12\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n";
        let item = |text: &str| pins(&config::parse_text("wheels.toml".into(), text).unwrap());
        let found = item(text);
        assert_eq!(found.detail, "0 of 2 pinned by digest, not: a-amd64, a-arm64");
        assert_eq!(found.hint.as_deref(), Some("cargo xtask pin a"));
        let digest = format!("\"sha256:{}\"", "0".repeat(64));
        let both = format!(
            "{text}digest = {{ \"linux/amd64\" = {digest}, \"linux/arm64\" = {digest} }}\n"
        );
        assert_eq!((item(&both).state, item(&both).hint), (State::Ok, None));
    }

    #[test]
    fn the_table_names_each_missing_part_and_ends_with_the_verdict() {
        let fixture = fixture::debian_12();
        let diagnosis = fixture.diagnosis(&fixture::no_engine());
        insta::assert_snapshot!(table(&diagnosis, 80), @r"
        system              ok       Debian GNU/Linux 12 (bookworm), linux/amd64,
                                     without systemd
        privileges          ok       root
        client              missing  no `docker` on PATH
                                     hint: cargo xtask setup
        engine              missing  not installed
                                     hint: cargo xtask setup
        buildx              missing  not installed
                                     hint: cargo xtask setup
        builder             unknown  there is no `docker buildx`
        emulator arm64      missing  `/proc/sys/fs/binfmt_misc` is not mounted
                                     hint: cargo xtask binfmt install arm64
        container registry  unknown  there is no `docker buildx`
        mmdebstrap          missing  makes base images if no registry answers
                                     hint: cargo xtask setup
        arch-test           missing  mmdebstrap requires it for foreign platforms
                                     hint: cargo xtask setup --emulate arm64
        python index        unknown  there is no `python3`
        certificates        warning  no bundle found; containers use their own
                                     hint: sudo apt-get install ca-certificates
        proxies             ok       none
        engine disk         ok       40 GiB free at `/var/lib/docker`
        workspace disk      ok       40 GiB free at `/repo`
        git                 missing  optional: stamps the metadata with the commit
                                     hint: https://git-scm.com/downloads
        gh                  missing  optional: makes releases for `cargo xtask release`
                                     hint: https://cli.github.com
        just                missing  optional: runs `docker/justfile` by hand;
                                     containers have their own
                                     hint: cargo install just

        not ready, missing: client, engine, buildx
        ");
    }
}
