#!/bin/sh
# Runs try.py, which installs and loads the wheels below /wheel. Code of the wheels runs here: the step has neither
# secrets, nor caches, nor the network.
set -eu
here=$(dirname "$0")
# Memory, which the package's user writes to as well.
chmod 1777 /tmp
cd /tmp
exec python3 -I -S -B "$here/try.py" /wheel /xtask-try /try
