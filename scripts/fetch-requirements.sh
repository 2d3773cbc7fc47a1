#!/bin/sh
# Resolves requirements and downloads the files for an interpreter. Runs no code of a package.
#
#     fetch-requirements.sh PYTHON FOLDER OPTION...      options: fetch-requirements.py --help
#
# The caller mounts /tmp in memory, the secrets, and a cache that only fetch steps write.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

# A native Python is ten times as fast as an emulated one.
runner=/xtask-native/python/bin/python3
if [ ! -x "$runner" ] || ! "$runner" -ESB -c 'import ssl, json, zipfile' 2>/dev/null; then
    runner=python3
    # A clean system has only the interpreter itself.
    command -v "$runner" >/dev/null || runner=$1
fi
pip_dir=$(pip_home)
PYTHONPATH=$pip_dir exec "$runner" -s "$here/fetch-requirements.py" "$@"
