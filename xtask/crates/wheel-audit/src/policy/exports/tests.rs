use super::*;
use Export::{Between, Never, Since, UnknownLibrary};

fn x86(soname: &str, symbol: &str) -> Export {
    of_library(soname, symbol, Arch::X86_64)
}

#[test]
fn a_symbol_has_its_first_version() {
    assert_eq!(x86("libm.so.6", "tgamma"), Since("GLIBC_2.2.5"));
    assert_eq!(of_library("libm.so.6", "tgamma", Arch::Aarch64), Since("GLIBC_2.17"));
    assert_eq!(x86("libc.so.6", "tgamma"), Never);
    assert_eq!(x86("libc.so.6", "__isoc23_strtol"), Since("GLIBC_2.38"));
    for arch in [Arch::X86_64, Arch::Aarch64] {
        let symbol = "_ZSt28__throw_bad_array_new_lengthv";
        assert_eq!(of_library("libstdc++.so.6", symbol, arch), Since("GLIBCXX_3.4.29"));
    }
    assert_eq!(x86("libfoo.so.1", "tgamma"), UnknownLibrary);
    assert_eq!(of_library("libm.so.6", "tgamma", Arch::Loongarch64), UnknownLibrary);
}

/// `memcpy` has 2.2.5 and, by default, 2.14: an unversioned reference binds to the oldest one. `sys_errlist` is only
/// for old binaries, but an unversioned reference finds it.
#[test]
fn the_oldest_version_of_a_library_needs_no_default() {
    assert_eq!(x86("libc.so.6", "memcpy"), Since("GLIBC_2.2.5"));
    assert_eq!(x86("libc.so.6", "sys_errlist"), Since("GLIBC_2.2.5"));
    assert!(matches!(x86("libc.so.6", "xdr_quad_t"), Between { since: "GLIBC_2.3.4", .. }));
}

#[test]
fn moved_symbols_start_in_one_library_where_they_end_in_the_other() {
    for (library, symbol, moved) in [
        ("libpthread.so.0", "pthread_create", "GLIBC_2.34"),
        ("libpthread.so.0", "pthread_sigmask", "GLIBC_2.32"),
        ("libdl.so.2", "dlopen", "GLIBC_2.34"),
    ] {
        assert_eq!(x86("libc.so.6", symbol), Since(moved), "{symbol}");
        let before = Between { since: "GLIBC_2.2.5", until: moved };
        assert_eq!(x86(library, symbol), before, "{symbol}");
    }
    assert_eq!(providers("dlopen", Arch::X86_64), ["libc.so.6", "libdl.so.2"]);
    assert_eq!(providers("tgamma", Arch::X86_64), ["libm.so.6"]);
}

#[test]
fn musl_has_one_library_under_several_names() {
    for soname in ["libc.so", "libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1"] {
        assert_eq!(x86(soname, "pthread_create"), Since("0"), "{soname}");
    }
    assert_eq!(x86("libc.so", "__cxa_thread_atexit_impl"), Never);
    assert_eq!(x86("libc.so", "__memcpy_chk"), Never);
    assert_eq!(x86("libc.so", "qsort_r"), Since("1.2.3"));
    // Since 1.2.4, the loader maps it to `open`, and the library no longer exports it.
    assert_eq!(x86("libc.so", "open64"), Since("0"));
}

#[test]
fn libraries_without_symbol_versions_have_releases() {
    assert_eq!(x86("libz.so.1", "inflate"), Since("0"));
    assert_eq!(x86("libz.so.1", "inflateValidate"), Since("ZLIB_1.2.9"));
    assert_eq!(x86("libglib-2.0.so.0", "g_malloc"), Since("0"));
    assert_eq!(x86("libglib-2.0.so.0", "g_string_free_and_steal"), Since("2.75.3"));
    assert_eq!(x86("libX11.so.6", "XOpenDisplay"), Since("0"));
    assert_eq!(x86("libGL.so.1", "glClear"), Since("0"));
    assert_eq!(x86("libexpat.so.1", "XML_ParserCreate"), Since("0"));
}

#[test]
fn the_loader_has_a_name_per_architecture() {
    assert_eq!(x86("ld-linux-x86-64.so.2", "__tls_get_addr"), Since("GLIBC_2.3"));
    let arm = of_library("ld-linux-aarch64.so.1", "__tls_get_addr", Arch::Aarch64);
    assert_eq!(arm, Since("GLIBC_2.17"));
    assert_eq!(x86("ld.so", "__tls_get_addr"), UnknownLibrary);
}
