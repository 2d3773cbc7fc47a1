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
# uv alone: the pinned pip needs a newer Python than some systems have. Hash-checked, nothing but wheels.
awk '/^uv==/ { on = 1 } on { print } on && !/\\$/ { exit }' "$here/toolchain-requirements.txt" >/tmp/requirements.txt
pkg_again python3 -m pip install --quiet --no-compile --no-deps --only-binary :all: --require-hashes \
    --target /opt/try --requirement /tmp/requirements.txt
/opt/try/bin/uv --version
