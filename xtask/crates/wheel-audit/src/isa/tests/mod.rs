#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

mod a64;
mod any;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::*;

/// A small ELF file with one piece of code at file offset and address 0x1000.
struct Build<'a> {
    machine: u16,
    code: Vec<u8>,
    /// Name, offset in the code and size of each function.
    functions: &'a [(&'a str, u64, u64)],
    imports: &'a [&'a str],
}

const CODE: u64 = 0x1000;

impl Build<'_> {
    /// The file, with a table of symbols.
    fn file(&self) -> Vec<u8> {
        let (mut symbols, mut names) = (vec![0; 24], vec![0]);
        let mut add = |name: &str, info: u8, section: u16, value: u64, size: u64| {
            symbols.extend(u32::try_from(names.len()).unwrap().to_le_bytes());
            symbols.extend([info, 0]);
            symbols.extend(section.to_le_bytes());
            symbols.extend(value.to_le_bytes());
            symbols.extend(size.to_le_bytes());
            names.extend(name.as_bytes());
            names.push(0);
        };
        for (name, offset, size) in self.functions {
            add(name, 0x12, 1, CODE + offset, *size);
        }
        for name in self.imports {
            add(name, 0x12, 0, 0, 0);
        }
        let size = self.code.len() as u64;
        let tables = CODE + size;
        let sections = tables + (symbols.len() + names.len()) as u64;
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0".to_vec();
        file.extend(self.machine.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        file.extend([0, 64, sections].map(u64::to_le_bytes).concat());
        file.extend(0_u32.to_le_bytes());
        file.extend([64_u16, 56, 1, 64, 4, 0].map(u16::to_le_bytes).concat());
        file.extend([1_u32, 5].map(u32::to_le_bytes).concat());
        file.extend([CODE, CODE, CODE, size, size, 0x1000].map(u64::to_le_bytes).concat());
        file.resize(usize::try_from(CODE).unwrap(), 0);
        file.extend(&self.code);
        file.extend(&symbols);
        file.extend(&names);
        let mut section = |kind: u32, flags: u64, offset: u64, size: usize, link: u32| {
            let address = if flags == 0 { 0 } else { offset };
            file.extend([0, kind].map(u32::to_le_bytes).concat());
            file.extend([flags, address, offset, size as u64].map(u64::to_le_bytes).concat());
            file.extend([link, 0].map(u32::to_le_bytes).concat());
            file.extend([0_u64; 2].map(u64::to_le_bytes).concat());
        };
        section(0, 0, 0, 0, 0);
        section(1, 6, CODE, self.code.len(), 0);
        section(2, 0, tables, symbols.len(), 3);
        section(3, 0, tables + symbols.len() as u64, names.len(), 0);
        file
    }
}

fn level(text: &str) -> Level {
    text.parse().unwrap()
}

fn found(facts: &IsaFacts, name: &str) -> Option<Certainty> {
    let found = facts.features.iter().find(|each| each.feature.name() == name);
    found.map(|each| each.certainty)
}
