#!/bin/sh
# Provider `source`: upstream's archives: compiles CPython's source (source-archive.sh), unpacks PyPy's build
# (pypy-archive.sh). See interpreter.sh for the contract.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

refuse() {
    echo "$1" >"$PY_REASON"
    exit 1
}

# broken REASON: fails although the archive exists.
broken() {
    echo "$1" >"$PY_REASON"
    exit 2
}

[ "$PY_KIND" != pypy ] || exec sh "$here/pypy-archive.sh"
[ "$PY_KIND" = cpython ] || refuse "cannot compile $PY_KIND"
case $PY_SERIES-$PY_THREADING in
    3.?-free | 3.1[0-2]-free) refuse "free-threaded builds begin with 3.13" ;;
esac

archive=/tmp/python-source
sh "$here/source-archive.sh" "$PY_SERIES" "$archive" || exit

case $(pkg_family) in
    apt) set -- libbz2-dev libffi-dev liblzma-dev libsqlite3-dev libssl-dev libzstd-dev zlib1g-dev ;;
    dnf) set -- bzip2-devel libffi-devel libzstd-devel openssl-devel sqlite-devel xz-devel zlib-devel ;;
    apk) set -- bzip2-dev libffi-dev openssl-dev sqlite-dev xz-dev zlib-dev zstd-dev ;;
esac
pkg_install "$@" || broken "installing the libraries for compiling CPython failed"

# No profile-guided or link-time optimization: it takes ten times as long, and this interpreter only builds and tests
# wheels. No debug information either (OPT below). Extensions use the compiler flags in sysconfig, which come from the
# Makefile of configure: upstream's defaults. Variables on make's command line do not reach them.
set -- --prefix="$PY_HOME" --without-ensurepip --disable-test-modules --without-static-libpython
if [ "$PY_THREADING" = free ]; then
    set -- "$@" --disable-gil
fi
# A fixed folder: debug information contains paths.
tree=/build/cpython
log=/tmp/compile.log
shell=/bin/sh

# failed STEP: reports the error, and fails.
failed() {
    tail -n 40 "$log" >&2
    echo "$1 failed: $(grep -i 'error' "$log" | tail -n 1)" >"$PY_REASON"
    return 1
}

# report_progress: prints the number of compiled files every minute.
report_progress() {
    # `sleep` outlives this function for a moment and must not keep a pipe open.
    while sleep 60 >/dev/null 2>&1; do
        echo "xtask: $PY_ID: compiled $(find "$tree" -name '*.o' | wc -l) files"
    done
}

# compile ARGUMENT...: configures with the arguments, compiles and installs.
compile() {
    rm -rf "$tree" "$PY_HOME"
    mkdir -p "$tree"
    tar -xf "$archive/archive" -C "$tree" --strip-components=1 >"$log" 2>&1 || failed unpacking || return
    cd "$tree" || return
    echo "xtask: $PY_ID: compiling from source, which takes minutes"
    began=$(date +%s)
    "$shell" ./configure -q "$@" >"$log" 2>&1 || failed configure || return
    configured=$(date +%s)
    set --
    if [ -n "$accelerated" ]; then
        options=$(sed -n 's,^SHELL=[[:blank:]]*/bin/sh,,p' Makefile)
        set -- SHELL="$shell$options" INSTALL="$native/bin/install -c" MKDIR_P="$native/bin/mkdir -p"
    fi
    report_progress &
    progress=$!
    compiled=0
    make -s -j"$(nproc)" "$@" OPT="-DNDEBUG -fwrapv -O2" >"$log" 2>&1 || compiled=$?
    kill "$progress"
    [ "$compiled" = 0 ] || failed make || return
    # Skip the bytecode: three quarters of the layer, and Python compiles modules on import. make cannot skip the step;
    # `--help` disables it.
    make -s install "$@" COMPILEALL_OPTS=--help >"$log" 2>&1 || failed "make install" || return
    if [ -n "$accelerated" ] && named=$(grep -rl -e "$native" -e "$wrappers" "$PY_HOME"); then
        echo "$(echo "$named" | head -n 1) contains a path of native programs" >"$PY_REASON"
        return 1
    fi
    echo "configured in $((configured - began)) s, compiled and installed in $(($(date +%s) - configured)) s"
}

# compile_natively ARGUMENT...: compiles with native programs.
compile_natively() (
    # configure and make start thousands of small programs, here native ones. configure must not write their paths into
    # the interpreter, because later steps lack them.
    PATH=$wrappers/bin:$native/bin:$PATH
    shell=$native/bin/sh
    export COMPILER_PATH="$wrappers" CONFIG_SHELL="$shell" INSTALL="/usr/bin/install -c" MKDIR_P="/usr/bin/mkdir -p"
    compile "$@"
)

# An emulated platform mounts native programs.
native=/xtask-native
wrappers=/tmp/xtask-accelerate
accelerated=
if [ -e "$native/accelerate.sh" ] && sh "$native/accelerate.sh" interpreter; then
    accelerated=yes
fi
echo "compiling with $(nproc) jobs"
if [ -n "$accelerated" ] && ! compile_natively "$@"; then
    echo "xtask: not accelerated, this interpreter is compiled under emulation: $(cat "$PY_REASON")"
    accelerated=
    rm -f "$PY_REASON"
fi
if [ -z "$accelerated" ]; then
    compile "$@" || exit 2
fi
cd /
rm -rf "$tree"
rmdir /build 2>/dev/null || echo "/build is in use"

ln -s python3 "$PY_HOME/bin/python"
find "$PY_HOME" -depth -type d \( -name __pycache__ -o -name test -o -name tests -o -name idlelib \) \
    -exec rm -rf {} +
find "$PY_HOME" -type f -name '*.a' -exec rm -f {} +
find "$PY_HOME" -type f \( -name '*.so' -o -path "*/bin/python$PY_SERIES*" ! -name '*-config' \) \
    -exec strip --strip-debug {} +

detail=$(cat "$archive/detail")
if [ -n "$accelerated" ]; then
    detail="$detail, compiled by $(cat "$wrappers/compiler")"
fi
echo "$detail" >"$PY_HOME/detail"
# The archive's hash: the compiled files may differ between machines.
sed -n 's/.*sha256:\([0-9a-f]\{64\}\).*/\1/p' "$PY_HOME/detail" >"$PY_HOME/sha256"
pkg_runtime "$PY_HOME" | tr '\n' ' ' >"$PY_HOME/runtime"
