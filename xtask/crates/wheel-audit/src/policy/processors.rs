//! The processors that tags promise (`data/processors.toml`).

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::Arch;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    baseline: BTreeMap<Arch, String>,
    own_question: Libraries,
    variants: Words,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Libraries {
    libraries: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    words: Vec<String>,
}

static FILE: LazyLock<File> = LazyLock::new(load);

/// The instruction set level of every system of this architecture: `x86-64-v1`. `None` if the audit does not read
/// its machine code.
pub(crate) fn baseline(arch: Arch) -> Option<&'static str> {
    FILE.baseline.get(&arch).map(String::as_str)
}

/// Returns whether a library with this file name checks the processor only for its own code.
pub(crate) fn checks_only_for_itself(name: &str) -> bool {
    let is_of = |library: &String| {
        let rest = name.strip_prefix(library.as_str());
        rest.is_some_and(|rest| rest.starts_with(['.', '-', '_']) || rest.is_empty())
    };
    FILE.own_question.libraries.iter().any(is_of)
}

/// Returns whether the file name is that of a variant for a processor: `_kernels_avx2.so`, `libggml-cpu-haswell.so`,
/// `libfoo-x86_64-v3.so`.
pub(crate) fn is_variant(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let names_level = ["x86_64_v", "x86-64-v", "x86_64-v"].iter().any(|level| name.contains(level));
    let is_known = |part: &str| {
        FILE.variants.words.iter().any(|word| {
            let rest = part.strip_prefix(word.as_str());
            rest.is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(|each: char| each.is_ascii_digit())
            })
        })
    };
    names_level || name.split(|each: char| !each.is_ascii_alphanumeric()).any(is_known)
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
fn load() -> File {
    toml::from_str(include_str!("data/processors.toml"))
        .expect("data/processors.toml is well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn baselines_are_levels_of_their_architecture() {
        for (arch, level) in &FILE.baseline {
            assert!(level.parse::<crate::isa::Level>().is_ok(), "{arch} {level}");
        }
        assert_eq!(baseline(Arch::Aarch64), Some("armv8-a"));
        assert_eq!(baseline(Arch::S390x), None);
    }

    #[test]
    fn variants_are_recognized_by_whole_words() {
        for name in [
            "_swigfaiss_avx512_spr.cpython-312-x86_64-linux-gnu.so",
            "libggml-cpu-haswell.so",
            "_kernels.avx2.so",
            "libfoo-x86_64-v3.so.1",
            "_swigfaiss_sve.so",
            "_SHA256_shani.abi3.so",
            "_nat_bmi2_adx.abi3.so",
            "libq_AVX512VNNI.so",
        ] {
            assert!(is_variant(name), "{name}");
        }
        for name in
            ["_x.cpython-312-x86_64-linux-gnu.so", "libavcodec.so", "_passerby.so", "zenoh.abi3.so"]
        {
            assert!(!is_variant(name), "{name}");
        }
    }

    #[test]
    fn runtime_libraries_check_only_for_themselves() {
        for name in ["libgcc_s-1234.so.1", "libopenblas.so.0", "libstdc++.so.6"] {
            assert!(checks_only_for_itself(name), "{name}");
        }
        for name in ["libarrow.so.2400", "libzmq.so.5", "_cpu.so"] {
            assert!(!checks_only_for_itself(name), "{name}");
        }
    }
}
