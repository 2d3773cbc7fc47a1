//! Parsing any bytes as a metadata file ends without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wheel_audit::wheel::{CoreMetadata, Headers, WheelFile, same_version};

fuzz_target!(|bytes: &[u8]| {
    let _ = Headers::parse(bytes);
    let _ = WheelFile::parse(bytes);
    if let Ok(metadata) = CoreMetadata::parse(bytes) {
        assert!(same_version(&metadata.version, &metadata.version));
    }
});
