# shellcheck shell=sh
# Sourced, with $here the folder of the scripts: sets the environment of a build and unpacks the source, for builds and
# for `cargo xtask shell`.

# Compilers and generators read these variables. They are equal in every build, so that the same source has the same
# bytes. `[build] env` overrides them.
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

# The Python that runs the tool's own scripts. On emulated platforms it is a native one, which takes a tenth of the time.
XTASK_PYTHON=/xtask-native/python/bin/python3
if [ ! -x "$XTASK_PYTHON" ] || ! "$XTASK_PYTHON" -ESB -c 'import json, tarfile, zipfile' 2>/dev/null; then
    XTASK_PYTHON=python3
fi

# Fixed paths, because compilers write them into wheels. No part of the path may be a name that a package's .gitignore
# lists, such as `build`: hatchling would treat the whole project as ignored, and pack files that git ignores.
export XTASK_WORK=/xtask-work
export XTASK_SOURCE="$XTASK_WORK/source" XTASK_DIST="$XTASK_WORK/wheels" XTASK_SCRIPTS="$here" PYTHONS
rm -rf "$XTASK_WORK"
mkdir -p "$XTASK_DIST"
# A local source has a build context of its own.
XTASK_INPUT=/source
if [ -f /package/source.json ]; then
    XTASK_INPUT=/package
elif [ ! -f /source/source.json ]; then
    echo "error: there is no source: the build context \`package\` holds no source.json" >&2
    exit 1
fi
if [ -f /before/files.tar ]; then
    # With the files of `[build] before`.
    python3 -B "$here/before.py" unpack /before/files.tar
else
    "$XTASK_PYTHON" -ESB "$here/unpack.py" "$XTASK_INPUT" "$XTASK_SOURCE"
    # Beside the source: a copy for one interpreter shares the objects. Python starts only if needed: a start takes a
    # second under emulation.
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

# Without Rust, some backends fetch an unpinned one over the network: maturin requires puccinialin, as do some packages.
if ! command -v cargo >/dev/null; then
    export MATURIN_NO_INSTALL_RUST=1
    echo 'puccinialin<0' >"$XTASK_WORK/no-rust.txt"
    export UV_BUILD_CONSTRAINT="${UV_BUILD_CONSTRAINT:-$XTASK_WORK/no-rust.txt}"
    export PIP_CONSTRAINT="${PIP_CONSTRAINT:-$XTASK_WORK/no-rust.txt}"
fi

# A recipe of the source finds the interpreters on PATH by their versions.
for id in $PYTHONS; do
    PATH=/opt/python/$id/bin:$PATH
done

use_crates

# ccache in place of the compilers, first on PATH. Only builds with the same inputs share a cache. COMPILER_CACHE is the
# hash of these inputs, and empty if they are unknown.
ccache_dir=/var/cache/xtask-ccache
if [ -n "${COMPILER_CACHE:-}" ] && [ -d "$ccache_dir" ] && [ -z "${CCACHE_DISABLE+set}" ] &&
    command -v ccache >/dev/null; then
    # An object also depends on the compiler proper and the assembler, but ccache hashes the driver alone. Other system
    # packages differ between interpreters; ccache hashes the headers itself.
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
    # A build that calls ccache itself must not fill a layer.
    export CCACHE_DISABLE=1
fi
export PATH

# The job's share of the cores, for tools that would use one or all of them. `[build] env` overrides it. The host mounts the
# number as a secret, because secrets are not part of the cache key.
cores=
for file in /xtask-cores /run/secrets/cores; do
    [ ! -f "$file" ] || cores=$(cat "$file")
done
all=$(nproc)
if [ -z "$cores" ] || [ "$cores" -gt "$all" ]; then
    cores=$all
fi
# One build runs several interpreters side by side.
# shellcheck disable=SC2086 # words on purpose
builds=$(set -- $PYTHONS && echo $#)
cores=$((builds > 1 ? (cores + builds - 1) / builds : cores))
for name in CMAKE_BUILD_PARALLEL_LEVEL CARGO_BUILD_JOBS MAX_JOBS NPY_NUM_BUILD_JOBS \
    GRPC_PYTHON_BUILD_EXT_COMPILER_JOBS; do
    # An empty value from the user counts as set.
    if ! printenv "$name" >/dev/null; then
        export "$name=$cores"
    fi
done
# `-l` bounds calls without a number of jobs: `cmake --build --parallel` without a number is `make -j`.
export MAKEFLAGS="${MAKEFLAGS--j$cores -l$((2 * all))}" SCONSFLAGS="${SCONSFLAGS--j$cores}"

# shellcheck source=scripts/hooks.sh
. "$here/hooks.sh"
