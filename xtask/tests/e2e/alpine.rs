//! Alpine, whose packages no machine that tests this project reaches: its scripts with the tools that
//! it has.

use crate::workspace::{debian_12, repository, sh};

#[test]
fn the_scripts_need_no_more_than_busybox_and_apk() {
    let dir = tempfile::tempdir().unwrap();
    let dockerfile = format!(
        "FROM {}\nRUN apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install --yes \
         --no-install-recommends busybox-static\n",
        debian_12()
    );
    fs_err::write(dir.path().join("Dockerfile"), dockerfile).unwrap();
    let folder = dir.path().display().to_string();
    let image = sh("docker", &["build", "--quiet", &folder]).trim().to_owned();
    let script = dir.path().join("busybox.sh");
    fs_err::write(&script, include_str!("../fixtures/busybox.sh")).unwrap();
    let scripts = format!("{}/scripts:/xtask:ro", repository());
    let test = format!("{}:/test.sh:ro", script.display());
    let args = ["run", "--rm", "--network=none", "--volume", &scripts, "--volume", &test, &image];
    sh("docker", &[&args[..], &["/bin/busybox", "sh", "/test.sh"]].concat());
}
