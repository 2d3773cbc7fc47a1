#!/bin/sh
# Gives a clean image the distribution's Python, which loads the wheels of `cargo xtask try`, and nothing else.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

set -- python3
if [ "$(pkg_family)" = apt ]; then
    pkg_lock
    pkg_refresh
    pkg_unlock
    # Installers need it of a Python before 3.10, and some releases have it in a package of its own.
    if [ -n "$(pkg_candidate python3-distutils)" ]; then
        set -- "$@" python3-distutils
    fi
fi
pkg_install "$@"
python3 --version
