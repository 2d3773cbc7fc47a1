#!/bin/sh
# What a container of `cargo xtask shell` starts with: the trust, the environment and the
# source that the step has in a build, then the command, or a shell.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

if [ -f /source/source.json ]; then
    # shellcheck source=scripts/build-env.sh
    . "$here/build-env.sh"
    cd "$XTASK_SOURCE"
fi

if [ $# -eq 0 ]; then
    set -- sh
    if command -v bash >/dev/null; then
        set -- bash
    fi
fi
exec "$@"
