//! Search paths of bundled libraries.

use super::*;

/// A library with a soname and needs.
fn library(soname: &str, needs: &[&str], flags: &[&str]) -> Vec<u8> {
    let soname = format!("-Wl,-soname,{soname}");
    let flags: Vec<&str> = std::iter::once(soname.as_str()).chain(flags.iter().copied()).collect();
    using(needs, &flags)
}

fn using(needs: &[&str], flags: &[&str]) -> Vec<u8> {
    let libraries: Vec<(&str, &str)> = needs.iter().map(|&name| (name, "")).collect();
    let init = "void *PyInit__pkg(void) { return 0; }";
    linked(init, &libraries, &[flags, needs].concat())
}

/// The findings about search paths, as file and library.
fn lost(fixture: &Fixture) -> Vec<(String, String)> {
    let findings = audit(fixture, &Expectations::default()).findings;
    let lost = findings.into_iter().filter(|finding| finding.code == "ELF011");
    lost.map(|finding| {
        let library = finding.message.split('`').nth(1).unwrap().to_owned();
        (finding.path, library)
    })
    .collect()
}

const RUNPATH: [&str; 2] = ["-Wl,-rpath,$ORIGIN/pkg.libs", "-Wl,--enable-new-dtags"];
const RPATH: [&str; 2] = ["-Wl,-rpath,$ORIGIN/pkg.libs", "-Wl,--disable-new-dtags"];

#[test]
fn a_library_in_the_search_path_is_found() {
    for flags in [RUNPATH, RPATH] {
        let fixture = native(using(&["liba.so.1"], &flags))
            .with("pkg.libs/liba.so.1", library("liba.so.1", &[], &[]));
        assert_eq!(lost(&fixture), []);
    }
    let shadowed = native(using(&["liba.so.1"], &[]))
        .with("pkg.libs/liba.so.1", library("liba.so.1", &[], &[]));
    assert_eq!(lost(&shadowed), [(MODULE.to_owned(), "liba.so.1".to_owned())]);
    let audit = audit(&shadowed, &Expectations::default());
    assert_eq!(audit.verdict(), Verdict::Fail, "nothing in the wheel loads it first");
    assert!(audit.findings.iter().any(|each| each.help.contains("'$ORIGIN/pkg.libs'")));
}

#[test]
fn rpath_applies_to_needed_libraries_but_runpath_does_not() {
    let with = |flags: &[&str]| {
        native(using(&["liba.so.1"], flags))
            .with("pkg.libs/liba.so.1", library("liba.so.1", &["libb.so.1"], &[]))
            .with("pkg.libs/libb.so.1", library("libb.so.1", &[], &[]))
    };
    let path = "pkg.libs/liba.so.1".to_owned();
    assert_eq!(lost(&with(&RUNPATH)), [(path, "libb.so.1".to_owned())]);
    assert_eq!(lost(&with(&RPATH)), []);
}

#[test]
fn runpath_disables_rpath() {
    let elsewhere = ["-Wl,-rpath,$ORIGIN/nowhere", "-Wl,--enable-new-dtags"];
    let fixture = native(using(&["liba.so.1"], &RPATH))
        .with("pkg.libs/liba.so.1", library("liba.so.1", &["libb.so.1"], &elsewhere))
        .with("pkg.libs/libb.so.1", library("libb.so.1", &[], &[]));
    assert_eq!(lost(&fixture), [("pkg.libs/liba.so.1".to_owned(), "libb.so.1".to_owned())]);
}

#[test]
fn loaded_libraries_are_found_by_soname() {
    let fixture = native(using(&["libb.so.1", "liba.so.1"], &RUNPATH))
        .with("pkg.libs/liba.so.1", library("liba.so.1", &["libb.so.1"], &[]))
        .with("pkg.libs/libb.so.1", library("libb.so.1", &[], &[]));
    assert_eq!(lost(&fixture), []);
}

#[test]
fn musl_applies_every_search_path_to_needed_libraries() {
    let libraries = |name: &str| {
        Fixture::new(name)
            .with("_pkg.abi3.so", using(&["liba.so.1"], &RUNPATH))
            .with("pkg.libs/liba.so.1", library("liba.so.1", &["libb.so.1"], &[]))
            .with("pkg.libs/libb.so.1", library("libb.so.1", &[], &[]))
    };
    assert_eq!(lost(&libraries("pkg-1.0-cp311-cp311-musllinux_1_2_x86_64.whl")), []);
    assert_eq!(lost(&libraries(WHEEL)).len(), 1);
}

#[test]
fn members_of_data_folders_have_their_installed_path() {
    let fixture = native(using(&["liba.so.1"], &RUNPATH))
        .with("pkg-1.0.data/platlib/pkg.libs/liba.so.1", library("liba.so.1", &[], &[]));
    assert_eq!(lost(&fixture), []);
    let tool = ["-Wl,-rpath,$ORIGIN/../lib", "-Wl,--enable-new-dtags"];
    let fixture = wheel(WHEEL)
        .with("pkg-1.0.data/scripts/tool", using(&["liba.so.1"], &tool))
        .with("pkg-1.0.data/data/lib/liba.so.1", library("liba.so.1", &[], &[]));
    assert_eq!(lost(&fixture), []);
}

#[test]
fn the_systems_library_suffices_if_it_is_new_enough() {
    let with = |version: &str| {
        let user = module(&[("f", version, "libstdc++.so.6")], &[]);
        let fixture =
            Fixture::new("pkg-1.0-cp311-cp311-manylinux_2_28_x86_64.whl").with(MODULE, user);
        lost(
            &fixture
                .with("pkg.libs/libstdc++.so.6", super::library("f", version, "libstdc++.so.6")),
        )
    };
    assert_eq!(with("GLIBCXX_3.4.20"), []);
    assert_eq!(with("GLIBCXX_3.4.32"), [(MODULE.to_owned(), "libstdc++.so.6".to_owned())]);
}

#[test]
fn needed_paths_with_variables_are_resolved() {
    let needing = |path: &str, place: &str, wheel: &str| {
        let folder = Folder::new();
        gcc(&folder, "libx.so", "int f(void) { return 1; }", &[&format!("-Wl,-soname,{path}")]);
        let source =
            "extern int f(void); void *g(void) { return f; } void *PyInit__pkg(void) { return 0; }";
        gcc(&folder, "module.so", source, &["libx.so"]);
        let module = fs_err::read(folder.path().join("module.so")).unwrap();
        let library = linked("int f(void) { return 1; }", &[], &[]);
        own(&Fixture::new(wheel).with(MODULE, module).with(place, library))
    };
    for path in ["$ORIGIN/pkg/libx.so", "${ORIGIN}/pkg/../pkg/libx.so", "$ORIGIN/$LIB/libx.so"] {
        assert_eq!(needing(path, "pkg/libx.so", WHEEL), Vec::<&str>::new(), "{path}");
    }
    assert!(needing("$ORIGIN/libx.so", "pkg/libx.so", WHEEL).contains(&"ELF006"));
    // musl does not expand the path.
    let musl = "pkg-1.0-cp39-cp39-musllinux_1_2_x86_64.whl";
    assert!(needing("$ORIGIN/pkg/libx.so", "pkg/libx.so", musl).contains(&"ELF011"));
}

#[test]
fn cyclic_needs_end() {
    let fixture = wheel(WHEEL)
        .with("liba.so.1", library("liba.so.1", &["libb.so.1"], &["-Wl,-rpath,$ORIGIN"]))
        .with("libb.so.1", library("libb.so.1", &["liba.so.1"], &[]));
    assert_eq!(lost(&fixture), []);
}

#[test]
fn a_search_path_into_a_required_wheel_is_a_warning() {
    let with = |requires: &str| {
        let path = ["-Wl,-rpath,$ORIGIN/other_libs/lib", "-Wl,--enable-new-dtags"];
        let mut fixture = native(using(&["liba.so.1"], &path));
        let metadata = fixture.name.dist_info() + "/METADATA";
        let text = format!("Metadata-Version: 2.4\nName: pkg\nVersion: 1.0\n{requires}\n");
        fixture.set(&metadata, text);
        own(&fixture)
    };
    assert_eq!(with("Requires-Dist: Other.Libs>=1"), ["ELF012"]);
    assert_eq!(with("Requires-Dist: something"), ["ELF006"]);
    // The wheel's own package is not that of another project.
    let path = ["-Wl,-rpath,$ORIGIN/lib", "-Wl,--enable-new-dtags"];
    let mut own_path = wheel(WHEEL).with("pkg/_other.abi3.so", using(&["liba.so.1"], &path));
    let metadata = own_path.name.dist_info() + "/METADATA";
    own_path
        .set(&metadata, "Metadata-Version: 2.4\nName: pkg\nVersion: 1.0\nRequires-Dist: pkg-lib\n");
    assert!(own(&own_path).contains(&"ELF006"));
}
