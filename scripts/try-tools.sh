#!/bin/sh
# The pinned uv, in /opt/try. A stage of its own keeps pip out of the system that wheels are tried on.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

case $(pkg_family) in
    apk) pkg_install ca-certificates py3-pip ;;
    *) pkg_install ca-certificates python3-pip ;;
esac
# Hash-checked, nothing but the wheels that the file lists.
pkg_again python3 -m pip install --quiet --no-compile --no-deps --only-binary :all: --require-hashes \
    --target /opt/try --requirement "$here/toolchain-requirements.txt"
/opt/try/bin/uv --version
