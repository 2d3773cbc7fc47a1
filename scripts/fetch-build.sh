#!/bin/sh
# Fetches the requirements of a build into /fetched: [build-system] of pyproject.toml, EXTRA_REQUIRES, and the frontend
# unless it is uv. LOCKED_BUILD, lines `name==version --hash=sha256:...`, replaces all of them.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

# Of `[build] env`, this step uses the variables of indexes.
while IFS= read -r line; do
    case ${line%%=*} in
        PIP_INDEX_URL | PIP_EXTRA_INDEX_URL | PIP_TRUSTED_HOST | PIP_FIND_LINKS | PIP_NO_INDEX | PIP_PRE | \
            UV_DEFAULT_INDEX | UV_INDEX | UV_INDEX_* | UV_EXTRA_INDEX_URL | UV_FIND_LINKS | UV_INSECURE_HOST | \
            UV_NO_INDEX | UV_PRERELEASE | UV_EXCLUDE_NEWER)
            export "${line%%=*}=${line#*=}"
            ;;
    esac
done <<EOF
${BUILD_ENV:-}
EOF

mkdir -p /fetched
pip_dir=$(pip_home)
requires=/tmp/requires
mkdir -p "$requires"
PYTHONPATH=$pip_dir python3 -sSB "$here/build-requires.py" table /pyproject/pyproject.toml "$requires"
if [ -f "$requires/requires.txt" ]; then
    cp "$requires/requires.txt" "$requires/backend.json" /fetched/
else
    # The frontend reports the error.
    echo "note: skipping [build-system] of pyproject.toml: it is not valid or names files"
    : >"$requires/requires.txt"
fi
printf '%s\n' "${EXTRA_REQUIRES:-}" >"$requires/extra.txt"
set -- --requirement "$requires/requires.txt" --requirement "$requires/extra.txt"
if ! command -v cargo >/dev/null; then
    # Without Rust, backends download one that is not pinned.
    echo 'puccinialin<0' >"$requires/no-rust.txt"
    set -- "$@" --constraint "$requires/no-rust.txt"
fi
if [ -n "${BUILD_REQUIREMENTS:-}" ]; then
    if [ ! -f "$here/$BUILD_REQUIREMENTS" ]; then
        echo "error: docker/ has no file \`$BUILD_REQUIREMENTS\` (\`[build] requirements\`)" >&2
        exit 1
    fi
    set -- "$@" --pins "$here/$BUILD_REQUIREMENTS"
fi
for id in $PYTHONS; do
    python=/opt/python/$id/bin/python
    sh "$here/fetch-requirements.sh" "$python" /fetched "$@" --locked "${LOCKED_BUILD:-}"
    # Lines without hashes are only preferred versions.
    case ${LOCKED_BUILD:-} in
        *--hash=*) continue ;;
    esac
    if [ "${BUILD_FRONTEND:-uv}" = build ]; then
        sh "$here/fetch-requirements.sh" "$python" /fetched --pins "$here/frontend-requirements.txt" \
            --requirement "$here/frontend-requirements.txt"
        # `build` does not support constraints with hashes: build-wheel.sh installs the pinned requirements.
        if [ -n "${BUILD_REQUIREMENTS:-}" ]; then
            sh "$here/fetch-requirements.sh" "$python" /fetched --pins "$here/$BUILD_REQUIREMENTS" \
                --requirement "$here/$BUILD_REQUIREMENTS"
        fi
    fi
done
[ -f /fetched/requirements.json ] || echo '[]' >/fetched/requirements.json
