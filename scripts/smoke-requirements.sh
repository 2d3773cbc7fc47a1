#!/bin/sh
# Installs what the wheel requires, SMOKE_REQUIRES with a requirement a line, into the environment of the smoke
# test. Each build makes another wheel, and most of them require the same: so this layer is kept.
set -eu
here=$(dirname "$0")
[ -n "${SMOKE_REQUIRES:-}" ] || exit 0
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"

printf '%s\n' "$SMOKE_REQUIRES" >"$TMPDIR/requirements.txt"
install --requirement "$TMPDIR/requirements.txt"
