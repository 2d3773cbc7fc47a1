#!/bin/sh
# Installs the files of smoke-fetch.sh into the environment of the smoke test, without a network. A separate layer,
# because most builds of a wheel have the same requirements.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/wheel-env.sh
. "$here/wheel-env.sh"

install_fetched /fetched
