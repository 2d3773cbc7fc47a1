#!/bin/sh
# Creates an environment with the requirements of the build backend for each interpreter, in /opt/build/ID, from the
# files in /fetched and without network. The layer depends on these files only. A build then resolves and installs
# nothing, and imports the backend from bytecode. BUILD_ENVIRONMENT=off leaves this to the frontend.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/offline.sh
. "$here/offline.sh"
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/build-requirements.sh
. "$here/build-requirements.sh"

# Mounted on emulated platforms. Native compilers are compared here, once for all wheels.
if [ -e /xtask-native/accelerate.sh ] &&
    ! XTASK_ACCELERATE=/opt/accelerate sh /xtask-native/accelerate.sh wheel >/opt/accelerate.txt; then
    rm -rf /opt/accelerate
fi

mkdir -p /opt/build
# fetch-build.sh writes none for a table that the frontend rejects, or that only the frontend can install.
if [ "${BUILD_ENVIRONMENT:-on}" != on ] || [ ! -f /fetched/requires.txt ] || [ -z "${PYTHONS:-}" ]; then
    exit 0
fi
# Options of the installer may name files of the source, which this stage lacks: the frontend installs.
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
