//! Parsing any bytes as `RECORD` ends without a panic, and a written `RECORD` is read back unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wheel_audit::wheel::Record;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = Record::parse(bytes) {
        assert_eq!(Record::parse(record.to_text().as_bytes()), Ok(record));
    }
});
