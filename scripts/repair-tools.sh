#!/bin/sh
# Installs the pinned auditwheel into /opt/auditwheel, for the repair step alone.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

tools=/opt/auditwheel
# The files are pure Python, and the system's own Python may be too old to run them: EL 9 has 3.9.
set -- --quiet --no-deps --only-binary :all: --require-hashes --target "$tools" \
    --requirement "$here/repair-requirements.txt"
# shellcheck disable=SC2086 # an option, or none
if ! /opt/toolchain/bin/uv pip install --no-config ${XTASK_NO_INDEX:-} --python python3 --python-version 3.12 "$@"; then
    # uv refuses some indexes that pip takes.
    echo "uv cannot install auditwheel, falling back to pip"
    PYTHONPATH=$(pip_home) python3 -m pip install --no-compile --ignore-requires-python "$@"
fi
# Compiled once: the repair step sees the folder read-only. A Python that is too old cannot, and runs none of it.
if ! python3 -m compileall -q --invalidation-mode unchecked-hash "$tools" >/tmp/compiled.log 2>&1; then
    echo "not everything of auditwheel is compiled beforehand: $(tail -n 1 /tmp/compiled.log)"
fi
