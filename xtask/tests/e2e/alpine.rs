//! Alpine's scripts, with busybox and a fake apk: test machines do not reach Alpine's packages.

use crate::workspace::run_in_debian_12;

#[test]
fn the_scripts_need_no_more_than_busybox_and_apk() {
    let fixture = include_str!("../fixtures/busybox.sh");
    run_in_debian_12("busybox-static", fixture, &["/bin/busybox", "sh"], &[]);
}
