//! A64 instructions that not every Armv8.0 processor has (Arm ARM for A-profile, DDI 0487, chapter
//! C4 "A64 instruction set encoding").

#[allow(clippy::enum_glob_use, reason = "tables of features are read by their names alone")]
use super::feature::Feature::{self, *};

/// An instruction is of a row if its bits under the mask are the value. The first row that fits
/// counts; a row without a feature is an exception from those below it.
pub(super) struct Row(
    pub(super) u32,
    pub(super) u32,
    pub(super) Option<Feature>,
    pub(super) &'static str,
);

const fn row(mask: u32, value: u32, feature: Feature, text: &'static str) -> Row {
    Row(mask, value, Some(feature), text)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    // Loads and stores: C4.1.94.
    row(0x3fa0_7c00, 0x08a0_7c00, Lse, "cas"),
    row(0xbfa0_7c00, 0x0820_7c00, Lse, "casp"),
    row(0x3f20_8c00, 0x3820_0000, Lse, "ldadd"),
    row(0x3f20_fc00, 0x3820_8000, Lse, "swp"),
    row(0x3fff_fc00, 0x38bf_c000, Rcpc, "ldapr"),
    row(0x3f20_0c00, 0x1900_0000, Rcpc2, "ldapur"),
    row(0xff20_fc00, 0x1920_1000, Lse128, "ldclrp"),
    row(0xff20_fc00, 0x1920_3000, Lse128, "ldsetp"),
    row(0xff20_fc00, 0x1920_8000, Lse128, "swpp"),
    row(0xffff_fc00, 0xf83f_d000, Ls64, "ld64b"),
    row(0xffff_fc00, 0xf83f_9000, Ls64, "st64b"),
    row(0xffe0_fc00, 0xf820_b000, Ls64, "st64bv"),
    row(0xff20_0400, 0xf820_0400, Pauth, "ldraa"),
    // Code that works with tags makes some (`irg`, `addg`); what only stores or loads them is the
    // unwinder, which takes them off the stack of such code.
    Row(0xff20_0000, 0xd920_0000, None, "stg"),
    row(0x3b20_0c00, 0x1900_0400, Mops, "cpyf"),
    // Data processing, immediate and register: C4.1.92, C4.1.95.
    row(0xffc0_c000, 0x9180_0000, Memtag, "addg"),
    row(0xffc0_c000, 0xd180_0000, Memtag, "subg"),
    row(0xffe0_fc00, 0x9ac0_0000, Memtag, "subp"),
    row(0xffe0_fc00, 0xbac0_0000, Memtag, "subps"),
    row(0xffe0_fc00, 0x9ac0_1000, Memtag, "irg"),
    row(0xffe0_fc00, 0x9ac0_1400, Memtag, "gmi"),
    row(0xffe0_fc00, 0x9ac0_3000, Pauth, "pacga"),
    row(0xffff_0000, 0xdac1_0000, Pauth, "pacia"),
    row(0x7fe0_e000, 0x1ac0_4000, Crc, "crc32"),
    row(0x7fff_fc00, 0x5ac0_2000, Cssc, "abs"),
    row(0x7fff_fc00, 0x5ac0_1c00, Cssc, "cnt"),
    row(0x7fff_fc00, 0x5ac0_1800, Cssc, "ctz"),
    row(0x7fe0_f000, 0x1ac0_6000, Cssc, "smax"),
    row(0x7ff0_0000, 0x11c0_0000, Cssc, "smax"),
    row(0xffe0_7c10, 0xba00_0400, Flagm, "rmif"),
    row(0xffff_bc1f, 0x3a00_080d, Flagm, "setf8"),
    // Branches and system: C4.1.93.
    row(0xffff_ffff, 0xd500_401f, Flagm, "cfinv"),
    row(0xffff_ffff, 0xd500_403f, Flagm2, "xaflag"),
    row(0xffff_ffff, 0xd500_405f, Flagm2, "axflag"),
    row(0xffff_f0ff, 0xd503_407f, Sme, "smstart"),
    row(0xffff_ffff, 0xd503_30ff, Sb, "sb"),
    row(0xffff_ffc0, 0xd503_1000, Wfxt, "wfet"),
    row(0xffff_ffc0, 0xd53b_2400, Rng, "mrs rndr"),
    row(0xff00_0010, 0x5400_0010, Hbc, "bc"),
    row(0xffff_f800, 0xd71f_0800, Pauth, "braa"),
    row(0xffff_f81f, 0xd61f_081f, Pauth, "braaz"),
    row(0xffff_f800, 0xd73f_0800, Pauth, "blraa"),
    row(0xffff_f81f, 0xd63f_081f, Pauth, "blraaz"),
    row(0xffff_fbff, 0xd65f_0bff, Pauth, "retaa"),
    // Vectors and floating point: C4.1.96.
    row(0xffff_cc00, 0x4e28_4800, ArmAes, "aese"),
    row(0xbfe0_fc00, 0x0ee0_e000, ArmAes, "pmull"),
    row(0xffe0_8c00, 0x5e00_0000, Sha2, "sha1c"),
    row(0xffff_cc00, 0x5e28_0800, Sha2, "sha1h"),
    row(0xffe0_c000, 0xce60_8000, Sha3, "sha512h"),
    row(0xffff_fc00, 0xcec0_8000, Sha3, "sha512su0"),
    row(0xffe0_8000, 0xce00_0000, Sha3, "eor3"),
    row(0xffe0_8000, 0xce20_0000, Sha3, "bcax"),
    row(0xffe0_0000, 0xce80_0000, Sha3, "xar"),
    row(0xffe0_8000, 0xce40_0000, ArmSm4, "sm3ss1"),
    row(0xffe0_c000, 0xce40_8000, ArmSm4, "sm3tt1a"),
    row(0xffe0_c000, 0xce60_c000, ArmSm4, "sm3partw1"),
    row(0xffff_fc00, 0xcec0_8400, ArmSm4, "sm4e"),
    row(0x9fe0_fc00, 0x0e80_9400, Dotprod, "sdot"),
    row(0x9fc0_f400, 0x0f80_e000, Dotprod, "sdot"),
    row(0xffe0_fc00, 0x4e80_a400, I8mm, "smmla"),
    row(0xffe0_fc00, 0x6e80_a400, I8mm, "ummla"),
    row(0xffe0_fc00, 0x4e80_ac00, I8mm, "usmmla"),
    row(0xbfe0_fc00, 0x0e80_9c00, I8mm, "usdot"),
    row(0xbfc0_f400, 0x0f00_f000, I8mm, "sudot"),
    row(0xbfc0_f400, 0x0f80_f000, I8mm, "usdot"),
    row(0xbfe0_fc00, 0x2e40_fc00, Bf16, "bfdot"),
    row(0xbfc0_f400, 0x0f40_f000, Bf16, "bfdot"),
    row(0xffe0_fc00, 0x6e40_ec00, Bf16, "bfmmla"),
    row(0xbfe0_fc00, 0x2ec0_fc00, Bf16, "bfmlal"),
    row(0xbfc0_f400, 0x0fc0_f000, Bf16, "bfmlal"),
    row(0xffff_fc00, 0x1e63_4000, Bf16, "bfcvt"),
    row(0xbfff_fc00, 0x0ea1_6800, Bf16, "bfcvtn"),
    row(0xbf60_fc00, 0x0e20_ec00, Fp16fml, "fmlal"),
    row(0xbf60_fc00, 0x2e20_cc00, Fp16fml, "fmlal2"),
    row(0xbfc0_b400, 0x0f80_0000, Fp16fml, "fmlal"),
    row(0xbfc0_b400, 0x2f80_8000, Fp16fml, "fmlal2"),
    row(0xbf20_f400, 0x2e00_8400, Rdma, "sqrdmlah"),
    row(0xff20_f400, 0x7e00_8400, Rdma, "sqrdmlah"),
    row(0xbf00_d400, 0x2f00_d000, Rdma, "sqrdmlah"),
    row(0xff00_d400, 0x7f00_d000, Rdma, "sqrdmlah"),
    row(0xbf20_ec00, 0x2e00_e400, Fcma, "fcadd"),
    row(0xbf20_e400, 0x2e00_c400, Fcma, "fcmla"),
    row(0xbf00_9400, 0x2f00_1000, Fcma, "fcmla"),
    row(0xffff_fc00, 0x1e7e_0000, Jscvt, "fjcvtzs"),
    row(0xffbe_7c00, 0x1e28_4000, Frintts, "frint32z"),
    row(0x9fbf_ec00, 0x0e21_e800, Frintts, "frint32z"),
    // Conversion between half and the others is as old as A64.
    Row(0xfffe_7c00, 0x1ee2_4000, None, "fcvt"),
    row(0x7fe0_0000, 0x1ee0_0000, Fp16, "fadd h"),
    row(0x7fe0_0000, 0x1ec0_0000, Fp16, "scvtf h"),
    row(0xffc0_0000, 0x1fc0_0000, Fp16, "fmadd h"),
    row(0x9f60_c400, 0x0e40_0400, Fp16, "fadd h"),
    row(0xdf60_c400, 0x5e40_0400, Fp16, "fmulx h"),
    row(0x9f7e_0c00, 0x0e78_0800, Fp16, "fabs h"),
    row(0xdf7e_0c00, 0x5e78_0800, Fp16, "fcmgt h"),
    row(0xbf7f_fc00, 0x0e30_c800, Fp16, "fmaxnmv h"),
    row(0xbf7f_fc00, 0x0e30_f800, Fp16, "fmaxv h"),
    row(0xff7f_0c00, 0x5e30_0800, Fp16, "faddp h"),
    row(0xbff8_fc00, 0x0f00_fc00, Fp16, "fmov h"),
    row(0xbfc0_b400, 0x0f00_1000, Fp16, "fmla h"),
    row(0x9fc0_f400, 0x0f00_9000, Fp16, "fmul h"),
    row(0xffc0_b400, 0x5f00_1000, Fp16, "fmla h"),
    row(0xdfc0_f400, 0x5f00_9000, Fp16, "fmul h"),
    // SVE and SME: C4.1.1, C4.1.36. Of SVE2 what has the major opcode to itself; the rest of it
    // counts as SVE.
    // How long vectors are is what unwinders ask for the frames of other code, and what is behind
    // SME's helpers for calls (AAPCS64); code that computes with vectors loads some as well.
    Row(0xff30_fc00, 0x0420_e000, None, "cntd"),
    Row(0xffff_f000, 0x04bf_5000, None, "rdvl"),
    Row(0xffa0_f000, 0x0420_5000, None, "addvl"),
    row(0xff20_fc00, 0x4500_9800, Sve, "smmla z"),
    row(0xff00_0000, 0x4500_0000, Sve2, "sve2"),
    row(0x1e00_0000, 0x0400_0000, Sve, "sve"),
    row(0x9e00_0000, 0x8000_0000, Sme, "sme"),
];
