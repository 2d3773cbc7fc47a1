#!/bin/sh
# Fetches the requirements of the wheel, the lines of SMOKE_REQUIRES, into /fetched. Only wheels: a clean system has no
# compiler. LOCKED_SMOKE, lines `name==version --hash=sha256:...`, replaces all of them.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"

printf '%s\n' "${SMOKE_REQUIRES:-}" >"$TMPDIR/requirements.txt"
fetch /fetched "${LOCKED_SMOKE:-}" --requirement "$TMPDIR/requirements.txt"
