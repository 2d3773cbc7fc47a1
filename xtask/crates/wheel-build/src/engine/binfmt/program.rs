//! The smallest foreign programs, one for each architecture. Each exits with status 42.

/// The exit status of the programs.
pub(super) const STATUS: u8 = 42;
/// The address of the only segment, aligned to the largest known page (64 KiB).
const BASE: u32 = 0x40_0000;
const ALIGN: u32 = 0x1_0000;

/// The parts of a program.
struct Shape {
    /// 64 bits wide.
    wide: bool,
    /// Most significant byte first.
    big: bool,
    /// `e_machine`.
    machine: u16,
    /// `e_flags`.
    flags: u32,
    /// `exit(42)` by the architecture's system call convention (`syscall(2)`).
    code: &'static [u8],
}

fn shape(arch: &str) -> Option<Shape> {
    let little = Shape { wide: true, big: false, machine: 0, flags: 0, code: &[] };
    Some(match arch {
        // mov edi, 42; mov eax, 60; syscall
        "amd64" => Shape {
            machine: 62,
            code: b"\xbf\x2a\x00\x00\x00\xb8\x3c\x00\x00\x00\x0f\x05",
            ..little
        },
        // mov x0, #42; mov x8, #93; svc #0
        "arm64" => Shape {
            machine: 183,
            code: b"\x40\x05\x80\xd2\xa8\x0b\x80\xd2\x01\x00\x00\xd4",
            ..little
        },
        // mov ebx, 42; mov eax, 1; int 0x80
        "386" => Shape {
            wide: false,
            machine: 3,
            code: b"\xbb\x2a\x00\x00\x00\xb8\x01\x00\x00\x00\xcd\x80",
            ..little
        },
        // mov r0, #42; mov r7, #1; svc #0 (e_flags: EABI 5)
        "arm" => Shape {
            wide: false,
            machine: 40,
            flags: 0x0500_0000,
            code: b"\x2a\x00\xa0\xe3\x01\x70\xa0\xe3\x00\x00\x00\xef",
            ..little
        },
        // li r0, 1; li r3, 42; sc (e_flags: ELF v2)
        "ppc64le" => Shape {
            machine: 21,
            flags: 2,
            code: b"\x01\x00\x00\x38\x2a\x00\x60\x38\x02\x00\x00\x44",
            ..little
        },
        // li a0, 42; li a7, 93; ecall
        "riscv64" => Shape {
            machine: 243,
            code: b"\x13\x05\xa0\x02\x93\x08\xd0\x05\x73\x00\x00\x00",
            ..little
        },
        // lghi %r2, 42; svc 1
        "s390x" => Shape { big: true, machine: 22, code: b"\xa7\x29\x00\x2a\x0a\x01", ..little },
        _ => return None,
    })
}

/// The ELF file of the program for `arch`; `None` if `arch` is unknown. It consists of a header, one program
/// header (readable, executable) and the code, is static and has no sections.
pub(super) fn of(arch: &str) -> Option<Vec<u8>> {
    let shape = shape(arch)?;
    let (header, entry): (u16, u16) = if shape.wide { (64, 56) } else { (52, 32) };
    let start = u32::from(header) + u32::from(entry);
    let size = start + u32::try_from(shape.code.len()).ok()?;
    let mut file = File { wide: shape.wide, big: shape.big, bytes: b"\x7fELF".to_vec() };
    let class = if shape.wide { 2 } else { 1 };
    let data = if shape.big { 2 } else { 1 };
    file.bytes.extend([class, data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // e_type: ET_EXEC.
    file.half(2);
    file.half(shape.machine);
    file.word(1);
    file.address(BASE + start);
    // e_phoff, e_shoff.
    file.address(u32::from(header));
    file.address(0);
    file.word(shape.flags);
    for half in [header, entry, 1, 0, 0, 0] {
        file.half(half);
    }
    // PT_LOAD; PF_R | PF_X are at different places in 32 and 64 bits.
    file.word(1);
    if shape.wide {
        file.word(5);
    }
    for address in [0, BASE, BASE, size, size] {
        file.address(address);
    }
    if !shape.wide {
        file.word(5);
    }
    file.address(ALIGN);
    file.bytes.extend(shape.code);
    Some(file.bytes)
}

struct File {
    wide: bool,
    big: bool,
    bytes: Vec<u8>,
}

impl File {
    fn half(&mut self, value: u16) {
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn word(&mut self, value: u32) {
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn address(&mut self, value: u32) {
        if !self.wide {
            return self.word(value);
        }
        let value = u64::from(value);
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::engine::doctor::binfmt::Arch;

    #[test]
    fn every_program_is_an_elf_file_whose_segment_contains_its_entry() {
        for arch in Arch::all() {
            let bytes = of(arch.name).unwrap();
            let elf = goblin::elf::Elf::parse(&bytes).unwrap();
            let segment = &elf.program_headers[0];
            assert_eq!((segment.p_type, segment.p_flags), (1, 5), "{}", arch.name);
            assert_eq!(segment.p_filesz, bytes.len() as u64);
            let entry = usize::try_from(elf.entry - segment.p_vaddr).unwrap();
            assert!(bytes[entry..].len() >= 6, "{}", arch.name);
            assert_eq!(segment.p_align % 0x1_0000, 0);
        }
        assert_eq!(of("z80"), None);
    }
}
