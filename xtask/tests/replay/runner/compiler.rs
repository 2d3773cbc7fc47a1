//! Fakes of `cargo` and `rustup` for a runner that does not compile: the result is the program under test.

use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;

/// Accepts only the workflow's call.
const CARGO: &str = r#"#!/bin/sh
set -eu
case "$*" in
"build "*--release*"--target-dir target/tool") ;;
*) exit 64 ;;
esac
mkdir -p target/tool/release
printf '#!/bin/sh\nexec "%s" "$@"\n' "$PROGRAM" >target/tool/release/xtask
chmod +x target/tool/release/xtask
"#;

/// `cargo` of this machine; ignores the Rust version of the workflow.
const OWN: &str = r#"#!/bin/sh
unset RUSTUP_TOOLCHAIN
exec "$CARGO_PROGRAM" "$@"
"#;

/// Makes `rustup toolchain install` change nothing on this machine.
const RUSTUP: &str = "#!/bin/sh\n[ \"$1 $2\" = \"toolchain install\" ] || exit 64\n";

/// Writes both to `bin`. If it `compiles`, `cargo` is the program in `$CARGO_PROGRAM`, else the result is `$PROGRAM`.
pub(crate) fn write(bin: &Utf8Path, compiles: bool) {
    fs_err::create_dir_all(bin).unwrap();
    for (name, text) in [("cargo", if compiles { OWN } else { CARGO }), ("rustup", RUSTUP)] {
        fs_err::write(bin.join(name), text).unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(bin.join(name), mode).unwrap();
    }
}
