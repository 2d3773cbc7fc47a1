//! How the kernel recognises the programs of each architecture.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::engine::doctor::binfmt::Arch;

/// The contents of `formats.toml`.
#[derive(Debug, Deserialize)]
pub(super) struct Formats {
    /// The image that registers emulators through an engine.
    pub(super) image: String,
    /// The digest of its index.
    pub(super) digest: Option<String>,
    #[serde(rename = "formats")]
    by_arch: BTreeMap<String, Format>,
}

#[derive(Debug, Deserialize)]
struct Format {
    magic: String,
    mask: String,
}

/// The embedded `formats.toml`.
pub(super) static FORMATS: LazyLock<Formats> = LazyLock::new(load);

#[expect(clippy::expect_used, reason = "a test parses the embedded file")]
fn load() -> Formats {
    toml::from_str(include_str!("formats.toml")).expect("formats.toml is well-formed")
}

impl Formats {
    /// The image reference for the engine, with its digest if one is pinned.
    pub(super) fn reference(&self) -> String {
        match &self.digest {
            Some(digest) => format!("{}@{digest}", self.image),
            None => self.image.clone(),
        }
    }

    /// The line that registers `interpreter` for `arch` as `name` with the kernel
    /// (`Documentation/admin-guide/binfmt-misc.rst`). With flag `F` the kernel opens the emulator at
    /// registration, so that containers need no copy of it.
    pub(super) fn line(&self, arch: &Arch, name: &str, interpreter: &str) -> Option<String> {
        let Format { magic, mask } = self.by_arch.get(arch.name)?;
        Some(format!(":{name}:M::{}:{}:{interpreter}:F", escaped(magic), escaped(mask)))
    }
}

/// `7f45` as `\x7f\x45`: a raw byte could be the separator or a newline.
fn escaped(hex: &str) -> String {
    let mut text = String::new();
    for (index, digit) in hex.chars().enumerate() {
        if index % 2 == 0 {
            text.push_str("\\x");
        }
        let _ = write!(text, "{digit}");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::engine::binfmt::program;

    fn bytes(hex: &str) -> Vec<u8> {
        let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(pair).collect()
    }

    /// The kernel's own comparison.
    fn fits(format: &Format, file: &[u8]) -> bool {
        let magic = bytes(&format.magic).into_iter().zip(bytes(&format.mask));
        magic.zip(file).all(|((magic, mask), byte)| (magic ^ byte) & mask == 0)
    }

    #[test]
    fn each_format_matches_only_the_programs_of_its_architecture() {
        for arch in Arch::all() {
            let format = &FORMATS.by_arch[arch.name];
            assert_eq!((format.magic.len(), format.mask.len()), (40, 40), "{}", arch.name);
            for other in Arch::all() {
                let file = program::of(other.name).unwrap();
                assert_eq!(fits(format, &file), arch == other, "{} {}", arch.name, other.name);
            }
        }
        assert_eq!(FORMATS.by_arch.len(), Arch::all().count());
    }

    #[test]
    fn position_independent_programs_match() {
        for arch in Arch::all() {
            let mut file = program::of(arch.name).unwrap();
            let e_type = if arch.name == "s390x" { 17 } else { 16 };
            file[e_type] = 3;
            assert!(fits(&FORMATS.by_arch[arch.name], &file), "{}", arch.name);
        }
    }

    #[test]
    fn the_line_has_the_kernels_format() {
        let line = FORMATS.line(Arch::find("arm64").unwrap(), "xtask-aarch64", "/usr/bin/q");
        assert_eq!(
            line.unwrap(),
            r":xtask-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/q:F"
        );
    }
}
