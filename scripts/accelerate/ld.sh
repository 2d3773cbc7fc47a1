#!/xtask-native/bin/dash
# Replaces @own@. The linker's plug-in must have the native linker's architecture. If the native linker does not find a
# library, the emulated one runs: it may search more folders.
set -eu
native=/xtask-native
left=$#
while [ "$left" -gt 0 ]; do
    arg=$1
    shift
    case $arg in
        */liblto_plugin.so) set -- "$@" "$native/compiler/liblto_plugin.so" ;;
        *) set -- "$@" "$arg" ;;
    esac
    left=$((left - 1))
done
errors=@folder@/ld-$$
status=0
"$native/compiler/ld" "$@" 2>"$errors" || status=$?
if "$native/bin/grep" -q -e 'try using -rpath' -e 'cannot find -l' "$errors"; then
    "$native/bin/rm" -f "$errors"
    exec @own@ "$@"
fi
"$native/bin/cat" "$errors" >&2
"$native/bin/rm" -f "$errors"
exit "$status"
