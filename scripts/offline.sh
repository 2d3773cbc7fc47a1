# shellcheck shell=sh
# Sourced before trust.sh by the steps that run code of a package. XTASK_NETWORK is set if `[build] network = true`:
# the step then has a network.

# Private to this step, which removes it before the layer is written.
XTASK_CACHE=/var/tmp/xtask-cache
export XTASK_CACHE

# go_offline: restricts installers to the files of the fetch steps, overriding the settings of the package.
go_offline() {
    [ -z "${XTASK_NETWORK:-}" ] || return 0
    export UV_OFFLINE=1 UV_NO_INDEX=1 UV_FIND_LINKS=/fetched PIP_NO_INDEX=1 PIP_FIND_LINKS=/fetched
    export CARGO_NET_OFFLINE=true XTASK_NO_INDEX=--no-index
}

# use_crates: configures cargo to use the crates of fetch-crates.sh.
use_crates() {
    [ -z "${XTASK_NETWORK:-}" ] && [ -f /crates/config.toml ] || return 0
    cp /crates/config.toml "$CARGO_HOME/config.toml"
    if [ -f /crates/locks.tar ]; then
        # The Cargo.lock of the fetch step, because the source has none.
        tar -xf /crates/locks.tar -C "$XTASK_SOURCE"
    fi
    # An outdated lock is an error.
    export MATURIN_PEP517_ARGS="${MATURIN_PEP517_ARGS:---locked}"
}
