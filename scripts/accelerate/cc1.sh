#!/xtask-native/bin/dash
# Replaces @own@. A cross compiler has its own search path for headers: this wrapper passes the emulated compiler's
# folders, with the same names and order, because objects contain them. Options that change the search path or load a
# plug-in run the emulated compiler.
set -eu
own() { exec @own@ "$@"; }
flags="@flags@"
[ -z "${C_INCLUDE_PATH:-}${CPLUS_INCLUDE_PATH:-}${OBJC_INCLUDE_PATH:-}" ] || own "$@"
for arg; do
    case $arg in
        -nostdinc) flags= ;;
        -nostdinc++ | -isysroot* | --sysroot* | -iprefix* | -iwithprefix* | -stdlib=* | -fplugin* | @*)
            own "$@" ;;
    esac
done
# shellcheck disable=SC2086 # words on purpose
exec @native@ "$@" $flags
