#!/bin/sh
# Installs what smoke-fetch.sh fetched into the environment of the smoke test, without a network. Each build makes
# another wheel, and most of them require the same: so this layer is kept.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"

install_fetched /fetched
