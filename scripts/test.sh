#!/bin/sh
# Runs the package tests, TEST_COMMAND, in the environment of test-env.sh. Code of the package runs here: the step has no
# secrets or caches, and a network only with `[test] network`.
set -eu
here=$(dirname "$0")
set -- /opt/python/*/provider.json
python=$(readlink -f "${1%/*}/bin/python")
chmod 1777 /tmp
"$python" -I -S -B "$here/test.py" unpack /xtask-test/project
exec "$python" -I -S -B "$here/test.py" run /xtask-test /test
