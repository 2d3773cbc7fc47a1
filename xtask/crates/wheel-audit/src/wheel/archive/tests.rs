#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::io::{Cursor, Write as _};

use proptest::prelude::*;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;

fn stored(names: &[&str]) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for &name in names {
        zip.start_file(name, options).unwrap();
        zip.write_all(b"content").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn open(bytes: &[u8]) -> Result<WheelArchive<Cursor<&[u8]>>, ArchiveError> {
    WheelArchive::new(Cursor::new(bytes))
}

fn problems(bytes: &[u8]) -> Vec<ArchiveProblem> {
    open(bytes).unwrap().problems().to_vec()
}

/// Replaces every occurrence of `from`. Both have the same length, so offsets do not change.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in find(&bytes, from) {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

fn find(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    (0..=bytes.len() - what.len()).filter(|&at| bytes[at..].starts_with(what)).collect()
}

/// The offset of the central entry with this number.
fn central(bytes: &[u8], number: usize) -> usize {
    find(bytes, b"PK\x01\x02")[number]
}

fn with(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

#[test]
fn a_plain_archive_has_no_problems() {
    let bytes = stored(&["a.py", "b/c.py"]);
    let mut archive = open(&bytes).unwrap();
    assert_eq!(archive.problems(), []);
    assert_eq!(
        archive.entries().iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(),
        ["a.py", "b/c.py"]
    );
    assert_eq!(archive.read(1, 7).unwrap(), b"content");
    assert!(matches!(archive.read(1, 6), Err(MemberError::TooLarge(6))));
    assert!(archive.read(2, 6).is_err());
}

#[test]
fn unsafe_names_are_reported() {
    let plain = stored(&["abcdef"]);
    for (name, reason) in [
        ("/bcdef", "it is absolute"),
        ("C:cdef", "it is absolute"),
        ("../def", "it leads upwards"),
        ("ab/../", "it leads upwards"),
        ("ab\\def", "it has a backslash"),
        ("a//def", "it has an empty part"),
        ("./cdef", "it has an empty part"),
        ("ab\0def", "it has invisible characters"),
        ("ab\ndef", "it has invisible characters"),
        ("ab\u{202e}f", "it has invisible characters"),
    ] {
        let found = problems(&replace(&plain, b"abcdef", &name.as_bytes()[..6]));
        let unsafe_name = |each: &ArchiveProblem| matches!(each, ArchiveProblem::UnsafeName { reason: found, .. } if *found == reason);
        assert!(found.iter().any(unsafe_name), "{name:?}: {found:?}");
        // Messages contain no control characters of the archive.
        assert!(found.iter().all(|each| !each.to_string().contains(char::is_control)), "{found:?}");
    }
    let unknown = problems(&replace(&plain, b"abcdef", b"abc\xe9ef"));
    assert!(matches!(unknown.as_slice(), [ArchiveProblem::UnsafeName { .. }, ..]));
}

#[test]
fn colliding_names_are_reported() {
    let twice = replace(&stored(&["ab", "xy"]), b"xy", b"ab");
    assert_eq!(problems(&twice), [ArchiveProblem::Duplicate { name: "ab".into() }]);
    assert!(matches!(
        problems(&stored(&["ab", "AB"])).as_slice(),
        [ArchiveProblem::Collision { difference: "case", .. }]
    ));
    assert!(matches!(
        problems(&stored(&["ab", "ab.py", "ab/c"])).as_slice(),
        [ArchiveProblem::FileAndFolder { .. }]
    ));
}

#[test]
fn names_of_one_file_on_other_systems_collide() {
    for (left, right) in [
        ("gr\u{f6}\u{df}e.py", "gro\u{308}\u{df}e.py"),
        ("GR\u{d6}.py", "gro\u{308}.py"),
        ("ab.", "ab"),
        ("ab ", "ab"),
        ("a./b.py", "a/b.py"),
    ] {
        let found = problems(&stored(&[left, right]));
        assert!(matches!(found.as_slice(), [ArchiveProblem::Collision { .. }]), "{found:?}");
    }
    let folder = problems(&stored(&["gr\u{f6}", "gro\u{308}/a"]));
    assert!(matches!(folder.as_slice(), [ArchiveProblem::FileAndFolder { .. }]), "{folder:?}");
    assert_eq!(problems(&stored(&["a.b", "a", "ab", ".a", "\u{f6}", "o"])), []);
}

/// The archive with this Unix mode of its only member.
fn with_mode(bytes: &[u8], mode: u16) -> Vec<u8> {
    with(bytes, central(bytes, 0) + 40, &mode.to_le_bytes())
}

#[test]
fn modes_of_special_files_are_reported() {
    let bytes = stored(&["run"]);
    for mode in [0, 0o644, 0o755, 0o100_644, 0o100_777] {
        assert_eq!(problems(&with_mode(&bytes, mode)), [], "{mode:o}");
    }
    for mode in [0o104_755, 0o102_755, 0o101_644, 0o4755] {
        let found = problems(&with_mode(&bytes, mode));
        assert!(matches!(found.as_slice(), [ArchiveProblem::SpecialMode { .. }]), "{mode:o}");
    }
    for mode in [0o100_230, 0o100_000, 0o200] {
        let found = problems(&with_mode(&bytes, mode));
        assert!(matches!(found.as_slice(), [ArchiveProblem::UnreadableMode { .. }]), "{mode:o}");
    }
    // A pipe, a device, a folder by mode alone, a block device, a link, a socket.
    for kind in [0o010_000, 0o020_000, 0o040_000, 0o060_000, 0o120_000, 0o140_000] {
        let found = problems(&with_mode(&bytes, kind | 0o644));
        assert!(matches!(found.as_slice(), [ArchiveProblem::SpecialFile { .. }]), "{kind:o}");
    }
}

#[test]
fn folders_have_no_content() {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_directory("ab", options.unix_permissions(0o2755)).unwrap();
    let plain = zip.finish().unwrap().into_inner();
    assert_eq!(problems(&plain), []);
    let filled = replace(&stored(&["abc"]), b"abc", b"ab/");
    let is_unsafe = |found: &[ArchiveProblem]| {
        matches!(found, [ArchiveProblem::UnsafeName { reason: "it is a folder with content", .. }])
    };
    assert!(is_unsafe(&problems(&filled)));
    // Seven compressed bytes with a declared size of 0.
    let at = central(&filled, 0);
    let hidden = with(&with(&filled, 22, &[0; 4]), at + 24, &[0; 4]);
    let hidden = with(&with(&hidden, 14, &[0; 4]), at + 16, &[0; 4]);
    assert!(is_unsafe(&problems(&hidden)));
}

#[test]
fn sizes_in_a_redundant_field_must_match() {
    let bytes = stored(&["abc"]);
    let extended = |size: u8| {
        let mut changed = bytes.clone();
        let (at, mut field) = (central(&bytes, 0), vec![1, 0, 8, 0]);
        field.extend([size, 0, 0, 0, 0, 0, 0, 0]);
        changed[at + 30] = 12;
        changed.splice(at + 49..at + 49, field);
        let end = changed.len() - 22;
        changed[end + 12] += 12;
        problems(&changed)
    };
    assert_eq!(extended(7), []);
    let reason = "contradicts its sizes";
    assert_eq!(extended(9), [ArchiveProblem::ExtraField { name: "abc".into(), reason }]);
}

#[test]
fn links_are_reported() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let found = problems(&zip.finish().unwrap().into_inner());
    assert!(
        matches!(found.as_slice(), [ArchiveProblem::SpecialFile { mode, .. }] if mode & 0o170_000 == 0o120_000)
    );
}

#[test]
fn differing_headers_are_reported() {
    let bytes = stored(&["abc"]);
    let local = [
        (30, "name"),
        (6, "flags"),
        (8, "method"),
        (14, "checksum"),
        (22, "size"),
        (18, "packed size"),
    ];
    for (offset, wanted) in local {
        let changed = with(&bytes, offset, &[bytes[offset] ^ 4]);
        let found = problems(&changed);
        assert!(
            matches!(found.as_slice(), [ArchiveProblem::HeaderMismatch { field, .. }] if *field == wanted),
            "{found:?}"
        );
    }
}

#[test]
fn stray_bytes_are_reported_everywhere() {
    let bytes = stored(&["abc", "def"]);
    assert!(matches!(
        problems(&[&bytes, b"tail".as_slice()].concat()).as_slice(),
        [ArchiveProblem::StrayBytes { count: 4, .. }]
    ));
    // Python accepts an archive after other bytes.
    assert!(open(&[b"head", bytes.as_slice()].concat()).is_err());
    // Only the directory loses the first member.
    let (first, second) = (central(&bytes, 0), central(&bytes, 1));
    let mut hidden = [&bytes[..first], &bytes[second..]].concat();
    let end = hidden.len() - 22;
    hidden[end + 8] = 1;
    hidden[end + 10] = 1;
    hidden[end + 12] = u8::try_from(end - first).unwrap();
    assert!(matches!(problems(&hidden).as_slice(), [ArchiveProblem::StrayBytes { offset: 0, .. }]));
}

#[test]
fn overlapping_members_are_reported() {
    let bytes = stored(&["abc", "def"]);
    let at = central(&bytes, 1) + 42;
    let found = problems(&with(&bytes, at, &[0, 0, 0, 0]));
    assert!(found.iter().any(|each| matches!(each, ArchiveProblem::Overlap { .. })), "{found:?}");
}

#[test]
fn other_methods_and_encryption_are_reported() {
    let bytes = stored(&["abc"]);
    let at = central(&bytes, 0);
    let bzip2 = with(&with(&bytes, 8, &[12]), at + 10, &[12]);
    assert_eq!(problems(&bzip2), [ArchiveProblem::Method { name: "abc".into(), method: 12 }]);
    assert!(open(&bzip2).unwrap().read(0, 99).is_err());
    let locked = with(&with(&bytes, 6, &[1]), at + 8, &[1]);
    assert_eq!(problems(&locked), [ArchiveProblem::Encrypted { name: "abc".into() }]);
    assert!(open(&locked).unwrap().read(0, 99).is_err());
}

#[test]
fn extra_fields_with_another_name_are_reported() {
    // Some readers use this field, such as Python's `zipfile`.
    let bytes = stored(&["abc"]);
    let field = [0x75, 0x70, 1, 0, 1];
    let (at, mut changed) = (central(&bytes, 0), bytes.clone());
    changed[at + 30] = 5;
    changed.splice(at + 49..at + 49, field);
    let end = changed.len() - 22;
    changed[end + 12] += 5;
    assert_eq!(
        problems(&changed),
        [ArchiveProblem::ExtraField { name: "abc".into(), reason: "renames it" }]
    );
}

#[test]
fn bombs_are_reported_and_declared_sizes_are_not_trusted() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(
        "zeros",
        SimpleFileOptions::default().compression_method(CompressionMethod::Deflated),
    )
    .unwrap();
    for _ in 0..65 {
        zip.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    assert!(matches!(
        problems(&bytes).first(),
        Some(ArchiveProblem::Bomb { unpacked: 68_157_440, .. })
    ));
    // With a small declared size in both headers, reading stops at that size.
    let at = central(&bytes, 0);
    let liar = with(&with(&bytes, 22, &[9, 0, 0, 0]), at + 24, &[9, 0, 0, 0]);
    assert_eq!(problems(&liar), []);
    assert!(matches!(
        open(&liar).unwrap().read(0, 99),
        Err(MemberError::Damaged("larger than declared"))
    ));
}

#[test]
fn reading_detects_damage() {
    let bytes = stored(&["abc"]);
    let damaged = replace(&bytes, b"content", b"c0ntent");
    assert!(matches!(
        open(&damaged).unwrap().read(0, 99),
        Err(MemberError::Damaged("wrong checksum"))
    ));
    for length in 0..bytes.len() {
        assert!(open(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn data_descriptors_are_reported() {
    let mut zip = ZipWriter::new_stream(Vec::new());
    for name in ["abc", "def"] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(b"content").unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    let found = problems(&bytes);
    assert_eq!(found, [ArchiveProblem::DataDescriptors { name: "abc".into(), others: 1 }]);
    assert!(found[0].is_note());
    assert_eq!(open(&bytes).unwrap().read(1, 99).unwrap(), b"content");
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = open(&bytes);
    }

    #[test]
    fn changes_of_an_archive_do_not_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = stored(&["a.py", "b/c.py"]);
        for (at, value) in changes {
            let length = bytes.len();
            bytes[at.index(length)] = value;
        }
        if let Ok(mut archive) = open(&bytes) {
            for index in 0..archive.entries().len() {
                let _ = archive.read(index, 1 << 20);
            }
        }
    }
}

/// Counts the read bytes.
struct Counting<'a>(Cursor<&'a [u8]>, u64);

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1 += count as u64;
        Ok(count)
    }
}

impl Seek for Counting<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn a_header_that_thousands_of_entries_share_is_read_once() {
    const COUNT: u16 = 10_000;
    let bytes = stored(&["a".repeat(0xff00).as_str()]);
    let directory = central(&bytes, 0);
    let end = find(&bytes, b"PK\x05\x06")[0];
    let mut entry = bytes[directory..end].to_vec();
    // Their names may differ from the header's.
    entry[28..30].copy_from_slice(&1_u16.to_le_bytes());
    entry.truncate(47);
    let mut tail = bytes[end..].to_vec();
    tail[8..10].copy_from_slice(&COUNT.to_le_bytes());
    tail[10..12].copy_from_slice(&COUNT.to_le_bytes());
    tail[12..16].copy_from_slice(&(u32::from(COUNT) * 47).to_le_bytes());
    let bytes = [&bytes[..directory], &entry.repeat(usize::from(COUNT)), &tail].concat();
    let mut reader = Counting(Cursor::new(&bytes), 0);
    let (_, problems) = directory::read(&mut reader).unwrap();
    assert!(reader.1 < 3 * bytes.len() as u64, "{} bytes of {}", reader.1, bytes.len());
    assert!(problems.iter().any(ArchiveProblem::forbids_reading));
    assert!(problems.len() <= problem::MAX_PROBLEMS + 2, "{}", problems.len());
    assert!(matches!(problems.last(), Some(ArchiveProblem::More { count }) if *count > 10_000));
}

#[test]
fn long_names_are_truncated() {
    let names: Vec<String> =
        (0..50).map(|each| format!("{each}{}", "\u{1}".repeat(0xf000))).collect();
    let problems = problems(&stored(&names.iter().map(String::as_str).collect::<Vec<_>>()));
    let length: usize = problems.iter().map(|problem| problem.to_string().len()).sum();
    assert!(problems.len() >= 50 && length < 3_000 * problems.len(), "{length}");
}

#[test]
fn a_directory_above_the_limit_is_not_read() {
    let mut bytes = stored(&["a"]);
    let (directory, end) = (central(&bytes, 0), find(&bytes, b"PK\x05\x06")[0]);
    let size = 13 << 20;
    bytes.splice(end..end, vec![0; size - (end - directory)]);
    let end = end + size - (end - directory);
    let bytes = with(&bytes, end + 12, &u32::try_from(size).unwrap().to_le_bytes());
    let error = open(&bytes).unwrap_err().to_string();
    assert!(error.contains("size limit"), "{error}");
}

#[test]
fn other_files_are_errors_with_their_kind() {
    let whole = stored(&["pkg/a.py"]);
    for (bytes, word) in [
        (&b""[..], "empty"),
        (&whole[..whole.len() - 30], "truncated"),
        (b"<html>not found</html>", "no zip signature"),
    ] {
        let error = open(bytes).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
