#!/bin/sh
# accelerate.sh wheel|interpreter|packages: exits 0 where native programs may do that work of an emulated
# container, prints why not elsewhere. accelerate.py decides; this makes sure that its failure costs speed
# and nothing else.
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
