#!/xtask-native/bin/dash
# Stands for @own@ while an interpreter is compiled: the native driver, except for options whose
# answer depends on where a compiler is installed. It believes to be installed as the distribution's cross
# compiler, so that it searches nothing beside its real place.
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
