#!/bin/sh
# Runs try.py, which installs and loads the wheels in /wheel. Code of the wheels runs here: the step has no secrets,
# caches or network.
set -eu
here=$(dirname "$0")
# /tmp is in memory; the package's user writes to it, too.
chmod 1777 /tmp
cd /tmp
exec python3 -I -S -B "$here/try.py" /wheel /xtask-try /try
