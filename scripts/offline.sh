# shellcheck shell=sh
# Sourced before trust.sh by the steps that run code of a package. XTASK_NETWORK, set where `[build] network = true`,
# leaves them the network.

# No other step reads it, and the script that sources this removes it: it is in no layer.
XTASK_CACHE=/var/tmp/xtask-cache
export XTASK_CACHE

# go_offline: has installers take the files of the fetch steps alone, whatever the settings of the package say.
go_offline() {
    [ -z "${XTASK_NETWORK:-}" ] || return 0
    export UV_OFFLINE=1 UV_NO_INDEX=1 UV_FIND_LINKS=/fetched PIP_NO_INDEX=1 PIP_FIND_LINKS=/fetched
    export CARGO_NET_OFFLINE=true XTASK_NO_INDEX=--no-index
}

# use_crates: has cargo take the crates of fetch-crates.sh.
use_crates() {
    [ -z "${XTASK_NETWORK:-}" ] && [ -f /crates/config.toml ] || return 0
    cp /crates/config.toml "$CARGO_HOME/config.toml"
    if [ -f /crates/locks.tar ]; then
        # The source has no Cargo.lock: that of the fetch step.
        tar -xf /crates/locks.tar -C "$XTASK_SOURCE"
    fi
    # A lock that no longer fits fails, rather than take other crates.
    export MATURIN_PEP517_ARGS="${MATURIN_PEP517_ARGS:---locked}"
}
