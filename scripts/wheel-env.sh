# shellcheck shell=sh
# Sourced by the steps that prepare the tests of a wheel; $here is the folder of the scripts. Finds the wheel and the
# interpreter, and installs requirements.

# find_wheel: sets `wheel` to the wheel in the build context.
find_wheel() {
    set -- /wheel/*.whl
    if [ $# -ne 1 ] || [ ! -f "$1" ]; then
        echo "error: the build context \`wheel\` must contain exactly one .whl" >&2
        exit 1
    fi
    wheel=$1
}

# Interpreters of a base image are in the same folder, without provider.json.
set -- /opt/python/*/provider.json
python=${1%/*}/bin/python
if [ $# -ne 1 ] || [ ! -x "$python" ]; then
    echo "error: the tests of a wheel require exactly one interpreter; PYTHONS is \`${PYTHONS:-}\`" >&2
    exit 1
fi
# The program, not our link to it.
python=$(readlink -f "$python")
venv=/xtask-venv
# smoke-system.sh creates it, with bytecode.
pip_dir=/xtask-pip

# Files can have gigabytes, and /tmp is in memory.
TMPDIR=$(mktemp -d /var/tmp/xtask-XXXXXX)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# wheel_requirements EXTRA...: prints the wheel's requirements for this interpreter, one a line.
wheel_requirements() {
    # shellcheck disable=SC2086,SC2154 # words; here is the caller's
    PYTHONPATH=$pip_dir "$python" -sSB "$here/wheel-requirements.py" "$wheel" --extra "$@" \
        --ignore ${IGNORE_REQUIREMENTS:-}
}

# fetch FOLDER LOCKED OPTION...: fetches the wheels of LOCKED, or else of the requirements in the options.
fetch() {
    fetch_folder=$1
    fetch_locked=$2
    shift 2
    mkdir -p "$fetch_folder"
    if [ -z "$fetch_locked" ] && [ $# -eq 2 ] && ! grep -q '[^[:space:]]' "$2"; then
        echo '[]' >"$fetch_folder/requirements.json"
        : >"$fetch_folder/versions.txt"
        return
    fi
    sh "$here/fetch-requirements.sh" "$python" "$fetch_folder" "$@" --locked "$fetch_locked" --only-binary \
        --table test
}

# install_fetched FOLDER: installs exactly the fetched versions. `cargo xtask shell` has no such folder: there, installs
# SMOKE_REQUIRES and TEST_REQUIRES from the index.
install_fetched() {
    set -- "$1" "$TMPDIR/versions.txt"
    if [ -d "$1" ]; then
        cp "$1/versions.txt" "$2"
        [ -s "$2" ] || return 0
        set -- "$2" --offline --no-index --no-deps --find-links "$1"
    else
        printf '%s\n' "${SMOKE_REQUIRES:-}" "${TEST_REQUIRES:-}" >"$2"
        set -- "$2"
    fi
    # A private cache in this layer, so that uv links files instead of copying them.
    UV_CACHE_DIR=$TMPDIR/uv UV_LINK_MODE=hardlink UV_NO_PROGRESS=1 /opt/toolchain/bin/uv pip install --quiet \
        --no-config --python "$venv/bin/python" --only-binary :all: --requirement "$@"
}
