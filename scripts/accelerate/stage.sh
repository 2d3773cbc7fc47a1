#!/bin/sh
# Fills /native, which emulated containers mount as /xtask-native. Runs in the target's image for the build platform:
# installs its cross compiler for TARGETARCH and a Python, then runs lay_out.py. On an error, writes /native/reason, and
# the build falls back to emulation.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/../trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/../packages.sh"

native=/native
mkdir -p "$native"
cp "$here/accelerate.sh" "$native/"
refuse() {
    echo "$1" | tee "$native/reason"
    exit 0
}

[ "$TARGETARCH" != "$BUILDARCH" ] || refuse "linux/$TARGETARCH is not emulated"
# gcc's spelling. Package names replace underscores by hyphens.
case $TARGETARCH in
    amd64) triple=x86_64-linux-gnu ;;
    arm64) triple=aarch64-linux-gnu ;;
    ppc64le) triple=powerpc64le-linux-gnu ;;
    riscv64 | s390x) triple=$TARGETARCH-linux-gnu ;;
    *) refuse "linux/$TARGETARCH has no known cross compiler" ;;
esac
[ "$(pkg_family)" = apt ] || refuse "this distribution has no cross compilers"
compiler=g++-$(echo "$triple" | tr _ -)
pkg_lock
pkg_refresh || refuse "the package lists cannot be fetched"
pkg_unlock
for package in "$compiler" python3; do
    version=$(pkg_candidate "$package") || refuse "the package manager fails to look up $package"
    [ -n "$version" ] || refuse "the release has no package $package for linux/$BUILDARCH"
done
pkg_install "$compiler" python3 make || refuse "installing $compiler and python3 fails"
/usr/bin/python3 -ESB "$here/lay_out.py" "$triple" "linux/$BUILDARCH" || refuse "lay_out.py fails"
