#!/bin/sh
# Builds the wheels: unpacks the source, runs the recipe RECIPE of its own justfile or,
# where it has no working one, of docker/justfile, and collects into /wheels a wheel for
# each interpreter of PYTHONS.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

if [ -z "${PYTHONS:-}" ]; then
    echo "error: PYTHONS is empty, no wheel was asked for" >&2
    exit 1
fi

# BUILD_ENV: KEY=VALUE lines of the configuration, taken as they stand and never run
# through a shell.
if [ -n "${BUILD_ENV:-}" ]; then
    while IFS= read -r line || [ -n "$line" ]; do
        [ -n "$line" ] || continue
        key=${line%%=*}
        case $key in
            "$line" | '' | [!A-Za-z_]* | *[!A-Za-z0-9_]*)
                # The line is not printed: a value may be nobody's business.
                echo "error: BUILD_ENV has a line that is no KEY=VALUE" >&2
                exit 1
                ;;
        esac
        export "$key=${line#*=}"
    done <<EOF
$BUILD_ENV
EOF
fi
# An empty value is not the same as none for the tools that read it.
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
    unset SOURCE_DATE_EPOCH
fi

# Paths that do not change from build to build: compilers write them into wheels.
export XTASK_SOURCE=/build/src XTASK_DIST=/build/dist XTASK_SCRIPTS="$here" PYTHONS
rm -rf /build
mkdir -p "$XTASK_DIST"
python3 "$here/unpack.py" /source "$XTASK_SOURCE"

# A recipe of the source's own finds the interpreters on PATH by their versions.
for id in $PYTHONS; do
    PATH=/opt/python/$id/bin:$PATH
done
export PATH

# Whose recipe? JUSTFILE says `source` or `bundled`; `auto` takes the source's own when it
# can do this job: just can read it (a source archive may lack files that it imports), it
# has the recipe, and somewhere it reads PYTHONS. One that does not builds a list of its
# own, whatever was asked for, and fails on each interpreter that is not here.
own=
for file in justfile Justfile .justfile; do
    if [ -f "$XTASK_SOURCE/$file" ]; then
        own=$XTASK_SOURCE/$file
        break
    fi
done
if [ "${JUSTFILE:=auto}" = bundled ]; then
    why="JUSTFILE=bundled"
    own=
elif [ -z "$own" ]; then
    why="the source has no justfile"
elif ! recipes=$(just --justfile "$own" --summary 2>/tmp/just-error); then
    why="the source's justfile does not work: $(grep -m 1 error /tmp/just-error)"
    own=
else
    case " $recipes " in
        *" $RECIPE "*)
            just --justfile "$own" --dump >/tmp/just-dump
            just --justfile "$own" --show "$RECIPE" >>/tmp/just-dump
            if [ "$JUSTFILE" = auto ] && ! grep -qw PYTHONS /tmp/just-dump; then
                why="the source's recipe $RECIPE does not read PYTHONS and would build a list of its own"
                own=
            fi
            ;;
        *)
            why="the source's justfile has no recipe $RECIPE"
            own=
            ;;
    esac
fi

if [ -n "$own" ]; then
    echo "recipe: $RECIPE of the source's justfile"
    just --justfile "$own" --working-directory "$XTASK_SOURCE" "$RECIPE"
    built=$XTASK_SOURCE/dist
elif [ "$JUSTFILE" = source ]; then
    echo "error: JUSTFILE=source, but $why" >&2
    exit 1
else
    echo "recipe: $RECIPE of docker/justfile ($why)"
    just --justfile "$here/justfile" --working-directory "$XTASK_SOURCE" "$RECIPE"
    built=$XTASK_DIST
fi

# The words of PYTHONS are arguments.
# shellcheck disable=SC2086
python3 "$here/collect-wheels.py" "$built" /wheels $PYTHONS
rm -rf /build
