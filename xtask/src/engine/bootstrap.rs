//! A base image made from the distribution's own packages, for machines where no container
//! registry answers: mmdebstrap makes the root file system, we make an image of it.

use camino::Utf8Path;
use serde::Serialize;

use super::image::{BaseImage, Origin};
use super::{Engine, EngineError, archive};
use crate::config::{Bootstrap, Platform, Target};
use crate::digest;
use crate::exec::{ExecError, Step};

/// Repository name of the images we make; no registry of that name exists, so none is asked.
const REPOSITORY: &str = "xtask-wheels/os";
/// Raised when images are made in another way, so that older ones are not taken for new ones.
const RECIPE: u32 = 1;

#[derive(Serialize)]
struct Ingredients<'a> {
    recipe: u32,
    bootstrap: &'a Bootstrap,
    platform: &'a Platform,
}

/// The image reference of a bootstrapped base: made of what goes into it, and of nothing else, so that
/// targets made of the same packages share one image.
fn reference(bootstrap: &Bootstrap, platform: &Platform) -> String {
    let ingredients = Ingredients { recipe: RECIPE, bootstrap, platform };
    let text = serde_json::to_vec(&ingredients).unwrap_or_default();
    let hash = digest::of_bytes(&text);
    let plain = |c: &char| c.is_ascii_alphanumeric() || ".-".contains(*c);
    let suite: String = bootstrap.suite.chars().filter(plain).take(40).collect();
    format!("{REPOSITORY}:{suite}-{}-{}", platform.engine_arch(), &hash[..12])
}

/// The image of an earlier run, if the engine still has it.
pub(super) fn present(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
) -> Result<Option<BaseImage>, EngineError> {
    let Some(bootstrap) = &target.bootstrap else { return Ok(None) };
    let reference = reference(bootstrap, platform);
    let step = Step::new("docker", ["image", "inspect", "--format", "{{.Id}}", &reference]);
    match engine.query(&step) {
        Ok(id) => {
            let digest = id.trim().to_owned();
            Ok(Some(BaseImage { reference, digest, origin: Origin::Bootstrapped }))
        }
        Err(error @ (EngineError::Gone { .. } | EngineError::Exec(_))) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The mmdebstrap call that writes `target`'s root file system to `rootfs`.
fn step(bootstrap: &Bootstrap, platform: &Platform, rootfs: &Utf8Path) -> Step {
    let mut step = Step::new("mmdebstrap", ["--variant=minbase", "--format=tar"])
        .arg(format!("--architectures={}", platform.debian_arch()))
        // Without certificates nothing in the container could speak HTTPS.
        .arg("--include=ca-certificates")
        .arg(&bootstrap.suite)
        .arg(rootfs.as_str())
        // The same packages give the same bytes, and so the same digest.
        .env("SOURCE_DATE_EPOCH", "1")
        .hint("`cargo xtask doctor` says whether the bootstrap tools are there");
    if let Some(mirror) = &bootstrap.mirror {
        step = step.arg(mirror);
    }
    step
}

/// Makes the image and loads it into the engine.
pub(super) fn make(
    engine: &Engine,
    target: &Target,
    platform: &Platform,
    work: &Utf8Path,
    say: &mut dyn FnMut(&str),
) -> Result<BaseImage, EngineError> {
    let Some(bootstrap) = &target.bootstrap else {
        return Err(EngineError::Base(format!("target `{}` has no `bootstrap`", target.name)));
    };
    fs_err::create_dir_all(work)?;
    remove_leftovers(work)?;
    let folder = tempfile::Builder::new().prefix("base-").tempdir_in(work)?;
    let folder = camino::Utf8PathBuf::try_from(folder.path().to_owned())
        .map_err(|error| EngineError::Base(error.to_string()))
        .map(|path| (folder, path))?;
    let (rootfs, image) = (folder.1.join("rootfs.tar"), folder.1.join("image.tar"));
    say(&format!("mmdebstrap {} {}", bootstrap.suite, platform.debian_arch()));
    engine.exec.read(&step(bootstrap, platform, &rootfs)).map_err(|error| match error {
        ExecError::NotFound { program } => EngineError::Base(format!(
            "`{program}` is needed to make `{}` without a registry\n\n\
             hint: `cargo xtask setup` installs it",
            target.image
        )),
        ExecError::Failed { stderr, .. } => EngineError::Base(format!(
            "mmdebstrap could not make `{}` for {platform}:\n{}",
            target.image,
            last_lines(&stderr, 15)
        )),
        other => EngineError::Exec(other),
    })?;
    let reference = reference(bootstrap, platform);
    let digest = archive::write(&rootfs, &image, platform, &reference)?;
    say(&format!("loading {reference}"));
    engine.query(&Step::new("docker", ["load", "--quiet"]).stdin(&image))?;
    Ok(BaseImage { reference, digest, origin: Origin::Bootstrapped })
}

/// Takes away what runs that were killed left half made; callers hold the lock.
fn remove_leftovers(work: &Utf8Path) -> std::io::Result<()> {
    for entry in fs_err::read_dir(work)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("base-") {
            fs_err::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defect_05_the_tag_of_a_base_image_is_a_valid_reference() {
        for suite in ["bookworm", "noble", "stable/updates", "odd name"] {
            let bootstrap =
                Bootstrap { tool: "mmdebstrap".into(), suite: suite.into(), mirror: None };
            let platform = "linux/arm64".parse().unwrap_or_else(|error| unreachable!("{error}"));
            let reference = reference(&bootstrap, &platform);
            let (repository, tag) = reference.split_once(':').unwrap_or_default();
            assert_eq!(repository, REPOSITORY);
            // distribution/reference: tag = [\w][\w.-]{0,127}
            assert!(tag.len() <= 128 && tag.starts_with(|c: char| c.is_ascii_alphanumeric()));
            assert!(tag.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)), "{tag}");
        }
    }
}
