#!/bin/sh
# Installs the one wheel of the build context `wheel`, under its own name, into the environment of the smoke test,
# /xtask-venv, which has what it requires. Code of what it requires may run here: the step has neither secrets, nor
# caches, nor the network, and of its files only the environment is used.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"

find_wheel
# A requirement may require the project in turn: pip keeps an installed one of the wheel's version.
set -- "$venv"/lib*/*/site-packages/*.dist-info
if [ -e "$1" ]; then
    file=${wheel##*/}
    # shellcheck disable=SC2154 # venv is wheel-env.sh's
    /opt/toolchain/bin/uv pip uninstall --quiet --no-config --python "$venv/bin/python" "${file%%-*}"
fi
# The wheel itself is installed by the users' pip, which has to find every requirement met: the pinned
# one, not the one that an interpreter happens to carry.
set -- --no-compile --no-index
# Reports ignored requirements that the wheel does not have.
# shellcheck disable=SC2119 # no extras
requirements=$(wheel_requirements)
if [ -n "${IGNORE_REQUIREMENTS:-}" ]; then
    # The interpreter brings these itself, in another version than the wheel requires.
    echo "ignoring the requirements $IGNORE_REQUIREMENTS of the wheel"
    set -- "$@" --no-deps
fi
case $requirements in
    # pip would download the file of `name @ https://...` again, although /fetched has it.
    *" @ "*) set -- "$@" --no-deps ;;
esac
PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1 \
    "$venv/bin/python" "$pip_dir/pip" install "$@" "$wheel"
