#!/bin/sh
# Builds the wheel for one interpreter: build-wheel.sh ID
set -eu

id=$1
python=/opt/python/$id/bin/python
case $PYTHONS in
    # The only one builds in the source itself. So its path is the same for each interpreter that is
    # built by itself, and the compiler cache knows the objects again.
    "$id") tree=$XTASK_SOURCE ;;
    *) tree=$XTASK_WORK/$id ;;
esac
package=$tree${XTASK_PACKAGE#"$XTASK_SOURCE"}
if [ ! -x "$python" ]; then
    echo "error: there is no interpreter $id in /opt/python" >&2
    exit 1
fi

# A copy, because build backends leave objects and generated files in the source, which
# the next interpreter would take for its own.
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
        echo "error: BUILD_REQUIREMENTS names \`$BUILD_REQUIREMENTS\`, which is not in docker/" >&2
        exit 1
    fi
fi

# build_with_uv SETTING...: uv makes the environment of the backend, for a package whose hooks may change what
# it requires.
build_with_uv() {
    if [ -n "$constraints" ]; then
        set -- "$@" --build-constraints "$constraints" --require-hashes
    fi
    # shellcheck disable=SC2086 # an option, or none
    uv build ${XTASK_NO_INDEX:-} --wheel --no-config --python "$python" --out-dir "$XTASK_WORK/dist-$id" \
        "$@" "$package"
}

# has_environment: whether /opt/build has the requirements of the package as it is now.
has_environment() {
    [ -d "/opt/build/$id" ] || return
    if [ -e "$package/pyproject.toml" ]; then
        cmp -s /opt/build/pyproject.toml "$package/pyproject.toml"
    else
        [ ! -s /opt/build/pyproject.toml ]
    fi
}

# build_in_environment SETTING...: with the requirements of /opt/build, and those that the backend asks for.
# shellcheck disable=SC2031 # the others are of a hook
build_in_environment() {
    export VIRTUAL_ENV="/opt/build/$id"
    PATH=$VIRTUAL_ENV/bin:$PATH
    extra=$XTASK_WORK/extra-$id.txt
    "$VIRTUAL_ENV/bin/python" "$XTASK_SCRIPTS/build-requires.py" hook /opt/build/backend.json "$package" "$extra" ||
        return
    if [ -s "$extra" ]; then
        # shellcheck source=scripts/build-requirements.sh
        . "$XTASK_SCRIPTS/build-requirements.sh"
        if ! install_build_requirements "$VIRTUAL_ENV" "$extra" 2>"$XTASK_WORK/error-$id"; then
            cat "$XTASK_WORK/error-$id"
            # The host has them fetched and builds again.
            cat "$extra" >>"$XTASK_WORK/extra-requires.txt"
            echo "the build backend requires more than pyproject.toml lists: $(tr '\n' ' ' <"$extra")"
            return
        fi
    fi
    uv build --wheel --no-config --no-build-isolation --python "$VIRTUAL_ENV/bin/python" \
        --out-dir "$XTASK_WORK/dist-$id" "$@" "$package"
}

# install REQUIREMENTS: into $env, by their hashes.
install() {
    # shellcheck disable=SC2086 # an option, or none
    uv pip install --quiet --no-config ${XTASK_NO_INDEX:-} --python "$env/bin/python" --require-hashes \
        --requirement "$1"
}

# build_with_build SETTING...: build makes the environment. It has no hashes of constraints: where the
# requirements are pinned, they are installed beside it instead.
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
    # shellcheck disable=SC2031 # the other one is of a hook
    PATH=$env/bin:$PATH "$env/bin/python" -m build --wheel --outdir "$XTASK_WORK/dist-$id" \
        "$@" "$package"
}

# toolchain_lacks_rust: fails where there is one.
toolchain_lacks_rust() {
    ! command -v cargo >/dev/null
}
rust_key="set \`rust = \"distro\"\` or \`rust = \"rustup\"\` in [toolchain] of wheels.toml"
project=$package/pyproject.toml
if toolchain_lacks_rust && grep -qE "^ *build-backend *= *[\"']maturin[\"']" "$project" 2>/dev/null; then
    echo "error: the package is built with Rust, and the toolchain has none: $rust_key" >&2
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
    if toolchain_lacks_rust && grep -qsE 'setuptools.rust|maturin|puccinialin' "$project" "$package/setup.py"; then
        echo "error: the build failed, and may need Rust, which the toolchain has not: $rust_key" >&2
    fi
    exit "$status"
}

[ ! -s "$XTASK_WORK/extra-requires.txt" ] || exit 0

# Complete wheels only: the folder of the results never holds half a file.
mv "$XTASK_WORK/dist-$id"/*.whl "$XTASK_DIST/"
[ "$tree" = "$XTASK_SOURCE" ] || rm -rf "$tree"
