#!/bin/sh
# Installs the wheel of the build context `wheel` into /xtask-venv, the environment of the smoke test, which has its
# requirements. Code of a requirement can run here: the step has no secrets, caches or network, and later steps use only
# the environment.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"

find_wheel
# A requirement can require the project itself, and pip keeps an installed project of the same version.
set -- "$venv"/lib*/*/site-packages/*.dist-info
if [ -e "$1" ]; then
    file=${wheel##*/}
    # shellcheck disable=SC2154 # venv is wheel-env.sh's
    /opt/toolchain/bin/uv pip uninstall --quiet --no-config --python "$venv/bin/python" "${file%%-*}"
fi
# Install the wheel with pip, like a user: pip verifies that every requirement is met. The pinned pip, because that of
# the interpreter varies.
set -- --no-compile --no-index
# Fails on an ignored requirement that the wheel does not have.
# shellcheck disable=SC2119 # no extras
requirements=$(wheel_requirements)
if [ -n "${IGNORE_REQUIREMENTS:-}" ]; then
    # The interpreter contains these, in another version than the wheel requires.
    echo "ignoring the requirements $IGNORE_REQUIREMENTS of the wheel"
    set -- "$@" --no-deps
fi
case $requirements in
    # pip would download the file of `name @ https://...` again, although /fetched contains it.
    *" @ "*) set -- "$@" --no-deps ;;
esac
PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1 \
    "$venv/bin/python" "$pip_dir/pip" install "$@" "$wheel"
