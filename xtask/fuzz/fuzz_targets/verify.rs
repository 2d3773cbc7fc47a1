//! Any file that is called a wheel ends in a verdict, and that can be told in every form. What was
//! not told to be wrong with the archive is as it should be for Python's installers.
#![no_main]

use camino::Utf8Path;
use libfuzzer_sys::fuzz_target;
use wheel_audit::audit::{Depth, Inputs, Expectations, Settings, judge};
use wheel_audit::report;

const NAME: &str = "pkg-1.0-cp311-cp311-manylinux_2_17_x86_64.whl";

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let folder = Utf8Path::from_path(folder.path()).expect("a plain name");
    let path = folder.join(NAME);
    std::fs::write(&path, bytes).expect("room for a file");
    let inputs = Inputs { wheels: vec![path], ..Inputs::default() };
    for (depth, publish) in [(Depth::Floor, false), (Depth::Code, true)] {
        let settings = Settings { depth, publish, ..Settings::default() };
        let told = judge(&inputs, &Expectations::default(), &settings, &|_| ());
        let json = report::json_text(&told).expect("facts and findings can be told");
        let texts = [
            json,
            report::verify_text(&told, 80),
            report::glibc_text(&told, 80),
            report::markdown(&told),
            report::html(&told),
            report::sarif(&told, folder).to_string(),
        ];
        for text in texts {
            let odd = text.chars().find(|each| each.is_control() && !"\n\t\r".contains(*each));
            assert_eq!(odd, None, "{text}");
        }
    }
});
