//! Alpine's scripts, with busybox and a fake apk: test machines do not reach Alpine's packages.

use crate::workspace::run_in_debian_12;

#[test]
fn the_scripts_run_with_only_busybox_and_apk() {
    let fixture = include_str!("../fixtures/busybox.sh");
    run_in_debian_12("busybox-static", fixture, &["/bin/busybox", "sh"], &[]);
}
