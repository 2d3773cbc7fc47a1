# shellcheck shell=sh
# Sourced, with $here the folder of the scripts: the environment of a build and the source,
# unpacked, for the build itself and for a person who looks at its place.

# What compilers and generators read of their surroundings is the same for every build, so that the same source gives
# the same bytes. `[build] env` wins.
umask 022
unset LANGUAGE LC_ADDRESS LC_COLLATE LC_CTYPE LC_IDENTIFICATION LC_MEASUREMENT LC_MESSAGES LC_MONETARY LC_NAME \
    LC_NUMERIC LC_PAPER LC_TELEPHONE LC_TIME
export LANG=C.UTF-8 LC_ALL=C.UTF-8 TZ=UTC PYTHONHASHSEED=0 HOME=/root USER=root LOGNAME=root
# `ar` and `ranlib` of some systems write times and owners into archives by default.
export ZERO_AR_DATE=1

# shellcheck source=scripts/build-variables.sh
# shellcheck disable=SC2154 # here is the caller's
. "$here/build-variables.sh"
go_offline

# The Python that runs the tool's own scripts: where the platform is emulated, a native one, which takes a tenth of
# the time.
XTASK_PYTHON=/xtask-native/python/bin/python3
if [ ! -x "$XTASK_PYTHON" ] || ! "$XTASK_PYTHON" -ESB -c 'import json, tarfile, zipfile' 2>/dev/null; then
    XTASK_PYTHON=python3
fi

# Paths that do not change from build to build: compilers write them into wheels.
# No part of the path may be a name that a package's .gitignore lists, such as `build`: hatchling would
# take the whole project for ignored, and pack what git ignores.
export XTASK_WORK=/xtask-work
export XTASK_SOURCE="$XTASK_WORK/source" XTASK_DIST="$XTASK_WORK/wheels" XTASK_SCRIPTS="$here" PYTHONS
rm -rf "$XTASK_WORK"
mkdir -p "$XTASK_DIST"
# A local source is a context of its own.
XTASK_INPUT=/source
if [ -f /package/source.json ]; then
    XTASK_INPUT=/package
elif [ ! -f /source/source.json ]; then
    echo "error: there is no source: the build context \`package\` holds no source.json" >&2
    exit 1
fi
if [ -f /before/files.tar ]; then
    # With what `[build] before` made of it.
    python3 -B "$here/before.py" unpack /before/files.tar
else
    "$XTASK_PYTHON" -ESB "$here/unpack.py" "$XTASK_INPUT" "$XTASK_SOURCE"
    # Beside the source: a copy for one interpreter shares the objects. No Python starts for nothing, which
    # takes a second under emulation.
    if [ -e "$XTASK_INPUT/git.json" ]; then
        "$XTASK_PYTHON" -ESB "$here/git-repository.py" "$XTASK_INPUT" "$XTASK_SOURCE" "$XTASK_WORK/git"
    fi
fi
# The date of the commit, or of the source archive.
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
    SOURCE_DATE_EPOCH=$(sed -n 's/.*"date": *\([0-9][0-9]*\).*/\1/p' "$XTASK_INPUT/source.json")
fi
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1580601600}"
XTASK_PACKAGE=$XTASK_SOURCE
if grep -q '"package": *"[^"]' "$XTASK_INPUT/source.json"; then
    XTASK_PACKAGE=$("$XTASK_PYTHON" -ESB -c 'import json, sys
package = json.load(open(sys.argv[1] + "/source.json")).get("package")
print(sys.argv[2] + "/" + package if package else sys.argv[2])' "$XTASK_INPUT" "$XTASK_SOURCE")
fi
export XTASK_PACKAGE

# Backends that find no Rust fetch one over the network, which nothing pins: maturin asks for puccinialin,
# other packages require it themselves.
if ! command -v cargo >/dev/null; then
    export MATURIN_NO_INSTALL_RUST=1
    echo 'puccinialin<0' >"$XTASK_WORK/no-rust.txt"
    export UV_BUILD_CONSTRAINT="${UV_BUILD_CONSTRAINT:-$XTASK_WORK/no-rust.txt}"
    export PIP_CONSTRAINT="${PIP_CONSTRAINT:-$XTASK_WORK/no-rust.txt}"
fi

# A recipe of the source's own finds the interpreters on PATH by their versions.
for id in $PYTHONS; do
    PATH=/opt/python/$id/bin:$PATH
done

use_crates

# The compilers as ccache, first on PATH. The cache holds objects of builds with the same inputs alone, and
# COMPILER_CACHE, their hash, is empty where nobody says which these are.
ccache_dir=/var/cache/xtask-ccache
if [ -n "${COMPILER_CACHE:-}" ] && [ -d "$ccache_dir" ] && [ -z "${CCACHE_DISABLE+set}" ] &&
    command -v ccache >/dev/null; then
    # An object depends on the compiler proper and the assembler, too; ccache itself looks at the driver alone. The
    # system's other packages differ between interpreters, and headers are among what ccache hashes.
    compilers=$(
        for tool in gcc g++ clang cc1 cc1plus as; do
            path=$(command -v "$(gcc -print-prog-name="$tool")") && sha256sum <"$path"
        done | sha256sum
    )
    mkdir -p "$XTASK_WORK/ccache"
    for tool in cc gcc c++ g++ "$(gcc -dumpmachine)-gcc" "$(gcc -dumpmachine)-g++" clang clang++; do
        ! command -v "$tool" >/dev/null || ln -s "$(command -v ccache)" "$XTASK_WORK/ccache/$tool"
    done
    PATH=$XTASK_WORK/ccache:$PATH
    export CCACHE_DIR="$ccache_dir" CCACHE_COMPILERCHECK="string:${compilers%% *}" CCACHE_MAXSIZE=512M \
        CCACHE_STATSLOG="$XTASK_WORK/ccache.log"
else
    # A build that calls ccache by itself must leave nothing in a layer.
    export CCACHE_DISABLE=1
fi
export PATH

# The job's share of the cores, for tools that would take one or all of them. `[build] env` wins.
# The host mounts the number as a secret, which is no part of the build's cache key.
cores=
for file in /xtask-cores /run/secrets/cores; do
    [ ! -f "$file" ] || cores=$(cat "$file")
done
all=$(nproc)
if [ -z "$cores" ] || [ "$cores" -gt "$all" ]; then
    cores=$all
fi
# Several interpreters in one build are built side by side.
# shellcheck disable=SC2086 # words on purpose
builds=$(set -- $PYTHONS && echo $#)
cores=$((builds > 1 ? (cores + builds - 1) / builds : cores))
for name in CMAKE_BUILD_PARALLEL_LEVEL CARGO_BUILD_JOBS MAX_JOBS NPY_NUM_BUILD_JOBS \
    GRPC_PYTHON_BUILD_EXT_COMPILER_JOBS; do
    # An empty value of the user counts, too.
    if ! printenv "$name" >/dev/null; then
        export "$name=$cores"
    fi
done
# `-l` bounds the calls that ask for any number of jobs: `cmake --build --parallel` without a number is `make -j`.
export MAKEFLAGS="${MAKEFLAGS--j$cores -l$((2 * all))}" SCONSFLAGS="${SCONSFLAGS--j$cores}"

# shellcheck source=scripts/hooks.sh
. "$here/hooks.sh"
