# shellcheck shell=sh
# Sourced: the variables that `[build] env` sets for a build, and for its requirements.

# BUILD_ENV: KEY=VALUE lines of the configuration, used literally and never run
# through a shell.
if [ -n "${BUILD_ENV:-}" ]; then
    while IFS= read -r line || [ -n "$line" ]; do
        [ -n "$line" ] || continue
        key=${line%%=*}
        case $key in
            "$line" | '' | [!A-Za-z_]* | *[!A-Za-z0-9_]*)
                # The line is not printed: a value may be confidential.
                echo "error: BUILD_ENV has a line that is not KEY=VALUE" >&2
                exit 1
                ;;
        esac
        export "$key=${line#*=}"
    done <<EOF
$BUILD_ENV
EOF
fi
