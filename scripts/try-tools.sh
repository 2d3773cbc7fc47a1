#!/bin/sh
# Installs the pinned uv into /opt/try. A separate stage, so that the system under test does not contain pip.
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
# Only uv: the pinned pip requires a newer Python than some systems have.
awk '/^uv==/ { on = 1 } on { print } on && !/\\$/ { exit }' "$here/toolchain-requirements.txt" >/tmp/requirements.txt
pkg_again python3 -m pip install --quiet --no-compile --no-deps --only-binary :all: --require-hashes \
    --target /opt/try --requirement /tmp/requirements.txt
/opt/try/bin/uv --version
