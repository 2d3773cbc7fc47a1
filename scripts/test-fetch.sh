#!/bin/sh
# Fetches the requirements of test-requires.sh and the groups TEST_GROUPS of pyproject.toml into /fetched, in one
# resolution. LOCKED_TEST, lines `name==version --hash=sha256:...`, replaces all of them.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"

set --
for group in ${TEST_GROUPS:-}; do
    set -- "$@" --group "/requires/pyproject.toml:$group"
done
fetch /fetched "${LOCKED_TEST:-}" --requirement /requires/requirements.txt "$@"
