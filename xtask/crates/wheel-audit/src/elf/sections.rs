//! Hints from the section headers, which may be missing or wrong.

use goblin::elf::section_header::{SHT_NOBITS, SectionHeader};

use super::image::Image;

const MAX_LINES: usize = 8;
const MAX_LENGTH: usize = 200;

/// The section headers of a file.
pub(super) struct Sections<'a, 'b> {
    image: &'b Image<'a>,
    table: Vec<SectionHeader>,
    names: &'a [u8],
}

impl<'a, 'b> Sections<'a, 'b> {
    /// `None` if they are missing or unreadable.
    pub(super) fn read(image: &'b Image<'a>) -> Option<Self> {
        let table = image.sections()?;
        let names = table.get(usize::from(image.header.e_shstrndx))?;
        let names = image.file(names.sh_offset, names.sh_size)?;
        Some(Self { image, table, names })
    }

    /// The distinct lines of `.comment`, at most eight. Empty without this section.
    pub(super) fn compilers(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for line in self.comment().unwrap_or_default().split(|&byte| byte == 0) {
            let line: String = String::from_utf8_lossy(&line[..line.len().min(MAX_LENGTH)])
                .chars()
                .filter(|each| !each.is_control())
                .collect();
            if !line.is_empty() && !lines.contains(&line) && lines.len() < MAX_LINES {
                lines.push(line);
            }
        }
        lines
    }

    /// The size of the debug sections in the file (`.debug_*`, `.zdebug_*`; DWARF, appendix F), in bytes.
    pub(super) fn debug_bytes(&self) -> u64 {
        let length = self.image.length();
        let is_debug = |each: &&SectionHeader| {
            let name = self.name(each);
            let inside = each.sh_offset.checked_add(each.sh_size).is_some_and(|end| end <= length);
            let is_named = name.starts_with(b".debug_") || name.starts_with(b".zdebug_");
            is_named && inside && each.sh_type != SHT_NOBITS
        };
        let sizes = self.table.iter().filter(is_debug).map(|each| each.sh_size);
        // Overlapping sections would count twice.
        sizes.fold(0, u64::saturating_add).min(length)
    }

    fn comment(&self) -> Option<&'a [u8]> {
        let is_comment = |each: &&SectionHeader| self.name(each).starts_with(b".comment\0");
        let comment = self.table.iter().find(is_comment)?;
        let comment = self.image.file(comment.sh_offset, comment.sh_size)?;
        Some(&comment[..comment.len().min(MAX_LINES * MAX_LENGTH)])
    }

    /// The name of a section and the bytes after it.
    fn name(&self, section: &SectionHeader) -> &'a [u8] {
        self.names.get(section.sh_name..).unwrap_or_default()
    }
}
