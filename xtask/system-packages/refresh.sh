#!/bin/sh
# Runs refresh.py with the Contents indexes of Debian 12. Run it as root on Debian 12; it installs apt-file and python3.
# `--check` writes nothing and fails if the data is out of date.
set -eu
cd "$(dirname "$0")"

apt='apt-get -qq -o Acquire::Retries=5'
$apt update
$apt install --yes --no-install-recommends apt-file python3
# With apt-file, `update` also fetches the Contents indexes.
$apt update

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for part in amd64 all; do
  /usr/lib/apt/apt-helper cat-file /var/lib/apt/lists/*_bookworm_main_Contents-"$part".lz4 >"$folder/Contents-$part"
done
python3 refresh.py "$@" "$folder/Contents-amd64" "$folder/Contents-all"
