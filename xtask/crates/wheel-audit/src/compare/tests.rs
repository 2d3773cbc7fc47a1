#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use proptest::prelude::*;

use super::*;
use crate::wheel::finish;
use crate::wheel::testing::{Fixture, Folder};

const NAME: &str = "pkg-1.0-cp311-cp311-linux_x86_64.whl";
const BUILDS: Builds<'_> = Builds { hosts: ["alpha-host", "beta-host"] };

/// An ELF file with these sections, which no loader accepts.
fn elf(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut names = b"\0.shstrtab\0".to_vec();
    let (mut content, mut table) = (Vec::new(), vec![0; 64]);
    let mut header = |name: usize, offset: usize, size: usize| {
        let mut entry = vec![0; 64];
        entry[..4].copy_from_slice(&u32::try_from(name).unwrap().to_le_bytes());
        entry[4] = 1;
        entry[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
        entry[32..40].copy_from_slice(&(size as u64).to_le_bytes());
        table.extend(entry);
    };
    for (name, bytes) in sections {
        header(names.len(), 64 + content.len(), bytes.len());
        names.extend([name.as_bytes(), b"\0"].concat());
        content.extend_from_slice(bytes);
    }
    header(1, 64 + content.len(), names.len());
    content.extend(&names);
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(64, 0);
    file[16] = 3;
    file[18] = 62;
    file[20] = 1;
    file[40..48].copy_from_slice(&(64 + content.len() as u64).to_le_bytes());
    file[52] = 64;
    file[58] = 64;
    file[60] = u8::try_from(sections.len() + 2).unwrap();
    file[62] = u8::try_from(sections.len() + 1).unwrap();
    [file, content, table].concat()
}

fn compared(first: &Fixture, second: &Fixture) -> Comparison {
    let (left, right) = (Folder::new(), Folder::new());
    compare(&first.write(left.path()), &second.write(right.path()), BUILDS).unwrap()
}

/// The causes of differences of two wheels with these bytes as `name`, except those that follow from others.
fn causes(name: &str, first: &[u8], second: &[u8]) -> Vec<(Option<String>, Cause)> {
    let wheel = |bytes: &[u8]| Fixture::new(NAME).with(name, bytes);
    let comparison = compared(&wheel(first), &wheel(second));
    assert!(!comparison.identical);
    let own = comparison.differences.into_iter().filter(|it| !it.follows);
    own.map(|it| {
        assert_eq!(it.member.as_deref(), Some(name));
        (it.section, it.cause)
    })
    .collect()
}

fn of_sections(first: &[(&str, &[u8])], second: &[(&str, &[u8])]) -> Vec<(String, Cause)> {
    let found = causes("pkg.so", &elf(first), &elf(second));
    found.into_iter().map(|(section, cause)| (section.unwrap(), cause)).collect()
}

#[test]
fn the_same_wheel_is_identical() {
    let wheel = Fixture::new(NAME).with("a.py", "a");
    let comparison = compared(&wheel, &wheel);
    assert!(comparison.identical && comparison.differences.is_empty());
    assert_eq!(comparison.first, comparison.second);
}

#[test]
fn texts_are_explained_by_their_first_different_line() {
    for (first, second, cause) in [
        ("same\nBuilt Nov 30 2026 12:00:00\n", "same\nBuilt Jan  3 2028 01:02:03\n", Cause::Date),
        ("host = alpha-host\n", "host = beta-host\n", Cause::Host),
        ("source = /tmp/a1b2/pkg/x.c\n", "source = /tmp/c3d4/pkg/x.c\n", Cause::Path),
        ("one\ntwo\nthree\n", "three\none\ntwo\n", Cause::Order),
        ("names = {one, two, three}\n", "names = {two, three, one}\n", Cause::HashOrder),
        ("jobs = 2\n", "jobs = many\n", Cause::Content),
        ("end\n", "end\n\n", Cause::Content),
    ] {
        assert_eq!(
            causes("pkg/text", first.as_bytes(), second.as_bytes()),
            [(None, cause)],
            "{first}"
        );
    }
}

#[test]
fn elf_files_are_explained_by_section() {
    let text: (&str, &[u8]) = (".text", b"\x90\xc3");
    let id = |byte: u8| [0, 0, 0, byte];
    let named = |name: &str, cause: Cause| vec![(name.to_owned(), cause)];
    // Only the build id, and a build id that follows from the content.
    let found = of_sections(
        &[text, (".note.gnu.build-id", &id(1))],
        &[text, (".note.gnu.build-id", &id(2))],
    );
    assert_eq!(found, named(".note.gnu.build-id", Cause::BuildId));
    let with = |rodata: &'static [u8]| [text, (".rodata", rodata)];
    for (first, second, cause) in [
        (&b"\0Nov 30 2026\0"[..], &b"\0Jan  3 2028\0"[..], Cause::Date),
        (b"\0alpha-host\0", b"\0beta-host\0", Cause::Host),
        (b"\0/build/a/x.c\0", b"\0/build/b/x.c\0", Cause::Path),
        (b"first\0second\0", b"second\0first\0", Cause::Order),
        (b"\x01\x02\x03", b"\x01\x04\x03", Cause::Content),
    ] {
        assert_eq!(of_sections(&with(first), &with(second)), named(".rodata", cause), "{cause:?}");
        let with_id =
            |rodata, byte| elf(&[text, (".rodata", rodata), (".note.gnu.build-id", &id(byte))]);
        let found = causes("pkg.so", &with_id(first, 1), &with_id(second, 2));
        assert_eq!(found, [(Some(".rodata".to_owned()), cause)], "the build id follows");
    }
    let found = of_sections(&[text, (".debug_info", b"\x01")], &[text, (".debug_info", b"\x02")]);
    assert_eq!(found, named(".debug_info", Cause::DebugInfo));
    let found =
        of_sections(&[text, (".comment", b"GCC 12.2.0")], &[text, (".comment", b"GCC 14.1.0")]);
    assert_eq!(found, named(".comment", Cause::Compiler));
    let found = of_sections(&[text], &[text, (".data", b"x")]);
    assert_eq!(found, named(".data", Cause::Content));
}

#[test]
fn sections_without_bytes_and_overlapping_sections_do_not_count() {
    let file = elf(&[(".text", b"\x90\xc3"), (".bss", b"bytes")]);
    let names =
        |file: &[u8]| sections::sections(file).map(|found| found.into_keys().collect::<Vec<_>>());
    // The headers at the end: an empty one, `.text`, `.bss`, the names.
    let (text, bss) = (file.len() - 3 * 64, file.len() - 2 * 64);
    assert_eq!(names(&file), Some([".bss", ".shstrtab", ".text"].map(str::to_owned).to_vec()));
    let mut empty = file.clone();
    empty[bss + 4] = 8;
    assert_eq!(names(&empty), Some([".shstrtab", ".text"].map(str::to_owned).to_vec()));
    let mut overlapping = file;
    for at in [text, bss] {
        let whole = (overlapping.len() as u64).to_le_bytes();
        overlapping[at + 24..at + 32].fill(0);
        overlapping[at + 32..at + 40].copy_from_slice(&whole);
    }
    assert_eq!(names(&overlapping), None);
}

#[test]
fn additional_files_and_their_record_are_reported() {
    let wheel = Fixture::new(NAME);
    let comparison = compared(&wheel, &Fixture::new(NAME).with("more.py", ""));
    let found: Vec<_> = comparison.differences.iter().map(|it| (it.cause, it.follows)).collect();
    assert_eq!(found, [(Cause::Files, false), (Cause::Content, true)]);
}

#[test]
fn differences_of_archives_without_content_are_explained() {
    let (left, right) = (Folder::new(), Folder::new());
    let wheel =
        |names: [&str; 2]| names.iter().fold(Fixture::new(NAME), |it, name| it.with(name, ""));
    let path = wheel(["a.py", "b.py"]).write(left.path());
    let causes = |other: &Utf8Path| {
        let differences = compare(&path, other, BUILDS).unwrap().differences;
        let own = differences.into_iter().filter(|it| !it.follows);
        own.map(|it| it.cause).collect::<Vec<_>>()
    };
    let finished = |time| finish(&path, right.path(), Some("linux_x86_64"), time).unwrap();
    // The metadata has another order, which RECORD follows.
    let canonical = causes(&finished(Some(0)));
    assert!(
        canonical.contains(&Cause::ArchiveTime) && canonical.contains(&Cause::ArchiveOrder),
        "{canonical:?}"
    );
    let mut bytes = fs_err::read(&path).unwrap();
    // The mode of the first member in the directory, and then a comment of the archive.
    let at = bytes.windows(4).position(|it| it == b"PK\x01\x02").unwrap();
    bytes[at + 40] ^= 0o111;
    let other = right.path().join("mode.whl");
    fs_err::write(&other, &bytes).unwrap();
    assert_eq!(causes(&other), [Cause::ArchiveMode]);
    let mut bytes = fs_err::read(&path).unwrap();
    let end = bytes.len() - 2;
    bytes[end] = 1;
    bytes.push(b'c');
    fs_err::write(&other, &bytes).unwrap();
    assert_eq!(causes(&other), [Cause::ArchiveForm]);
}

#[test]
fn unreadable_wheels_are_errors() {
    let folder = Folder::new();
    let wheel = Fixture::new(NAME).with("a.py", "a").write(folder.path());
    let other = folder.path().join("other.whl");
    fs_err::write(&other, "no archive").unwrap();
    assert!(matches!(compare(&wheel, &other, BUILDS), Err(CompareError::Archive { .. })));
    assert!(matches!(
        compare(&wheel, &folder.path().join("none"), BUILDS),
        Err(CompareError::Io(_))
    ));
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![Just("/a/b/c"), Just("Nov 30 2026"), Just("word\n"), Just("\0")];
    let words = prop::collection::vec(word, 0..30).prop_map(|words| words.concat().into_bytes());
    prop_oneof![words, prop::collection::vec(any::<u8>(), 0..300)]
}

proptest! {
    #[test]
    fn explanations_of_arbitrary_bytes_are_bounded(first in bytes(), second in bytes()) {
        for (left, right) in [(first.clone(), second.clone()), (elf(&[(".data", &first)]), elf(&[(".data", &second)]))] {
            let found = content::differences(&left, &right, BUILDS);
            prop_assert!(!found.is_empty() && found.len() < 30);
            prop_assert!(found.iter().all(|it| it.detail.len() < 3_000));
        }
    }

    #[test]
    fn damaged_elf_files_do_not_cause_a_panic(at in 0_usize..400, value: u8, data in bytes()) {
        let mut file = elf(&[(".text", b"\x90"), (".rodata", &data)]);
        let length = file.len();
        file[at % length] = value;
        let whole = elf(&[(".text", b"\x91"), (".rodata", b"other")]);
        prop_assert!(!content::differences(&file, &whole, BUILDS).is_empty());
    }
}
