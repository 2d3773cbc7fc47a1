//! Which processor QEMU is to be when it runs another architecture's programs.

use super::level::{Level, Machine};

/// The variable that QEMU's programs read it from, in the environment of what they run (QEMU, "User Mode
/// Emulation").
pub const QEMU_CPU: &str = "QEMU_CPU";

/// An Armv8.0 processor that every QEMU knows, and what it has.
const A72: (&str, &str) = ("cortex-a72", "armv8-a+crc+crypto");
/// Everything that QEMU can do, with signatures of pointers made in a simple way (since QEMU 6.0).
const MAX: &str = "max,pauth-impdef=on";

/// QEMU's name of the processor that programs for `arch`, in the engine's words, are to be emulated on
/// where `promise` is what wheels may need; `None` where QEMU's own default is as good.
///
/// By default QEMU is a processor that has all there is. Each function of a distribution that is built
/// for pointer authentication then signs its return address, and QEMU before 10 does that with the
/// algorithm of the Arm ARM, which takes most of the time: Debian 13's Python runs nine times as fast on
/// an Armv8.0 processor, on which these instructions mean nothing. That is also what the smoke test of
/// a wheel for `armv8-a` should prove.
pub fn emulated_processor(arch: &str, promise: Option<&Level>) -> Option<&'static str> {
    let enough = |has: Level| promise.is_some_and(|level| has.allows(level));
    match arch {
        "arm64" if A72.1.parse().is_ok_and(enough) => Some(A72.0),
        "arm64" => Some(MAX),
        _ => None,
    }
}

/// The same for a distribution's own programs, which run on the first processors of their architecture.
pub fn distribution_processor(arch: &str) -> Option<&'static str> {
    emulated_processor(arch, Some(&Level::baseline(Machine::Aarch64)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_processor_has_what_is_promised_and_not_much_more() {
        let of = |promise: &str| emulated_processor("arm64", Some(&promise.parse().unwrap()));
        assert_eq!([of("armv8-a"), of("armv8-a+crc")], [Some("cortex-a72"); 2]);
        assert_eq!([of("armv8-a+lse"), of("armv8.2-a"), of("armv9-a")], [Some(MAX); 3]);
        assert_eq!(emulated_processor("arm64", None), Some(MAX), "nothing is promised");
        assert_eq!(distribution_processor("arm64"), Some("cortex-a72"));
        assert_eq!(distribution_processor("amd64"), None);
        assert_eq!(distribution_processor("s390x"), None);
    }
}
