//! Needed libraries: on the system, in the wheel, in another wheel, or nowhere.

use super::*;

/// The findings about a wheel whose module needs a library, with these lines of METADATA.
fn findings(library: &str, requires: &[&str]) -> Vec<Finding> {
    let mut fixture = native(module(&[("f", "V_1", library)], &[]));
    let metadata = fixture.name.dist_info() + "/METADATA";
    let lines: Vec<String> =
        requires.iter().map(|line| format!("Requires-Dist: {line}\n")).collect();
    let lines = lines.concat();
    fixture.set(&metadata, format!("Metadata-Version: 2.4\nName: pkg\nVersion: 1.0\n{lines}"));
    let mut findings = audit(&fixture, &Expectations::default()).findings;
    findings.retain(|finding| finding.code.starts_with("ELF"));
    findings
}

#[test]
fn a_library_of_a_required_wheel_is_a_warning_with_its_name() {
    let found = findings("libcublas.so.12", &["numpy", "nvidia-cublas-cu12==12.8; extra == 'gpu'"]);
    assert_eq!(found.iter().map(|each| each.code).collect::<Vec<_>>(), ["ELF012"]);
    let message = &found[0].message;
    assert!(message.contains("`nvidia-cublas-cu12`") && message.contains("extra"), "{message}");
    let found = findings("libshiboken6.abi3.so.6.12", &["shiboken6 (==6.12)"]);
    assert_eq!((found[0].code, found[0].severity), ("ELF012", Severity::Warning));
    assert!(!found[0].message.contains("extra"), "{}", found[0].message);
    for (library, project) in [("libeckit_geo.so", "eckitlib"), ("libz3.so.5.3", "z3-solver==5.3")]
    {
        assert_eq!(findings(library, &[project])[0].code, "ELF012", "{library}");
    }
}

#[test]
fn a_library_of_an_unrequired_wheel_is_an_error_with_help() {
    let found = findings("libtorch_cpu.so", &["numpy", "torchvision"]);
    assert_eq!((found[0].code, found[0].severity), ("ELF006", Severity::Error));
    assert!(found[0].help.contains("`torch`"), "{}", found[0].help);
    let found = findings("libpython3.11.so.1.0", &[]);
    assert!(found[0].help.contains("libpython"), "{}", found[0].help);
}

#[test]
fn the_help_for_a_system_library_names_packages_and_repair() {
    let found = findings("libffi.so.8", &[]);
    assert_eq!((found[0].code, found[0].severity), ("ELF006", Severity::Error));
    for word in ["libffi8 (Debian)", "`[repair] mode = \"auto\"`", "`auditwheel repair`"] {
        assert!(found[0].help.contains(word), "{word}: {}", found[0].help);
    }
    let unknown = findings("libnobody.so.1", &[]);
    assert!(unknown[0].help.contains("`[repair] mode = \"auto\"`"), "{}", unknown[0].help);
    assert!(!unknown[0].help.contains("(Debian)"), "{}", unknown[0].help);
}

#[test]
fn a_bundled_library_without_soname_is_no_need_at_any_depth() {
    let needs = [("f", "V_1", "libfoo.so.1")];
    let fixture =
        native(module(&needs, &["-Wl,-rpath,$ORIGIN"])).with("libfoo.so.1", PLAIN.clone());
    let folder = Folder::new();
    let path = fixture.write(folder.path());
    for depth in [Depth::Floor, Depth::Bytes] {
        let settings = Settings { depth, ..Settings::default() };
        let audit = audit_wheel(&path, &Expectations::default(), &settings).unwrap();
        assert_eq!(audit.facts.overall_tag, "manylinux_2_5_x86_64", "{depth:?}");
    }
}

#[test]
fn a_library_of_a_driver_is_a_warning() {
    let found = findings("libcuda.so.1", &[]);
    assert_eq!(found.iter().map(|each| each.code).collect::<Vec<_>>(), ["ELF013"]);
    assert!(found[0].message.contains("NVIDIA"), "{}", found[0].message);
}
