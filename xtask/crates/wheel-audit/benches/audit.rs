//! Measures time and memory of an audit, compared with the minimum cost of reading the wheel:
//! `cargo bench -p wheel-audit`.
//!
//! The wheel contains this program, a large ELF file with various machine code, and many small modules.
//! `xtask/agreement/agreement.py speed` measures real wheels.

#![expect(clippy::unwrap_used, reason = "a measuring tool for developers")]

use std::{
    fmt::Write as _,
    io::{Cursor, Read as _, Write as _},
    sync::LazyLock,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use camino::{Utf8Path, Utf8PathBuf};
use divan::{AllocProfiler, Bencher, black_box, counter::BytesCount};
use libdeflater::Decompressor;
use sha2::{Digest as _, Sha256};
use wheel_audit::audit::{Depth, Expectations, Settings, audit_wheel};
use wheel_audit::elf::ElfFacts;
use wheel_audit::isa;
use wheel_audit::policy::Policies;
use wheel_audit::wheel::{Record, WheelArchive};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const SMALL_FILES: usize = 2_000;

/// The wheel, its RECORD and the bytes of all members.
struct Wheel {
    folder: tempfile::TempDir,
    record: String,
    unpacked: u64,
}

impl Wheel {
    fn path(&self) -> Utf8PathBuf {
        let folder = Utf8Path::from_path(self.folder.path()).unwrap();
        folder.join("pkg-1.0-cp311-cp311-linux_x86_64.whl")
    }
}

static PROGRAM: LazyLock<Vec<u8>> =
    LazyLock::new(|| std::fs::read(std::env::current_exe().unwrap()).unwrap());

static WHEEL: LazyLock<Wheel> = LazyLock::new(|| {
    let small = |index: usize| format!("VALUE_{index} = {}\n", index * 7).repeat(120).into_bytes();
    let mut members: Vec<(String, Vec<u8>)> =
        (0..SMALL_FILES).map(|index| (format!("pkg/module_{index}.py"), small(index))).collect();
    members.push(("pkg/_pkg.cpython-311-x86_64-linux-gnu.so".into(), PROGRAM.clone()));
    let metadata = "Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n";
    members.push(("pkg-1.0.dist-info/METADATA".into(), metadata.into()));
    let wheel = "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: false\n\
                 Tag: cp311-cp311-linux_x86_64\n";
    members.push(("pkg-1.0.dist-info/WHEEL".into(), wheel.into()));
    let mut record = String::new();
    for (name, bytes) in &members {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(bytes));
        writeln!(record, "{name},sha256={digest},{}", bytes.len()).unwrap();
    }
    record.push_str("pkg-1.0.dist-info/RECORD,,\n");
    members.push(("pkg-1.0.dist-info/RECORD".into(), record.clone().into()));
    let made = Wheel {
        folder: tempfile::tempdir().unwrap(),
        record,
        unpacked: members.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
    };
    let mut writer = ZipWriter::new(std::fs::File::create(made.path()).unwrap());
    for (name, bytes) in members {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.finish().unwrap();
    made
});

fn main() {
    divan::main();
}

/// As the example `inflate_and_hash`: the lower bound for `verify`.
#[divan::bench(sample_count = 10)]
fn inflate_and_hash(bencher: Bencher<'_, '_>) {
    let bytes = std::fs::read(WHEEL.path()).unwrap();
    bencher.counter(BytesCount::new(WHEEL.unpacked)).bench(|| {
        let mut archive = ZipArchive::new(Cursor::new(&bytes)).unwrap();
        let (mut packed, mut content) = (Vec::new(), Vec::new());
        let mut inflater = Decompressor::new();
        for index in 0..archive.len() {
            let mut member = archive.by_index_raw(index).unwrap();
            packed.clear();
            member.read_to_end(&mut packed).unwrap();
            content.resize(usize::try_from(member.size()).unwrap(), 0);
            inflater.deflate_decompress(&packed, &mut content).unwrap();
            black_box(Sha256::digest(&content));
        }
    });
}

fn audit(bencher: Bencher<'_, '_>, depth: Depth) {
    let (path, settings) = (WHEEL.path(), Settings { depth, ..Settings::default() });
    bencher
        .counter(BytesCount::new(WHEEL.unpacked))
        .bench(|| audit_wheel(&path, &Expectations::default(), &settings).unwrap());
}

#[divan::bench(sample_count = 10)]
fn check_glibc(bencher: Bencher<'_, '_>) {
    audit(bencher, Depth::Floor);
}

#[divan::bench(sample_count = 10)]
fn verify_no_isa(bencher: Bencher<'_, '_>) {
    audit(bencher, Depth::Bytes);
}

#[divan::bench(sample_count = 10)]
fn verify(bencher: Bencher<'_, '_>) {
    audit(bencher, Depth::Code);
}

#[divan::bench]
fn archive_directory(bencher: Bencher<'_, '_>) {
    let path = WHEEL.path();
    bencher.bench(|| WheelArchive::open(&path).unwrap());
}

#[divan::bench]
fn record(bencher: Bencher<'_, '_>) {
    let text = &WHEEL.record;
    bencher
        .counter(BytesCount::of_str(text))
        .bench(|| Record::parse(black_box(text.as_bytes())).unwrap());
}

#[divan::bench]
fn elf_facts(bencher: Bencher<'_, '_>) {
    bencher.bench(|| ElfFacts::parse(black_box(&PROGRAM)).unwrap());
}

#[divan::bench(sample_count = 10)]
fn machine_code(bencher: Bencher<'_, '_>) {
    bencher
        .counter(BytesCount::of_slice(PROGRAM.as_slice()))
        .bench(|| isa::scan(black_box(&PROGRAM)));
}

#[divan::bench]
fn limits_of_every_policy(bencher: Bencher<'_, '_>) {
    let policies = Policies::builtin();
    let tags: Vec<_> =
        (5..=45).map(|minor| format!("manylinux_2_{minor}_x86_64").parse().unwrap()).collect();
    bencher.bench(|| tags.iter().filter_map(|tag| policies.limits(*tag)).count());
}
