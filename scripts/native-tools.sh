#!/bin/sh
# Lays out in /native the programs of the build platform that can do an emulated compiler's work
# for TARGETARCH at native speed: the distribution's own cross compiler, taken from the same
# release as the target. Runs in the target's image for the build platform. accelerate.sh, in the
# emulated container, decides whether they may be used; where there are none, /native/reason says
# why, and the build goes on without.
#
# Each program finds its loader and libraries in /xtask-native, where the folder is mounted: an
# emulated container has neither, and nothing of ours may lie where the system's own files would.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

native=/native
mounted=/xtask-native
mkdir -p "$native"
refuse() {
    echo "$1" | tee "$native/reason"
    exit 0
}

[ "$TARGETARCH" != "$BUILDARCH" ] || refuse "linux/$TARGETARCH is not emulated"
# The triple as gcc says it; packages say it with a hyphen for each underscore.
case $TARGETARCH in
    amd64) triple=x86_64-linux-gnu ;;
    arm64) triple=aarch64-linux-gnu ;;
    ppc64le) triple=powerpc64le-linux-gnu ;;
    riscv64 | s390x) triple=$TARGETARCH-linux-gnu ;;
    *) refuse "no cross compiler for linux/$TARGETARCH is known" ;;
esac
[ "$(pkg_family)" = apt ] || refuse "this distribution has no cross compilers"
package=g++-$(echo "$triple" | tr _ -)
pkg_refresh
for name in "$package" patchelf; do
    [ -n "$(pkg_candidate "$name")" ] || refuse "the release has no package $name for linux/$BUILDARCH"
done
pkg_install "$package" patchelf

mkdir -p "$native/bin" "$native/lib" "$native/compiler"
# What the emulated driver starts, by the names it starts it with.
for tool in cc1 cc1plus lto1; do
    cp -L "$("$triple-gcc" -print-prog-name="$tool")" "$native/compiler/$tool"
done
cp -L "$("$triple-gcc" -print-file-name=liblto_plugin.so)" "$native/compiler/"
for tool in as ld; do
    cp -L "$(command -v "$triple-$tool")" "$native/compiler/$tool"
done
# What the wrappers around them are written in.
for tool in dash cat grep rm; do
    cp -L "$(command -v "$tool")" "$native/bin/$tool"
done

ldd "$native"/compiler/* "$native"/bin/* | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
    while read -r library; do
        cp -L "$library" "$native/lib/"
    done
loader=$(ldd "$native/bin/dash" | awk '$1 ~ /^\// { print $1 }')
cp -L "$loader" "$native/lib/"
loader=${loader##*/}
for file in "$native"/compiler/* "$native"/bin/* "$native"/lib/*; do
    case ${file##*/} in
        # The C library finds its own parts, and its loader may not be touched.
        "$loader" | libc.so.*) ;;
        *.so | *.so.*) patchelf --force-rpath --set-rpath "$mounted/lib" "$file" ;;
        *)
            patchelf --set-interpreter "$mounted/lib/$loader" --force-rpath --set-rpath "$mounted/lib" "$file"
            ;;
    esac
done

# What accelerate.sh compares: `(Debian 14.2.0-19) 14.2.0` and the like.
version() {
    line=$("$@" --version)
    line=$(printf '%s\n' "$line" | head -n 1)
    echo "${line#* }"
}
{
    echo "compiler=$(version "$triple-gcc")"
    echo "release=$("$triple-gcc" -dumpfullversion)"
    echo "assembler=$(version "$triple-as")"
    echo "linker=$(version "$triple-ld")"
    echo "machine=$("$triple-gcc" -dumpmachine)"
    echo "platform=linux/$BUILDARCH"
} | tee "$native/versions"
