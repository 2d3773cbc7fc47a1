#!/bin/sh
# Runs BEFORE (`[build] before`) in the package's folder, once for all interpreters of a target, and
# stores the new and changed files in /before/files.tar. The builds start with these files.
set -eu
here=$(dirname "$0")
cd /
# shellcheck source=scripts/offline.sh
. "$here/offline.sh"
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
PYTHONS=
# shellcheck source=scripts/build-env.sh
. "$here/build-env.sh"

mkdir -p /before
touch /before/begin
# Some file systems store times this coarsely.
sleep 1
run_hook before "$BEFORE" "$XTASK_SOURCE" "$XTASK_PACKAGE"
python3 -B "$here/before.py" pack /before/begin /before/files.tar
rm -rf /before/begin "$XTASK_WORK" "$XTASK_CACHE"
