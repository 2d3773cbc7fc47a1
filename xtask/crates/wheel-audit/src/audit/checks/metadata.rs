//! Compares `WHEEL` and `METADATA` with the file name.

use super::{AuditContext, Check, Finding, Rule};
use crate::audit::contents::Contents;
use crate::wheel::{CoreMetadata, WheelName, same_name, same_version};

const DIST_INFO: Rule = Rule::error(
    "MET001",
    "dist-info",
    "pack exactly one `.dist-info` folder, named after the wheel",
);
const WHEEL_FILE: Rule = Rule::error(
    "MET002",
    "wheel-file",
    "build the wheel with a backend that writes a `WHEEL` of version 1",
);
const METADATA_FILE: Rule =
    Rule::error("MET003", "metadata-file", "build the wheel with a backend that writes `METADATA`");
const NAME_OR_VERSION: Rule = Rule::error(
    "MET004",
    "name-or-version",
    "build the wheel with its final name and version instead of renaming it",
);
const PURELIB: Rule = Rule::warning(
    "MET005",
    "machine-code-in-purelib",
    "make the build backend write `Root-Is-Purelib: false`; with setuptools, list the extension in `ext_modules`",
);

pub(super) const CHECK: Check =
    Check { rules: &[DIST_INFO, WHEEL_FILE, METADATA_FILE, NAME_OR_VERSION, PURELIB], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Some(contents) = context.contents() else {
        return;
    };
    let file = &context.facts.file;
    let folders: Vec<&String> = contents.dist_infos.iter().collect();
    match folders.as_slice() {
        [] => findings.push(DIST_INFO.broken(file, "the wheel has no `.dist-info` folder")),
        [folder] => {
            findings.extend(context.name.as_ref().ok().and_then(|name| misnamed(folder, name)));
        }
        several => {
            let several = super::listing(several);
            findings.push(
                DIST_INFO
                    .broken(file, format!("the wheel has several `.dist-info` folders: {several}")),
            );
        }
    }
    findings.extend(wheel_file(contents, file));
    match (&contents.metadata, &context.name) {
        (None, _) => {
            findings.push(METADATA_FILE.broken(file, "the wheel has no readable `METADATA`"));
        }
        (Some(Err(error)), _) => {
            findings.push(METADATA_FILE.broken(file, format!("`METADATA`: {error}")));
        }
        (Some(Ok(metadata)), Ok(name)) => findings.extend(other_names(metadata, name, file)),
        (Some(Ok(_)), Err(_)) => {}
    }
}

/// Reports a fault of `WHEEL`.
fn wheel_file(contents: &Contents, file: &str) -> Option<Finding> {
    let message = match &contents.wheel {
        None => "the wheel has no readable `WHEEL`".to_owned(),
        Some(Err(error)) => format!("`WHEEL`: {error}"),
        Some(Ok(wheel)) if wheel.wheel_version.0 != 1 => {
            let (major, minor) = wheel.wheel_version;
            format!("installers reject `Wheel-Version: {major}.{minor}`")
        }
        Some(Ok(wheel)) if wheel.root_is_purelib && !contents.elves.is_empty() => {
            let message =
                "`WHEEL` has `Root-Is-Purelib: true`, but the wheel contains machine code";
            return Some(PURELIB.broken(file, message));
        }
        Some(Ok(_)) => return None,
    };
    Some(WHEEL_FILE.broken(file, message))
}

/// Reports a name or version in the metadata that differs from the file name.
fn other_names(metadata: &CoreMetadata, name: &WheelName, file: &str) -> Vec<Finding> {
    let has_name = same_name(&metadata.name, &name.distribution);
    let has_version = same_version(&metadata.version, &name.version);
    let other = [
        ("Name", &metadata.name, &name.distribution, has_name),
        ("Version", &metadata.version, &name.version, has_version),
    ];
    let other = other.into_iter().filter(|(.., same)| !same).map(|(what, inside, outside, _)| {
        let inside = inside.escape_debug();
        let message = format!(
            "`METADATA` has `{what}: {inside}`, but the file name has `{outside}`; pip and uv reject the \
             wheel from an index"
        );
        NAME_OR_VERSION.broken(file, message)
    });
    other.collect()
}

fn misnamed(folder: &str, name: &WheelName) -> Option<Finding> {
    let (distribution, version) =
        folder.strip_suffix(".dist-info")?.rsplit_once('-').unwrap_or((folder, ""));
    let same = same_name(distribution, &name.distribution) && same_version(version, &name.version);
    let message =
        || format!("the metadata folder is not named after the wheel, `{}`", name.dist_info());
    (!same).then(|| DIST_INFO.broken(folder, message()))
}
