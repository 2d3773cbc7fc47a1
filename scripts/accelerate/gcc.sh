#!/xtask-native/bin/dash
# Replaces @own@ while an interpreter is compiled: runs the native driver, except for options whose output depends on
# the compiler's folder. `--argv0` is the path of the distribution's cross compiler, so that the driver does not search
# folders next to its own file.
set -eu
for arg; do
    case $arg in
        -print* | --print* | -dump* | --version | --help* | --target-help | -v | -V | -qversion | \
            -[!-]*=native | -flto* | -fplugin* | -specs* | --sysroot* | -wrapper | -\#\#\# | @*)
            exec @own@ "$@" ;;
    esac
done
exec /xtask-native/ld --argv0 /usr/bin/@machine@-gcc /xtask-native/compiler/gcc \
    -B@tools@/ -B@runtime@/ -B@start@/ "$@"
