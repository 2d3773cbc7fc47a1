#!/bin/sh
# Installs the interpreter's runtime packages and TEST_PACKAGES (`[test] system_packages`) into a clean image, and no
# others. Then creates the empty environment /xtask-venv and the pinned pip, /xtask-pip. Both take seconds under
# emulation, and builds reuse this layer.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

# sed, because this system has no Python yet. check-interpreter.py writes one name a line.
# shellcheck disable=SC2046,SC2086 # words on purpose
pkg_install ${TEST_PACKAGES:-} $(sed -n '/"runtime_packages"/,/]/s/^ *"\([^"]*\)",\{0,1\}$/\1/p' /opt/python/*/provider.json)
for file in /opt/python/*/provider.json; do
    # The program, not our link to it.
    python=$(readlink -f "${file%/*}/bin/python")
    "$python" --version
    "$python" -B -m venv --without-pip /xtask-venv
    # An emulated pip spends most of its time compiling itself, and later steps discard the bytecode.
    mkdir /xtask-pip
    cp -R /opt/toolchain/pip /opt/toolchain/pip-*.dist-info /xtask-pip/
    # A native Python of the same series writes the same bytecode ten times as fast.
    compiler=/xtask-native/python/bin/python3
    series='import importlib.util, sys; print(sys.implementation.cache_tag, importlib.util.MAGIC_NUMBER)'
    if [ ! -x "$compiler" ] || [ "$("$compiler" -ISB -c "$series")" != "$("$python" -ISB -c "$series")" ]; then
        compiler=$python
    fi
    if ! "$compiler" -I -S -m compileall -q /xtask-pip >/dev/null; then
        echo "note: this interpreter cannot compile every file of pip"
    fi
done
