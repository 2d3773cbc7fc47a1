#!/bin/sh
# Runs the checks of smoke.py in the environment of smoke-env.sh. Code of the package runs here: the step has no secrets,
# caches or network.
set -eu
here=$(dirname "$0")
set -- /opt/toolchain/pip-*.dist-info
PIP_VERSION=${1##*/pip-}
PIP_VERSION=${PIP_VERSION%.dist-info}
export PIP_VERSION
set -- /opt/python/*/provider.json
python=$(readlink -f "${1%/*}/bin/python")
# /tmp is in memory; the package's user writes to it, too.
chmod 1777 /tmp
set -- /wheel/*.whl
cd /tmp
# Without `site`, so that this process runs no file of the environment.
exec "$python" -I -S -B "$here/smoke.py" "$1" /xtask-venv /smoke --unprivileged
