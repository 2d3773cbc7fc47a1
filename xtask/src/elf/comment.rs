//! What the compilers left in `.comment`. Section headers may be missing or lie, so this is a hint
//! for people.

use goblin::elf::section_header::SectionHeader;

use super::image::Image;

const MAX_LINES: usize = 8;
const MAX_LENGTH: usize = 200;

/// The distinct lines of `.comment`, at most eight; none if there is no such section.
pub(super) fn compilers(image: &Image<'_>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in section(image).unwrap_or_default().split(|&byte| byte == 0) {
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

fn section<'a>(image: &Image<'a>) -> Option<&'a [u8]> {
    let header = &image.header;
    let count = usize::from(header.e_shnum);
    let start = Some(header.e_shoff).filter(|&start| start != 0 && count != 0)?;
    let size = if image.is_64_bit() { 64 } else { 40 };
    let table = image.file(start, (count * size) as u64)?;
    let table = SectionHeader::parse_from(table, 0, count, image.context()).ok()?;
    let names = contents(image, table.get(usize::from(header.e_shstrndx))?)?;
    let is_comment = |each: &&SectionHeader| {
        names.get(each.sh_name..).is_some_and(|name| name.starts_with(b".comment\0"))
    };
    let comment = contents(image, table.iter().find(is_comment)?)?;
    Some(&comment[..comment.len().min(MAX_LINES * MAX_LENGTH)])
}

fn contents<'a>(image: &Image<'a>, section: &SectionHeader) -> Option<&'a [u8]> {
    image.file(section.sh_offset, section.sh_size)
}
