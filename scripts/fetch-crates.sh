#!/bin/sh
# Fetches the crates of the source's Cargo.lock files into /crates/vendor. Runs no code of the source: cargo runs in a
# copy without .cargo and rust-toolchain.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

input=/source
if [ -f /package/source.json ]; then
    input=/package
fi
# A native Python is ten times as fast as an emulated one.
python=/xtask-native/python/bin/python3
if [ ! -x "$python" ] || ! "$python" -ESB -c 'import json, tarfile' 2>/dev/null; then
    python=python3
fi
source=/var/tmp/xtask-source
"$python" -ESB "$here/unpack.py" "$input" "$source"
# cargo 1.68 and 1.69 clone the whole index by default.
export CARGO_REGISTRIES_CRATES_IO_PROTOCOL="${CARGO_REGISTRIES_CRATES_IO_PROTOCOL:-sparse}"
pip_dir=$(pip_home)
PYTHONPATH=$pip_dir "$python" -s "$here/fetch-crates.py" "$source" /crates
rm -rf "$source"
