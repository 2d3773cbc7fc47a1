#!/bin/sh
# Adds to the environment of the smoke test what the package's own tests need: TEST_REQUIRES, one
# requirement a line, the extras TEST_EXTRAS of the wheel, and TEST_GROUPS, dependency groups of the
# package's pyproject.toml. Their versions have to agree with what the wheel itself requires.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"
find_wheel

# shellcheck disable=SC2086 # words
wheel_requirements ${TEST_EXTRAS:-} >"$TMPDIR/requirements.txt"
printf '%s\n' "${TEST_REQUIRES:-}" >>"$TMPDIR/requirements.txt"
set --
if [ -n "${TEST_GROUPS:-}" ]; then
    "$python" "$here/test.py" unpack "$TMPDIR/project"
    package=$("$python" "$here/test.py" package "$TMPDIR/project")
    for group in $TEST_GROUPS; do
        set -- "$@" --group "$package/pyproject.toml:$group"
    done
fi
install --requirement "$TMPDIR/requirements.txt" "$@"
