# shellcheck shell=sh
# Sourced after trust.sh: runs the configured commands before a build.

# run_hook KEY COMMAND PROJECT PACKAGE: runs a configured command in the package's folder.
run_hook() {
    hook=$(printf '%s\n' "$2" | sed -e "s|{project}|$3|g" -e "s|{package}|$4|g")
    # Not a notice (`xtask: `): from here on, the package can print lines of this step.
    printf '%s: %s\n' "$1" "$hook"
    (cd "$4" && sh -ec "$hook") || {
        hook_status=$?
        echo "error: \`$1\` of [build] in wheels.toml ended with status $hook_status" >&2
        return "$hook_status"
    }
    if [ ! -d "$4" ]; then
        echo "error: \`$1\` of [build] in wheels.toml removed the package's folder $4" >&2
        return 1
    fi
}

# run_before_build ID PROJECT PACKAGE: runs `[build] before-build`. The first folder on PATH is an environment of the
# interpreter with pip.
run_before_build() {
    hook_env=$XTASK_WORK/hook-$1
    uv venv --quiet --no-config --no-project --python "/opt/python/$1/bin/python" "$hook_env"
    printf '#!/bin/sh\nexec "%s/bin/python" "%s/pip" "$@"\n' "$hook_env" "$(pip_home)" >"$hook_env/bin/pip"
    chmod +x "$hook_env/bin/pip"
    ln -s pip "$hook_env/bin/pip3"
    (
        export VIRTUAL_ENV="$hook_env" PATH="$hook_env/bin:$PATH"
        run_hook before-build "$BEFORE_BUILD" "$2" "$3"
    )
}
