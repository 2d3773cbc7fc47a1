#!/bin/sh
# Provider `image`: an interpreter of the base image, in the folders of the images manylinux and musllinux
# (/opt/python/<tag>-<abi>), `python` (/usr/local) and `pypy` (/opt/pypy). See interpreter.sh for the contract.
set -eu
# shellcheck source=scripts/packages.sh
. "$(dirname "$0")/packages.sh"

digits=${PY_ID#?p}
flag=
[ "$PY_THREADING" != free ] || flag=t
case $PY_KIND in
    cpython) set -- "/opt/python/${PY_ID%t}-$PY_ID/bin/python" "/usr/local/bin/python$PY_SERIES$flag" ;;
    pypy) set -- /opt/python/"$PY_ID-pypy${digits}"_*/bin/python "/opt/pypy/bin/pypy$PY_SERIES" ;;
    graalpy) set -- /opt/python/"graalpy$digits-graalpy"*"_${digits}"_*/bin/python ;;
esac
found=
for program in "$@"; do
    if [ -x "$program" ]; then
        found=$program
        break
    fi
done
if [ -z "$found" ]; then
    echo "the base image has no interpreter of its own for $PY_ID" >"$PY_REASON"
    exit 1
fi

# The path can be a link or a script that starts the program.
facts='import os, sys
print(os.path.realpath(sys.executable), os.path.realpath(sys.base_prefix), sys.version.split()[0])'
if ! output=$("$found" -B -c "$facts" 2>&1); then
    echo "$found of the base image does not run: $(echo "$output" | tail -n 1)" >"$PY_REASON"
    exit 2
fi
read -r program prefix version <<F
$output
F
ln -s "$program" "$PY_HOME/bin/python"
ln -s "$program" "$PY_HOME/bin/python$PY_SERIES"
# A virtual environment searches the library next to the folder of the interpreter's link.
for folder in lib lib64 include; do
    if [ -d "$prefix/$folder" ]; then
        ln -s "$prefix/$folder" "$PY_HOME/$folder"
    fi
done
py_config "$prefix/bin/python$PY_SERIES$flag-config" "$prefix/bin/python$PY_SERIES-config"
echo "$found of the base image, version $version" >"$PY_HOME/detail"
# Clean containers use the same image, which has the packages that the interpreter requires.
: >"$PY_HOME/runtime"
