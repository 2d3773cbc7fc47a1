//! The caches of the scripts between steps: old, damaged, or written by several steps at once.

use crate::workspace::{repository, run_in_debian_12, sh};

#[test]
fn shared_caches_may_be_old_damaged_or_written_concurrently() {
    let fixture = include_str!("../fixtures/caches.sh");
    // Privileged, because its steps have their own process numbers.
    run_in_debian_12("python3", fixture, &["sh"], &["--privileged"]);
}

#[test]
fn a_download_is_retried_after_two_server_errors() {
    let fixture = include_str!("../fixtures/retries.sh");
    let dir = tempfile::tempdir().unwrap();
    let requirements = format!("{}/docker/toolchain-requirements.txt", repository());
    let pinned = fs_err::read_to_string(requirements).unwrap();
    let uv = pinned.split_whitespace().find(|word| word.starts_with("uv==")).unwrap();
    let target = dir.path().display().to_string();
    sh("python3", &["-m", "pip", "install", "--quiet", "--no-deps", "--target", &target, uv]);
    let volume = format!("{target}:/uv:ro");
    run_in_debian_12("python3 python3-pip", fixture, &["sh"], &["--volume", &volume]);
}
