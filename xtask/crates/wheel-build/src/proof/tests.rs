#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use serde_json::json;

use super::*;

const FILE: &str = "demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl";

/// The report of a build on Debian.
fn info() -> Value {
    json!({
        "schema_version": 1, "target": "debian12", "platform": "linux/amd64", "date": "2026-01-01T00:00:00Z",
        "image": {"digest": format!("sha256:{}", "1".repeat(64)), "reference": "debian:12", "origin": "pulled"},
        "source": {"name": "demo==1.0", "file": "demo-1.0.tar.gz", "sha256": "2".repeat(64), "kind": "sdist"},
        "distribution": {"id": "debian", "version": "12", "packages": "deb"},
        "interpreters": [{"id": "cp310"}, {"id": "cp311", "version": "3.11.2", "provider": "distro",
            "detail": "python3.11 3.11.2-6", "sha256": "8".repeat(64), "base_image": "this-machine:1",
            "recipe": {"name": "build-all"},
            "repair": {"auditwheel": "6.8.2", "patchelf": "0.19.3", "grafted": []},
            "requirements": {
                "build": [{"name": "Setup_Tools", "version": "80.9", "file": "s-80.9-py3-none-any.whl",
                    "sha256": "3".repeat(64)}],
                "crates": [{"name": "pyo3", "version": "0.29.0", "sha256": "4".repeat(64)}],
                "smoke": [{"name": "attrs", "version": "1", "file": "a.whl", "sha256": "5".repeat(64)}]}}],
        "packages": {"libc6": "2.36-9+deb12u9", "libffi8": "3.4.4-1"},
        "tools": {"gcc": "12.2.0", "rust": "none", "uv": "0.9"},
        "tool_hashes": {"uv": "7".repeat(64)},
    })
}

fn grafted() -> Vec<Grafted> {
    let library = |name: &str, package: Option<&str>| Grafted {
        library: name.to_owned(),
        file: format!("demo.libs/{name}"),
        from: format!("/usr/lib/{name}"),
        package: package.map(str::to_owned),
        version: package.map(|_| "3.4.4-1+b1".to_owned()),
    };
    vec![library("libffi.so.8", Some("libffi8")), library("libown.so", None)]
}

/// The two documents of a wheel with this build.
fn made(info: &Value) -> [Value; 2] {
    let facts = Facts {
        file: FILE,
        sha256: &"a".repeat(64),
        grafted: &grafted(),
        members: [("demo.libs/libffi.so.8", "9".repeat(64))].into(),
        needed: vec!["libc.so.6"],
        target: "debian12",
        platform: "linux/amd64",
        builder: "cp311",
        info,
        settings: json!({"rust": "none"}),
        snapshot: Some("2026-11-01"),
        lock: Some(("wheels.lock", "6".repeat(64))),
    };
    let made = documents(&facts).unwrap();
    assert_eq!(documents(&facts).unwrap(), made);
    let names: Vec<_> = made.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, documents_of(FILE));
    made.iter()
        .map(|(_, text)| serde_json::from_slice(text).unwrap())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

/// `scope bom-ref` of each component.
fn parts(bom: &Value) -> Vec<String> {
    let components = bom["components"].as_array().unwrap().iter();
    let text = |part: &Value, name: &str| part[name].as_str().unwrap().to_owned();
    components.map(|part| format!("{} {}", text(part, "scope"), text(part, "bom-ref"))).collect()
}

#[test]
fn a_bill_of_materials_separates_contents_from_build_tools() {
    let [bom, _] = made(&info());
    assert_eq!(
        parts(&bom),
        [
            "excluded base-image:debian:12",
            "excluded build-requirement:pkg:pypi/setup-tools@80.9?file_name=s-80.9-py3-none-any.whl",
            "required crate:pkg:cargo/pyo3@0.29.0",
            "required grafted:demo.libs/libffi.so.8",
            "required grafted:demo.libs/libown.so",
            "excluded interpreter:pkg:generic/cpython@3.11.2",
            "required linked:libc.so.6",
            "excluded lock:wheels.lock",
            "excluded source:pkg:pypi/demo@1.0?file_name=demo-1.0.tar.gz",
            "excluded tool:pkg:generic/gcc@12.2.0",
            "excluded tool:pkg:generic/uv@0.9",
        ]
    );
    let root = &bom["metadata"]["component"];
    assert_eq!(root["hashes"][0]["content"], "a".repeat(64));
    let held = bom["dependencies"][0]["dependsOn"].as_array().unwrap();
    assert_eq!((held.len(), &bom["dependencies"][0]["ref"]), (4, &root["bom-ref"]));
    let mut components = bom["components"].as_array().unwrap().iter();
    let graft = components.find(|part| part["name"] == "libffi8").unwrap();
    assert_eq!(graft["purl"], "pkg:deb/debian/libffi8@3.4.4-1%2Bb1?arch=amd64&distro=debian-12");
    assert_eq!(graft["hashes"][0]["content"], "9".repeat(64));
    assert_eq!(bom["serialNumber"], "urn:uuid:aaaaaaaa-aaaa-8aaa-8aaa-aaaaaaaaaaaa");
}

#[test]
fn a_provenance_lists_all_inputs_and_nothing_of_this_machine() {
    let [_, statement] = made(&info());
    let definition = &statement["predicate"]["buildDefinition"];
    let dependencies = definition["resolvedDependencies"].as_array().unwrap();
    let line = |each: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let hash = text(&each["digest"]["sha256"]);
        let parts = [text(&each["annotations"]["role"]), text(&each["name"]), text(&each["uri"])];
        format!("{} {}", parts.join(" "), hash.get(..1).unwrap_or_default())
    };
    let lines: Vec<_> = dependencies.iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    source demo-1.0.tar.gz pkg:pypi/demo@1.0?file_name=demo-1.0.tar.gz 2
    lock wheels.lock - 6
    base-image debian:12 - 1
    interpreter cpython pkg:generic/cpython@3.11.2 8
    build-requirement Setup_Tools pkg:pypi/setup-tools@80.9?file_name=s-80.9-py3-none-any.whl 3
    crate pyo3 pkg:cargo/pyo3@0.29.0 4
    tool gcc pkg:generic/gcc@12.2.0 -
    tool uv pkg:generic/uv@0.9 7
    system-package libc6 pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?distro=debian-12 -
    system-package libffi8 pkg:deb/debian/libffi8@3.4.4-1?distro=debian-12 -
    ");
    assert_eq!(definition["internalParameters"]["isolated"], true);
    assert_eq!(definition["internalParameters"]["repair"]["patchelf"], "0.19.3");
    let mut open = info();
    open["interpreters"][1]["isolated"] = false.into();
    let [_, open] = made(&open);
    assert_eq!(open["predicate"]["buildDefinition"]["internalParameters"]["isolated"], false);
    let text = statement.to_string();
    for word in ["2026-01-01", "this-machine", "attrs"] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn an_old_or_missing_report_still_produces_documents() {
    let [bom, statement] = made(&json!({}));
    assert_eq!(parts(&bom).len(), 4, "the libraries and the lock");
    let dependencies = &statement["predicate"]["buildDefinition"]["resolvedDependencies"];
    assert_eq!(dependencies.as_array().unwrap().len(), 1);
    let mut old = info();
    old.as_object_mut().unwrap().remove("distribution");
    let text = made(&old).map(|document| document.to_string()).concat();
    assert!(text.contains("libffi8") && !text.contains("pkg:deb"), "{text}");
}
