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

/// Replaces every occurrence of `from`; both have the same length, so the archive keeps its form.
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

/// Where the `number`th central entry begins.
fn central(bytes: &[u8], number: usize) -> usize {
    find(bytes, b"PK\x01\x02")[number]
}

fn with(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

#[test]
fn a_plain_archive_is_read_without_a_word() {
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
fn names_that_lead_elsewhere_are_found() {
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
        // What is printed has no control characters of the archive's making.
        assert!(found.iter().all(|each| !each.to_string().contains(char::is_control)), "{found:?}");
    }
    let unknown = problems(&replace(&plain, b"abcdef", b"abc\xe9ef"));
    assert!(matches!(unknown.as_slice(), [ArchiveProblem::UnsafeName { .. }, ..]));
}

#[test]
fn names_that_collide_are_found() {
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
fn names_that_are_one_file_elsewhere_collide() {
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

/// The archive with another Unix mode for its only member.
fn with_mode(bytes: &[u8], mode: u16) -> Vec<u8> {
    with(bytes, central(bytes, 0) + 40, &mode.to_le_bytes())
}

#[test]
fn modes_are_those_of_plain_files() {
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
fn folders_hold_nothing_themselves() {
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
    // Seven packed bytes that unpack to nothing, it is said.
    let at = central(&filled, 0);
    let hidden = with(&with(&filled, 22, &[0; 4]), at + 24, &[0; 4]);
    let hidden = with(&with(&hidden, 14, &[0; 4]), at + 16, &[0; 4]);
    assert!(is_unsafe(&problems(&hidden)));
}

#[test]
fn sizes_in_a_needless_field_are_the_same() {
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
    let reason = "gives it other sizes";
    assert_eq!(extended(9), [ArchiveProblem::ExtraField { name: "abc".into(), reason }]);
}

#[test]
fn links_are_found() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let found = problems(&zip.finish().unwrap().into_inner());
    assert!(
        matches!(found.as_slice(), [ArchiveProblem::SpecialFile { mode, .. }] if mode & 0o170_000 == 0o120_000)
    );
}

#[test]
fn headers_that_differ_are_found() {
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
fn stray_bytes_are_found_wherever_they_lie() {
    let bytes = stored(&["abc", "def"]);
    assert!(matches!(
        problems(&[&bytes, b"tail".as_slice()].concat()).as_slice(),
        [ArchiveProblem::StrayBytes { count: 4, .. }]
    ));
    // Python reads an archive behind other bytes; here it is refused.
    assert!(open(&[b"head", bytes.as_slice()].concat()).is_err());
    // The first member is taken out of the directory only.
    let (first, second) = (central(&bytes, 0), central(&bytes, 1));
    let mut hidden = [&bytes[..first], &bytes[second..]].concat();
    let end = hidden.len() - 22;
    hidden[end + 8] = 1;
    hidden[end + 10] = 1;
    hidden[end + 12] = u8::try_from(end - first).unwrap();
    assert!(matches!(problems(&hidden).as_slice(), [ArchiveProblem::StrayBytes { offset: 0, .. }]));
}

#[test]
fn members_that_share_bytes_are_found() {
    let bytes = stored(&["abc", "def"]);
    let at = central(&bytes, 1) + 42;
    let found = problems(&with(&bytes, at, &[0, 0, 0, 0]));
    assert!(found.iter().any(|each| matches!(each, ArchiveProblem::Overlap { .. })), "{found:?}");
}

#[test]
fn other_methods_and_encryption_are_found_and_not_read() {
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
fn extra_fields_with_another_name_are_found() {
    // Python's `zipfile` and others follow this field, others do not.
    let bytes = stored(&["abc"]);
    let field = [0x75, 0x70, 1, 0, 1];
    let (at, mut changed) = (central(&bytes, 0), bytes.clone());
    changed[at + 30] = 5;
    changed.splice(at + 49..at + 49, field);
    let end = changed.len() - 22;
    changed[end + 12] += 5;
    assert_eq!(
        problems(&changed),
        [ArchiveProblem::ExtraField { name: "abc".into(), reason: "gives it another name" }]
    );
}

#[test]
fn bombs_are_found_and_declared_sizes_are_not_believed() {
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
    // The same with a harmless declared size in both headers: no more is read than that.
    let at = central(&bytes, 0);
    let liar = with(&with(&bytes, 22, &[9, 0, 0, 0]), at + 24, &[9, 0, 0, 0]);
    assert_eq!(problems(&liar), []);
    assert!(matches!(
        open(&liar).unwrap().read(0, 99),
        Err(MemberError::Damaged("larger than declared"))
    ));
}

#[test]
fn damage_is_found_when_reading() {
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
fn sizes_behind_the_data_are_noted() {
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
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = open(&bytes);
    }

    #[test]
    fn no_change_to_an_archive_makes_it_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
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

/// Counts what is read.
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
    // They need not have the name that the header has.
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
fn long_names_are_told_in_short() {
    let names: Vec<String> =
        (0..50).map(|each| format!("{each}{}", "\u{1}".repeat(0xf000))).collect();
    let problems = problems(&stored(&names.iter().map(String::as_str).collect::<Vec<_>>()));
    let told: usize = problems.iter().map(|problem| problem.to_string().len()).sum();
    assert!(problems.len() >= 50 && told < 3_000 * problems.len(), "{told}");
}

#[test]
fn a_directory_larger_than_any_real_one_is_not_read() {
    let mut bytes = stored(&["a"]);
    let (directory, end) = (central(&bytes, 0), find(&bytes, b"PK\x05\x06")[0]);
    let size = 13 << 20;
    bytes.splice(end..end, vec![0; size - (end - directory)]);
    let end = end + size - (end - directory);
    let bytes = with(&bytes, end + 12, &u32::try_from(size).unwrap().to_le_bytes());
    let error = open(&bytes).unwrap_err().to_string();
    assert!(error.contains("larger than any real one"), "{error}");
}

#[test]
fn what_is_no_archive_at_all_is_called_what_it_is() {
    let whole = stored(&["pkg/a.py"]);
    for (bytes, word) in [
        (&b""[..], "empty"),
        (&whole[..whole.len() - 30], "truncated"),
        (b"<html>not found</html>", "does not begin as one"),
    ] {
        let error = open(bytes).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
