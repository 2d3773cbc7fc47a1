//! Reading any bytes as an ELF file ends without a panic, and the facts do not depend on section headers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wheel_audit::elf::ElfFacts;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut facts) = ElfFacts::parse(bytes) else {
        return;
    };
    if facts.is_64_bit && bytes.len() >= 0x40 {
        let mut bytes = bytes.to_vec();
        bytes[0x28..0x30].fill(0);
        bytes[0x3a..0x40].fill(0);
        facts.compilers.clear();
        // The header itself may be mapped as another table. Then the file may become unreadable.
        if let Ok(without) = ElfFacts::parse(&bytes) {
            assert_eq!(without.machine, facts.machine);
        }
    }
});
