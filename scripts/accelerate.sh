# shellcheck shell=sh
# shellcheck disable=SC2034 # acc_used is for those who source this
# Sourced in an emulated container: has its compiler's work done by the native programs in
# /xtask-native (native-tools.sh), where that gives the same bytes.
#
# The emulated compiler driver stays in charge: it reads the options, decides what is searched
# where, and starts cc1, as and ld as always. It finds ours first, through COMPILER_PATH, in a
# folder that is named after its own machine and version: no other compiler looks there. Where
# the variable is lost on the way, the work is done emulated, as it would be without this.

# accelerate wheel|interpreter: sets the environment and acc_used, or says why not; never fails. What is
# compiled into a wheel has to be the same to the byte, so that the compilers have to be the same
# to the last patch. An interpreter that is compiled here only builds and tests wheels: the same
# release of the compiler is enough.
accelerate() {
    acc_native=/xtask-native
    acc_used=
    # Nothing is there where acceleration was not asked for.
    [ -e "$acc_native/versions" ] || [ -e "$acc_native/reason" ] || return 0
    acc_dir=/tmp/xtask-accelerate
    rm -rf "$acc_dir"
    mkdir -p "$acc_dir/check"
    if acc_reason=$(acc_refusal "$1"); then
        COMPILER_PATH=$acc_dir${COMPILER_PATH:+:$COMPILER_PATH}
        export COMPILER_PATH
        acc_used=yes
        echo "xtask: accelerated: the compiler's work for this $1 is done by $(acc_fact platform) programs"
    else
        rm -rf "$acc_dir"
        echo "xtask: not accelerated, this $1 is compiled under emulation: $acc_reason"
    fi
}

# acc_end: what is compiled from here on is compiled under emulation.
acc_end() {
    acc_used=
    COMPILER_PATH=${COMPILER_PATH#"$acc_dir"}
    COMPILER_PATH=${COMPILER_PATH#:}
    [ -n "$COMPILER_PATH" ] || unset COMPILER_PATH
    rm -rf "$acc_dir"
}

acc_fact() {
    sed -n "s/^$1=//p" "$acc_native/versions"
}

# acc_version PROGRAM: the first line of its version without its name.
acc_version() {
    acc_line=$("$1" --version) || return 1
    acc_line=$(printf '%s\n' "$acc_line" | head -n 1)
    echo "${acc_line#* }"
}

# acc_refusal KIND: why not, and fails; or lays the programs out.
acc_refusal() {
    if [ -e "$acc_native/reason" ]; then
        cat "$acc_native/reason"
        return 1
    fi
    # In a subshell, for what is asked here alone: no compiler lies there.
    PATH=$acc_native/bin:$PATH
    if ! command -v gcc >/dev/null; then
        echo "the target has no gcc"
        return 1
    fi
    if [ "$(gcc -dumpmachine)" != "$(acc_fact machine)" ]; then
        echo "its gcc is for $(gcc -dumpmachine), the native one for $(acc_fact machine)"
        return 1
    fi
    if [ "$(gcc -dumpfullversion)" != "$(acc_fact release)" ]; then
        echo "its compiler is $(acc_version gcc), the native one $(acc_fact compiler)"
        return 1
    fi
    if [ "$1" = wheel ]; then
        for acc_pair in gcc:compiler as:assembler ld:linker; do
            acc_own=$(acc_version "${acc_pair%:*}")
            acc_other=$(acc_fact "${acc_pair#*:}")
            if [ "$acc_own" != "$acc_other" ]; then
                echo "its ${acc_pair#*:} is $acc_own, the native one $acc_other"
                return 1
            fi
        done
    fi
    acc_lay_out && acc_same "$1"
}

# acc_searched LANGUAGE: the folders that are searched for headers, in their order.
acc_searched() {
    gcc -x "$1" -E -v /dev/null 2>&1 >/dev/null |
        awk '/^#include </ { on = 1; next } /^End of search/ { on = 0 } on { print $1 }'
}

acc_lay_out() {
    acc_cc1=$(gcc -print-prog-name=cc1)
    acc_version_dir=$(dirname "$acc_cc1")
    acc_suffix=$(basename "$(dirname "$acc_version_dir")")/$(basename "$acc_version_dir")
    acc_tools=$acc_dir/$acc_suffix
    mkdir -p "$acc_tools"
    ln -s "$acc_native/compiler/as" "$acc_native/compiler/lto1" "$acc_tools/"
    # A cross compiler searches folders of its own. It is told to search those that the emulated
    # one would, in the same order and by the same names, which end up in objects. Whatever
    # touches that search or needs a plug-in of the compiler goes to the emulated one.
    for acc_pair in cc1:c cc1plus:c++; do
        acc_tool=${acc_pair%:*}
        acc_own=$(gcc -print-prog-name="$acc_tool")
        # Without a C++ compiler there is nothing to stand in for.
        [ -x "$acc_own" ] || continue
        acc_flags=-nostdinc
        acc_searched "${acc_pair#*:}" >"$acc_dir/check/${acc_pair#*:}"
        while read -r acc_folder; do
            acc_flags="$acc_flags -isystem $acc_folder"
        done <"$acc_dir/check/${acc_pair#*:}"
        cat >"$acc_tools/$acc_tool" <<EOF
#!$acc_native/bin/dash
own() { exec $acc_own "\$@"; }
flags="$acc_flags"
[ -z "\${C_INCLUDE_PATH:-}\${CPLUS_INCLUDE_PATH:-}\${OBJC_INCLUDE_PATH:-}" ] || own "\$@"
for arg; do
    case \$arg in
        -nostdinc) flags= ;;
        -nostdinc++ | -isysroot* | --sysroot* | -iprefix* | -iwithprefix* | -stdlib=* | -fplugin* | @*)
            own "\$@" ;;
    esac
done
exec $acc_native/compiler/$acc_tool "\$@" \$flags
EOF
        chmod +x "$acc_tools/$acc_tool"
    done
    # The plug-in that the linker is given is a library of the driver's own platform. And where a
    # library is missed, the native linker may only have looked less far than the emulated one.
    acc_own=$(gcc -print-prog-name=ld)
    acc_own=$(command -v "$acc_own")
    cat >"$acc_tools/ld" <<EOF
#!$acc_native/bin/dash
native() {
    left=\$#
    while [ "\$left" -gt 0 ]; do
        arg=\$1
        shift
        case \$arg in
            */liblto_plugin.so) arg=$acc_native/compiler/liblto_plugin.so ;;
        esac
        set -- "\$@" "\$arg"
        left=\$((left - 1))
    done
    $acc_native/compiler/ld "\$@"
}
said=$acc_dir/ld-\$\$
native "\$@" 2>"\$said"
status=\$?
if $acc_native/bin/grep -q -e 'try using -rpath' -e 'cannot find -l' "\$said"; then
    $acc_native/bin/rm -f "\$said"
    exec $acc_own "\$@"
fi
$acc_native/bin/cat "\$said" >&2
$acc_native/bin/rm -f "\$said"
exit "\$status"
EOF
    chmod +x "$acc_tools/ld"
}

# acc_driver: lays out $acc_dir/bin/gcc, which starts the native driver where that comes to the same. It
# takes a third of the time of the emulated one, of which configure starts a thousand.
acc_driver() {
    acc_own=$(command -v gcc)
    acc_runtime=$(dirname "$(gcc -print-libgcc-file-name)")
    acc_start=$(realpath "$(dirname "$(gcc -print-file-name=crt1.o)")")
    mkdir -p "$acc_dir/bin"
    # It finds itself where it was installed, so that it looks for nothing beside its real place.
    cat >"$acc_dir/bin/gcc" <<EOF
#!$acc_native/bin/dash
for arg; do
    case \$arg in
        -print* | --print* | -dump* | --version | --help* | --target-help | -v | -V | -qversion | \
            -[!-]*=native | -flto* | -fplugin* | -specs* | --sysroot* | -wrapper | -\#\#\# | @*)
            exec $acc_own "\$@" ;;
    esac
done
exec $acc_native/ld --argv0 /usr/bin/$(acc_fact machine)-gcc $acc_native/compiler/gcc \
    -B$acc_tools/ -B$acc_runtime/ -B$acc_start/ "\$@"
EOF
    chmod +x "$acc_dir/bin/gcc"
    ln -s "$acc_native/compiler/collect2" "$acc_tools/"
}

# acc_same KIND: whether the samples give what the emulated compiler makes of them.
acc_same() {
    for acc_language in c c++; do
        acc_file=$acc_dir/check/$acc_language
        # Without a C++ compiler there is no such file.
        if [ -e "$acc_file" ] && ! COMPILER_PATH=$acc_dir acc_searched "$acc_language" | cmp -s - "$acc_file"; then
            echo "the native compiler for $acc_language searches other folders"
            return 1
        fi
    done
    if [ "$1" != wheel ]; then
        # Whether it works at all, down to the linker.
        echo 'int main(void) { return 0; }' >"$acc_dir/check/main.c"
        if ! COMPILER_PATH=$acc_dir gcc -O2 "$acc_dir/check/main.c" -lm -o "$acc_dir/check/main" \
            >"$acc_dir/check/said" 2>&1; then
            echo "the native programs do not work here: $(tail -n 1 "$acc_dir/check/said")"
            return 1
        fi
        acc_driver
        if ! COMPILER_PATH=$acc_dir "$acc_dir/bin/gcc" -O2 "$acc_dir/check/main.c" -lm \
            -o "$acc_dir/check/main-native" >"$acc_dir/check/said" 2>&1 ||
            ! cmp -s "$acc_dir/check/main" "$acc_dir/check/main-native"; then
            rm -r "${acc_dir:?}/bin" "$acc_tools/collect2"
        fi
        return 0
    fi
    # The emulated halves take many seconds, and what they say holds for these very programs.
    # shellcheck disable=SC2154 # here is the caller's
    acc_known=$({ cat "$acc_native/versions" "$here/accelerate.sh" "$here"/accelerate-sample.* && dpkg-query --show; } |
        cksum | tr ' ' '-')
    acc_known=$XTASK_CACHE/accelerated-$acc_known
    [ ! -e "$acc_known" ] || return 0
    # Both languages at once.
    acc_sample c "$acc_dir/check" &
    acc_sample cc "$acc_dir/check" &
    wait
    for acc_language in c cc; do
        if [ ! -e "$acc_dir/check/$acc_language.same" ]; then
            echo "of accelerate-sample.$acc_language: $(tail -n 1 "$acc_dir/check/$acc_language.said")"
            return 1
        fi
    done
    touch "$acc_known" || echo "the comparison is made again next time"
}

# acc_sample SUFFIX FOLDER: compiles and links the sample both ways; FOLDER/SUFFIX.same if the results
# are, else FOLDER/SUFFIX.said says why not.
acc_sample() (
    cd "$2" || return
    # The names are the same for both, as are the paths that end up in debug information.
    mkdir -p "$1-emulated" "$1-native"
    for acc_who in emulated native; do
        [ "$acc_who" = emulated ] || export COMPILER_PATH="$acc_dir"
        gcc -O3 -g -fPIC -fstack-protector-strong -c "$here/accelerate-sample.$1" \
            -o "$1-$acc_who/sample.o" >"$1.said" 2>&1 || return
        gcc -shared "$1-$acc_who/sample.o" -o "$1-$acc_who/sample.so" >"$1.said" 2>&1 || return
    done
    for acc_file in sample.o sample.so; do
        if ! cmp -s "$1-emulated/$acc_file" "$1-native/$acc_file"; then
            echo "the native programs make another $acc_file" >"$1.said"
            return
        fi
    done
    : >"$1.same"
)
