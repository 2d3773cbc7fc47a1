#!/bin/sh
# Gives a clean image the packages that the interpreter needs to run, those of TEST_PACKAGES
# (`[test] system_packages`), and no others. Then makes the empty environment /xtask-venv and the pinned pip, /xtask-pip:
# here, because this layer is kept, and both take seconds under emulation.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

# The list was written by the interpreter itself, one name a line after the key; there is
# no Python here yet to read JSON with.
# shellcheck disable=SC2046,SC2086 # words on purpose
pkg_install ${TEST_PACKAGES:-} $(sed -n '/"runtime_packages"/,/]/s/^ *"\([^"]*\)",\{0,1\}$/\1/p' /opt/python/*/provider.json)
for file in /opt/python/*/provider.json; do
    # The program itself and not our link to it, as a user would call it.
    python=$(readlink -f "${file%/*}/bin/python")
    "$python" --version
    "$python" -B -m venv --without-pip /xtask-venv
    # An emulated pip spends most of its time on compiling itself, and no later step keeps what it compiles.
    mkdir /xtask-pip
    cp -R /opt/toolchain/pip /opt/toolchain/pip-*.dist-info /xtask-pip/
    # A native Python of the same series makes the same bytecode, in a tenth of the time.
    compiler=/xtask-native/python/bin/python3
    series='import importlib.util, sys; print(sys.implementation.cache_tag, importlib.util.MAGIC_NUMBER)'
    if [ ! -x "$compiler" ] || [ "$("$compiler" -ISB -c "$series")" != "$("$python" -ISB -c "$series")" ]; then
        compiler=$python
    fi
    if ! "$compiler" -I -S -m compileall -q /xtask-pip >/dev/null; then
        echo "pip has files that this interpreter cannot compile"
    fi
done
