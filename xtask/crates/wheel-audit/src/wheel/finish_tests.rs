#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::*;
use crate::wheel::testing::{Fixture, Folder};

fn built() -> Fixture {
    Fixture::new("pkg-1.0-cp311-cp311-linux_x86_64.whl")
        .with("_pkg.so", "machine code")
        .with("pkg/é, \"x\".py", "pass\n")
}

/// All faults in archive, tags and RECORD.
fn verify(path: &Utf8Path) -> Vec<String> {
    let mut archive = WheelArchive::open(path).unwrap();
    let mut faults: Vec<String> = archive.problems().iter().map(ToString::to_string).collect();
    let mut digests = BTreeMap::new();
    for index in 0..archive.entries().len() {
        let bytes = archive.read(index, 1 << 20).unwrap();
        digests.insert(archive.entries()[index].name.clone(), Digest::of(&bytes));
    }
    let mut text = |file: &str| {
        archive
            .position(&format!("pkg-1.0.dist-info/{file}"))
            .map(|at| archive.read(at, 1 << 20).unwrap())
    };
    let record = Record::parse(&text("RECORD").unwrap()).unwrap();
    faults.extend(
        record.verify(&digests, "pkg-1.0.dist-info/RECORD").iter().map(ToString::to_string),
    );
    let tags = WheelFile::parse(&text("WHEEL").unwrap()).unwrap().tags;
    let name = WheelName::parse(path.file_name().unwrap()).unwrap();
    let expected: Vec<String> = name.tags.expand().into_iter().map(String::from).collect();
    if tags != expected {
        faults.push(format!("{tags:?} in WHEEL"));
    }
    faults
}

#[test]
fn the_new_tag_is_everywhere_and_nothing_else_changes() {
    let (from, to) = (Folder::new(), Folder::new());
    let input = built().write(from.path());
    let output =
        finish(&input, to.path(), Some("manylinux_2_17_x86_64.manylinux2014_x86_64"), None)
            .unwrap();
    assert_eq!(
        output.file_name(),
        Some("pkg-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")
    );
    assert_eq!(verify(&output), Vec::<String>::new());

    let (before, after) =
        (WheelArchive::open(&input).unwrap(), WheelArchive::open(&output).unwrap());
    assert_eq!(before.entries().len(), after.entries().len());
    for old in before.entries() {
        let new = &after.entries()[after.position(&old.name).unwrap()];
        assert_eq!(old.unix_mode() & 0o777, new.unix_mode() & 0o777);
        if !old.name.ends_with("/WHEEL") && !old.name.ends_with("/RECORD") {
            assert_eq!((old.crc32, old.size), (new.crc32, new.size));
        }
    }
    // Another reader has the same result.
    let mut other = zip::ZipArchive::new(fs_err::File::open(&output).unwrap()).unwrap();
    let member = other.by_name("pkg/é, \"x\".py").unwrap();
    assert_eq!(member.last_modified().map(|each| each.year()), Some(2020));
    assert_eq!(to.path().read_dir_utf8().unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn the_same_input_produces_the_same_bytes() {
    let (from, to) = (Folder::new(), Folder::new());
    let input = built().write(from.path());
    let once =
        fs_err::read(finish(&input, to.path(), Some("manylinux_2_36_x86_64"), None).unwrap())
            .unwrap();
    let twice =
        fs_err::read(finish(&input, to.path(), Some("manylinux_2_36_x86_64"), None).unwrap())
            .unwrap();
    // A wheel with the tag is written in the same form, also in place.
    let path = to.path().join("pkg-1.0-cp311-cp311-manylinux_2_36_x86_64.whl");
    let again =
        fs_err::read(finish(&path, to.path(), Some("manylinux_2_36_x86_64"), None).unwrap())
            .unwrap();
    assert!(once == twice && once == again);
}

fn refusal(fixture: &Fixture, platform: &str) -> FinishError {
    let (from, to) = (Folder::new(), Folder::new());
    let input = fixture.write(from.path());
    let error = finish(&input, to.path(), Some(platform), None).unwrap_err();
    assert_eq!(to.path().read_dir_utf8().unwrap().count(), 0, "nothing is left behind");
    error
}

#[test]
fn signed_and_broken_wheels_are_rejected() {
    let tag = "manylinux_2_36_x86_64";
    assert!(matches!(
        refusal(&Fixture::new("pkg-1.0-py3-none-any.whl"), tag),
        FinishError::Pure(_)
    ));
    assert!(matches!(
        refusal(&built().with("pkg-1.0.dist-info/RECORD.jws", "{}"), tag),
        FinishError::Signed(_)
    ));
    assert!(matches!(refusal(&built().with("../evil.py", ""), tag), FinishError::Problem { .. }));
    assert!(matches!(
        refusal(&built().with("pkg-1.0.dist-info/WHEEL", "no"), tag),
        FinishError::Wheel(_)
    ));
    let mut unrecorded = built();
    unrecorded.record = Some(String::new());
    assert!(matches!(refusal(&unrecorded, tag), FinishError::NotRecorded(_)));
    for platform in ["", "../x", "a/b", "linux x"] {
        assert!(matches!(refusal(&built(), platform), FinishError::Name(_)));
    }
}

#[test]
fn an_sbom_contains_the_new_file_name() {
    let (from, to) = (Folder::new(), Folder::new());
    let purl = |platform: &str| {
        format!(
            "{{\"purl\": \"pkg:pypi/pkg@1.0%2Bx?file_name=pkg-1.0%2Bx-cp311-cp311-{platform}.whl\"}}"
        )
    };
    let input = Fixture::new("pkg-1.0+x-cp311-cp311-linux_x86_64.whl")
        .with("pkg-1.0+x.dist-info/sboms/auditwheel.cdx.json", &*purl("linux_x86_64"))
        .write(from.path());
    let output = finish(&input, to.path(), Some("manylinux_2_36_x86_64"), None).unwrap();
    let mut archive = WheelArchive::open(&output).unwrap();
    let at = archive.position("pkg-1.0+x.dist-info/sboms/auditwheel.cdx.json").unwrap();
    let text = archive.read(at, 1 << 20).unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), purl("manylinux_2_36_x86_64"));
    let record = archive.position("pkg-1.0+x.dist-info/RECORD").unwrap();
    let record = Record::parse(&archive.read(record, 1 << 20).unwrap()).unwrap();
    let digest = Digest::of(purl("manylinux_2_36_x86_64").as_bytes());
    assert!(record.to_text().contains(&digest.base64()));
}

#[test]
fn wheels_for_any_platform_are_canonical_and_keep_their_name() {
    let (from, to) = (Folder::new(), Folder::new());
    let input = Fixture::new("pkg-1.0-py3-none-any.whl").with("pkg.py", "").write(from.path());
    let output = finish(&input, to.path(), None, Some(1_600_000_000)).unwrap();
    assert_eq!(output.file_name(), input.file_name());
    assert_eq!(verify(&output), Vec::<String>::new());
    let mut other = zip::ZipArchive::new(fs_err::File::open(&output).unwrap()).unwrap();
    let time = other.by_index(0).unwrap().last_modified().unwrap();
    assert_eq!((time.year(), time.month(), time.day(), time.hour()), (2020, 9, 13, 12));
    // A signature covers RECORD, which does not change.
    let signed = Fixture::new("pkg-1.0-py3-none-any.whl")
        .with("pkg-1.0.dist-info/RECORD.jws", "{}")
        .with("a.py", "")
        .write(from.path());
    let record = |path: &Utf8Path| {
        let mut archive = WheelArchive::open(path).unwrap();
        archive.read(archive.position("pkg-1.0.dist-info/RECORD").unwrap(), 1 << 20).unwrap()
    };
    assert_eq!(record(&finish(&signed, to.path(), None, None).unwrap()), record(&signed));
}

#[test]
fn the_order_of_files_and_rows_has_no_effect() {
    let (from, to) = (Folder::new(), Folder::new());
    let bytes = |names: [&str; 3]| {
        let wheel = names.iter().fold(built(), |wheel, name| wheel.with(name, *name));
        let input = wheel.write(from.path());
        fs_err::read(finish(&input, to.path(), Some("manylinux_2_17_x86_64"), Some(0)).unwrap())
            .unwrap()
    };
    assert!(bytes(["a.py", "b.py", "c.py"]) == bytes(["c.py", "a.py", "b.py"]));
}
