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
# Interpreters of a base image lie in the same folder, and have no such file.
set -- /opt/python/*/provider.json
python=${1%/*}/bin/python
if [ $# -ne 1 ] || [ ! -x "$python" ]; then
    echo "error: a smoke test takes exactly one interpreter, PYTHONS is \`${PYTHONS:-}\`" >&2
    exit 1
fi

# The environment is on disk: /tmp is memory, and dependencies may have gigabytes. Nothing of it stays.
room=/var/tmp/xtask-smoke
venv=$room/venv
mkdir -p "$room/tmp"
trap 'rm -rf "$room"' EXIT
# The program itself and not our link to it, as a user would call it.
"$(readlink -f "$python")" -m venv --without-pip "$venv"
# Dependencies come as wheels only: there is no compiler here, and there shall be none. uv fetches
# them, in a tenth of the time that pip takes under emulation.
pip_dir=$(pip_home)
# shellcheck disable=SC2086 # words
PYTHONPATH=$pip_dir "$venv/bin/python" "$here/smoke-requirements.py" "$wheel" ${SMOKE_WITHOUT:-} \
    >"$room/requirements.txt"
# shellcheck disable=SC2086 # an option, or none
if ! TMPDIR=$room/tmp /opt/toolchain/bin/uv pip install --no-config --quiet ${XTASK_NO_INDEX:-} \
    --python "$venv/bin/python" --only-binary :all: --requirement "$room/requirements.txt"; then
    # It does not see what PyPy brings outside of the environment, and some indexes refuse it.
    echo "uv could not, pip is asked"
    TMPDIR=$room/tmp "$venv/bin/python" "$pip_dir/pip" install --no-compile --only-binary :all: --requirement "$room/requirements.txt"
fi
# The wheel itself is installed by the users' pip, which has to find every requirement met: the pinned
# one, not the one that an interpreter happens to carry.
set -- --no-compile --no-index
if [ -n "${SMOKE_WITHOUT:-}" ]; then
    # The interpreter brings these itself, in another version than the wheel asks for.
    echo "without $SMOKE_WITHOUT, which the wheel requires"
    set -- "$@" --no-deps
fi
TMPDIR=$room/tmp "$venv/bin/python" "$pip_dir/pip" install "$@" "$wheel"
set -- /opt/toolchain/pip-*.dist-info
PIP_VERSION=${1##*/pip-}
export PIP_VERSION="${PIP_VERSION%.dist-info}"
cd /tmp
"$venv/bin/python" -I "$here/smoke.py" "$wheel" /smoke
