#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::io::Cursor;

use proptest::prelude::*;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::*;

/// A member for packing.
#[derive(Debug, Clone)]
struct Packed {
    name: String,
    content: Vec<u8>,
}

/// An archive of these members. `variant` determines order, time, method, level and folders.
fn archive(members: &[Packed], variant: u8) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let day = variant % 28 + 1;
    let options = SimpleFileOptions::default()
        .last_modified_time(DateTime::from_date_and_time(2021, 3, day, 4, 5, 6).unwrap())
        .unix_permissions(if variant & 1 == 0 { 0o600 } else { 0o664 })
        .large_file(variant & 2 == 2);
    let options = match variant % 3 {
        0 => options.compression_method(CompressionMethod::Stored),
        1 => options.compression_method(CompressionMethod::Deflated).compression_level(Some(1)),
        _ => options.compression_method(CompressionMethod::Deflated).compression_level(Some(9)),
    };
    let mut members: Vec<&Packed> = members.iter().collect();
    if variant & 4 == 4 {
        members.reverse();
        zip.add_directory("folder", options).unwrap();
    }
    for member in members {
        zip.start_file(member.name.as_str(), options).unwrap();
        zip.write_all(&member.content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn written(bytes: &[u8]) -> Vec<u8> {
    let mut archive = WheelArchive::new(Cursor::new(bytes)).unwrap();
    let mut output = Cursor::new(Vec::new());
    write(&mut archive, &mut output, dos_time(1_600_000_001), |_| Content::Same).unwrap();
    output.into_inner()
}

fn member(name: &str, content: &[u8]) -> Packed {
    Packed { name: name.to_owned(), content: content.to_owned() }
}

#[test]
fn the_metadata_is_last_and_ends_with_record() {
    let names =
        ["p-1.dist-info/RECORD", "z.py", "p-1.dist-info/licenses/A", "a.py", "p-1.dist-info/WHEEL"];
    let bytes = written(&archive(&names.map(|name| member(name, b"")), 0));
    let archive = WheelArchive::new(Cursor::new(bytes)).unwrap();
    assert_eq!(archive.problems(), []);
    let order: Vec<&str> = archive.entries().iter().map(|it| it.name.as_str()).collect();
    let expected =
        ["a.py", "z.py", "p-1.dist-info/WHEEL", "p-1.dist-info/licenses/A", "p-1.dist-info/RECORD"];
    assert_eq!(order, expected);
}

#[test]
fn only_the_executable_bit_of_the_mode_remains() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, mode) in [("a", 0o700), ("b", 0o640), ("c", 0o777), ("d", 0o666)] {
        zip.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
    }
    let bytes = written(&zip.finish().unwrap().into_inner());
    let archive = WheelArchive::new(Cursor::new(bytes)).unwrap();
    let modes: Vec<u32> = archive.entries().iter().map(Entry::unix_mode).collect();
    assert_eq!(modes, [0o100_755, 0o100_644, 0o100_755, 0o100_644]);
}

#[test]
fn times_match_another_implementation() {
    for (seconds, expected) in [
        (0, (1980, 1, 1, 0, 0, 0)),
        (951_782_401, (2000, 2, 29, 0, 0, 0)),
        (1_580_601_600, (2020, 2, 2, 0, 0, 0)),
        (1_735_689_599, (2024, 12, 31, 23, 59, 58)),
        (1_772_323_200, (2026, 3, 1, 0, 0, 0)),
        (u64::MAX, (2107, 12, 31, 23, 59, 58)),
    ] {
        let [time, date] = dos_time(seconds);
        let found = DateTime::try_from_msdos(date, time).unwrap();
        let found = (
            found.year(),
            found.month(),
            found.day(),
            found.hour(),
            found.minute(),
            found.second(),
        );
        assert_eq!(found, expected, "{seconds}");
    }
}

#[test]
fn an_archive_that_needs_zip64_is_rejected() {
    // One more would indicate zip64, which the reader rejects.
    let members: Vec<Packed> = (1..u16::MAX).map(|at| member(&at.to_string(), b"")).collect();
    assert!(WheelArchive::new(Cursor::new(written(&archive(&members, 0)))).is_ok());
    assert!(short(u64::from(u32::MAX)).is_err() && short(u64::from(u32::MAX) - 1).is_ok());
}

#[test]
fn a_damaged_member_is_an_error() {
    let mut bytes = archive(&[member("a", b"content")], 0);
    let at = bytes.windows(7).position(|window| window == b"content").unwrap();
    bytes[at] = b'k';
    let mut archive = WheelArchive::new(Cursor::new(bytes)).unwrap();
    let result = write(&mut archive, &mut Cursor::new(Vec::new()), [0, 0], |_| Content::Same);
    assert!(matches!(result, Err(WriteError::Member { .. })));
}

#[test]
fn large_members_do_not_depend_on_their_packing() {
    // Larger than the reader inflates at once, with different content.
    let content: Vec<u8> =
        (0..26_u32 << 18).flat_map(|at| (at.wrapping_mul(at) >> 7).to_le_bytes()).collect();
    let members = [member("large", &content)];
    assert!(written(&archive(&members, 0)) == written(&archive(&members, 1)));
}

fn members() -> impl Strategy<Value = Vec<Packed>> {
    let content = prop::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 0..3_000);
    let members = prop::collection::btree_map("[a-zé]{1,8}(\\.py)?", content, 0..6);
    members.prop_map(|it| it.into_iter().map(|(name, content)| Packed { name, content }).collect())
}

proptest! {
    #[test]
    fn the_same_content_produces_the_same_bytes(members in members(), variants in any::<[u8; 2]>()) {
        let [first, second] = variants.map(|variant| written(&archive(&members, variant)));
        prop_assert!(first == second);
        prop_assert!(written(&first) == first);
        // Another implementation reads the same content.
        let mut zip = ZipArchive::new(Cursor::new(&first)).unwrap();
        prop_assert_eq!(zip.len(), members.len());
        for member in &members {
            let mut content = Vec::new();
            zip.by_name(&member.name).unwrap().read_to_end(&mut content).unwrap();
            prop_assert!(content == member.content);
        }
    }
}
