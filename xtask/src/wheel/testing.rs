//! Wheels made by tests.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::io::{Cursor, Write};

use camino::{Utf8Path, Utf8PathBuf};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{Digest, Record, RecordRow, WheelName};

/// A wheel that is right in every point until a test spoils it.
pub(crate) struct Fixture {
    pub(crate) name: WheelName,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) record: Option<String>,
    /// What lies in a folder `scripts` is executable.
    pub(crate) programs: bool,
}

impl Fixture {
    /// A wheel with this file name, its metadata and nothing else.
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

    /// As [`Self::set`], for building in one expression.
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

    /// Writes the wheel to a folder, under its name.
    pub(crate) fn write(&self, folder: &Utf8Path) -> Utf8PathBuf {
        let path = folder.join(self.name.to_string());
        fs_err::write(&path, self.bytes()).unwrap();
        path
    }
}

/// A folder that goes with the test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }
}
