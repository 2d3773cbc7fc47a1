//! Handmade ELF files in which few bytes encode many names, for tests of the library and the program.
#![allow(clippy::unwrap_used, dead_code, reason = "a test fails by panicking; not each uses all")]

/// A shared object with only tables: numbers of symbols that are bound to a version, and of version needs. Each name
/// is a part of one long name.
pub(crate) fn tables(symbols: usize, name: usize, needs: usize) -> Vec<u8> {
    fn words(values: &[usize]) -> Vec<u8> {
        values.iter().flat_map(|&value| (value as u64).to_le_bytes()).collect()
    }
    fn halves(values: &[usize]) -> Vec<u8> {
        values.iter().flat_map(|&value| u32::try_from(value).unwrap().to_le_bytes()).collect()
    }
    fn shorts(values: &[usize]) -> Vec<u8> {
        values.iter().flat_map(|&value| u16::try_from(value).unwrap().to_le_bytes()).collect()
    }
    const HEADERS: usize = 64 + 2 * 56;
    let strings = [b"\0libc.so.6\0", "a".repeat(name).as_bytes(), b"\0"].concat();
    let (library, names) = (1, 11);
    let symbol = |index: usize| {
        let entry = halves(&[names + index % name]);
        [entry, vec![0x12, 0, 0, 0], words(&[0, 0])].concat()
    };
    let table: Vec<u8> = [vec![0; 24], (0..symbols).flat_map(symbol).collect()].concat();
    let versions = shorts(
        &[0].into_iter().chain((0..symbols).map(|index| 2 + index % needs)).collect::<Vec<_>>(),
    );
    let need = |index: usize| {
        let next = if index + 1 == needs { 0 } else { 16 };
        let number = shorts(&[0, 2 + index]);
        [halves(&[0]), number, halves(&[names + name - 1 - index % name.min(4_000), next])].concat()
    };
    let first = [shorts(&[1, needs]), halves(&[library, 16, 0])].concat();
    let needs: Vec<u8> = [first, (0..needs).flat_map(need).collect()].concat();
    let hash = halves(&[1, symbols + 1]);
    let mut at = HEADERS;
    let mut body = Vec::new();
    let places = [table, versions, needs, strings.clone(), hash].map(|part| {
        body.resize(at - HEADERS, 0);
        let place = at;
        body.extend(part);
        at = (HEADERS + body.len()).next_multiple_of(8);
        place
    });
    body.resize(at - HEADERS, 0);
    let [table, versions, needs, text, hash] = places;
    let dynamic = [
        (1, library),
        (5, text),
        (10, strings.len()),
        (6, table),
        (4, hash),
        (0x6fff_fff0, versions),
        (0x6fff_fffe, needs),
        (0, 0),
    ];
    body.extend(dynamic.iter().flat_map(|&(tag, value)| words(&[tag, value])));
    let (size, length) = (dynamic.len() * 16, HEADERS + body.len());
    let header = [
        b"\x7fELF\x02\x01\x01".to_vec(),
        vec![0; 9],
        shorts(&[3, 62]),
        halves(&[1]),
        words(&[0, 64, 0]),
        halves(&[0]),
        shorts(&[64, 56, 2, 64, 0, 0]),
    ];
    let load = [halves(&[1, 4]), words(&[0, 0, 0, length, length, 4096])].concat();
    let dynamic = [halves(&[2, 4]), words(&[at, at, at, size, size, 8])].concat();
    [header.concat(), load, dynamic, body].concat()
}

/// A shared object whose dynamic section has `count` entries without a meaning.
pub(crate) fn many_entries(count: u64) -> Vec<u8> {
    let mut file = tables(1, 10, 1);
    let at = file.len() - 16;
    file.truncate(at);
    for index in 0..count {
        file.extend((0x1000_0000 + index).to_le_bytes());
        file.extend(index.to_le_bytes());
    }
    file.extend([0; 16]);
    let length = file.len() as u64;
    // Sizes of the loaded segment in the file and in memory.
    for at in [64 + 32, 64 + 40] {
        file[at..at + 8].copy_from_slice(&length.to_le_bytes());
    }
    let size = (length - at as u64 + 8 * 16 - 16).to_le_bytes();
    for at in [120 + 32, 120 + 40] {
        file[at..at + 8].copy_from_slice(&size);
    }
    file
}
