#!/bin/sh
# Builds the wheels: unpacks the source, runs the recipe RECIPE of the source's justfile or of docker/justfile, and copies
# a wheel for each interpreter in PYTHONS to /wheels.
set -eu
here=$(dirname "$0")
# Only in the varied build of `cargo xtask reproduce`.
if [ -e "$here/vary.sh" ] && [ -z "${XTASK_VARIED:-}" ]; then
    exec sh "$here/vary.sh" "$0"
fi
# The working directory may be the folder that is recreated.
cd /
# shellcheck source=scripts/offline.sh
. "$here/offline.sh"
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

if [ -z "${PYTHONS:-}" ]; then
    echo "error: PYTHONS is empty: no wheel to build" >&2
    exit 1
fi

# shellcheck source=scripts/build-env.sh
. "$here/build-env.sh"
# Mounted on an emulated platform; build-environment.sh wrote the wrappers.
if [ -e /xtask-native/accelerate.sh ]; then
    cat /opt/accelerate.txt
    if [ -e /opt/accelerate/compiler ]; then
        export COMPILER_PATH="/opt/accelerate${COMPILER_PATH:+:$COMPILER_PATH}"
    fi
fi

# JUSTFILE is `source`, `bundled` or `auto`. `auto` uses the source's justfile if just can read it (a source archive may
# lack imported files), it has the recipe, and it reads PYTHONS. Otherwise it would build for a fixed list of
# interpreters, some of which are missing here.
own=
for folder in "$XTASK_PACKAGE" "$XTASK_SOURCE"; do
    for file in justfile Justfile .justfile; do
        if [ -z "$own" ] && [ -f "$folder/$file" ]; then
            own=$folder/$file
        fi
    done
done
found=${own#"$XTASK_SOURCE/"}
if [ "${JUSTFILE:=auto}" = bundled ]; then
    why="JUSTFILE=bundled"
    own=
elif [ -z "$own" ]; then
    why="the source has no justfile"
elif ! recipes=$(just --justfile "$own" --summary 2>/tmp/just-error); then
    why="just cannot read it: $(grep -m 1 error /tmp/just-error)"
    own=
else
    case " $recipes " in
        *" $RECIPE "*)
            just --justfile "$own" --dump >/tmp/just-dump
            just --justfile "$own" --show "$RECIPE" >>/tmp/just-dump
            if [ "$JUSTFILE" = auto ] && ! grep -qw PYTHONS /tmp/just-dump; then
                why="its recipe $RECIPE does not read PYTHONS"
                own=
            fi
            ;;
        *)
            why="it has no recipe $RECIPE"
            own=
            ;;
    esac
fi

# report_recipe JUSTFILE WHY: writes recipe.json, which xtask adds to build-info.json.
report_recipe() {
    mkdir -p /wheels
    "$XTASK_PYTHON" -ESB -c 'import json, sys
report = dict(zip(("name", "justfile", "reason", "source_justfile"), sys.argv[2:]))
if sys.argv[1].isdecimal():
    report["source_date_epoch"] = int(sys.argv[1])
print(json.dumps(report))' "$SOURCE_DATE_EPOCH" "$RECIPE" "$1" "$2" "${found:-none}" >/wheels/recipe.json
}

if [ -n "$own" ]; then
    if [ -n "${CONFIG_SETTINGS:-}" ] || [ "${BUILD_FRONTEND:-uv}" != uv ]; then
        echo "error: \`config-settings\` and \`build-frontend\` have no effect: the source's own $found builds the wheel" >&2
        exit 1
    fi
    if [ -n "${BEFORE_BUILD:-}" ]; then
        for id in $PYTHONS; do
            run_before_build "$id" "$XTASK_SOURCE" "$XTASK_PACKAGE"
        done
    fi
    echo "recipe: $RECIPE of the source's $found"
    just --justfile "$own" --working-directory "${own%/*}" "$RECIPE"
    built=${own%/*}/dist
    report_recipe source "it has the recipe and reads PYTHONS"
elif [ "$JUSTFILE" = source ]; then
    echo "error: JUSTFILE=source, but $why" >&2
    exit 1
else
    echo "recipe: $RECIPE of docker/justfile (${found:+$found of the source: }$why)"
    just --justfile "$here/justfile" --working-directory "$XTASK_PACKAGE" "$RECIPE"
    built=$XTASK_DIST
    report_recipe bundled "$why"
fi

if [ -s "$XTASK_WORK/extra-requires.txt" ]; then
    cp "$XTASK_WORK/extra-requires.txt" /wheels/
else
    # The words of PYTHONS are arguments.
    # shellcheck disable=SC2086
    "$XTASK_PYTHON" -ESB "$here/collect-wheels.py" "$built" /wheels $PYTHONS
fi
if [ -f "$XTASK_WORK/ccache.log" ]; then
    awk '/_cache_hit$/ { hits++ } /^cache_miss$/ { misses++ }
        END { printf "ccache: %d hits, %d misses\n", hits, misses }' "$XTASK_WORK/ccache.log"
fi
rm -rf "$XTASK_WORK" "$XTASK_CACHE"
