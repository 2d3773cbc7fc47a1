//! `cargo` and `rustup` of a runner that compiles nothing: the program that is being tested is what it would make.

use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;

/// Takes the workflow's own call and no other.
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

/// `cargo` of this machine, whatever Rust the workflow asks for.
const OWN: &str = r#"#!/bin/sh
unset RUSTUP_TOOLCHAIN
exec "$CARGO_PROGRAM" "$@"
"#;

/// Has `rustup toolchain install` change nothing on this machine.
const RUSTUP: &str = "#!/bin/sh\n[ \"$1 $2\" = \"toolchain install\" ] || exit 64\n";

/// Writes both into `bin`; where `compiles`, `cargo` is the program in `$CARGO_PROGRAM`, else `$PROGRAM` is what it
/// would have made.
pub(crate) fn write(bin: &Utf8Path, compiles: bool) {
    fs_err::create_dir_all(bin).unwrap();
    for (name, text) in [("cargo", if compiles { OWN } else { CARGO }), ("rustup", RUSTUP)] {
        fs_err::write(bin.join(name), text).unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(bin.join(name), mode).unwrap();
    }
}
