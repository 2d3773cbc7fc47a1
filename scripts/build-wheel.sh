#!/bin/sh
# Builds the wheel for one interpreter: build-wheel.sh ID
set -eu

id=$1
python=/opt/python/$id/bin/python
case $PYTHONS in
    # A single interpreter builds in the source itself: the path stays the same, so that the compiler cache hits.
    "$id") tree=$XTASK_SOURCE ;;
    *) tree=$XTASK_WORK/$id ;;
esac
package=$tree${XTASK_PACKAGE#"$XTASK_SOURCE"}
if [ ! -x "$python" ]; then
    echo "error: /opt/python has no interpreter $id" >&2
    exit 1
fi

# A copy: build backends write objects and generated files into the source, which the next build would reuse.
if [ "$tree" != "$XTASK_SOURCE" ]; then
    rm -rf "$tree"
    cp -a "$XTASK_SOURCE" "$tree"
fi

if [ -n "${BEFORE_BUILD:-}" ]; then
    # shellcheck source=scripts/trust.sh
    . "$XTASK_SCRIPTS/trust.sh"
    # shellcheck source=scripts/hooks.sh
    . "$XTASK_SCRIPTS/hooks.sh"
    run_before_build "$id" "$tree" "$package"
fi

constraints=
if [ -n "${BUILD_REQUIREMENTS:-}" ]; then
    constraints=$XTASK_SCRIPTS/$BUILD_REQUIREMENTS
    if [ ! -f "$constraints" ]; then
        echo "error: docker/ has no file \`$BUILD_REQUIREMENTS\` (\`[build] requirements\`)" >&2
        exit 1
    fi
fi

# build_with_uv SETTING...: uv creates the environment of the backend.
build_with_uv() {
    if [ -n "$constraints" ]; then
        set -- "$@" --build-constraints "$constraints" --require-hashes
    fi
    # shellcheck disable=SC2086 # one option or none
    uv build ${XTASK_NO_INDEX:-} --wheel --no-config --python "$python" --out-dir "$XTASK_WORK/dist-$id" \
        "$@" "$package"
}

# has_environment: whether /opt/build has the current requirements of the package; a hook may have changed them.
has_environment() {
    [ -d "/opt/build/$id" ] || return
    if [ -e "$package/pyproject.toml" ]; then
        cmp -s /opt/build/pyproject.toml "$package/pyproject.toml"
    else
        [ ! -s /opt/build/pyproject.toml ]
    fi
}

# install_extra ENVIRONMENT BACKEND_JSON: installs the additional requirements of the backend. If they were not fetched,
# lists them in extra-requires.txt: xtask fetches them and repeats the build.
install_extra() {
    extra=$XTASK_WORK/extra-$id.txt
    "$1/bin/python" "$XTASK_SCRIPTS/build-requires.py" hook "$2" "$package" "$extra" || return
    [ -s "$extra" ] || return 0
    # shellcheck source=scripts/build-requirements.sh
    . "$XTASK_SCRIPTS/build-requirements.sh"
    if ! install_build_requirements "$1" "$extra" 2>"$XTASK_WORK/error-$id"; then
        cat "$XTASK_WORK/error-$id"
        cat "$extra" >>"$XTASK_WORK/extra-requires.txt"
        echo "the build backend requires more than pyproject.toml lists: $(tr '\n' ' ' <"$extra")"
    fi
}

# build_in_environment SETTING...: builds in /opt/build, with the additional requirements of the backend.
# shellcheck disable=SC2031 # a hook sets the others
build_in_environment() {
    export VIRTUAL_ENV="/opt/build/$id"
    PATH=$VIRTUAL_ENV/bin:$PATH
    install_extra "$VIRTUAL_ENV" /opt/build/backend.json || return
    [ ! -s "$XTASK_WORK/extra-requires.txt" ] || return 0
    uv build --wheel --no-config --no-build-isolation --python "$VIRTUAL_ENV/bin/python" \
        --out-dir "$XTASK_WORK/dist-$id" "$@" "$package"
}

# list_extra: after a failed build, installs the requirements as a frontend does, to list those that were not fetched.
# Prints nothing and does not fail: an error here would hide that of the build.
list_extra() {
    [ -f /fetched/backend.json ] && [ -z "${XTASK_NETWORK:-}" ] || return 0
    env=$XTASK_WORK/backend-$id
    # shellcheck source=scripts/build-requirements.sh
    . "$XTASK_SCRIPTS/build-requirements.sh"
    {
        uv venv --quiet --no-config --no-project --python "$python" "$env" &&
            install_build_requirements "$env" /fetched/requires.txt &&
            install_extra "$env" /fetched/backend.json
    } >/dev/null 2>&1 || return 0
}

# install REQUIREMENTS: installs a requirements file with hashes into $env.
install() {
    # shellcheck disable=SC2086 # one option or none
    uv pip install --quiet --no-config ${XTASK_NO_INDEX:-} --python "$env/bin/python" --require-hashes \
        --requirement "$1"
}

# build_with_build SETTING...: the frontend `build` creates the environment. It does not support constraints with
# hashes: pinned requirements are installed into the frontend's environment.
build_with_build() {
    env=$XTASK_WORK/frontend-$id
    uv venv --quiet --no-config --no-project --python "$python" "$env" || return
    install "$XTASK_SCRIPTS/frontend-requirements.txt" || return
    if [ -n "$constraints" ]; then
        install "$constraints" || return
        set -- "$@" --no-isolation
    else
        set -- "$@" --installer uv
    fi
    # shellcheck disable=SC2031 # a hook sets the other one
    PATH=$env/bin:$PATH "$env/bin/python" -m build --wheel --outdir "$XTASK_WORK/dist-$id" \
        "$@" "$package"
}

# toolchain_lacks_rust: whether the toolchain has no Rust.
toolchain_lacks_rust() {
    ! command -v cargo >/dev/null
}
rust_key="set \`rust = \"distro\"\` or \`rust = \"rustup\"\` in [toolchain] of wheels.toml"
project=$package/pyproject.toml
if toolchain_lacks_rust && grep -qE "^ *build-backend *= *[\"']maturin[\"']" "$project" 2>/dev/null; then
    printf 'error: the package requires Rust, which the toolchain lacks\n\nhint: %s\n' "$rust_key" >&2
    exit 1
fi
set --
if [ -n "${CONFIG_SETTINGS:-}" ]; then
    while IFS= read -r setting || [ -n "$setting" ]; do
        set -- "$@" "--config-setting=$setting"
    done <<EOF
$CONFIG_SETTINGS
EOF
fi
build=build_with_${BUILD_FRONTEND:-uv}
if [ "$build" = build_with_uv ] && has_environment; then
    build=build_in_environment
fi
"$build" "$@" || {
    status=$?
    [ "$build" = build_in_environment ] || list_extra
    [ ! -s "$XTASK_WORK/extra-requires.txt" ] || exit 0
    if toolchain_lacks_rust && grep -qsE 'setuptools.rust|maturin|puccinialin' "$project" "$package/setup.py"; then
        printf 'error: the build failed; it may require Rust, which the toolchain lacks\n\nhint: %s\n' "$rust_key" >&2
    fi
    exit "$status"
}

[ ! -s "$XTASK_WORK/extra-requires.txt" ] || exit 0

# Atomic: XTASK_DIST never holds part of a file.
mv "$XTASK_WORK/dist-$id"/*.whl "$XTASK_DIST/"
[ "$tree" = "$XTASK_SOURCE" ] || rm -rf "$tree"
