#!/xtask-native/bin/dash
# Replaces dpkg for the scripts of packages. Python's package compiles the standard library, the slowest step of an
# emulated installation. It lists the files with `dpkg -L`: the native Python of the same series compiles them, and
# this script prints an empty list.
set -eu
native=/xtask-native
case "${1:-} ${2:-}" in
    "-L libpython@series@-"*)
        files=$(/usr/bin/dpkg -L "$2")
        echo "$files" | "$native/bin/grep" "^/usr/lib/python@series@/.*\.py$" |
            "$native/bin/xargs" -P "$("$native/bin/nproc")" -n 50 \
                "$native/python/bin/python3" -IS -m py_compile >&2 || echo "$files"
        ;;
    *) exec /usr/bin/dpkg "$@" ;;
esac
