#!/bin/sh
# Runs the checks of smoke.py in the environment that smoke-env.sh made. Code of the package runs here:
# the step has neither secrets, nor caches, nor the network.
set -eu
here=$(dirname "$0")
set -- /opt/toolchain/pip-*.dist-info
PIP_VERSION=${1##*/pip-}
PIP_VERSION=${PIP_VERSION%.dist-info}
export PIP_VERSION
set -- /opt/python/*/provider.json
python=$(readlink -f "${1%/*}/bin/python")
# Memory, which the package's user writes to as well.
chmod 1777 /tmp
set -- /wheel/*.whl
cd /tmp
# Without `site`: no file of the environment runs in this process.
exec "$python" -I -S -B "$here/smoke.py" "$1" /xtask-venv /smoke --unprivileged
