#!/bin/sh
# Gives a clean image the distribution's Python, which loads the wheels of `cargo xtask try`, and nothing else.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

pkg_install python3
python3 --version
