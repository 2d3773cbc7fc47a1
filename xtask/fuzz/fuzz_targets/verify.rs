//! The audit of any file with the name of a wheel has a verdict, in every report format and without control characters.
#![no_main]

use camino::Utf8Path;
use libfuzzer_sys::fuzz_target;
use wheel_audit::audit::{Depth, Inputs, Expectations, Settings, audit_inputs};
use wheel_audit::report;

const NAME: &str = "pkg-1.0-cp311-cp311-manylinux_2_17_x86_64.whl";

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = Utf8Path::from_path(folder.path()).expect("a plain name");
    let path = folder.join(NAME);
    std::fs::write(&path, bytes).expect("a file is written");
    let inputs = Inputs { wheels: vec![path], ..Inputs::default() };
    for (depth, publish) in [(Depth::Floor, false), (Depth::Code, true)] {
        let settings = Settings { depth, publish, ..Settings::default() };
        let found = audit_inputs(&inputs, &Expectations::default(), &settings, &|_| ());
        let json = report::json_text(&found).expect("facts and findings can be serialised");
        let texts = [
            json,
            report::verify_text(&found, 80),
            report::glibc_text(&found, 80),
            report::markdown(&found),
            report::html(&found),
            report::sarif(&found, folder).to_string(),
        ];
        for text in texts {
            let odd = text.chars().find(|each| each.is_control() && !"\n\t\r".contains(*each));
            assert_eq!(odd, None, "{text}");
        }
    }
});
