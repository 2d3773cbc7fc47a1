#!/bin/sh
# Runs a build step as another machine would on another day: vary.sh SCRIPT. `cargo xtask reproduce` compares the
# result with that of a plain build. No other build has this file.
set -eu

# xtask looks for it in the wheel.
host=xtask-varied-host
export XTASK_VARIED=1 HOSTNAME="$host"
export LANG=C LC_ALL=C LANGUAGE=tr TZ='<+1345>-13:45' PYTHONHASHSEED=random
umask 077

# Where native programs help an emulated build, they would complain about a library of the other platform with each
# call. So clock, host name and order of files stay as they are there.
if [ ! -e /xtask-native/accelerate.sh ]; then
    shim=/xtask-vary.so
    # For a server, certificates would have expired.
    cc ${XTASK_NETWORK:+-DKEEP_CLOCK} -O1 -fPIC -shared -DXTASK_HOST="\"$host\"" -o "$shim" "${0%/*}/vary.c" -lpthread -ldl
    export LD_PRELOAD="$shim"
fi
# One core instead of all of them.
if command -v taskset >/dev/null; then
    exec taskset -c "$(taskset -cp $$ | sed 's/.*: *//; s/[^0-9].*//')" sh "$@"
fi
exec sh "$@"
