#!/bin/sh
# Installs the one wheel of the build context `wheel`, under its own name and with its
# dependencies from the index, into an environment of the one interpreter, and runs the
# checks of smoke.py there.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

set -- /wheel/*.whl
if [ $# -ne 1 ] || [ ! -f "$1" ]; then
    echo "error: the build context \`wheel\` must hold exactly one .whl" >&2
    exit 1
fi
wheel=$1
set -- /opt/python/*/bin/python
if [ $# -ne 1 ] || [ ! -x "$1" ]; then
    echo "error: a smoke test takes exactly one interpreter, PYTHONS is \`${PYTHONS:-}\`" >&2
    exit 1
fi

# The program itself and not our link to it, as a user would call it.
"$(readlink -f "$1")" -m venv --without-pip /tmp/venv
# The pinned pip, not the one an interpreter happens to carry. Dependencies come as wheels
# only: there is no compiler here, and there shall be none.
pip="/tmp/venv/bin/python /opt/toolchain/pip"
if [ -n "${SMOKE_WITHOUT:-}" ]; then
    # The interpreter brings these itself, in another version than the wheel asks for.
    echo "without $SMOKE_WITHOUT, which the wheel requires"
    # shellcheck disable=SC2086 # words
    PYTHONPATH=/opt/toolchain /tmp/venv/bin/python -B "$here/smoke-requirements.py" "$wheel" $SMOKE_WITHOUT \
        >/tmp/requirements.txt
    # shellcheck disable=SC2086 # two words
    $pip install --no-compile --no-deps "$wheel"
    # shellcheck disable=SC2086 # two words
    $pip install --no-compile --only-binary :all: --requirement /tmp/requirements.txt
else
    # shellcheck disable=SC2086 # two words
    $pip install --no-compile --only-binary :all: "$wheel"
fi
PIP_VERSION=$($pip --version | cut -d' ' -f2)
export PIP_VERSION
cd /tmp
/tmp/venv/bin/python -I "$here/smoke.py" "$wheel" /smoke
