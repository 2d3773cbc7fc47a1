//! The processor that QEMU emulates for programs of another architecture.

use super::level::{Level, Machine};

/// The environment variable with the emulated processor (QEMU, "User Mode Emulation").
pub const QEMU_CPU: &str = "QEMU_CPU";

/// An Armv8.0 processor that every QEMU supports, and its level.
const A72: (&str, &str) = ("cortex-a72", "armv8-a+crc+crypto");
/// All features of QEMU, with a fast algorithm for pointer authentication (since QEMU 6.0).
const MAX: &str = "max,pauth-impdef=on";

/// QEMU's name of the processor for programs for `arch` (the engine's name), if wheels may need the level
/// `promise`. `None` if QEMU's default is suitable.
///
/// QEMU's default has all features. Then each function of a distribution with pointer authentication signs its
/// return address, and QEMU before 10 uses the slow algorithm of the Arm ARM. On an Armv8.0 processor, these
/// instructions do nothing, and Debian 13's Python is nine times as fast. It also makes the smoke test of a
/// wheel for `armv8-a` meaningful.
pub fn emulated_processor(arch: &str, promise: Option<&Level>) -> Option<&'static str> {
    let enough = |has: Level| promise.is_some_and(|level| has.allows(level));
    match arch {
        "arm64" if A72.1.parse().is_ok_and(enough) => Some(A72.0),
        "arm64" => Some(MAX),
        _ => None,
    }
}

/// The processor for a distribution's own programs, which need only the baseline.
pub fn distribution_processor(arch: &str) -> Option<&'static str> {
    emulated_processor(arch, Some(&Level::baseline(Machine::Aarch64)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_processor_matches_the_promised_level() {
        let of = |promise: &str| emulated_processor("arm64", Some(&promise.parse().unwrap()));
        assert_eq!([of("armv8-a"), of("armv8-a+crc")], [Some("cortex-a72"); 2]);
        assert_eq!([of("armv8-a+lse"), of("armv8.2-a"), of("armv9-a")], [Some(MAX); 3]);
        assert_eq!(emulated_processor("arm64", None), Some(MAX), "no promise");
        assert_eq!(distribution_processor("arm64"), Some("cortex-a72"));
        assert_eq!(distribution_processor("amd64"), None);
        assert_eq!(distribution_processor("s390x"), None);
    }
}
