#!/bin/sh
# Finds CPython's source archive: source-archive.sh SERIES FOLDER leaves FOLDER/archive
# and FOLDER/detail, or fails with one line in PY_REASON that names every place.
#
# The pinned version (python-sources.json) is looked for, by its hash, at the mirror of
# the host's settings, upstream, and in the pool of the distribution's own mirror: Debian
# and Ubuntu keep upstream's archive unchanged. Pools forget versions, so the last place
# is the newest version in the signed source index of this and newer suites; its hash
# comes from there.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

series=$1
folder=$2
rm -rf "$folder"
mkdir -p "$folder"
archive=$folder/archive
why=/tmp/source-why
reasons=

note() {
    reasons="$reasons${reasons:+; }$1"
}
found() {
    echo "$1" >"$folder/detail"
    echo "source archive: $1"
    exit 0
}

pin=$(python3 "$here/apt-sources.py" pin "$here/python-sources.json" "$series")
version=${pin% *}
sha256=${pin#* }
if [ -z "$pin" ]; then
    note "no $series is pinned in docker/python-sources.json"
else
    file=$version/Python-$version.tar.xz
    if [ -n "${PYTHON_SOURCE_MIRROR:-}" ]; then
        if python3 "$here/fetch.py" "${PYTHON_SOURCE_MIRROR%/}/$file" "$archive" "$sha256" 2>"$why"; then
            found "Python-$version.tar.xz sha256:$sha256 (mirror)"
        fi
        note "mirror: $(tail -n 1 "$why")"
    fi
    if python3 "$here/fetch.py" "https://www.python.org/ftp/python/$file" "$archive" "$sha256" 2>"$why"; then
        found "Python-$version.tar.xz sha256:$sha256 (upstream)"
    fi
    note "$(tail -n 1 "$why")"
fi

if [ "$(pkg_family)" != apt ]; then
    echo "$reasons" >"$PY_REASON"
    exit 1
fi

# The image's own sources name the mirror; no host stands here.
python3 "$here/apt-sources.py" suites >/tmp/suites.list 2>"$why" || {
    echo "$reasons; $(tail -n 1 "$why")" >"$PY_REASON"
    exit 1
}
if [ -n "$pin" ]; then
    pool=$(python3 "$here/apt-sources.py" pool)
    file=python${series}_$version.orig.tar.xz
    if pkg_apt /usr/lib/apt/apt-helper -o Acquire::Retries=0 download-file \
        "$pool/pool/main/p/python$series/$file" "$archive" "SHA256:$sha256" >"$why" 2>&1; then
        found "$file sha256:$sha256 (pool of the distribution's mirror, hash pinned)"
    fi
    # apt-helper keeps what had another hash.
    rm -f "$archive" "$archive".*
    if grep -q '404' "$why"; then
        note "the distribution's pool has no $file"
    else
        note "the distribution's pool: $(grep '^E:' "$why" | redact | tail -n 1)"
    fi
fi

suites=$(awk '{ for (i = 2; i < NF; i++) if ($i ~ /:/) { print $(i + 1); break } }' /tmp/suites.list | tr '\n' ' ')
# `pkg_sources COMMAND ...`: apt with those suites, lists of its own and nothing else of
# the image's sources. Signatures are checked as ever, their age is not: a frozen mirror
# (a snapshot, an air gap) may be behind, and all that an old index can do here is name an
# older version, which the metadata then say.
pkg_sources() {
    pkg_source_command=$1
    shift
    pkg_apt "$pkg_source_command" -o Dir::Etc::SourceList=/tmp/suites.list -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$XTASK_CACHE/apt/source-lists" -o Acquire::Check-Valid-Until=false "$@"
}
mkdir -p "$XTASK_CACHE/apt/source-lists/partial"
pkg_lock
if ! pkg_sources apt-get -q update >"$why" 2>&1; then
    note "source index of ${suites% }: $(grep '^[EW]:' "$why" | redact | head -n 1)"
    echo "$reasons" >"$PY_REASON"
    exit 1
fi
newest=$(pkg_sources apt-cache showsrc --only-source "python$series" 2>"$why" |
    python3 "$here/apt-sources.py" newest "python$series")
if [ -n "$newest" ]; then
    # PACKAGE_VERSION FILE SHA256, all three signed for.
    # shellcheck disable=SC2086 # three words
    set -- $newest
    if (cd "$folder" && pkg_sources apt-get -q source --download-only --tar-only --only-source \
        "python$series=$1") >"$why" 2>&1 && echo "$3  $folder/$2" | sha256sum -c --status; then
        mv "$folder/$2" "$archive"
        found "$2 sha256:$3 (newest in the signed source index of ${suites% })"
    fi
    note "python$series $1 of the source index: $(grep '^E:' "$why" | redact | tail -n 1)"
else
    note "the source index of ${suites% } has no python$series"
fi
pkg_unlock
echo "$reasons" >"$PY_REASON"
exit 1
