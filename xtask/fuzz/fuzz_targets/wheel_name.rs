//! Parsing any text as a wheel file name or as tags ends without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wheel_audit::policy::PlatformTag;
use wheel_audit::wheel::{ExtensionSuffix, Interpreter, WheelName};

fuzz_target!(|text: &str| {
    if let Ok(name) = WheelName::parse(text) {
        assert_eq!(name.to_string(), text);
        assert!(!text.contains(['/', '\\', '\0']));
    }
    if let Ok(tag) = text.parse::<PlatformTag>() {
        assert_eq!(tag.to_string(), text);
    }
    if let Ok(interpreter) = text.parse::<Interpreter>() {
        assert_eq!(interpreter.to_string(), text);
    }
    let _ = ExtensionSuffix::parse(text);
});
