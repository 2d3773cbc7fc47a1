#!/bin/sh
# Installs the pinned auditwheel into /opt/auditwheel for the repair step.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

tools=/opt/auditwheel
# --python-version: the files are pure Python, and the system's Python can be too old to run them (3.9 on EL 9).
set -- --quiet --no-deps --only-binary :all: --require-hashes --target "$tools" \
    --requirement "$here/repair-requirements.txt"
# shellcheck disable=SC2086 # one option or none
if ! /opt/toolchain/bin/uv pip install --no-config ${XTASK_NO_INDEX:-} --python python3 --python-version 3.12 "$@"; then
    # uv rejects some indexes that pip accepts.
    echo "uv cannot install auditwheel, falling back to pip"
    PYTHONPATH=$(pip_home) python3 -m pip install --no-compile --ignore-requires-python "$@"
fi
# Compile here, because the folder is read-only in the repair step. An old Python cannot compile every file, and does not
# run auditwheel either.
if ! python3 -m compileall -q --invalidation-mode unchecked-hash "$tools" >/tmp/compiled.log 2>&1; then
    echo "note: cannot compile every file of auditwheel: $(tail -n 1 /tmp/compiled.log)"
fi
