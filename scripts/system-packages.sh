#!/bin/sh
# Installs the distribution's packages for every build: a C and C++ compiler with the headers of the C library, a Python
# that can fetch the pinned toolchain, tools that build hooks run, and those in SYSTEM_PACKAGES.
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
        # No `curl`: it conflicts with EL 9's curl-minimal. No updates: the digest of the base image identifies its
        # packages.
        set -- ca-certificates diffutils findutils gcc gcc-c++ glibc-devel gzip make \
            pkgconf-pkg-config python3 python3-pip tar xz
        # `git` requires Perl for commands that no build runs.
        git="git-core"
        ;;
    apk)
        # musl-dev is the C library's headers, linux-headers the kernel's.
        set -- ca-certificates g++ gcc linux-headers make musl-dev pkgconf py3-pip python3 tar xz
        ;;
esac

# An image for building wheels has its own compilers, and a Python that is not a package. Do not install these again.
# `python3` becomes the image's, because that of EL 8 is 3.6.
# has PACKAGE: whether the image has the programs or files of the package.
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
                # A stable release can have newer compilers in other packages (rustc-web, rustc-1.80): use the newest.
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
        echo "error: RUST is \`$RUST\` instead of none, distro or rustup" >&2
        exit 1
        ;;
esac

# Build hooks run these tools. A distribution can lack some of them (EL has no ccache): build-info.json records that.
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
        echo "note: skipping $tool: the distribution has no package"
    fi
done

# shellcheck disable=SC2086 # words on purpose
pkg_install "$@" ${SYSTEM_PACKAGES:-}
