#!/bin/sh
# Fetches what the package's own tests need beside the wheel into /fetched: TEST_REQUIRES, one requirement a line, the
# extras TEST_EXTRAS of the wheel, and TEST_GROUPS, dependency groups of the package's pyproject.toml. Their versions
# have to agree with what the wheel itself requires. LOCKED_TEST, lines `name==version --hash=sha256:...`, stands for
# all of them. Reads the wheel and the source as data.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"

find_wheel
: >"$TMPDIR/requirements.txt"
set --
if [ -n "${TEST_REQUIRES:-}${TEST_EXTRAS:-}${TEST_GROUPS:-}" ]; then
    # shellcheck disable=SC2086 # words
    wheel_requirements ${TEST_EXTRAS:-} >"$TMPDIR/requirements.txt"
    printf '%s\n' "${TEST_REQUIRES:-}" >>"$TMPDIR/requirements.txt"
fi
if [ -n "${TEST_GROUPS:-}" ]; then
    "$python" -I -S -B "$here/test.py" unpack "$TMPDIR/project"
    package=$("$python" -I -S -B "$here/test.py" package "$TMPDIR/project")
    for group in $TEST_GROUPS; do
        set -- "$@" --group "$package/pyproject.toml:$group"
    done
fi
fetch /fetched "${LOCKED_TEST:-}" --requirement "$TMPDIR/requirements.txt" "$@"
