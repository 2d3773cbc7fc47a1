# shellcheck shell=sh
# Sourced, with $here the folder of the scripts: the environment of a build and the source,
# unpacked, for the build itself and for a person who looks at its place.

# shellcheck disable=SC2154 # here is the caller's
# BUILD_ENV: KEY=VALUE lines of the configuration, taken as they stand and never run
# through a shell.
if [ -n "${BUILD_ENV:-}" ]; then
    while IFS= read -r line || [ -n "$line" ]; do
        [ -n "$line" ] || continue
        key=${line%%=*}
        case $key in
            "$line" | '' | [!A-Za-z_]* | *[!A-Za-z0-9_]*)
                # The line is not printed: a value may be nobody's business.
                echo "error: BUILD_ENV has a line that is no KEY=VALUE" >&2
                exit 1
                ;;
        esac
        export "$key=${line#*=}"
    done <<EOF
$BUILD_ENV
EOF
fi
# An empty value is not the same as none for the tools that read it.
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
    unset SOURCE_DATE_EPOCH
fi

# Paths that do not change from build to build: compilers write them into wheels.
# No part of the path may be a name that a package's .gitignore lists, such as `build`: hatchling would
# take the whole project for ignored, and pack what git ignores.
export XTASK_WORK=/xtask-work
export XTASK_SOURCE="$XTASK_WORK/source" XTASK_DIST="$XTASK_WORK/wheels" XTASK_SCRIPTS="$here" PYTHONS
rm -rf "$XTASK_WORK"
mkdir -p "$XTASK_DIST"
python3 "$here/unpack.py" /source "$XTASK_SOURCE"
# Beside the source: a copy for one interpreter shares the objects.
python3 "$here/git-repository.py" /source "$XTASK_SOURCE" /build/git

# Backends that find no Rust fetch one over the network, which nothing pins: maturin asks for puccinialin,
# other packages require it themselves.
if ! command -v cargo >/dev/null; then
    export MATURIN_NO_INSTALL_RUST=1
    echo 'puccinialin<0' >"$XTASK_WORK/no-rust.txt"
    export UV_BUILD_CONSTRAINT="${UV_BUILD_CONSTRAINT:-$XTASK_WORK/no-rust.txt}"
    export PIP_CONSTRAINT="${PIP_CONSTRAINT:-$XTASK_WORK/no-rust.txt}"
fi

# A recipe of the source's own finds the interpreters on PATH by their versions.
for id in $PYTHONS; do
    PATH=/opt/python/$id/bin:$PATH
done
export PATH
