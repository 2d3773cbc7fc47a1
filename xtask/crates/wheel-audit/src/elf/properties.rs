//! Program properties, the linker's notes for the loader (x86-64 psABI, section "Program Property").

use goblin::elf::{
    header::EM_X86_64,
    program_header::{PT_GNU_PROPERTY, PT_NOTE},
};

use super::Image;

/// `NT_GNU_PROPERTY_TYPE_0`, the type of the note.
const PROPERTIES: u32 = 5;
/// `GNU_PROPERTY_X86_ISA_1_NEEDED`.
const ISA_NEEDED: u32 = 0xc000_8002;

/// The value of `GNU_PROPERTY_X86_ISA_1_NEEDED`. `None` without this property or on other architectures.
pub(crate) fn isa_needed(image: &Image<'_>) -> Option<u32> {
    if image.header.e_machine != EM_X86_64 || !image.little_endian() {
        return None;
    }
    // glibc reads the notes only without a property segment (`elf/dl-load.c`).
    [PT_GNU_PROPERTY, PT_NOTE].into_iter().find_map(|kind| {
        let segments = image.segments.iter().filter(|each| each.p_type == kind);
        let notes = segments.filter_map(|each| image.file(each.p_offset, each.p_filesz));
        notes.into_iter().find_map(|notes| in_notes(image, notes))
    })
}

fn in_notes(image: &Image<'_>, mut notes: &[u8]) -> Option<u32> {
    let align = image.word_size();
    while notes.len() >= 12 {
        let [name, length, kind] = [0, 4, 8].map(|at| image.u32(notes, at));
        let start = 12 + usize::try_from(name).ok()?.checked_next_multiple_of(4)?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        let mut rest = notes.get(start..end)?;
        while kind == PROPERTIES && rest.len() >= 8 {
            let size = usize::try_from(image.u32(rest, 4)).ok()?;
            if image.u32(rest, 0) == ISA_NEEDED && size == 4 && rest.len() >= 12 {
                return Some(image.u32(rest, 8));
            }
            let next = size.checked_next_multiple_of(align)?.checked_add(8)?;
            rest = rest.get(next..).unwrap_or_default();
        }
        notes = notes.get(end.checked_next_multiple_of(align)?..).unwrap_or_default();
    }
    None
}
