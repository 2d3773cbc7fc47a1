//! Makes a base image from the distribution's packages, for machines without a container registry.
//! mmdebstrap or dnf makes the root file system, and this module makes an image of it.

mod dnf;

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wheel_audit::UserError;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::image::{BaseImage, Origin};
use super::layout::{self, Layout};
use super::{Engine, EngineError, archive};
use crate::config::{Bootstrap, BootstrapTool, Platform, Target};
use crate::exec::{ExecError, Step};
use wheel_audit::digest;
use wheel_audit::files::remove_folder;
use wheel_audit::isa;

/// Repository name of the images made here. No registry has this name, so none is contacted.
const REPOSITORY: &str = "xtask-wheels/os";
/// Increased when the images change, so that older ones are not reused.
const RECIPE: u32 = 2;
/// Merges the file system at the start if the suite is merged. Otherwise a package does it at the end and installs
/// all of Perl (mmdebstrap(1), `hooks/merged-usr`).
const MERGED_HOOK: &str = "/usr/share/mmdebstrap/hooks/maybe-merged-usr";
/// dpkg's options during the installation and in the image. They skip files that nobody reads in a container, which
/// saves minutes if dpkg is emulated. Copyright files stay.
const DPKG_OPTIONS: [&str; 5] = [
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/locale/*",
    // Keep the folders, because Ubuntu 20.04's dash diverts a page in one of them.
    "path-exclude=/usr/share/man/*/*",
];
/// Minimum time between two reports from one phase.
const QUIET: Duration = Duration::from_secs(10);
/// Number of last lines in the error if the tool fails, and the maximum length of each.
const TAIL: (usize, usize) = (15, 4096);

#[derive(Serialize)]
struct Ingredients<'a> {
    recipe: u32,
    bootstrap: &'a Bootstrap,
    platform: &'a Platform,
}

/// The image reference of a bootstrapped base. It depends only on the image's contents, so that targets with the
/// same packages share one image.
fn reference(bootstrap: &Bootstrap, platform: &Platform) -> String {
    let ingredients = Ingredients { recipe: RECIPE, bootstrap, platform };
    let text = serde_json::to_vec(&ingredients).unwrap_or_default();
    let hash = digest::of_bytes(&text);
    let plain = |c: &char| c.is_ascii_alphanumeric() || ".-".contains(*c);
    let suite: String = bootstrap.suite.chars().filter(plain).take(40).collect();
    let tag = format!("{suite}-{}-{}", platform.engine_arch(), &hash[..12]);
    // A tag begins with a letter or digit.
    format!("{REPOSITORY}:{}", tag.trim_start_matches(['.', '-']))
}

/// The image of an earlier run, if the engine still has it.
pub(super) fn present(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
) -> Result<Option<BaseImage>, EngineError> {
    match present_within(engine, target, platform, None) {
        Err(EngineError::Gone(_)) if !engine.sees_local_images()? => {
            let reference = target.bootstrap.as_ref().map(|it| reference(it, platform));
            Ok(reference.and_then(|reference| {
                Layout::present(engine, &reference).map(|layout| layout_image(&layout, reference))
            }))
        }
        found => found,
    }
}

/// The image of an earlier run in the engine itself, with a time limit for the answer.
pub(super) fn present_within(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
    limit: Option<Duration>,
) -> Result<Option<BaseImage>, EngineError> {
    let Some(bootstrap) = &target.bootstrap else { return Ok(None) };
    let reference = reference(bootstrap, platform);
    let format = engine.client.tool.digest_format();
    let mut step = engine.client.step(["image", "inspect", "--format", format, "--", &reference]);
    step.timeout = limit;
    match engine.query(&step) {
        Ok(id) => Ok(Some(BaseImage::new(reference, id.trim(), Origin::Bootstrapped))),
        Err(error @ (EngineError::Gone(_) | EngineError::Exec(_))) => Err(error),
        Err(_) => Ok(None),
    }
}

/// A call of mmdebstrap with `options` and the packages of `bootstrap`. It writes to `output`.
fn mmdebstrap(bootstrap: &Bootstrap, options: Vec<String>, output: &str) -> Step {
    // The default `main` lacks pip on Ubuntu.
    let components = bootstrap.components.join(",");
    // apt's current default. Older versions try only once.
    Step::new("mmdebstrap", options)
        .arg("--aptopt=Acquire::Retries \"3\"")
        .args((!components.is_empty()).then(|| format!("--components={components}")))
        .args(bootstrap.keyring.as_ref().map(|keyring| format!("--keyring={keyring}")))
        .args([bootstrap.suite.as_str(), output])
        .args(bootstrap.mirror.as_deref())
        .hint("run `cargo xtask doctor` to check the bootstrap tools")
}

/// The mmdebstrap call that reads the package lists of `bootstrap` and downloads nothing else.
pub(crate) fn lists_step(bootstrap: &Bootstrap) -> Step {
    // The caller parses its output.
    let options = ["--simulate", "--variant=extract"].map(str::to_owned).to_vec();
    mmdebstrap(bootstrap, options, "/dev/null").env("LC_ALL", "C")
}

/// The mmdebstrap call that writes `target`'s root file system to `rootfs`.
fn step(bootstrap: &Bootstrap, platform: &Platform, rootfs: &Utf8Path) -> Step {
    let mut options =
        ["--variant=minbase", "--format=tar", "--verbose"].map(str::to_owned).to_vec();
    options.push(format!("--architectures={}", platform.debian_arch()));
    // The hook needs a package of Debian. It fails with Ubuntu's packages, which have their own keyring.
    if bootstrap.keyring.is_none() && Utf8Path::new(MERGED_HOOK).exists() {
        options.push(format!("--hook-dir={MERGED_HOOK}"));
    }
    options.extend(DPKG_OPTIONS.iter().map(|option| format!("--dpkgopt={option}")));
    // It has priority `required` only in Debian.
    options.extend(bootstrap.keyring.as_ref().map(|_| "--include=apt".to_owned()));
    // The same packages result in the same bytes and the same digest.
    mmdebstrap(bootstrap, options, rootfs.as_str()).env("SOURCE_DATE_EPOCH", "1")
}

/// Makes the image and loads it into the engine.
pub(super) fn make(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
    work: &Utf8Path,
    note: &mut dyn FnMut(&str),
) -> Result<BaseImage, EngineError> {
    let Some(bootstrap) = &target.bootstrap else {
        let message = format!("target `{}` has no `bootstrap`", target.name);
        let hint =
            "add `bootstrap` to its `[[target]]` in wheels.toml, or use `wheels --base pull`";
        return Err(EngineError::Base(UserError::new(message).hint(hint)));
    };
    fs_err::create_dir_all(work)?;
    remove_leftovers(work)?;
    let folder = tempfile::Builder::new().prefix("base-").tempdir_in(work)?;
    let folder = Utf8PathBuf::try_from(folder.path().to_owned())
        .map_err(|error| EngineError::Base(UserError::new(error.to_string())))
        .map(|path| (folder, path))?;
    let (rootfs, image) = (folder.1.join("rootfs.tar"), folder.1.join("image.tar"));
    if let Some(keyring) = bootstrap.keyring.as_ref().filter(|path| !path.exists()) {
        return Err(EngineError::Base(
            UserError::new(format!(
                "`{keyring}` does not exist, so the signatures of the packages of `{}` cannot be \
             verified",
                target.image
            ))
            .hint(keyring_hint(keyring)),
        ));
    }
    note(&format!("{} {} {}", bootstrap.tool.as_str(), bootstrap.suite, platform.debian_arch()));
    match bootstrap.tool {
        BootstrapTool::Mmdebstrap => {
            run(engine, target, platform, &step(bootstrap, platform, &rootfs), note)?;
        }
        BootstrapTool::Dnf => {
            for (name, text) in dnf::files(bootstrap) {
                let path = folder.1.join(name);
                path.parent().map_or(Ok(()), fs_err::create_dir_all)?;
                fs_err::write(path, text)?;
            }
            for step in dnf::steps(bootstrap, platform, &folder.1, &rootfs) {
                run_again(engine, target, platform, &step, note)?;
            }
        }
    }
    let reference = reference(bootstrap, platform);
    archive::write(&rootfs, &image, platform, &reference)?;
    if !engine.sees_local_images()? {
        let layout = layout::unpack(engine, &image, &reference)?;
        return Ok(layout_image(&layout, reference));
    }
    note(&format!("loading {reference}"));
    engine.query(&engine.client.step(["load", "--quiet"]).stdin(&image))?;
    // Always use the engine's digest: some engines write their own manifest, or name images by their
    // configuration.
    present_within(engine, target, platform, None)?.ok_or_else(|| {
        EngineError::Base(UserError::new(format!(
            "`{reference}` was loaded, but the engine does not have it"
        )))
    })
}

/// An image for a remote builder; no engine on this machine has it.
fn layout_image(layout: &Layout, reference: String) -> BaseImage {
    layout.as_context(BaseImage::new(reference, layout.digest(), Origin::Bootstrapped))
}

/// Where to get a keyring.
fn keyring_hint(keyring: &Utf8Path) -> &'static str {
    match keyring.file_name() {
        Some("ubuntu-archive-keyring.gpg") => {
            "run `cargo xtask setup` to install `ubuntu-keyring`, on Ubuntu and on Debian 12 or later"
        }
        _ => "download the distribution's key, and set `keyring` in wheels.toml to its path",
    }
}

/// Removes the incomplete files of killed runs. The caller holds the lock.
fn remove_leftovers(work: &Utf8Path) -> std::io::Result<()> {
    for entry in fs_err::read_dir(work)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("base-") {
            remove_folder(&Utf8PathBuf::try_from(entry.path()).map_err(std::io::Error::other)?)?;
        }
    }
    Ok(())
}

/// Like [`run`], with up to three tries if a source does not answer. dnf fails if its only mirror is busy.
fn run_again(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
    step: &Step,
    note: &mut dyn FnMut(&str),
) -> Result<(), EngineError> {
    for _ in 0..2 {
        let result = run(engine, target, platform, step, note);
        let Some(host) = result.as_ref().err().and_then(EngineError::source_down) else {
            return result;
        };
        note(&format!("`{host}` does not answer, trying again"));
    }
    run(engine, target, platform, step, note)
}

/// Runs the tool and reports its progress.
fn run(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
    step: &Step,
    note: &mut dyn FnMut(&str),
) -> Result<(), EngineError> {
    let own = std::env::var_os(isa::QEMU_CPU).is_some();
    let step = &match isa::distribution_processor(platform.engine_arch()) {
        Some(processor) if !own => step.clone().env(isa::QEMU_CPU, processor),
        _ => step.clone(),
    };
    let mut account = Account::new(Instant::now());
    let mut line = |_, line: &[u8]| {
        if let Some(text) = account.line(&String::from_utf8_lossy(line), Instant::now()) {
            note(&text);
        }
    };
    let finished = engine.exec.lines(step, TAIL.1, &mut line).map_err(|error| match error {
        ExecError::NotFound { program } => EngineError::Base(
            UserError::new(format!(
                "`{program}` is needed to make `{}` without a registry",
                target.image
            ))
            .hint("run `cargo xtask setup` to install it"),
        ),
        other => EngineError::Exec(other),
    })?;
    if finished.success {
        return Ok(());
    }
    let message = format!(
        "`{}` could not make `{}` for {platform}:\n{}",
        step.program,
        target.image,
        Vec::from(account.tail).join("\n")
    );
    let hint = "check the addresses and names in `bootstrap` of this `[[target]]` in wheels.toml; \
                `cargo xtask doctor` checks the tools";
    Err(EngineError::Base(UserError::new(message).hint(hint)))
}

/// The progress of mmdebstrap, parsed from its output.
struct Account {
    unpacked: u32,
    set_up: u32,
    last_report: Instant,
    tail: VecDeque<String>,
}

impl Account {
    fn new(now: Instant) -> Self {
        Self { unpacked: 0, set_up: 0, last_report: now, tail: VecDeque::new() }
    }

    /// Processes one line; returns a report if one is due.
    fn line(&mut self, line: &str, now: Instant) -> Option<String> {
        let line = line.trim_end();
        if self.tail.len() == TAIL.0 {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
        let text = if let Some(phase) = line.strip_prefix("I: ") {
            // Only phases end in dots; other lines are details.
            phase.strip_suffix("...").map(str::to_owned)
        } else if line.starts_with("Unpacking ") {
            self.unpacked += 1;
            self.due(now).then(|| format!("{} packages unpacked", self.unpacked))
        } else if let Some(rest) = line.strip_prefix("Setting up ") {
            self.set_up += 1;
            let name = rest.split([' ', ':']).next().unwrap_or_default();
            self.due(now).then(|| format!("{} packages set up, now {name}", self.set_up))
        } else {
            None
        };
        if text.is_some() {
            self.last_report = now;
        }
        text
    }

    fn due(&self, now: Instant) -> bool {
        now.duration_since(self.last_report) >= QUIET
    }
}

#[cfg(test)]
mod tests {
    use super::super::prebuilt::Name;
    use super::*;
    use crate::config;
    use wheel_audit::wheel::Interpreter;

    /// A name with a tag and without a host, as distribution/reference defines it.
    fn is_reference(text: &str) -> bool {
        let Some((repository, tag)) = text.split_once(':') else { return false };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        // path-component = alphanumeric (separator alphanumeric)*; separator = [_.] | __ | -+
        let component = |part: &str| {
            let separators = part.split(plain).filter(|separator| !separator.is_empty());
            let is_one = |it: &str| matches!(it, "." | "_" | "__") || it.chars().all(|c| c == '-');
            part.starts_with(plain) && part.ends_with(plain) && separators.into_iter().all(is_one)
        };
        // tag = [\w][\w.-]{0,127}
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        repository.split('/').all(component)
            && tag.len() <= 128
            && tag.starts_with(word)
            && tag.chars().all(|c| word(c) || ".-".contains(c))
    }

    fn of_suite(suite: &str) -> Bootstrap {
        Bootstrap {
            tool: BootstrapTool::Mmdebstrap,
            suite: suite.into(),
            mirror: None,
            components: Vec::new(),
            keyring: None,
            repositories: Vec::new(),
            packages: Vec::new(),
        }
    }

    /// The image names of a target called `name`, for each platform and interpreter.
    fn names(target: &Target, name: &str, pythons: &[Interpreter]) -> Vec<String> {
        let mut names = Vec::new();
        for platform in &target.platforms {
            let own = target.bootstrap.clone().unwrap_or_else(|| of_suite(&target.image));
            names.extend([&own, &of_suite(&target.image)].map(|it| reference(it, platform)));
            for python in pythons {
                let folder = format!("{name}-{}", platform.engine_arch());
                let (interpreter, key) = (python.to_string(), digest::of_bytes(name.as_bytes()));
                let built = Name { folder, interpreter, key };
                names.extend([built.local(), built.in_repository("r.example/base").split_off(10)]);
            }
        }
        names
    }

    #[test]
    fn defect_05_every_image_name_is_a_valid_reference() {
        assert!(
            !is_reference("name:debian:12") && !is_reference("a..b:1") && is_reference("a/b:1")
        );
        let target = |name: &str, image: &str| {
            let platforms = r#"platforms = ["linux/amd64", "linux/arm64"]"#;
            format!(
                "[[target]]\nname = \"{name}\"\nimage = \"{image}\"\nfamily = \"apt\"\n{platforms}\n"
            )
        };
        let images = [
            ("debian12", "debian:12"),
            ("rocky9", "docker.io/rockylinux/rockylinux:9"),
            ("alpine3.22", "alpine:3.22"),
            ("own", "r.example:5000/a/b"),
        ];
        let text = images.map(|(name, image)| target(name, image)).concat();
        let text = format!(
            "[source]\npath = \".\"\n[build]\npythons = [\"cp311\", \"cp314t\", \"pp311\"]\n{text}"
        );
        let parse = |text: &str| config::parse_text(Utf8Path::new("wheels.toml"), text);
        let shipped = parse(&text).unwrap_or_else(|error| unreachable!("{error}"));
        for target in &shipped.targets {
            for name in names(target, &target.name, &shipped.build.pythons) {
                assert!(is_reference(&name), "{name}");
            }
        }
        for suite in ["stable/updates", "odd name", ".hidden", "debian:12", "-x", ""] {
            let name = reference(&of_suite(suite), &shipped.targets[0].platforms[0]);
            assert!(is_reference(&name), "{name}");
        }
        // Every valid target name makes valid references; other names are rejected.
        for name in
            ["a", "a.b-c", "a--b", "9", "a..b", "a.", "a-", "a.-b", "a-.b", ".a", "-a", "a_b"]
        {
            let named = parse(&text.replacen("name = \"alma9\"", &format!("name = \"{name}\""), 1));
            let Ok(config) = named else { continue };
            let target = config.targets.iter().find(|target| target.name == name);
            let all = target.map(|target| names(target, name, &config.build.pythons));
            for reference in all.unwrap_or_default() {
                assert!(is_reference(&reference), "{reference}");
            }
        }
    }

    #[test]
    fn a_bootstrap_reports_its_phases_and_the_progress_of_slow_ones() {
        let start = Instant::now();
        let mut account = Account::new(start);
        let mut reported = Vec::new();
        let lines = [
            (0, "I: automatically chosen mode: root"),
            (1, "I: downloading packages with apt..."),
            (9, "Get:1 http://a.example bookworm/main arm64 libc6 [2.1 MB]"),
            (9, "I: installing essential packages..."),
            (10, "Unpacking libc6:arm64 (2.36-9) ..."),
            (20, "Unpacking dpkg (1.21) ..."),
            (21, "Setting up libc6:arm64 (2.36-9) ..."),
            (35, "Setting up dpkg (1.21) ..."),
        ];
        for (second, line) in lines {
            reported.extend(account.line(line, start + Duration::from_secs(second)));
        }
        assert_eq!(
            reported,
            [
                "downloading packages with apt",
                "installing essential packages",
                "2 packages unpacked",
                "2 packages set up, now dpkg",
            ]
        );
    }

    #[test]
    fn a_bootstrap_that_fails_shows_its_last_lines() {
        let mut account = Account::new(Instant::now());
        for number in 0..100 {
            account.line(&format!("E: line {number}"), Instant::now());
        }
        assert_eq!(account.tail.len(), TAIL.0);
        assert_eq!(account.tail.back().map(String::as_str), Some("E: line 99"));
    }
}
