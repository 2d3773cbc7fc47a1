#!/xtask-native/bin/dash
# Stands for dpkg in the scripts of packages. When Python is installed, its package compiles the whole
# library, which takes longer under emulation than all the rest. It asks dpkg for the files: the native
# Python of the same series compiles them, and the answer is that there are none.
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
