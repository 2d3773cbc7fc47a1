//! The version of what judges wheels: a hash of its source and data files. No one has to raise a number.

use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};

/// The folders below `src/` that a verdict depends on.
pub(crate) const MODULES: [&str; 5] = ["audit", "elf", "isa", "policy", "wheel"];

/// The version of the rules in the folder `source`. Another release of Rust may hash in another way:
/// wheels are then judged again, and nothing else happens.
///
/// # Errors
/// When a file cannot be read.
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

/// The files below `folder`, without those of tests.
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
