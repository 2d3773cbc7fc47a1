# shellcheck shell=sh
# Sourced, with trust.sh before it and $here the folder of the scripts: installs requirements of a build.

# install_build_requirements ENVIRONMENT FILE: the requirements in FILE, and what these require. With
# BUILD_REQUIREMENTS, all of them come from that file and by its hashes.
install_build_requirements() {
    # Backends that find no Rust fetch one over the network, which nothing pins.
    # Interpreters are built side by side: each call has files of its own.
    scratch=$(mktemp -d /tmp/requirements-XXXXXX) || return
    no_rust=/dev/null
    if ! command -v cargo >/dev/null; then
        no_rust=$scratch/no-rust.txt
        echo 'puccinialin<0' >"$no_rust"
        # For requirements that have no wheel, too.
        export MATURIN_NO_INSTALL_RUST=1 UV_BUILD_CONSTRAINT="${UV_BUILD_CONSTRAINT:-$no_rust}"
    fi
    if [ -z "${BUILD_REQUIREMENTS:-}" ]; then
        # shellcheck disable=SC2086 # an option, or none
        uv pip install --quiet --no-config ${XTASK_NO_INDEX:-} --compile-bytecode --python "$1/bin/python" \
            --constraints "$no_rust" --requirement "$2"
        return
    fi
    # shellcheck disable=SC2154 # here is the caller's
    pins=$here/$BUILD_REQUIREMENTS
    if [ ! -f "$pins" ]; then
        echo "error: BUILD_REQUIREMENTS names \`$BUILD_REQUIREMENTS\`, which is not in docker/" >&2
        return 1
    fi
    # shellcheck disable=SC2086 # an option, or none
    uv pip compile --quiet --no-config ${XTASK_NO_INDEX:-} --no-header --no-annotate --python "$1/bin/python" \
        --constraints "$pins" --constraints "$no_rust" "$2" >"$scratch/resolved.txt" || return
    python3 -ESB "$here/build-requires.py" pinned "$scratch/resolved.txt" "$pins" >"$scratch/pinned.txt" || return
    # shellcheck disable=SC2086 # an option, or none
    uv pip install --quiet --no-config ${XTASK_NO_INDEX:-} --compile-bytecode --python "$1/bin/python" \
        --no-deps --require-hashes --requirement "$scratch/pinned.txt"
}
