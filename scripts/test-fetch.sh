#!/bin/sh
# Fetches what test-requires.sh found into /fetched, with the groups TEST_GROUPS of pyproject.toml. The versions of all
# have to agree. LOCKED_TEST, lines `name==version --hash=sha256:...`, stands for all of them.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"

set --
for group in ${TEST_GROUPS:-}; do
    set -- "$@" --group "/requires/pyproject.toml:$group"
done
fetch /fetched "${LOCKED_TEST:-}" --requirement /requires/requirements.txt "$@"
