#!/bin/sh
# Runs a build step in a varied environment (clock, host name, locale, umask, processors): vary.sh SCRIPT.
# `cargo xtask reproduce` compares the result with that of a normal build. No other build contains this file.
set -eu

# xtask searches the wheel for this name.
host=xtask-varied-host
export XTASK_VARIED=1 HOSTNAME="$host"
export LANG=C LC_ALL=C LANGUAGE=tr TZ='<+1345>-13:45' PYTHONHASHSEED=random
umask 077

# Not in an accelerated build, whose native programs cannot preload a library of the emulated platform: there, clock, host
# name and order of files do not vary.
if [ ! -e /xtask-native/accelerate.sh ]; then
    shim=/xtask-vary.so
    # With a network, keep the clock: certificates would have expired.
    cc ${XTASK_NETWORK:+-DKEEP_CLOCK} -O1 -fPIC -shared -DXTASK_HOST="\"$host\"" -o "$shim" "${0%/*}/vary.c" -lpthread -ldl
    export LD_PRELOAD="$shim"
fi
# Use one core.
if command -v taskset >/dev/null; then
    exec taskset -c "$(taskset -cp $$ | sed 's/.*: *//; s/[^0-9].*//')" sh "$@"
fi
exec sh "$@"
