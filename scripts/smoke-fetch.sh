#!/bin/sh
# Fetches what the wheel requires, SMOKE_REQUIRES with a requirement a line, into /fetched: wheels alone, since a clean
# system has no compiler. LOCKED_SMOKE, lines `name==version --hash=sha256:...`, stands for all of them.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"

printf '%s\n' "${SMOKE_REQUIRES:-}" >"$TMPDIR/requirements.txt"
fetch /fetched "${LOCKED_SMOKE:-}" --requirement "$TMPDIR/requirements.txt"
