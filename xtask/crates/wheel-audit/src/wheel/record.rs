//! `RECORD`: every file of the wheel with its hash (binary distribution format, "The .dist-info directory";
//! "Recording installed projects" for the rows).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::text::listing;

/// The SHA-256 and size of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// The hash.
    pub sha256: [u8; 32],
    /// The number of bytes.
    pub size: u64,
}

impl Digest {
    /// The digest of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: Sha256::digest(bytes).into(), size: bytes.len() as u64 }
    }

    /// The hash as in `RECORD`: URL-safe base64 without padding.
    pub fn base64(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.sha256)
    }

    /// The hash as 64 lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        self.sha256.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Maximum number of rows: twice as many as the files in an archive without zip64.
const MAX_ROWS: usize = 1 << 17;
/// Maximum number of problems.
const MAX_PROBLEMS: usize = 1_000;

/// The reason why a `RECORD` is unreadable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// It is not UTF-8.
    #[error("`RECORD` is not UTF-8")]
    Encoding,
    /// A quoted field is malformed.
    #[error("line {0} of `RECORD` has a broken quotation")]
    Quotation(usize),
    /// More rows than the limit.
    #[error("`RECORD` has more than {MAX_ROWS} rows")]
    TooMany,
    /// Not three fields.
    #[error("line {0} of `RECORD` does not have three fields")]
    Fields(usize),
    /// The size is not a number.
    #[error("line {0} of `RECORD` has a size that is not a number")]
    Size(usize),
    /// The hash is not of the form `algorithm=digest`.
    #[error("line {0} of `RECORD` has a hash that is not `algorithm=digest`")]
    Hash(usize),
}

/// A row: a file of the wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// The file's path in the archive.
    pub path: String,
    /// The algorithm and digest: `("sha256", "…")`. `None` for `RECORD` itself.
    pub hash: Option<(String, String)>,
    /// The file's size in bytes.
    pub size: Option<u64>,
}

/// A `RECORD`, with rows in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The rows.
    pub rows: Vec<RecordRow>,
}

/// A difference between a `RECORD` and its archive.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(
    missing_docs,
    reason = "the messages explain the fields, and `path` is the file's path in the archive"
)]
pub enum RecordProblem {
    /// A file without a row.
    #[error("`{path}` is in the archive but not in `RECORD`")]
    Unlisted { path: String },
    /// A row without a file.
    #[error("`{path}` is in `RECORD` but not in the archive")]
    Absent { path: String },
    /// Two rows for one file.
    #[error("`{path}` is in `RECORD` more than once")]
    Repeated { path: String },
    /// A row without a required hash.
    #[error("`{path}` has no hash in `RECORD`")]
    NoHash { path: String },
    /// A valid algorithm that the audit does not check.
    #[error("`{path}` has a `{algorithm}` hash in `RECORD`, which was not checked")]
    Unchecked { path: String, algorithm: String },
    /// A path outside of the wheel.
    #[error("`RECORD` lists `{path}`, which is outside of the wheel")]
    Outside { path: String },
    /// `RECORD` with its own hash.
    #[error("`{path}` lists itself with a hash, which cannot be correct")]
    OwnHash { path: String },
    /// A forbidden algorithm (md5, sha1, sha224), or an unknown one.
    #[error(
        "`{path}` has a hash with the forbidden or unknown algorithm `{algorithm}` in `RECORD`"
    )]
    Algorithm { path: String, algorithm: String },
    /// The hashes of these files are correct, but not written as URL-safe base64 without padding.
    #[error("`RECORD` has {form} hashes of {}", listing(.files))]
    Form { path: String, form: &'static str, files: Vec<String> },
    /// Another hash.
    #[error("`{path}` has the hash `{found}`, but `RECORD` has `{recorded}`")]
    Hash { path: String, recorded: String, found: String },
    /// Another size.
    #[error("`{path}` has {found} bytes, but `RECORD` has {recorded}")]
    Size { path: String, recorded: u64, found: u64 },
}

impl RecordProblem {
    /// The affected file.
    pub fn path(&self) -> &str {
        match self {
            Self::Unlisted { path }
            | Self::Absent { path }
            | Self::Repeated { path }
            | Self::NoHash { path }
            | Self::Algorithm { path, .. }
            | Self::Unchecked { path, .. }
            | Self::Outside { path }
            | Self::OwnHash { path }
            | Self::Form { path, .. }
            | Self::Hash { path, .. }
            | Self::Size { path, .. } => path,
        }
    }
}

impl Record {
    /// Parses a `RECORD`: CSV with commas. Fields with special characters are in double quotes, with doubled quotes.
    ///
    /// # Errors
    /// [`RecordError`] with the number of the line, counted from 1.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let text = std::str::from_utf8(bytes).map_err(|_| RecordError::Encoding)?;
        let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let mut rows = Vec::new();
        for (number, line) in lines.enumerate().map(|(index, line)| (index + 1, line)) {
            if !line.is_empty() {
                if rows.len() == MAX_ROWS {
                    return Err(RecordError::TooMany);
                }
                rows.push(row(line, number)?);
            }
        }
        Ok(Self { rows })
    }

    /// The text, with one row per line.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let hash = row
                .hash
                .as_ref()
                .map_or_else(String::new, |(algorithm, digest)| format!("{algorithm}={digest}"));
            let size = row.size.map_or_else(String::new, |size| size.to_string());
            let _ = writeln!(text, "{},{},{size}", quoted(&row.path), quoted(&hash));
        }
        text
    }

    /// Sets hash and size of a file. Returns `false` if it has no row.
    pub fn set(&mut self, path: &str, digest: &Digest) -> bool {
        let row = self.rows.iter_mut().find(|row| row.path == path);
        row.is_some_and(|row| {
            row.hash = Some(("sha256".to_owned(), digest.base64()));
            row.size = Some(digest.size);
            true
        })
    }

    /// Compares with the archive. `files` are its members without folders, and `own_path` is the path of this `RECORD`.
    /// `RECORD` itself and its signatures need neither row nor hash.
    pub fn verify(&self, files: &BTreeMap<String, Digest>, own_path: &str) -> Vec<RecordProblem> {
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        let mut forms: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for row in &self.rows {
            if problems.len() >= MAX_PROBLEMS {
                return problems;
            }
            let path = row.path.clone();
            if !seen.insert(row.path.as_str()) {
                problems.push(RecordProblem::Repeated { path });
                continue;
            }
            if leads_outside(&row.path) {
                problems.push(RecordProblem::Outside { path });
                continue;
            }
            if row.path == own_path && row.hash.is_some() {
                problems.push(RecordProblem::OwnHash { path: path.clone() });
            }
            match files.get(&row.path) {
                None => problems.push(RecordProblem::Absent { path }),
                Some(_) if is_exempt(&row.path, own_path) => {}
                Some(found) => {
                    let form = row.other_form(found);
                    if let Some(form) = form {
                        forms.entry(form).or_default().push(path);
                    } else {
                        row.compare(found, &mut problems);
                    }
                }
            }
        }
        problems.extend(forms.into_iter().map(|(form, files)| RecordProblem::Form {
            path: own_path.to_owned(),
            form,
            files,
        }));
        let unlisted =
            files.keys().filter(|path| !seen.contains(path.as_str()) && !is_exempt(path, own_path));
        problems.extend(
            unlisted.take(MAX_PROBLEMS).map(|path| RecordProblem::Unlisted { path: path.clone() }),
        );
        problems
    }
}

impl RecordRow {
    /// The invalid form of an otherwise correct hash.
    fn other_form(&self, found: &Digest) -> Option<&'static str> {
        let (algorithm, digest) = self.hash.as_ref()?;
        let base64 = found.base64();
        if algorithm != "sha256"
            || *digest == base64
            || self.size.is_some_and(|size| size != found.size)
        {
            None
        } else if digest.eq_ignore_ascii_case(&found.hex()) {
            Some("hexadecimal")
        } else {
            let same = digest.trim_end_matches('=').replace('+', "-").replace('/', "_") == base64;
            same.then_some("padded or not URL-safe")
        }
    }

    fn compare(&self, found: &Digest, problems: &mut Vec<RecordProblem>) {
        let path = self.path.clone();
        match &self.hash {
            None => problems.push(RecordProblem::NoHash { path }),
            Some((algorithm, _)) if STRONGER_HASHES.contains(&algorithm.as_str()) => {
                let algorithm = algorithm.clone();
                problems.push(RecordProblem::Unchecked { path, algorithm });
            }
            Some((algorithm, _)) if algorithm != "sha256" => {
                let algorithm = algorithm.clone();
                problems.push(RecordProblem::Algorithm { path, algorithm });
            }
            Some((_, digest)) if *digest != found.base64() => {
                let (recorded, found) = (digest.clone(), found.base64());
                problems.push(RecordProblem::Hash { path, recorded, found });
            }
            Some(_) => {}
        }
        if let Some(recorded) = self.size.filter(|&size| size != found.size) {
            problems.push(RecordProblem::Size {
                path: self.path.clone(),
                recorded,
                found: found.size,
            });
        }
    }
}

/// The algorithms that are "sha256 or better" and in every Python (`hashlib.algorithms_guaranteed`). No known wheel
/// uses them.
const STRONGER_HASHES: [&str; 7] =
    ["sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s"];

/// Returns whether a path is outside of the wheel: absolute, with a drive, or with `..`.
fn leads_outside(path: &str) -> bool {
    let drive = matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    drive || path.starts_with(['/', '\\']) || path.split(['/', '\\']).any(|part| part == "..")
}

/// Returns whether the file needs no hash: `RECORD` itself, or a signature of it.
fn is_exempt(path: &str, own_path: &str) -> bool {
    path.strip_prefix(own_path).is_some_and(|rest| ["", ".jws", ".p7s"].contains(&rest))
}

fn row(line: &str, number: usize) -> Result<RecordRow, RecordError> {
    let fields = fields(line).ok_or(RecordError::Quotation(number))?;
    let [path, hash, size]: [String; 3] =
        fields.try_into().map_err(|_| RecordError::Fields(number))?;
    let hash = match hash.split_once('=') {
        None if hash.is_empty() => None,
        Some((algorithm, digest)) => Some((algorithm.to_owned(), digest.to_owned())),
        None => return Err(RecordError::Hash(number)),
    };
    let digits = size.bytes().all(|byte| byte.is_ascii_digit());
    let size = match size.as_str() {
        "" => None,
        text => Some(text.parse().ok().filter(|_| digits).ok_or(RecordError::Size(number))?),
    };
    Ok(RecordRow { path, hash, size })
}

/// The fields of a line. `None` if the quotes do not match. A line break within quotes ends the line, so names with
/// line breaks are rejected.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let (field, after) = quotation(quoted)?;
            if !(after.is_empty() || after.starts_with(',')) {
                return None;
            }
            (field, after)
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) if fields.len() <= 3 => rest = next,
            _ => return Some(fields),
        }
    }
}

/// Reads up to the closing quotes. Returns the field and the rest.
fn quotation(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Some((field, after)),
        }
    }
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
