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
pkg_lock
pkg_refresh
pkg_unlock
version=$(pkg_candidate "$package") || refuse "the package manager fails when asked for $package"
[ -n "$version" ] ||
    refuse "the release has no package $package for linux/$BUILDARCH"
pkg_install "$package" make

mkdir -p "$native/bin" "$native/lib" "$native/compiler" "$native/packages"
# What the emulated driver starts, by the names it starts it with.
for tool in cc1 cc1plus collect2 lto1; do
    cp -L "$("$triple-gcc" -print-prog-name="$tool")" "$native/compiler/$tool"
done
cp -L "$("$triple-gcc" -print-file-name=liblto_plugin.so)" "$native/compiler/"
for tool in as ld gcc; do
    cp -L "$(command -v "$triple-$tool")" "$native/compiler/$tool"
done
# What the wrappers around them are written in, and what configure and make start by the
# thousand. None of them says or cares what machine it runs on, as uname does, which is not here.
for tool in awk basename cat chmod cmp comm cp cut dash date diff dirname echo env expr false find \
    grep head install join ln ls make mkdir mktemp mv paste printf readlink rm rmdir sed sleep sort \
    tail tee test touch tr true uniq wc xargs; do
    for folder in /usr/bin /bin; do
        # By its folder: some are words of the shell as well.
        if [ -x "$folder/$tool" ]; then
            cp -L "$folder/$tool" "$native/bin/$tool"
            break
        fi
    done
done
ln -s dash "$native/bin/sh"
# What packages.sh has stand in for apt, and for what dpkg and the scripts of packages start by its
# name. No make: where there is none, none is to be found.
for tool in apt-get apt-cache dpkg-deb dpkg-split tar; do
    cp -L "$(command -v "$tool")" "$native/packages/$tool"
done
for file in "$native"/bin/*; do
    tool=${file##*/}
    [ "$tool" = make ] || ln -s "../bin/$tool" "$native/packages/$tool"
done

ldd "$native"/compiler/* "$native"/bin/* "$native"/packages/* | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
    while read -r library; do
        cp -L "$library" "$native/lib/"
    done

# replace FROM TO FILE: in place and by a text of the same length, so that nothing in FILE moves;
# tools that rewrite ELF files have been seen to break large ones.
replace() {
    LC_ALL=C sed -i "0,/$(echo "$1" | sed 's/[.\/]/\\&/g')/s//$(echo "$2" | sed 's/\//\\&/g')/" "$3"
    LC_ALL=C grep -qaF "$2" "$3" || refuse "${3##*/} cannot be made to find $2"
}
# stretch PREFIX SUFFIX TEXT: a path as long as TEXT, with as many slashes as that takes.
stretch() {
    path=$1
    [ $((${#path} + ${#2})) -le ${#3} ] || refuse "$path$2 does not fit where $3 stands"
    while [ $((${#path} + ${#2})) -lt ${#3} ]; do
        path=$path/
    done
    echo "$path$2"
}
# Each program names its loader, and the loader has the folders that it searches built in.
loader=$(ldd "$native/bin/dash" | awk '$1 ~ /^\// { print $1 }')
cp -L "$loader" "$native/ld"
for file in "$native"/compiler/* "$native"/bin/* "$native"/packages/*; do
    case $file in
        *.so) ;;
        *) [ -L "$file" ] || replace "$loader" "$(stretch "$mounted/" ld "$loader")" "$file" ;;
    esac
done
machine=$(ldd "$native/bin/dash" | awk '$1 == "libc.so.6" { print $3 }')
machine=$(basename "$(dirname "$machine")")
for folder in "/usr/lib/$machine/" "/lib/$machine/"; do
    replace "$folder" "$(stretch "$mounted/lib" / "$folder")" "$native/ld"
done

# What looks up users, which no program names: glibc before 2.34 does that in a library of its own.
for library in "/lib/$machine/libnss_files.so.2" "/usr/lib/$machine/libnss_files.so.2"; do
    [ ! -e "$library" ] || cp -L "$library" "$native/lib/"
done
# Do they run where they will be?
ln -s "$native" "$mounted"
for tool in compiler/gcc compiler/as bin/sed packages/apt-get packages/dpkg-deb packages/tar; do
    said=$("$mounted/$tool" --version 2>&1) || refuse "$tool does not run: $said"
done
rm "$mounted"
# A refusal in a subshell has ended nothing else.
[ ! -e "$native/reason" ] || exit 0
pkg_native_versions >"$native/packages/versions"

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
    # The versions do not tell every change.
    echo "programs=$(cat "$native"/compiler/* "$native"/lib/* "$native/ld" | cksum)"
    echo "platform=linux/$BUILDARCH"
} | tee "$native/versions"
