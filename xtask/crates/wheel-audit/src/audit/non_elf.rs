//! Files that are named like extension modules but are not ELF files: a failed build, a Git LFS pointer, a module
//! for another system.

use std::ops::ControlFlow;

use super::loading::is_module_name;
use crate::wheel::{MemberError, SharedFile, WheelArchive};

/// The number of bytes that identify a file.
const START: usize = 128;
/// Maximum number of such files per wheel.
const MAX_NON_ELF: usize = 256;

/// The kind of a file that is not an ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Empty,
    LfsPointer,
    MachO,
    Pe,
    Archive,
    Bitcode,
    /// It refers a linker to a library. This is correct, because nothing imports it.
    LinkerScript,
    Text,
    Other,
}

impl Kind {
    fn of(start: &[u8]) -> Self {
        // Mach-O of either width and byte order, and files of several of them (`mach-o/loader.h`,
        // `mach-o/fat.h`).
        let is_mach_o = [
            b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf",
            b"\xce\xfa\xed\xfe",
            b"\xcf\xfa\xed\xfe",
            b"\xca\xfe\xba\xbe",
            b"\xca\xfe\xba\xbf",
        ];
        let is_text = || {
            std::str::from_utf8(start).map_or_else(
                |error| error.valid_up_to() > 0 && error.error_len().is_none(),
                |text| !text.contains('\0'),
            )
        };
        let has = |word: &[u8]| memchr::memmem::find(start, word).is_some();
        match start {
            [] => Self::Empty,
            _ if is_mach_o.iter().any(|mark| start.starts_with(*mark)) => Self::MachO,
            // <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>
            _ if start.starts_with(b"version https://git-lfs") => Self::LfsPointer,
            _ if start.starts_with(b"MZ") => Self::Pe,
            _ if start.starts_with(b"!<arch>\n") => Self::Archive,
            _ if start.starts_with(b"BC\xc0\xde") => Self::Bitcode,
            _ if is_text() && (has(b"ld script") || has(b"INPUT") || has(b"GROUP")) => {
                Self::LinkerScript
            }
            _ if is_text() => Self::Text,
            _ => Self::Other,
        }
    }

    /// "an empty file"
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "an empty file",
            Self::LfsPointer => "a pointer to a file that git-lfs did not fetch",
            Self::MachO => "a Mach-O file, for macOS",
            Self::Pe => "a PE file, for Windows",
            Self::Archive => "an archive of object files",
            Self::Bitcode => "LLVM bitcode",
            Self::LinkerScript => "a linker script",
            Self::Text => "a text file",
            Self::Other => "not an ELF file",
        }
    }
}

/// Finds such files in the archive's order, except those that `is_known` excludes.
pub(super) fn find(
    archive: &WheelArchive<SharedFile>,
    is_known: &dyn Fn(&str) -> bool,
) -> std::io::Result<Vec<(String, Kind)>> {
    let mut own = archive.share();
    let mut found = Vec::new();
    for (index, entry) in archive.entries().iter().enumerate() {
        let path = entry.name.as_str();
        if !is_module_name(path) || is_known(path) {
            continue;
        }
        if found.len() == MAX_NON_ELF {
            break;
        }
        let mut start = Vec::new();
        let result = own.stream_until(index, &mut |piece| {
            let left = START - start.len();
            start.extend(piece.iter().take(left));
            if start.len() == START { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match result {
            Ok(()) => found.push((path.to_owned(), Kind::of(&start))),
            Err(MemberError::Io(error)) => return Err(error),
            // ARC010 covers unreadable members.
            Err(_) => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_identify_files() {
        for (start, kind) in [
            (b"".as_slice(), Kind::Empty),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", Kind::LfsPointer),
            (b"\xcf\xfa\xed\xfe\x07\0\0\x01", Kind::MachO),
            (b"\xca\xfe\xba\xbe\0\0\0\x02", Kind::MachO),
            (b"MZ\x90\0", Kind::Pe),
            (b"!<arch>\n", Kind::Archive),
            (b"/* GNU ld script */\nINPUT(libx.so.1)\n", Kind::LinkerScript),
            ("größe".as_bytes(), Kind::Text),
            (b"a\0b", Kind::Other),
            (b"\xff\xfe", Kind::Other),
        ] {
            assert_eq!(Kind::of(start), kind, "{start:?}");
        }
    }
}
