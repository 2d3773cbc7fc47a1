//! Puts the build files into the program: `assets.rs` in `OUT_DIR` lists each with its contents.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

/// The folders, beside those of the crates.
const FOLDERS: [&str; 3] = ["docker", "scripts", "scripts/accelerate"];
/// Files there that are this repository's own, and not the tool's.
const OWN: [&str; 1] = ["docker/build-requirements.txt"];

fn main() -> io::Result<()> {
    let top = Path::new("../../..").canonicalize()?;
    let mut names = Vec::new();
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", top.join(folder).display());
        for entry in fs::read_dir(top.join(folder))? {
            let entry = entry?;
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_file() && !OWN.contains(&name.as_str()) {
                println!("cargo::rerun-if-changed={}", entry.path().display());
                names.push(name);
            }
        }
    }
    names.sort();
    let mut text = String::from("[");
    for name in names {
        let path = top.join(&name).display().to_string();
        let _ = writeln!(text, "({name:?}, include_bytes!({path:?}) as &[u8]),");
    }
    text.push(']');
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&out).join("assets.rs"), text)
}
