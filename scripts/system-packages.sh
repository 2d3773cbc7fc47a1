#!/bin/sh
# The distribution's packages that every build needs: a C and C++ compiler with the
# headers of the C library, enough Python to fetch the pinned toolchain, and tools that
# build hooks run. Further ones by name in SYSTEM_PACKAGES.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

family=$(pkg_family)
git=git
case $family in
    apt)
        set -- ca-certificates g++ gcc libc6-dev make pkg-config python3 python3-pip xz-utils
        ;;
    dnf)
        # No `curl`: EL 9 has curl-minimal, and the two conflict. No update of what is
        # there: the base is named by its digest and has to stay what it is.
        set -- ca-certificates diffutils findutils gcc gcc-c++ glibc-devel gzip make \
            pkgconf-pkg-config python3 python3-pip tar xz
        # `git` brings Perl for commands that no build runs.
        git="git-core"
        ;;
    apk)
        # musl-dev is the C library's headers, linux-headers the kernel's.
        set -- ca-certificates g++ gcc linux-headers make musl-dev pkgconf py3-pip python3 tar xz
        ;;
esac

# What an image for building wheels brings, in versions of its own, is not installed once more: its compilers,
# and a Python outside of the packages. `python3` is that one then: EL 8's own is 3.6.
# has PACKAGE: whether the image has what the package is wanted for.
has() {
    case $1 in
        python3 | python3-pip | py3-pip) ;;
        ca-certificates) [ -s /etc/ssl/certs/ca-certificates.crt ] || [ -s /etc/pki/tls/certs/ca-bundle.crt ] ;;
        gcc | *-dev | *-devel | *-headers) echo '#include <linux/limits.h>' | gcc -E - ;;
        g++ | gcc-c++) command -v g++ ;;
        diffutils) command -v cmp ;;
        findutils) command -v find ;;
        pkgconf*) command -v pkg-config ;;
        # Not busybox's.
        tar) tar --version | grep GNU ;;
        xz | xz-utils) xz --version | grep 'XZ Utils' ;;
        git-core) command -v git ;;
        *) command -v "$1" ;;
    esac >/dev/null 2>&1
}
brings=
if python=$(image_python); then
    brings=yes
    echo "the image has $python"
    if [ "$python" != /usr/local/bin/python3 ]; then
        ln -sf "$python" /usr/local/bin/python3
    fi
    for package in "$@"; do
        shift
        has "$package" || set -- "$@" "$package"
    done
fi

case ${RUST:-none} in
    none | rustup) ;;
    distro)
        case $family in
            apt)
                # A stable release keeps its rustc but may carry newer ones beside it
                # (rustc-web, rustc-1.80): take the newest.
                pkg_lock
                pkg_refresh
                pkg_unlock
                for name in $(pkg_apt apt-cache pkgnames rustc); do
                    case $name in
                        *-dbg | *-doc) ;;
                        rustc | rustc-web | rustc-[0-9]*)
                            version=$(pkg_candidate "$name")
                            echo "$version $name" >>/tmp/rustc
                            ;;
                    esac
                done
                rustc=$(sort -V /tmp/rustc | awk 'NF == 2 { last = $2 } END { print last }')
                set -- "$@" "$rustc" "cargo${rustc#rustc}"
                ;;
            dnf | apk) set -- "$@" rust cargo ;;
        esac
        ;;
    *)
        echo "error: RUST is \`$RUST\`, known are none, distro, rustup" >&2
        exit 1
        ;;
esac

# Build hooks run these tools, and some only warn where one is missing. Not every distribution has all
# of them (EL has no ccache); build-info names the missing ones.
listed=
for tool in "$git" ccache cmake file; do
    if [ -n "$brings" ] && has "$tool"; then
        continue
    elif [ -z "$listed" ]; then
        listed=yes
        pkg_lock
        pkg_refresh
        pkg_unlock
    fi
    version=$(pkg_candidate "$tool")
    if [ -n "$version" ]; then
        set -- "$@" "$tool"
    else
        echo "note: the distribution has no package $tool, the build goes on without it"
    fi
done

# The list is words on purpose.
# shellcheck disable=SC2086
pkg_install "$@" ${SYSTEM_PACKAGES:-}
