#!/bin/sh
# Starts a container of `cargo xtask shell`: prepares the trust, the environment and the source of the build step, then
# runs the command or a shell.
set -eu
here=$(dirname "$0")

# xtask sends the secrets over a separate connection after the container started.
if [ -n "${XTASK_AWAIT_SECRETS-}" ]; then
    tries=0
    until [ -e /run/secrets/.complete ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ]; then
            echo "error: the secrets of the build did not reach the container within a minute" >&2
            exit 120
        fi
        sleep 0.1
    done
    rm -f /run/secrets/.complete
    unset XTASK_AWAIT_SECRETS
fi

# A shell has a network: the user may install more than the fetch steps did.
export XTASK_NETWORK=on
# shellcheck source=scripts/offline.sh
. "$here/offline.sh"
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

# test.py unpacks the source for the tests, whose system lacks the tools of a build.
if [ ! -e "$here/test.py" ] && { [ -f /source/source.json ] || [ -f /package/source.json ]; }; then
    # shellcheck source=scripts/build-env.sh
    . "$here/build-env.sh"
    cd "$XTASK_PACKAGE"
fi

if [ $# -eq 0 ]; then
    set -- sh
    if command -v bash >/dev/null; then
        set -- bash
    fi
fi
exec "$@"
