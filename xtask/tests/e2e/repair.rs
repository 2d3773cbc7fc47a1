//! A wheel that requires a library of the compiler: grafted, and tested in a system without the library.

use std::io::Read as _;

use crate::adopt::{C, adopted, pyproject, run};

#[test]
fn a_grafted_system_library_loads_on_a_system_without_it() {
    let tables = "[tool.setuptools]\npackages = [\"demo\"]\n\
        ext-modules = [{ name = \"demo._speed\", sources = [\"demo/_speed.c\"], \
        extra-compile-args = [\"-fopenmp\"], extra-link-args = [\"-fopenmp\"] }]\n";
    let code = format!("#include <omp.h>\n{C}")
        .replace("FromLong(42)", "FromLong(41 + (omp_get_max_threads() > 0))");
    let (_dir, root) = adopted(
        &[
            ("pyproject.toml", pyproject("\"setuptools>=74\"", "setuptools.build_meta", tables)),
            ("demo/__init__.py", String::new()),
            ("demo/_speed.c", code),
        ],
        &[],
    );
    run(&root, &["wheels", "debian:12", "linux/amd64", "--python", "cp311"], 0);
    let json = |path: &str| -> serde_json::Value {
        serde_json::from_slice(&fs_err::read(root.join(path)).unwrap()).unwrap()
    };
    let manifest = json("dist/manifest.json");
    let files = || manifest["files"].as_array().unwrap().iter();
    let wheel = files().find(|file| file["kind"] == "wheel").unwrap();
    let grafted = &wheel["grafted"][0];
    assert_eq!(
        (&grafted["library"], &grafted["package"]),
        (&"libgomp.so.1".into(), &"libgomp1".into())
    );
    let job = "target/xtask/jobs/debian12-amd64-cp311";
    let smoke = json(&format!("{job}/smoke/smoke.json"));
    let library = &smoke["grafted"]["libgomp.so.1"];
    assert_eq!((&library["mapped"], &library["system"]), (&true.into(), &serde_json::json!([])));
    let path = root.join("dist").join(wheel["path"].as_str().unwrap());
    let mut archive = zip::ZipArchive::new(fs_err::File::open(&path).unwrap()).unwrap();
    let sbom = archive.by_name("demo-1.0.dist-info/sboms/auditwheel.cdx.json").unwrap();
    let sbom = std::io::read_to_string(sbom).unwrap();
    assert!(
        sbom.contains(path.file_name().unwrap()) && sbom.contains("pkg:deb/debian/libgomp1@"),
        "{sbom}"
    );
    let sbom: serde_json::Value = serde_json::from_str(&sbom).unwrap();
    let mut member = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let record = String::from_utf8(member("demo-1.0.dist-info/RECORD")).unwrap();
    assert!(record.contains("demo-1.0.dist-info/sboms/auditwheel.cdx.json,sha256="), "{record}");
    // Both bills of materials name the package of each library, and ours also the file in the wheel.
    let own = json(&format!("dist/{}.cdx.json", wheel["path"].as_str().unwrap()));
    for library in wheel["grafted"].as_array().unwrap() {
        let components = |bom: &serde_json::Value| {
            let mut all = bom["components"].as_array().unwrap().clone();
            all.retain(|it| {
                it["name"] == library["package"] && it["version"] == library["version"]
            });
            assert_eq!(all.len(), 1, "{library}: {bom}");
            all.remove(0)
        };
        components(&sbom);
        let (part, file) = (components(&own), library["file"].as_str().unwrap());
        assert_eq!(part["evidence"]["occurrences"][0]["location"], file);
        assert_eq!(part["hashes"][0]["content"], wheel_audit::digest::of_bytes(&member(file)));
        assert!(part["purl"].as_str().unwrap().starts_with("pkg:deb/debian/libgomp1@"), "{part}");
    }
    // The same input produces the same bytes.
    let repaired = root.join(job).join("repaired").join("demo-1.0-cp311-cp311-linux_x86_64.whl");
    let first = fs_err::read(&repaired).unwrap();
    fs_err::remove_dir_all(root.join("dist")).unwrap();
    // A different file, so that the engine does not use the cached step.
    let toml = fs_err::read_to_string(root.join("wheels.toml")).unwrap();
    fs_err::write(
        root.join("wheels.toml"),
        format!("{toml}\n[repair]\nexclude = [\"libnobody.so.*\"]\n"),
    )
    .unwrap();
    run(&root, &["wheels", "debian:12", "linux/amd64", "--python", "cp311", "--no-smoke"], 0);
    assert_eq!(fs_err::read(&repaired).unwrap(), first);
}
