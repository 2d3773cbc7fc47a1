#!/bin/sh
# Fetches CPython's source archive: source-archive.sh SERIES FOLDER writes FOLDER/archive and FOLDER/detail, or fails with
# one line in PY_REASON that names every location.
#
# Looks for each pinned version (python-sources.json), by its hash: at the mirror in the user's settings, upstream, and in
# the pools of the distribution's mirror and of related distributions, because Debian and Ubuntu distribute upstream's
# archive unchanged. Pools delete old versions: the last location is the newest version in the signed source index of
# this and newer suites, which contains its hash.
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

# note REASON [LOG]: records the failure of a location. With LOG, its text decides whether that is an error.
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

# upstream VERSION SHA256: fetches from the mirror in the user's settings, else from upstream.
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
    # Do not wait again for a host that does not answer.
    grep -q ': HTTP ' "$why" || upstream_is_silent=yes
}

# from_pool URI NAME VERSION SHA256: fetches from the pool of a distribution's mirror.
from_pool() {
    file=python${series}_$3.orig.tar.xz
    if pkg_apt /usr/lib/apt/apt-helper -o Acquire::Retries=2 -o Acquire::http::Timeout=10 \
        -o Acquire::https::Timeout=10 download-file \
        "$1/pool/main/p/python$series/$file" "$archive" "SHA256:$4" >"$why" 2>&1; then
        found "$file sha256:$4 (pool of $2, hash pinned)"
    fi
    # apt-helper keeps a file with another hash.
    rm -f "$archive" "$archive".*
    if grep -q '404' "$why"; then
        note "the pool of $2 has no $file"
    else
        note "the pool of $2: $(grep '^E:' "$why" | redact | tail -n 1)" "$why"
    fi
}

# kin_uris: prints the URIs of related distributions, if they are known.
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
            echo "note: cannot download python-apt-common, which lists mirrors: $(tail -n 1 "$why" | redact)" >&2
        fi
        pkg_unlock
    fi
    python3 "$here/apt-sources.py" kin "$kin_templates"
}

family=$(pkg_family)
python3 "$here/apt-sources.py" pins "$here/python-sources.json" "$series" >/tmp/pins
if [ ! -s /tmp/pins ]; then
    note "docker/python-sources.json pins no $series"
fi
upstream_is_silent=
while read -r version sha256; do
    upstream "$version" "$sha256"
done </tmp/pins

[ "$family" = apt ] || missing

# The image's apt sources name the mirror.
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
            from_pool "$uri" "a related distribution's mirror" "$version" "$sha256"
        done
    done </tmp/pins
fi

suites=$(awk '{ for (i = 2; i < NF; i++) if ($i ~ /:/) { print $(i + 1); break } }' /tmp/suites.list | tr '\n' ' ')
# pkg_sources COMMAND ...: runs apt with only these suites and with separate lists. apt verifies signatures but not
# their age: the index of a frozen mirror (a snapshot, an air gap) can be old. It can only name an older version, which
# build-info.json records.
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
    # PACKAGE_VERSION FILE SHA256, covered by the index's signature.
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
