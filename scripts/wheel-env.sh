# shellcheck shell=sh
# Sourced by the steps that prepare the tests of a wheel, with $here the folder of the scripts and
# trust.sh before it: the wheel, the interpreter, and how requirements get into the environment.

# find_wheel: sets `wheel`, the one in the build context.
find_wheel() {
    set -- /wheel/*.whl
    if [ $# -ne 1 ] || [ ! -f "$1" ]; then
        echo "error: the build context \`wheel\` must hold exactly one .whl" >&2
        exit 1
    fi
    wheel=$1
}

# Interpreters of a base image lie in the same folder, and have no such file.
set -- /opt/python/*/provider.json
python=${1%/*}/bin/python
if [ $# -ne 1 ] || [ ! -x "$python" ]; then
    echo "error: the tests of a wheel take exactly one interpreter, PYTHONS is \`${PYTHONS:-}\`" >&2
    exit 1
fi
# The program itself and not our link to it, as a user would call it.
python=$(readlink -f "$python")
venv=/xtask-venv
pip_dir=$(pip_home)

# Downloads may have gigabytes, and /tmp is memory.
TMPDIR=$(mktemp -d /var/tmp/xtask-XXXXXX)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# wheel_requirements EXTRA...: what the wheel requires here, one requirement a line.
wheel_requirements() {
    # shellcheck disable=SC2086,SC2154 # words; here is the caller's
    PYTHONPATH=$pip_dir "$python" "$here/wheel-requirements.py" "$wheel" --extra "$@" --ignore ${IGNORE_REQUIREMENTS:-}
}

# install OPTION...: installs wheels only, since a clean system has no compiler. uv takes a tenth of the time
# that pip takes under emulation.
install() {
    # shellcheck disable=SC2086 # an option, or none
    if ! /opt/toolchain/bin/uv pip install --no-config --quiet ${XTASK_NO_INDEX:-} \
        --python "$venv/bin/python" --only-binary :all: "$@"; then
        # uv does not see what PyPy brings outside of the environment, and some indexes refuse uv.
        echo "uv cannot install the requirements, falling back to pip"
        "$venv/bin/python" "$pip_dir/pip" install --no-compile --only-binary :all: "$@"
    fi
}
