#!/bin/sh
# Installs the interpreters in TRY_PYTHONS (`cpython-3.13 cpython-3.14+freethreaded`) with uv into /opt/try-pythons.
# Skips an interpreter that it cannot obtain: try.py then loads the files without it.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

log=/tmp/try-pythons.log
mkdir -p /opt/try-pythons
for request in ${TRY_PYTHONS:-}; do
    if UV_PYTHON_DOWNLOADS=manual UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-15}" \
        UV_HTTP_CONNECT_TIMEOUT="${UV_HTTP_CONNECT_TIMEOUT:-5}" UV_HTTP_RETRIES="${UV_HTTP_RETRIES:-1}" \
        UV_PYTHON_INSTALL_DIR=/opt/try-pythons UV_PYTHON_CACHE_DIR="" NO_COLOR=1 \
        /opt/try/bin/uv python install --no-config --no-bin "$request" >"$log" 2>&1; then
        echo "installed $request"
        continue
    fi
    redact <"$log"
    echo "note: skipping $request: uv cannot install it"
    # The next interpreter comes from the same host.
    ! unreachable "$log" || break
done
