#!/bin/sh
# Installs the files of test-fetch.sh into the environment of the smoke test, without a network.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"

install_fetched /fetched
