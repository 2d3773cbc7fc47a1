#!/bin/sh
# accelerate.sh wheel|interpreter|packages: exits with 0 if native programs can replace emulated ones, else prints the
# reason. accelerate.py decides; if it fails, the build falls back to emulation.
set -eu
native=/xtask-native
if [ -e "$native/reason" ]; then
    reason=$(cat "$native/reason")
else
    status=0
    "$native/python/bin/python3" -ISB "$native/accelerate.py" "$1" || status=$?
    case $status in
        0 | 10) exit "$status" ;;
    esac
    reason="accelerate.py fails with exit status $status"
fi
[ "$1" = packages ] || echo "xtask: not accelerated, this $1 is compiled under emulation: $reason"
exit 1
