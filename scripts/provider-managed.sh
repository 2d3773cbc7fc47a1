#!/bin/sh
# Provider `managed`: the interpreters that uv installs, from their default host or from the mirror in the user's
# settings. See interpreter.sh for the contract.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

request=$PY_KIND-$PY_SERIES
if [ "$PY_THREADING" = free ]; then
    request=$request+freethreaded
fi

# Short timeouts, because another provider follows. uv writes the installation folder into the interpreter's files, so
# this is the final folder.
if ! UV_PYTHON_DOWNLOADS=manual \
    UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-15}" UV_HTTP_CONNECT_TIMEOUT="${UV_HTTP_CONNECT_TIMEOUT:-5}" \
    UV_HTTP_RETRIES="${UV_HTTP_RETRIES:-2}" \
    UV_PYTHON_INSTALL_DIR="$PY_HOME/managed" UV_PYTHON_CACHE_DIR="" NO_COLOR=1 \
    uv python install --no-config --no-bin "$request" >/tmp/managed.log 2>&1; then
    # uv prints a line for each cause. Skip the one that only repeats the address.
    redact </tmp/managed.log | awk '
        /^(error|  *(cause|Caused by)):/ && !/error sending request for url/ {
            sub(/^ *(error|cause|Caused by): */, "")
            out = out (out == "" ? "" : ": ") $0
        }
        END { if (out == "") out = "uv python install failed"; print out }' >"$PY_REASON"
    # Every other failure is an error: the next provider must not hide it.
    if without_urls /tmp/managed.log | grep -qiE 'no download found|\((404|410) '; then
        exit 1
    fi
    ! unreachable /tmp/managed.log || exit 3
    exit 2
fi
redact </tmp/managed.log

set -- "$PY_HOME"/managed/*/bin/"python$PY_SERIES"*
case $PY_KIND in
    pypy) set -- "$PY_HOME"/managed/*/bin/"pypy$PY_SERIES" ;;
    graalpy) set -- "$PY_HOME"/managed/*/bin/graalpy ;;
esac
for program in "$@"; do
    case $program in
        *-config | *-gdb.py | *\**) ;;
        *)
            build=${program#"$PY_HOME/managed/"}
            # uv adds a link with a short name for each build.
            if [ ! -L "$PY_HOME/managed/${build%%/*}" ]; then
                ln -sf "../managed/$build" "$PY_HOME/bin/python"
                ln -sf "../managed/$build" "$PY_HOME/bin/python$PY_SERIES"
                break
            fi
            ;;
    esac
done
if [ ! -x "$PY_HOME/bin/python" ]; then
    echo "uv installed no interpreter for $request" >"$PY_REASON"
    exit 2
fi
build=$(readlink "$PY_HOME/bin/python")
build=${build#../managed/}
# A virtual environment searches the library next to the folder of the interpreter's link.
for folder in lib lib64 include; do
    if [ -d "$PY_HOME/managed/${build%%/*}/$folder" ]; then
        ln -s "managed/${build%%/*}/$folder" "$PY_HOME/$folder"
    fi
done
py_config "$PY_HOME/managed/${build%/*}/python$PY_SERIES"*-config
rm -rf "$PY_HOME/managed/.temp" "$PY_HOME/managed/.lock" "$PY_HOME/managed/.gitignore"
echo "${build%%/*}, installed by $(uv --version)" >"$PY_HOME/detail"
pkg_runtime "$PY_HOME" | tr '\n' ' ' >"$PY_HOME/runtime"
