//! Writes the `dist/` of a machine.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;
use wheel_audit::digest;
use wheel_audit::dist::{Kind, Reproduced, Smoke, Tests, WheelBuild};

#[path = "../../../wheel-audit/tests/common/dist.rs"]
mod made;

/// Writes the documents of the wheels in a folder of `dist` again, after a change of the files that they repeat.
pub(crate) fn document(dist: &Utf8Path, folder: &str) {
    made::document(dist, folder);
}

/// Adds one wheel of `target` and `interpreter`, on linux/amd64, to the `dist/` at `dist`.
pub(crate) fn add(
    dist: &Utf8Path,
    target: &str,
    interpreters: &[&str],
    wheel: &(String, Vec<u8>),
) -> Utf8PathBuf {
    let (name, bytes) = wheel;
    let build = |it: &&str| WheelBuild {
        interpreter: (*it).to_owned(),
        built_by: None,
        job: digest::of_bytes(bytes),
        base: None,
        smoke: Smoke::Passed,
        tests: Tests::None,
        reproduced: Reproduced::Unknown,
        claimed: false,
    };
    let kind = Kind::Wheel {
        target: target.to_owned(),
        platform: "linux/amd64".to_owned(),
        verdict: "pass".to_owned(),
        builds: interpreters.iter().map(build).collect(),
        floor: "none".to_owned(),
        grafted: Vec::new(),
    };
    let folder = format!("{target}-amd64");
    let earlier = |name: &str, list: &str| {
        let text = fs_err::read(dist.join(&folder).join(name)).unwrap_or_else(|_| b"{}".to_vec());
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        value[list].as_array().cloned().unwrap_or_default()
    };
    let mut wheels = earlier("audit.json", "wheels");
    wheels.push(json!({"file": name, "sha256": digest::of_bytes(bytes), "verdict": "pass"}));
    let mut pythons = earlier("build-info.json", "interpreters");
    pythons.extend(interpreters.iter().map(|it| json!({"id": it, "version": "3"})));
    let info = json!({"schema_version": 1, "target": target, "platform": "linux/amd64",
        "image": {"digest": "sha256:1", "reference": "os"}, "source": {"sha256": "s"},
        "interpreters": pythons});
    let audit = json!({"schema_version": 1, "wheels": wheels});
    made::add(
        dist,
        &folder,
        &[
            (name, bytes, kind),
            ("audit.json", audit.to_string().as_bytes(), Kind::Metadata),
            ("build-info.json", info.to_string().as_bytes(), Kind::Metadata),
            ("build-info.txt", b"target\n", Kind::Metadata),
        ],
    );
    dist.to_owned()
}
