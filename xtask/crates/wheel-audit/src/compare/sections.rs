//! Reads the sections of an ELF file by name. Invalid headers have no sections.

use std::collections::BTreeMap;

use goblin::{
    container::{Container, Ctx, Endian},
    elf::{
        Elf,
        header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB},
        section_header::{SHT_NOBITS, SectionHeader},
    },
};

const MAX_SECTIONS: usize = 4_096;
const MAX_NAME: usize = 200;

/// The sections with bytes in the file. `None` if they are unreadable. Of several with the same name, the first one
/// counts.
pub(super) fn sections(bytes: &[u8]) -> Option<BTreeMap<String, &[u8]>> {
    let header = Elf::parse_header(bytes).ok()?;
    let is_wide = header.e_ident[EI_CLASS] == ELFCLASS64;
    let container = if is_wide { Container::Big } else { Container::Little };
    let is_little = header.e_ident[EI_DATA] == ELFDATA2LSB;
    let context = Ctx::new(container, if is_little { Endian::Little } else { Endian::Big });
    let count = usize::from(header.e_shnum);
    if count == 0 || count > MAX_SECTIONS {
        return None;
    }
    let size = count as u64 * if is_wide { 64 } else { 40 };
    let table =
        SectionHeader::parse_from(part(bytes, header.e_shoff, size)?, 0, count, context).ok()?;
    let names = table.get(usize::from(header.e_shstrndx))?;
    let names = part(bytes, names.sh_offset, names.sh_size)?;
    let (mut found, mut total) = (BTreeMap::new(), 0);
    for section in table.iter().filter(|it| it.sh_type != SHT_NOBITS && it.sh_size > 0) {
        let content = part(bytes, section.sh_offset, section.sh_size)?;
        total += content.len();
        // Overlapping sections would be compared repeatedly.
        if total > bytes.len() {
            return None;
        }
        let name = names.get(section.sh_name..)?.split(|&byte| byte == 0).next()?;
        let name = String::from_utf8_lossy(&name[..name.len().min(MAX_NAME)]).into_owned();
        found.entry(name).or_insert(content);
    }
    Some(found)
}

fn part(bytes: &[u8], offset: u64, size: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(size).ok()?)?)
}
