use std::collections::BTreeSet;

use super::*;

fn needs(versions: &[&str]) -> Requirements {
    let versions = versions.iter().map(|&each| each.to_owned()).collect();
    Requirements { versions, ..Requirements::default() }
}

fn lowest(arch: Arch, versions: &[&str]) -> Option<String> {
    let tag = Policies::builtin().lowest_manylinux(arch, &needs(versions));
    tag.map(|tag| tag.to_string())
}

fn limits(tag: &str) -> Option<Arc<Limits>> {
    Policies::builtin().limits(tag.parse().ok()?)
}

fn verdict(tag: &str, version: &str) -> Option<VersionVerdict> {
    limits(tag).map(|limits| limits.version(version))
}

#[test]
fn every_policy_has_the_maxima_of_auditwheel() {
    // Maxima per policy on x86-64, copied from auditwheel's list by hand.
    let table: [(&str, &str, &str, &str, &str); 7] = [
        ("2_5", "GLIBC_2.5", "GLIBCXX_3.4.8", "GLIBC_2.6", "GLIBCXX_3.4.9"),
        ("2_17", "GLIBC_2.17", "GLIBCXX_3.4.19", "GLIBC_2.18", "GLIBCXX_3.4.20"),
        ("2_28", "GLIBC_2.28", "GLIBCXX_3.4.24", "GLIBC_2.29", "GLIBCXX_3.4.25"),
        ("2_31", "GLIBC_2.31", "GLIBCXX_3.4.28", "GLIBC_2.32", "GLIBCXX_3.4.29"),
        ("2_34", "GLIBC_2.34", "GLIBCXX_3.4.29", "GLIBC_2.35", "GLIBCXX_3.4.30"),
        ("2_36", "GLIBC_2.36", "GLIBCXX_3.4.30", "GLIBC_2.38", "GLIBCXX_3.4.31"),
        ("2_41", "GLIBC_2.41", "GLIBCXX_3.4.33", "GLIBC_2.42", "GLIBCXX_3.4.34"),
    ];
    for (policy, glibc, cxx, glibc_beyond, cxx_beyond) in table {
        let tag = format!("manylinux_{policy}_x86_64");
        for (version, expected) in [
            (glibc, VersionVerdict::Allowed),
            (cxx, VersionVerdict::Allowed),
            (glibc_beyond, VersionVerdict::TooNew),
            (cxx_beyond, VersionVerdict::TooNew),
        ] {
            assert_eq!(verdict(&tag, version), Some(expected), "{version} in {tag}");
        }
    }
}

#[test]
fn the_lowest_policy_is_found_with_integers() {
    assert_eq!(lowest(Arch::X86_64, &["GLIBC_2.9"]).as_deref(), Some("manylinux_2_12_x86_64"));
    assert_eq!(
        lowest(Arch::X86_64, &["GLIBC_2.2.5", "GLIBC_2.34"]).as_deref(),
        Some("manylinux_2_34_x86_64")
    );
    assert_eq!(lowest(Arch::Aarch64, &["GLIBC_2.17"]).as_deref(), Some("manylinux_2_17_aarch64"));
    assert_eq!(lowest(Arch::Loongarch64, &[]).as_deref(), Some("manylinux_2_36_loongarch64"));
    assert_eq!(lowest(Arch::X86_64, &[]).as_deref(), Some("manylinux_2_5_x86_64"));
}

#[test]
fn libstdcxx_is_a_separate_limit() {
    assert_eq!(
        lowest(Arch::X86_64, &["GLIBC_2.4", "GLIBCXX_3.4.30"]).as_deref(),
        Some("manylinux_2_35_x86_64")
    );
    assert_eq!(verdict("manylinux_2_34_x86_64", "GLIBCXX_3.4.30"), Some(VersionVerdict::TooNew));
}

#[test]
fn relr_means_2_36() {
    assert_eq!(
        lowest(Arch::X86_64, &["GLIBC_ABI_DT_RELR"]).as_deref(),
        Some("manylinux_2_36_x86_64")
    );
    assert_eq!(verdict("manylinux_2_35_x86_64", "GLIBC_ABI_DT_RELR"), Some(VersionVerdict::TooNew));
    let floor = needs(&["GLIBC_2.4", "GLIBC_ABI_DT_RELR"]).floor();
    assert_eq!(floor.get("GLIBC").map(ToString::to_string).as_deref(), Some("2.36"));
}

#[test]
fn versions_above_every_policy_follow_their_number() {
    assert_eq!(
        lowest(Arch::X86_64, &["GLIBC_2.43", "GLIBCXX_3.4.33"]).as_deref(),
        Some("manylinux_2_43_x86_64")
    );
    assert_eq!(
        lowest(Arch::X86_64, &["GLIBC_2.43", "GLIBCXX_3.4.34"]),
        None,
        "no source defines the systems with it"
    );
    assert_eq!(verdict("manylinux_2_43_x86_64", "GLIBC_2.42"), Some(VersionVerdict::Allowed));
    assert_eq!(verdict("manylinux_2_42_x86_64", "GLIBC_2.43"), Some(VersionVerdict::TooNew));
}

#[test]
fn a_glibc_between_two_policies_uses_the_lower_policy() {
    assert_eq!(verdict("manylinux_2_29_x86_64", "GLIBC_2.29"), Some(VersionVerdict::Allowed));
    assert_eq!(verdict("manylinux_2_29_x86_64", "GLIBC_2.30"), Some(VersionVerdict::TooNew));
    assert_eq!(verdict("manylinux_2_29_x86_64", "GLIBCXX_3.4.25"), Some(VersionVerdict::TooNew));
    assert_eq!(
        verdict("manylinux_2_29_aarch64", "GLIBC_2.5"),
        Some(VersionVerdict::Unknown),
        "older than the port"
    );
}

#[test]
fn every_gap_between_the_policies_follows_the_rule() {
    // The glibc of a gap, the newest GLIBCXX and CXXABI of the lower policy, each with its successor.
    let gaps = [
        (13, "3.4.13", "3.4.14", "1.3.3", "1.3.4"),
        (29, "3.4.24", "3.4.25", "1.3.11", "1.3.12"),
        (30, "3.4.24", "3.4.25", "1.3.11", "1.3.12"),
        (32, "3.4.28", "3.4.29", "1.3.12", "1.3.13"),
        (33, "3.4.28", "3.4.29", "1.3.12", "1.3.13"),
        (42, "3.4.33", "3.4.34", "1.3.15", "1.3.16"),
        (43, "3.4.33", "3.4.34", "1.3.15", "1.3.16"),
    ];
    for (minor, cxx, cxx_beyond, abi, abi_beyond) in gaps {
        let tag = format!("manylinux_2_{minor}_x86_64");
        for (version, expected) in [
            (format!("GLIBC_2.{minor}"), VersionVerdict::Allowed),
            (format!("GLIBC_2.{}", minor + 1), VersionVerdict::TooNew),
            (format!("GLIBCXX_{cxx}"), VersionVerdict::Allowed),
            (format!("GLIBCXX_{cxx_beyond}"), VersionVerdict::TooNew),
            (format!("CXXABI_{abi}"), VersionVerdict::Allowed),
            (format!("CXXABI_{abi_beyond}"), VersionVerdict::TooNew),
        ] {
            assert_eq!(verdict(&tag, &version), Some(expected), "{version} in {tag}");
        }
        let relr = if minor < 36 { VersionVerdict::TooNew } else { VersionVerdict::Allowed };
        assert_eq!(verdict(&tag, "GLIBC_ABI_DT_RELR"), Some(relr), "{tag}");
        // Installers accept any number, but the policies decide about tags of wheels.
        let named = lowest(Arch::X86_64, &[&format!("GLIBC_2.{minor}")]);
        let next = [(13, 17), (29, 31), (30, 31), (32, 34), (33, 34), (42, 42), (43, 43)];
        let next = next.iter().find(|each| each.0 == minor).map(|each| each.1).unwrap_or_default();
        assert_eq!(named, Some(format!("manylinux_2_{next}_x86_64")));
    }
    let limits = limits("manylinux_2_33_x86_64");
    let allows = |library| limits.as_ref().is_some_and(|limits| limits.library(library));
    assert!(allows("libmvec.so.1") && !allows("libcrypt.so.1"), "libraries are those of 2_31");
    let bans = limits.as_ref().is_some_and(|limits| limits.forbids("libz.so.1", "uncompress2"));
    assert!(bans, "a ban that ends with 2_34 applies in the gap before it");
}

#[test]
fn names_in_no_policy_are_allowed_nowhere() {
    for name in ["GLIBC_PRIVATE", "GLIBC_ABI_GNU2_TLS", "GLIBC_ABI_SOMETHING", "GLIBC_2.19"] {
        assert_eq!(verdict("manylinux_2_41_x86_64", name), Some(VersionVerdict::Unknown), "{name}");
        assert_eq!(lowest(Arch::X86_64, &[name]), None, "{name}");
    }
    assert_eq!(verdict("manylinux_2_41_x86_64", "OPENSSL_1_1_0"), Some(VersionVerdict::Unrated));
}

#[test]
fn tags_without_a_policy_promise_nothing() {
    for tag in [
        "any",
        "linux_x86_64",
        "manylinux1_aarch64",
        "manylinux_2_4_x86_64",
        "manylinux_2_35_loongarch64",
    ] {
        assert!(limits(tag).is_none(), "{tag}");
    }
    assert!(limits("manylinux2014_aarch64").is_some());
}

#[test]
fn system_libraries_include_the_loader() {
    let libraries = |names: &[&str]| Requirements {
        libraries: names.iter().map(|&each| each.to_owned()).collect(),
        ..Requirements::default()
    };
    let lowest =
        |names: &[&str]| Policies::builtin().lowest_manylinux(Arch::X86_64, &libraries(names));
    assert_eq!(
        lowest(&["libexpat.so.1"]).map(String::from).as_deref(),
        Some("manylinux_2_12_x86_64")
    );
    assert_eq!(
        lowest(&["ld-linux-x86-64.so.2"]).map(String::from).as_deref(),
        Some("manylinux_2_5_x86_64")
    );
    for absent in ["libcrypt.so.1", "libpython3.12.so.1.0", "libssl.so.3"] {
        assert_eq!(lowest(&[absent]), None, "{absent}");
    }
    let musl =
        |name| Policies::builtin().musllinux(Arch::X86_64, &libraries(&[name])).map(String::from);
    assert_eq!(musl("libc.musl-x86_64.so.1").as_deref(), Some("musllinux_1_2_x86_64"));
    assert_eq!(musl("libc.so").as_deref(), Some("musllinux_1_2_x86_64"), "of cross compilers");
    assert_eq!(musl("libssl.so.3"), None);
}

#[test]
fn musl_replaces_the_libraries_of_glibc() {
    let built_for_either = |names: &[&str], versions: &[&str]| {
        let mut needs = needs(versions);
        needs.libraries = names.iter().map(|&each| each.to_owned()).collect();
        Policies::builtin().musllinux(Arch::X86_64, &needs).map(String::from)
    };
    let tag = Some("musllinux_1_2_x86_64");
    for name in ["libc.so.6", "libpthread.so.0", "libm.so.6", "libdl.so.2", "libutil.so.1"] {
        assert_eq!(built_for_either(&[name], &[]).as_deref(), tag, "{name}");
    }
    for name in ["libresolv.so.2", "libcrypt.so.1", "libmvec.so.1", "libc", "c.so.6"] {
        assert_eq!(built_for_either(&[name], &[]), None, "{name}");
    }
    assert_eq!(built_for_either(&["libc.so.6"], &["GLIBC_2.2.5"]), None, "linked with glibc");
    assert_eq!(built_for_either(&["libc.so.6"], &["GLIBC_2.0"]).as_deref(), tag, "of libgcc_s");
    assert_eq!(verdict("musllinux_1_2_x86_64", "GLIBC_2.2.5"), Some(VersionVerdict::TooNew));
    let manylinux = limits("manylinux_2_41_x86_64").map(|limits| limits.library("libxnet.so.1"));
    assert_eq!(manylinux, Some(false), "glibc has no such rule");
}

#[test]
fn forbidden_symbols_raise_the_policy() {
    let mut needs = needs(&[]);
    needs.symbols.insert("libz.so.1".to_owned(), BTreeSet::from(["uncompress2".to_owned()]));
    let tag = Policies::builtin().lowest_manylinux(Arch::X86_64, &needs);
    assert_eq!(tag.map(String::from).as_deref(), Some("manylinux_2_34_x86_64"));
    assert!(Policies::builtin().forbids("libz.so.1", "uncompress2"));
    assert!(!Policies::builtin().forbids("libssl.so.3", "uncompress2"));
    assert_eq!(verdict("musllinux_1_2_x86_64", "GCC_3.0"), Some(VersionVerdict::Unrated));
}
