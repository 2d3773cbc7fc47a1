#!/bin/sh
# Writes the requirements of the package tests to /requires/requirements.txt: the lines of TEST_REQUIRES, and the wheel's
# requirements with the extras TEST_EXTRAS. TEST_GROUPS names dependency groups of the package's pyproject.toml, which
# this script copies to /requires. Reads the wheel and the source as data.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"

find_wheel
mkdir -p /requires
: >/requires/requirements.txt
if [ -n "${TEST_REQUIRES:-}${TEST_EXTRAS:-}${TEST_GROUPS:-}" ]; then
    # shellcheck disable=SC2086 # words
    wheel_requirements ${TEST_EXTRAS:-} >/requires/requirements.txt
    printf '%s\n' "${TEST_REQUIRES:-}" >>/requires/requirements.txt
fi
if [ -n "${TEST_GROUPS:-}" ]; then
    "$python" -I -S -B "$here/test.py" unpack "$TMPDIR/project"
    package=$("$python" -I -S -B "$here/test.py" package "$TMPDIR/project")
    cp "$package/pyproject.toml" /requires/
fi
