# shellcheck shell=sh
# Sourced after trust.sh: installs requirements of a build.

# install_build_requirements ENVIRONMENT FILE: installs the requirements in FILE and their dependencies from /fetched, whose
# files fetch-requirements.py checked by hash. A container of `cargo xtask shell` installs them from the index.
install_build_requirements() {
    # Without Rust, some backends fetch an unpinned one over the network.
    no_rust=/dev/null
    if ! command -v cargo >/dev/null; then
        # Interpreters build side by side, so each call has a file of its own.
        no_rust=$(mktemp /tmp/no-rust-XXXXXX) || return
        echo 'puccinialin<0' >"$no_rust"
        # Also for requirements without a wheel.
        export MATURIN_NO_INSTALL_RUST=1 UV_BUILD_CONSTRAINT="${UV_BUILD_CONSTRAINT:-$no_rust}"
    fi
    fetched=${XTASK_NO_INDEX:-}
    if [ -d /fetched ]; then
        fetched="--offline --no-index --find-links /fetched"
        # The file of `name @ https://...` is there as well.
        by_name=$(mktemp /tmp/requires-XXXXXX) || return
        sed -E 's/^([A-Za-z0-9._-]+ *(\[[^]]*\])?) *@ *[^[:space:]]+/\1/' "$2" >"$by_name" || return
        set -- "$1" "$by_name"
    fi
    # shellcheck disable=SC2086 # options, or none
    uv pip install --quiet --no-config $fetched --compile-bytecode --python "$1/bin/python" \
        --constraints "$no_rust" --requirement "$2"
}
