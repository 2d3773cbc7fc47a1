#!/bin/sh
# Provider `source` for PyPy: unpacks PyPy's archive, pinned by hash (python-sources.json), into PY_HOME. Compiling PyPy
# takes hours. The archive comes from the mirror in the user's settings (UV_PYPY_INSTALL_MIRROR, as for uv), else from
# upstream. See interpreter.sh for the contract.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

refuse() {
    echo "$1" >"$PY_REASON"
    exit "${2:-1}"
}

# A system with glibc may have musl installed as well.
if ! getconf GNU_LIBC_VERSION >/dev/null 2>&1 && [ -n "$(find /lib/ -maxdepth 1 -name 'ld-musl-*')" ]; then
    refuse "PyPy is not published for musl"
fi
pinned=$(python3 -c 'import json, sys
with open(sys.argv[1]) as file:
    found = json.load(file)["pypy"].get(sys.argv[2], {}).get(sys.argv[3])
if found:
    print(found["file"], found["sha256"])' "$here/python-sources.json" "$PY_SERIES" "$(uname -m)")
[ -n "$pinned" ] || refuse "docker/python-sources.json pins no PyPy $PY_SERIES for $(uname -m)"
file=${pinned% *}
sha256=${pinned#* }

why=/tmp/pypy-why
place=${UV_PYPY_INSTALL_MIRROR:+mirror}
if ! python3 "$here/fetch.py" "${UV_PYPY_INSTALL_MIRROR:-https://downloads.python.org/pypy}/$file" \
    /tmp/pypy.tar "$sha256" 2>"$why"; then
    reason=$(tail -n 1 "$why" | redact)
    if grep -qE 'HTTP (404|410) ' "$why"; then
        refuse "$reason"
    fi
    ! unreachable "$why" || refuse "$reason" 3
    refuse "$reason" 2
fi

folder=$PY_HOME/pypy
python3 -c 'import sys, tarfile
tarfile.open(sys.argv[1]).extractall(sys.argv[2])' /tmp/pypy.tar "$folder"
rm /tmp/pypy.tar
set -- "$folder"/*/bin/"pypy$PY_SERIES"
[ -x "$1" ] || refuse "$file has no program pypy$PY_SERIES" 2
program=../${1#"$PY_HOME/"}
ln -s "$program" "$PY_HOME/bin/python"
ln -s "$program" "$PY_HOME/bin/python$PY_SERIES"
home=${1%/bin/*}
# A virtual environment searches the library next to the folder of the interpreter's link.
for name in lib include; do
    ln -s "${home#"$PY_HOME/"}/$name" "$PY_HOME/$name"
done
echo "$sha256" >"$PY_HOME/sha256"
echo "$file sha256:$sha256 (${place:-upstream})" >"$PY_HOME/detail"
pkg_runtime "$PY_HOME" | tr '\n' ' ' >"$PY_HOME/runtime"
