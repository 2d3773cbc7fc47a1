//! Parts that several fuzz targets share.

use std::fs;
use std::sync::{LazyLock, Once};

use camino::{Utf8Path, Utf8PathBuf};
use wheel_audit::audit::{Depth, Expectations, Inputs, Settings, audit_inputs};
use wheel_audit::report;

/// The separator of the parts of an input.
const SEPARATOR: &[u8] = b"\n--\n";

/// The parts of an input.
pub fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let content = rest?;
        let cut = content.windows(SEPARATOR.len()).position(|part| part == SEPARATOR);
        rest = cut.map(|cut| &content[cut + SEPARATOR.len()..]);
        Some(&content[..cut.unwrap_or(content.len())])
    })
}

/// A folder with these files only. All inputs of a process use the same one, because a new one takes most of the time.
pub fn folder(files: &[(&str, &[u8])]) -> &'static Utf8Path {
    static FOLDER: LazyLock<Utf8PathBuf> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        Utf8PathBuf::from_path_buf(folder).expect("a plain name")
    });
    empty(&FOLDER);
    for (name, content) in files {
        let path = FOLDER.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder is created");
        fs::write(path, content).expect("a file is written");
    }
    &FOLDER
}

/// Removes the files below a folder.
fn empty(folder: &Utf8Path) {
    for entry in folder.read_dir_utf8().expect("the folder is readable") {
        let entry = entry.expect("the folder is readable");
        if entry.file_type().expect("the file exists").is_dir() {
            empty(entry.path());
        } else {
            fs::remove_file(entry.path()).expect("a file is removed");
        }
    }
}

/// Audits a file with the name of a wheel, and checks that no report has control characters.
pub fn audit(name: &str, wheel: &[u8]) {
    // Without this, each input waits for another thread.
    static ONE_THREAD: Once = Once::new();
    ONE_THREAD.call_once(|| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
        pool.build_global().expect("the first pool");
    });
    let folder = folder(&[(name, wheel)]);
    let inputs = Inputs { wheels: vec![folder.join(name)], ..Inputs::default() };
    let isa = vec!["x86-64-v2".parse().expect("a level")];
    let expectations = Expectations { isa, ..Expectations::default() };
    // The length decides, so that an input takes less time.
    let (depth, publish) = [(Depth::Code, true), (Depth::Floor, false)][wheel.len() % 2];
    let settings = Settings { depth, publish, ..Settings::default() };
    let found = audit_inputs(&inputs, &expectations, &settings, &|_| ());
    // All formats together take several times as long as the audit.
    assert_printable(&match wheel.len() / 2 % 6 {
        0 => report::json_text(&found).expect("facts and findings can be serialised"),
        1 => report::verify_text(&found, 80),
        2 => report::glibc_text(&found, 80),
        3 => report::markdown(&found),
        4 => report::html(&found),
        _ => report::sarif(&found, folder)["runs"][0]["results"].to_string(),
    });
}

/// Checks that a text has no control characters except line breaks and tabs.
pub fn assert_printable(text: &str) {
    let odd = text.chars().find(|each| each.is_control() && !"\n\t\r".contains(*each));
    assert_eq!(odd, None, "{text}");
}
