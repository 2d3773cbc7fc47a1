//! The version of the rules: a hash of the audit's source and data files.

use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};

/// The folders below `src/` that a verdict depends on.
pub(crate) const MODULES: [&str; 5] = ["audit", "elf", "isa", "policy", "wheel"];

/// The version of the rules in the folder `source`. Another release of Rust may have another hash function, which
/// only causes new audits.
///
/// # Errors
/// If a file is unreadable.
pub(crate) fn version(source: &Path) -> std::io::Result<String> {
    let mut hasher = DefaultHasher::new();
    for module in MODULES {
        let mut files = Vec::new();
        files_below(&source.join(module), &mut files)?;
        files.sort();
        for file in files {
            let name = file.strip_prefix(source).unwrap_or(&file).to_string_lossy().into_owned();
            let bytes = std::fs::read(&file)?;
            for part in [name.as_bytes(), &bytes] {
                hasher.write_usize(part.len());
                hasher.write(part);
            }
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Collects the files below `folder`, except tests.
fn files_below(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if stem == "tests" || stem.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            files_below(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
