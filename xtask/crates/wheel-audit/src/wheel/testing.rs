//! Wheels for tests.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::io::{Cursor, Write};

use camino::{Utf8Path, Utf8PathBuf};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use wheel_audit::wheel::{Digest, Record, RecordRow, WheelName};

/// A valid wheel that tests can change.
pub(crate) struct Fixture {
    pub(crate) name: WheelName,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) record: Option<String>,
    /// Files in a folder `scripts` are executable.
    pub(crate) programs: bool,
}

impl Fixture {
    /// A wheel with this file name and only metadata.
    pub(crate) fn new(name: &str) -> Self {
        let name = WheelName::parse(name).unwrap();
        let tags: Vec<String> = name
            .tags
            .expand()
            .iter()
            .map(|tag| {
                format!(
                    "Tag: {tag}
"
                )
            })
            .collect();
        let tags = tags.concat();
        let purelib = name.tags.platforms == ["any"];
        let metadata = format!(
            "Metadata-Version: 2.4\nName: {}\nVersion: {}\n",
            name.distribution, name.version
        );
        let wheel =
            format!("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {purelib}\n{tags}");
        let mut fixture = Self { name, files: Vec::new(), record: None, programs: true };
        let folder = fixture.name.dist_info();
        fixture.set(&format!("{folder}/METADATA"), metadata);
        fixture.set(&format!("{folder}/WHEEL"), wheel);
        fixture
    }

    /// Adds or replaces a file.
    pub(crate) fn set(&mut self, path: &str, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.files.retain(|(each, _)| each != path);
        self.files.push((path.to_owned(), bytes.into()));
        self
    }

    /// As [`Self::set`], for chaining.
    pub(crate) fn with(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.set(path, bytes);
        self
    }

    fn record(&self) -> String {
        let row = |(path, bytes): &(String, Vec<u8>)| {
            let digest = Digest::of(bytes);
            let hash = Some(("sha256".to_owned(), digest.base64()));
            RecordRow { path: path.clone(), hash, size: Some(digest.size) }
        };
        let mut rows: Vec<RecordRow> = self.files.iter().map(row).collect();
        rows.push(RecordRow {
            path: format!("{}/RECORD", self.name.dist_info()),
            hash: None,
            size: None,
        });
        Record { rows }.to_text()
    }

    /// The archive's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let date = DateTime::from_date_and_time(2020, 2, 2, 0, 0, 0).unwrap();
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(date)
            .unix_permissions(0o644);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let record = (
            format!("{}/RECORD", self.name.dist_info()),
            self.record.clone().unwrap_or_else(|| self.record()).into_bytes(),
        );
        for (path, bytes) in self.files.iter().chain([&record]) {
            let is_program = self.programs && path.contains("/scripts/");
            let mode = if is_program { 0o755 } else { 0o644 };
            zip.start_file(path.as_str(), options.unix_permissions(mode)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// Writes the wheel to a folder.
    pub(crate) fn write(&self, folder: &Utf8Path) -> Utf8PathBuf {
        let path = folder.join(self.name.to_string());
        fs_err::write(&path, self.bytes()).unwrap();
        path
    }
}

/// The archive with a member whose compressed data starts with empty blocks. This is valid, but hides the content
/// from readers that decompress only the start.
pub(crate) fn after_empty_blocks(archive: &[u8], name: &str, count: usize) -> Vec<u8> {
    let number = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap()) as usize;
    let short = |at: usize| u16::from_le_bytes(archive[at..at + 2].try_into().unwrap()) as usize;
    // A stored block of length 0 that is not the last one.
    let blocks = [0, 0, 0, 0xff, 0xff].repeat(count);
    let longer = |at: usize| u32::try_from(number(at) + blocks.len()).unwrap().to_le_bytes();
    let (mut output, mut at, mut border) = (Vec::new(), 0, usize::MAX);
    while archive[at..].starts_with(b"PK\x03\x04") {
        let data = at + 30 + short(at + 26) + short(at + 28);
        let end = data + number(at + 18);
        let is_meant = archive[at + 30..].starts_with(name.as_bytes());
        let start = output.len();
        output.extend_from_slice(&archive[at..data]);
        if is_meant {
            output[start + 18..start + 22].copy_from_slice(&longer(at + 18));
            output.extend_from_slice(&blocks);
            border = at;
        }
        output.extend_from_slice(&archive[data..end]);
        at = end;
    }
    while archive[at..].starts_with(b"PK\x01\x02") {
        let (start, end) = (output.len(), at + 46 + short(at + 28) + short(at + 30));
        output.extend_from_slice(&archive[at..end]);
        match number(at + 42).cmp(&border) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => {
                output[start + 20..start + 24].copy_from_slice(&longer(at + 20));
            }
            std::cmp::Ordering::Greater => {
                output[start + 42..start + 46].copy_from_slice(&longer(at + 42));
            }
        }
        at = end;
    }
    let start = output.len();
    output.extend_from_slice(&archive[at..]);
    output[start + 16..start + 20].copy_from_slice(&longer(at + 16));
    output
}

/// A temporary folder.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }
}
