#!/xtask-native/bin/dash
# Stands for @own@, the compiler proper. A cross compiler searches folders of its own for headers:
# this one gets those of the emulated compiler, in the same order and by the same names, which end up in
# objects. Whatever changes that search or needs a plug-in is the emulated compiler's.
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
