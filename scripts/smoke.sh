#!/bin/sh
# Runs the checks of smoke.py in the environment that smoke-env.sh made. Code of the package runs here:
# the step has neither secrets nor caches.
set -eu
here=$(dirname "$0")
venv=/xtask-venv
PIP_VERSION=$(cat "$venv/pip-version")
export PIP_VERSION
set -- /wheel/*.whl
cd /tmp
"$venv/bin/python" -I "$here/smoke.py" "$1" /smoke
