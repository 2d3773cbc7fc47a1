# shellcheck shell=sh
# Sourced, with trust.sh before it and $here the folder of the scripts: installs requirements of a build.

# install_build_requirements ENVIRONMENT FILE: the requirements in FILE, and what these require. With
# BUILD_REQUIREMENTS, all of them come from that file and by its hashes.
install_build_requirements() {
    # Backends that find no Rust fetch one over the network, which nothing pins.
    no_rust=/dev/null
    if ! command -v cargo >/dev/null; then
        no_rust=/tmp/no-rust.txt
        echo 'puccinialin<0' >"$no_rust"
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
        --constraints "$pins" --constraints "$no_rust" "$2" >/tmp/resolved.txt || return
    python3 -ESB "$here/build-requires.py" pinned /tmp/resolved.txt "$pins" >/tmp/pinned.txt || return
    # shellcheck disable=SC2086 # an option, or none
    uv pip install --quiet --no-config ${XTASK_NO_INDEX:-} --compile-bytecode --python "$1/bin/python" \
        --no-deps --require-hashes --requirement /tmp/pinned.txt
}
