#!/bin/sh
# Builds a wheel for each interpreter of PYTHONS at the same time, as many as there are
# cores, each with its own copy of the source and its own log. Fails at the end and names
# the failed ones, whose errors are above. The other wheels stay in XTASK_DIST.
set -eu

logs=$XTASK_WORK/log
mkdir -p "$logs"

# xargs is the bounded pool that every POSIX system has. A file holds the status, because sh has no pipefail and each log
# passes through a pipe that prefixes its lines.
# shellcheck disable=SC2016,SC2086 # expanded by the inner shell; words on purpose
printf '%s\n' $PYTHONS | xargs -P "$(nproc)" -I '{}' sh -c '
    {
        if just --justfile "$1" build "$2" 2>&1; then
            echo built >"$3/$2.status"
        else
            echo failed >"$3/$2.status"
        fi
    } | tee "$3/$2.log" | while IFS= read -r line || [ -n "$line" ]; do
        printf "[%s] %s\n" "$2" "$line"
    done
' sh "$XTASK_SCRIPTS/justfile" '{}' "$logs"

failed=
for id in $PYTHONS; do
    if [ "$(cat "$logs/$id.status" 2>/dev/null)" != built ]; then
        failed="$failed $id"
    fi
done
if [ -n "$failed" ]; then
    echo "error: no wheel was built for:$failed" >&2
    exit 1
fi
