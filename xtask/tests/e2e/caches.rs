//! What the scripts keep between steps, when it is old, damaged or written by several at once.

use crate::workspace::{debian_12, repository, sh};

#[test]
fn what_is_kept_between_steps_may_be_old_damaged_or_written_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let dockerfile = format!(
        "FROM {}\nRUN apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install --yes \
         --no-install-recommends python3\n",
        debian_12()
    );
    fs_err::write(dir.path().join("Dockerfile"), dockerfile).unwrap();
    let folder = dir.path().display().to_string();
    let image = sh("docker", &["build", "--quiet", &folder]).trim().to_owned();
    let script = dir.path().join("caches.sh");
    fs_err::write(&script, include_str!("../fixtures/caches.sh")).unwrap();
    let scripts = format!("{}/scripts:/xtask:ro", repository());
    let test = format!("{}:/test.sh:ro", script.display());
    // Its steps have process numbers of their own.
    let args = ["run", "--rm", "--network=none", "--privileged", "--volume", &scripts];
    sh("docker", &[&args[..], &["--volume", &test, &image, "sh", "/test.sh"]].concat());
}
