//! x86 code: the features that instructions need.

use std::sync::LazyLock;

use iced_x86::{Code, CpuidFeature as Cpuid, Decoder, DecoderOptions, Instruction, Mnemonic};

#[allow(clippy::enum_glob_use, reason = "tables of features are read by their names alone")]
use super::feature::Feature::{self, *};
use super::{
    Level, Machine,
    class::{Class, PLAIN},
    feature::FeatureSet,
    run::Run,
};

/// Maximum length of an instruction, in bytes (Intel SDM, volume 2, section 2.3.11).
pub(super) const LONGEST: usize = 15;

/// The feature for each CPUID feature of the decoder (Intel SDM, volume 1, section 5).
const FEATURES: &[(Cpuid, Feature)] = &[
    (Cpuid::MMX, Mmx),
    (Cpuid::SSE, Sse),
    (Cpuid::SSE2, Sse2),
    (Cpuid::SSE3, Sse3),
    (Cpuid::SSSE3, Ssse3),
    (Cpuid::SSE4_1, Sse41),
    (Cpuid::SSE4_2, Sse42),
    (Cpuid::CMPXCHG16B, Cx16),
    (Cpuid::POPCNT, Popcnt),
    (Cpuid::AVX, Avx),
    (Cpuid::AVX2, Avx2),
    (Cpuid::BMI1, Bmi),
    (Cpuid::BMI2, Bmi2),
    (Cpuid::F16C, F16c),
    (Cpuid::FMA, Fma),
    (Cpuid::LZCNT, Lzcnt),
    (Cpuid::MOVBE, Movbe),
    (Cpuid::AVX512F, Avx512f),
    (Cpuid::AVX512BW, Avx512bw),
    (Cpuid::AVX512CD, Avx512cd),
    (Cpuid::AVX512DQ, Avx512dq),
    (Cpuid::AVX512VL, Avx512vl),
    (Cpuid::AVX512_VBMI, Avx512Vbmi),
    (Cpuid::AVX512_VBMI2, Avx512Vbmi2),
    (Cpuid::AVX512_IFMA, Avx512Ifma),
    (Cpuid::AVX512_VNNI, Avx512Vnni),
    (Cpuid::AVX512_BITALG, Avx512Bitalg),
    (Cpuid::AVX512_VPOPCNTDQ, Avx512Vpopcntdq),
    (Cpuid::AVX512_BF16, Avx512Bf16),
    (Cpuid::AVX512_FP16, Avx512Fp16),
    (Cpuid::AVX512ER, Avx512Er),
    (Cpuid::AVX512PF, Avx512Pf),
    (Cpuid::AVX512_4FMAPS, Avx5124fmaps),
    (Cpuid::AVX512_4VNNIW, Avx5124vnniw),
    (Cpuid::AVX512_VP2INTERSECT, Avx512Vp2intersect),
    (Cpuid::AVX_VNNI, AvxVnni),
    (Cpuid::AVX_IFMA, AvxIfma),
    (Cpuid::AVX_VNNI_INT8, AvxVnniInt8),
    (Cpuid::AVX_VNNI_INT16, AvxVnniInt16),
    (Cpuid::AVX_NE_CONVERT, AvxNeConvert),
    (Cpuid::AMX_TILE, Amx),
    (Cpuid::AMX_INT8, Amx),
    (Cpuid::AMX_BF16, Amx),
    (Cpuid::AMX_FP16, Amx),
    (Cpuid::AMX_COMPLEX, Amx),
    (Cpuid::AES, Aes),
    (Cpuid::PCLMULQDQ, Pclmul),
    (Cpuid::VAES, Vaes),
    (Cpuid::VPCLMULQDQ, Vpclmul),
    (Cpuid::GFNI, Gfni),
    (Cpuid::SHA, Sha),
    (Cpuid::SHA512, Sha512),
    (Cpuid::SM3, Sm3),
    (Cpuid::SM4, Sm4),
    (Cpuid::ADX, Adx),
    (Cpuid::RDRAND, Rdrnd),
    (Cpuid::RDSEED, Rdseed),
    (Cpuid::FSGSBASE, Fsgsbase),
    (Cpuid::RTM, Rtm),
    (Cpuid::HLE_or_RTM, Rtm),
    (Cpuid::XSAVE, Xsave),
    (Cpuid::XSAVEC, Xsave),
    (Cpuid::XSAVEOPT, Xsave),
    (Cpuid::SSE4A, Sse4a),
    (Cpuid::FMA4, Fma4),
    (Cpuid::XOP, Xop),
    (Cpuid::TBM, Tbm),
    (Cpuid::MOVDIRI, Movdiri),
    (Cpuid::MOVDIR64B, Movdir64b),
    (Cpuid::CLFLUSHOPT, Clflushopt),
    (Cpuid::CLWB, Clwb),
    (Cpuid::PKU, Pku),
    (Cpuid::RDPID, Rdpid),
    (Cpuid::WAITPKG, Waitpkg),
    (Cpuid::SERIALIZE, Serialize),
];

/// Features of every x86-64 processor, and instructions that are no-ops on others: `endbr64` and the rest of CET
/// (other shadow stack instructions run only after `rdssp`), bound prefixes, cache hints such as `prefetchw`.
/// `rdtscp` is in all processors since 2007 and in no level.
const ANYWHERE: &[Cpuid] = &[
    Cpuid::INTEL8086,
    Cpuid::INTEL186,
    Cpuid::INTEL286,
    Cpuid::INTEL386,
    Cpuid::INTEL486,
    Cpuid::X64,
    Cpuid::CET_IBT,
    Cpuid::CET_SS,
    Cpuid::CLDEMOTE,
    Cpuid::CLFSH,
    Cpuid::CMOV,
    Cpuid::CPUID,
    Cpuid::CX8,
    Cpuid::FPU,
    Cpuid::FPU287,
    Cpuid::FPU387,
    Cpuid::FXSR,
    Cpuid::MPX,
    Cpuid::MULTIBYTENOP,
    Cpuid::PAUSE,
    Cpuid::PREFETCHW,
    Cpuid::PREFETCHWT1,
    Cpuid::PREFETCHITI,
    Cpuid::RDTSCP,
    Cpuid::SYSCALL,
    Cpuid::SEP,
    Cpuid::TSC,
    Cpuid::HLE,
];

/// Privileged instructions. In a library, they are data. `hlt` is not in the list, because compilers and the C
/// runtime use it for unreachable code.
const PRIVILEGED: &[Mnemonic] = &[
    Mnemonic::In,
    Mnemonic::Out,
    Mnemonic::Insb,
    Mnemonic::Insw,
    Mnemonic::Insd,
    Mnemonic::Outsb,
    Mnemonic::Outsw,
    Mnemonic::Outsd,
    Mnemonic::Cli,
    Mnemonic::Sti,
    Mnemonic::Lgdt,
    Mnemonic::Lidt,
    Mnemonic::Lldt,
    Mnemonic::Ltr,
    Mnemonic::Lmsw,
    Mnemonic::Clts,
    Mnemonic::Invlpg,
    Mnemonic::Invd,
    Mnemonic::Wbinvd,
    Mnemonic::Iret,
    Mnemonic::Iretd,
    Mnemonic::Iretq,
    Mnemonic::Swapgs,
    Mnemonic::Sysret,
    Mnemonic::Sysretq,
    Mnemonic::Into,
    Mnemonic::Bound,
    Mnemonic::Int1,
];

/// The features with vector instructions in AVX encodings (VEX, EVEX).
const AVX: FeatureSet = FeatureSet::of(&[Avx, Avx2, Fma, F16c, Avx512f, Avx512vl, Avx512bw]);
/// The features with vector instructions in the SSE encoding.
const SSE: FeatureSet = FeatureSet::of(&[Sse, Sse2, Sse3, Ssse3, Sse41, Sse42]);

/// All classes, and the class of each [`Code`] by index.
static TABLE: LazyLock<(Vec<Class>, Vec<u8>)> = LazyLock::new(|| {
    let mut classes = vec![PLAIN];
    let indices = Code::values().map(|code| {
        let class = classify(code);
        let found = classes.iter().position(|each| *each == class).unwrap_or_else(|| {
            classes.push(class);
            classes.len() - 1
        });
        // A test ensures that their number is smaller.
        u8::try_from(found).unwrap_or(0)
    });
    let indices = indices.collect();
    (classes, indices)
});

fn classify(code: Code) -> Class {
    let garbage = Class { is_garbage: true, ..PLAIN };
    match code.mnemonic() {
        Mnemonic::INVALID => return garbage,
        Mnemonic::Cpuid | Mnemonic::Xgetbv => return Class { checks: true, ..PLAIN },
        Mnemonic::Lahf | Mnemonic::Sahf => {
            return Class { needs: FeatureSet::of(&[Sahf]), ..PLAIN };
        }
        // `tzcnt` is `rep bsf`, and older processors run it as `bsf`. The result is the same unless the
        // source is 0, so compilers use it for any processor (shorter dependency chain on newer ones).
        // `lzcnt` is `rep bsr`, but its result differs, so its use is intended.
        Mnemonic::Tzcnt => return PLAIN,
        each if PRIVILEGED.contains(&each) => return garbage,
        _ => {}
    }
    let mut needs = FeatureSet::EMPTY;
    for feature in code.cpuid_features() {
        match FEATURES.iter().find(|row| row.0 == *feature) {
            Some(row) => needs = needs.with(FeatureSet::of(&[row.1])),
            None if ANYWHERE.contains(feature) => {}
            None => return garbage,
        }
    }
    let is_avx = needs.meets(AVX);
    Class { needs, is_avx, is_vector: is_avx || needs.meets(SSE), ..PLAIN }
}

/// Decodes code at an address, and returns the number of decoded bytes. If `more` bytes follow, it stops before
/// instructions that may be incomplete.
pub(super) fn decode(
    machine: Machine,
    bytes: &[u8],
    address: u64,
    more: bool,
    run: &mut Run,
) -> usize {
    let (classes, indices) = &*TABLE;
    let everywhere = match machine {
        // Only the first processors lack `lahf` in 64-bit mode.
        Machine::I686 => FeatureSet::of(&[Sahf]),
        _ => Level::baseline(machine).features(),
    };
    let bits = if machine == Machine::I686 { 32 } else { 64 };
    let Ok(mut decoder) = Decoder::try_with_ip(bits, bytes, address, DecoderOptions::NONE) else {
        return bytes.len();
    };
    let end = if more { bytes.len().saturating_sub(LONGEST - 1) } else { bytes.len() };
    let mut instruction = Instruction::default();
    while decoder.position() < end {
        decoder.decode_out(&mut instruction);
        let index = indices[instruction.code() as usize];
        if index != 0 {
            let class = &classes[usize::from(index)];
            let text = || format!("{:?}", instruction.mnemonic()).to_lowercase();
            let needs = class.needs.without(everywhere);
            run.note(class, needs, instruction.len(), instruction.ip(), text);
        }
    }
    decoder.position()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(code: Code) -> Vec<&'static str> {
        classify(code).needs.iter().map(Feature::name).collect()
    }

    #[test]
    fn the_table_is_large_enough_and_starts_with_no_feature() {
        assert!(TABLE.0.len() < 250, "{}", TABLE.0.len());
        assert_eq!(TABLE.0[0], PLAIN);
        assert_eq!(TABLE.1[Code::Add_r64_rm64 as usize], 0);
    }

    #[test]
    fn baseline_instructions_need_no_feature() {
        for code in [
            Code::Tzcnt_r64_rm64,
            Code::Pause,
            Code::Endbr64,
            Code::Endbr32,
            Code::Nop_rm32,
            Code::Prefetchw_m8,
            Code::Rdtscp,
            Code::Cpuid,
            Code::Xgetbv,
            Code::Rdsspq_r64,
            Code::Cmovne_r64_rm64,
            Code::Cmpxchg8b_m64,
            Code::Ud2,
            Code::Hlt,
            Code::Bsr_r64_rm64,
            Code::Mfence,
            Code::Movnti_m64_r64,
        ] {
            let class = classify(code);
            assert!(!class.is_garbage, "{code:?}");
            let above = class.needs.without(FeatureSet::of(&[Mmx, Sse, Sse2]));
            assert!(above.is_empty(), "{code:?} {above:?}");
        }
        assert!(classify(Code::Cpuid).checks && classify(Code::Xgetbv).checks);
    }

    #[test]
    fn instructions_that_no_compiler_emits_are_garbage() {
        for code in [
            Code::INVALID,
            Code::D3NOW_Pfadd_mm_mmm64,
            Code::In_AL_imm8,
            Code::Wrmsr,
            Code::Cli,
            Code::Iretq,
            Code::Vmcall,
            Code::Swapgs,
            Code::Into,
        ] {
            assert!(classify(code).is_garbage, "{code:?}");
        }
    }

    #[test]
    fn features_match_the_manual() {
        assert_eq!(needs(Code::Lzcnt_r64_rm64), ["lzcnt"]);
        assert_eq!(needs(Code::Lahf), ["sahf"]);
        assert_eq!(needs(Code::Cmpxchg16b_m128), ["cx16"]);
        assert_eq!(needs(Code::Popcnt_r64_rm64), ["popcnt"]);
        assert_eq!(needs(Code::Pshufb_xmm_xmmm128), ["ssse3"]);
        assert_eq!(needs(Code::VEX_Vpaddd_ymm_ymm_ymmm256), ["avx2"]);
        assert_eq!(needs(Code::VEX_Vpaddd_xmm_xmm_xmmm128), ["avx"]);
        assert_eq!(needs(Code::EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32), ["avx512f"]);
        assert_eq!(needs(Code::VEX_Mulx_r64_r64_rm64), ["bmi2"]);
        assert_eq!(needs(Code::VEX_Andn_r64_r64_rm64), ["bmi"]);
        assert_eq!(needs(Code::Aesenc_xmm_xmmm128), ["aes"]);
        assert_eq!(needs(Code::VEX_Vaesenc_xmm_xmm_xmmm128), ["avx", "aes"]);
        assert_eq!(needs(Code::Adcx_r64_rm64), ["adx"]);
        assert_eq!(needs(Code::Sha256rnds2_xmm_xmmm128), ["sha"]);
    }
}
