#!/bin/sh
# Finds CPython's source archive: source-archive.sh SERIES FOLDER leaves FOLDER/archive
# and FOLDER/detail, or fails with one line in PY_REASON that names every place.
#
# Each pinned version (python-sources.json) is looked for, by its hash, at the mirror of
# the host's settings, upstream, in the pool of the distribution's own mirror and in that of
# its kin: Debian and Ubuntu keep upstream's archive unchanged. Pools forget versions, so the
# last place is the newest version in the signed source index of this and newer suites; its
# hash comes from there.
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
worst=1

# note REASON [LOG]: a place that does not have it; with LOG, for a reason that may be another one.
note() {
    reasons="$reasons${reasons:+; }$1"
    if [ -z "${2:-}" ] || grep -qE 'HTTP (404|410) |(^|[^0-9])(404|410) +Not Found' "$2"; then
        return
    elif ! unreachable "$2"; then
        worst=2
    elif [ "$worst" = 1 ]; then
        worst=3
    fi
}
found() {
    echo "$1" >"$folder/detail"
    echo "source archive: $1"
    exit 0
}
missing() {
    echo "$reasons" >"$PY_REASON"
    exit "$worst"
}

# upstream VERSION SHA256: from the host's mirror, or from upstream.
upstream() {
    file=$1/Python-$1.tar.xz
    if [ -n "${PYTHON_SOURCE_MIRROR:-}" ]; then
        if python3 "$here/fetch.py" "${PYTHON_SOURCE_MIRROR%/}/$file" "$archive" "$2" 2>"$why"; then
            found "Python-$1.tar.xz sha256:$2 (mirror)"
        fi
        note "mirror: $(tail -n 1 "$why")" "$why"
    fi
    [ -z "$upstream_is_silent" ] || return 0
    if python3 "$here/fetch.py" "https://www.python.org/ftp/python/$file" "$archive" "$2" 2>"$why"; then
        found "Python-$1.tar.xz sha256:$2 (upstream)"
    fi
    note "$(tail -n 1 "$why")" "$why"
    # A host that does not answer is not waited for again.
    grep -q ': HTTP ' "$why" || upstream_is_silent=yes
}

# from_pool URI WHOSE VERSION SHA256: from the pool of a distribution's mirror.
from_pool() {
    file=python${series}_$3.orig.tar.xz
    if pkg_apt /usr/lib/apt/apt-helper -o Acquire::Retries=2 -o Acquire::http::Timeout=10 \
        -o Acquire::https::Timeout=10 download-file \
        "$1/pool/main/p/python$series/$file" "$archive" "SHA256:$4" >"$why" 2>&1; then
        found "$file sha256:$4 (pool of $2, hash pinned)"
    fi
    # apt-helper keeps what had another hash.
    rm -f "$archive" "$archive".*
    if grep -q '404' "$why"; then
        note "the pool of $2 has no $file"
    else
        note "the pool of $2: $(grep '^E:' "$why" | redact | tail -n 1)" "$why"
    fi
}

# kin_uris: where the archives of the distribution's kin are; nothing where that is not known.
kin_uris() {
    kin_templates=/usr/share/python-apt/templates
    if [ ! -d "$kin_templates" ]; then
        mkdir -p /tmp/kin
        pkg_lock
        if (
            pkg_refresh && cd /tmp/kin && pkg_apt apt-get -q download python-apt-common &&
                dpkg-deb -x python-apt-common_*.deb .
        ) >"$why" 2>&1; then
            kin_templates=/tmp/kin$kin_templates
        else
            echo "note: python-apt-common, which says where they are: $(tail -n 1 "$why" | redact)" >&2
        fi
        pkg_unlock
    fi
    python3 "$here/apt-sources.py" kin "$kin_templates"
}

family=$(pkg_family)
python3 "$here/apt-sources.py" pins "$here/python-sources.json" "$series" >/tmp/pins
if [ ! -s /tmp/pins ]; then
    note "no $series is pinned in docker/python-sources.json"
fi
upstream_is_silent=
while read -r version sha256; do
    upstream "$version" "$sha256"
done </tmp/pins

[ "$family" = apt ] || missing

# The image's own sources name the mirror; no host stands here.
if ! python3 "$here/apt-sources.py" suites >/tmp/suites.list 2>"$why"; then
    note "$(tail -n 1 "$why")"
    missing
fi
if [ -s /tmp/pins ]; then
    own=$(python3 "$here/apt-sources.py" pool)
    kin=$(kin_uris)
    while read -r version sha256; do
        from_pool "$own" "the distribution's mirror" "$version" "$sha256"
        for uri in $kin; do
            from_pool "$uri" "a kindred distribution's mirror" "$version" "$sha256"
        done
    done </tmp/pins
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
    note "source index of ${suites% }: $(grep '^[EW]:' "$why" | redact | head -n 1)" "$why"
    missing
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
    note "python$series $1 of the source index: $(grep '^E:' "$why" | redact | tail -n 1)" "$why"
else
    note "the source index of ${suites% } has no python$series"
fi
pkg_unlock
missing
