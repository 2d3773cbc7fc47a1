#!/bin/sh
# Makes an environment with the requirements of the build backend for each interpreter, in /opt/build/ID, from the
# files in /fetched and without a network. The layer is kept as long as these are the same: a build then neither
# resolves nor installs anything, and imports the backend from its bytecode. BUILD_ENVIRONMENT=off leaves that to the
# frontend.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/offline.sh
. "$here/offline.sh"
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/build-requirements.sh
. "$here/build-requirements.sh"

# Mounted where the platform is emulated: native compilers are compared here, once and for every wheel.
if [ -e /xtask-native/accelerate.sh ] &&
    ! XTASK_ACCELERATE=/opt/accelerate sh /xtask-native/accelerate.sh wheel >/opt/accelerate.txt; then
    rm -rf /opt/accelerate
fi

mkdir -p /opt/build
# fetch-build.sh leaves none for a table that the frontend refuses, or that only it can install.
if [ "${BUILD_ENVIRONMENT:-on}" != on ] || [ ! -f /fetched/requires.txt ] || [ -z "${PYTHONS:-}" ]; then
    exit 0
fi
# Options of the installer may name files of the source, which is not here: the frontend installs.
case "
${BUILD_ENV:-}" in
    *"
UV_"* | *"
PIP_"*) exit 0 ;;
esac
cp /pyproject/pyproject.toml /fetched/backend.json /opt/build/
# A requirement without a wheel is compiled as the package is.
# shellcheck source=scripts/build-variables.sh
. "$here/build-variables.sh"
go_offline
# The cache is on the file system of the environment, and removed below.
export UV_LINK_MODE=hardlink
for id in $PYTHONS; do
    uv venv --quiet --no-config --no-project --python "/opt/python/$id/bin/python" "/opt/build/$id"
    install_build_requirements "/opt/build/$id" /fetched/requires.txt
done
rm -rf "$XTASK_CACHE"
