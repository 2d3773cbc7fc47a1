//! Finds the functions that call an imported symbol.
//!
//! A call loads the address of its target from a slot, or jumps to a stub in the procedure linkage table that does.
//! Relocations assign slots to symbols.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
};

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};

use crate::elf::{FileBytes, Image};

use super::{
    IsaError, Layout, Machine,
    bytes::u32_at,
    code_file::CodeFile,
    layout::Span,
    tables::{Dynamic, Symbols},
};

/// Maximum number of callers per symbol.
const MAX_CALLERS: usize = 64;
/// The alignment of stubs (procedure linkage tables of both psABIs).
const STUB: u64 = 8;

/// The functions that call each of the `wanted` imports, in order of address: the name if there is a symbol,
/// otherwise the address with `0x`. At most 64 per import. An import without calls has an empty list, and a
/// missing import has no entry.
///
/// # Errors
/// [`IsaError`] if the file has no readable code for x86-64 or arm64.
pub fn callers(bytes: &[u8], wanted: &[&str]) -> Result<BTreeMap<String, Vec<String>>, IsaError> {
    let layout = Layout::of(&bytes)?;
    let file: &dyn FileBytes = &bytes;
    let mut image = Image::open(file)?;
    image.read_segments()?;
    let elf = CodeFile::new(&image)?;
    if layout.machine == Machine::I686 {
        // A64 code addresses slots through a register.
        return Err(IsaError::Machine(3));
    }
    let plt = stub_sections(&elf);
    let (slots, mut found) = slots(&elf, wanted);
    if !slots.is_empty() {
        let code = |span: &Span| {
            let size = span.file.end - span.file.start;
            file.get(span.file.start, size).unwrap_or_default()
        };
        let read = if layout.machine == Machine::Aarch64 { a64_references } else { references };
        let is_stub = |each: &Reference| stub_of(&plt, each);
        // Stubs first, because they may follow their callers.
        let mut stubs = HashMap::new();
        for span in &layout.spans {
            read(code(span), span.address, &mut |each| {
                if let (Some(name), Some(stub)) = (slots.get(&each.target), is_stub(&each)) {
                    stubs.insert(stub, name.clone());
                }
            });
        }
        for span in &layout.spans {
            read(code(span), span.address, &mut |each| {
                let name = match is_stub(&each) {
                    Some(_) => None,
                    None => slots.get(&each.target).or_else(|| stubs.get(&each.target)),
                };
                if let Some(callers) = name.and_then(|name| found.get_mut(name)) {
                    callers.insert(if span.is_function { span.address } else { each.at });
                }
            });
        }
    }
    let name = |address| layout.names.get(address).unwrap_or_else(|| format!("{address:#x}"));
    let list = |all: BTreeSet<u64>| all.into_iter().take(MAX_CALLERS).map(name).collect();
    Ok(found.into_iter().map(|(symbol, all)| (symbol, list(all))).collect())
}

/// The sections with stubs, by name. Empty without section headers.
fn stub_sections(elf: &CodeFile<'_>) -> Vec<Range<u64>> {
    let stubs = elf.sections.iter().filter(|each| elf.is_named(each, b".plt")).take(8);
    stubs.map(|each| each.sh_addr..each.sh_addr.saturating_add(each.sh_size)).collect()
}

/// The address of the stub with a reference. Without sections, a jump through a slot at an aligned address counts
/// as a stub.
fn stub_of(sections: &[Range<u64>], reference: &Reference) -> Option<u64> {
    let inside = |begin: &u64| sections.iter().any(|each| each.contains(begin));
    reference.stub.filter(|begin| sections.is_empty() || inside(begin))
}

type Callers = BTreeMap<String, BTreeSet<u64>>;

/// The slots of the wanted symbols, and an empty set for each symbol that is imported.
fn slots(elf: &CodeFile<'_>, wanted: &[&str]) -> (HashMap<u64, String>, Callers) {
    let (mut slots, mut found) = (HashMap::new(), Callers::new());
    let dynamic = Dynamic::parse(elf);
    let Some(symbols) = Symbols::dynamic(elf, &dynamic) else {
        return (slots, found);
    };
    let wanted: BTreeSet<&[u8]> = wanted.iter().map(|each| each.as_bytes()).collect();
    let name = |symbol| {
        let name = symbols.name(&symbol);
        let is_wanted = symbol.is_import() && wanted.contains(name);
        is_wanted.then(|| String::from_utf8_lossy(name).into_owned())
    };
    found.extend(symbols.iter().filter_map(name).map(|name| (name, BTreeSet::new())));
    for each in dynamic.relocations(elf).filter(|each| each.symbol != 0) {
        if let Some(name) = symbols.get(each.symbol).and_then(name) {
            slots.insert(each.slot, name);
        }
    }
    (slots, found)
}

/// An instruction that calls, jumps to or loads from a constant address.
struct Reference {
    at: u64,
    target: u64,
    /// The start of the stub, if it is a stub's jump through a slot.
    stub: Option<u64>,
}

/// The references in a piece of x86-64 code.
fn references(bytes: &[u8], address: u64, found: &mut dyn FnMut(Reference)) {
    let Ok(mut decoder) = Decoder::try_with_ip(64, bytes, address, DecoderOptions::NONE) else {
        return;
    };
    let mut instruction = Instruction::default();
    // The address of the previous instruction, if it was `endbr64`.
    let mut landing = None;
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let at = instruction.ip();
        match instruction.code() {
            Code::Call_rel32_64 | Code::Jmp_rel32_64 => {
                found(Reference { at, target: instruction.near_branch64(), stub: None });
            }
            Code::Call_rm64 | Code::Jmp_rm64 | Code::Mov_r64_rm64
                if instruction.is_ip_rel_memory_operand() =>
            {
                let begin = landing.unwrap_or(at);
                let is_stub = instruction.mnemonic() == Mnemonic::Jmp && begin % STUB == 0;
                let target = instruction.ip_rel_memory_address();
                // In a function that ends in a tail call, other instructions precede the jump.
                let stub = (is_stub && instruction.op0_kind() == OpKind::Memory).then_some(begin);
                found(Reference { at, target, stub });
            }
            _ => {}
        }
        landing = (instruction.code() == Code::Endbr64).then_some(at);
    }
}

/// The references in a piece of A64 code.
fn a64_references(bytes: &[u8], address: u64, found: &mut dyn FnMut(Reference)) {
    // The page that `adrp` loaded into each register, and the address of that `adrp`.
    let mut pages = [None; 32];
    let mut landing = None;
    for (index, word) in bytes.chunks_exact(4).enumerate() {
        let (word, at) = (u32_at(word, 0), address.wrapping_add(4 * index as u64));
        let (low, high) = ((word & 0x1f) as usize, (word >> 5 & 0x1f) as usize);
        if word & 0x7c00_0000 == 0x1400_0000 {
            // b, bl: 26 bits, in words.
            let offset = i64::from((word << 6).cast_signed() >> 6) * 4;
            found(Reference { at, target: at.wrapping_add_signed(offset), stub: None });
        } else if word & 0x9f00_0000 == 0x9000_0000 {
            let pages_on = (word >> 3 & 0x001f_fffc) | (word >> 29 & 3);
            let offset = (i64::from((pages_on << 11).cast_signed()) >> 11) * 4096;
            pages[low] = Some(((at & !0xfff).wrapping_add_signed(offset), landing.unwrap_or(at)));
        } else if word & 0xffc0_0000 == 0xf940_0000
            && let Some((page, begin)) = pages[high]
        {
            // ldr x, [x, #12 bits, in units of 8 bytes]. Stubs load x17 from x16.
            let target = page.wrapping_add(u64::from(word >> 10 & 0xfff) * 8);
            let is_stub = (high, low) == (16, 17) && begin % STUB == 0;
            found(Reference { at, target, stub: is_stub.then_some(begin) });
        }
        // bti c
        landing = (word == 0xd503_245f).then_some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_stubs_of_arm64_are_recognized_by_encoding() {
        let words: [u32; 6] = [
            0x9400_0004, // bl 16 further
            0xd65f_03c0, // ret
            0xf940_0401, // ldr x1, [x0, #8], from an unknown page
            0xd503_201f, // nop
            0xb000_0090, // adrp x16, 17 pages further
            0xf947_d211, // ldr x17, [x16, #4000]
        ];
        let code: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        let mut found = Vec::new();
        a64_references(&code, 0x1000, &mut |each| found.push((each.at, each.target, each.stub)));
        assert_eq!(
            found,
            [(0x1000, 0x1010, None), (0x1014, 0x12000 + 4000, Some(0x1010))],
            "{found:#x?}"
        );
    }
}
