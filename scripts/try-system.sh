#!/bin/sh
# Installs only the distribution's Python into a clean image, for `cargo xtask try`.
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
    # Installers require distutils before Python 3.10; some releases have a separate package.
    if [ -n "$(pkg_candidate python3-distutils)" ]; then
        set -- "$@" python3-distutils
    fi
fi
pkg_install "$@"
python3 --version
