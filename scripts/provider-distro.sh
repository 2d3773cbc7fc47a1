#!/bin/sh
# Provider `distro`: the target's own packages. See interpreter.sh for the contract.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"
# shellcheck source=scripts/packages.sh
. "$here/packages.sh"

refuse() {
    echo "$1" >"$PY_REASON"
    exit 1
}

# broken REASON: fails because the package exists but does not work.
broken() {
    echo "$1" >"$PY_REASON"
    exit 2
}

# logged COMMAND ...: runs the command and writes its output to $log, too.
log=/tmp/distro.log
logged() {
    rm -f "$log.done"
    { "$@" 2>&1 && : >"$log.done"; } | redact | tee "$log"
    [ -e "$log.done" ]
}

# failed WHAT: fails with the reason in $log.
failed() {
    reason=$(grep -iE '^ *(E|W|Err|error)[: ]' "$log" | tail -n 1)
    [ -n "$reason" ] || reason=$(tail -n 1 "$log")
    echo "$1${reason:+: $reason}" >"$PY_REASON"
    ! unreachable "$log" || exit 3
    exit 2
}

family=$(pkg_family)
# shellcheck source=/dev/null
name=$(. /etc/os-release && echo "${PRETTY_NAME:-this distribution}")
if [ "$family" != dnf ]; then
    # Other steps write the same cache.
    pkg_lock
    logged pkg_refresh || failed "the package lists of $name cannot be fetched"
    pkg_unlock
fi

# Candidates: the package named after the version, then the distribution's default package if its version matches.
case $PY_KIND-$PY_THREADING in
    cpython-gil) candidates="python$PY_SERIES python3" ;;
    cpython-free) candidates="python$PY_SERIES-nogil python$PY_SERIES-freethreading python$PY_SERIES-t" ;;
    pypy-*) candidates="pypy$PY_SERIES pypy3" ;;
    *) refuse "$name has no package of $PY_KIND" ;;
esac

package=
seen=
for candidate in $candidates; do
    version=$(pkg_candidate "$candidate" 2>"$log") || failed "the package manager of $name fails to look up $candidate"
    [ -n "$version" ] || continue
    case $candidate in
        *"$PY_SERIES"*) ;;
        python3)
            case ${version#*:} in
                "$PY_SERIES" | "$PY_SERIES".* | "$PY_SERIES"-*) ;;
                *)
                    seen=" (its python3 is $version)"
                    continue
                    ;;
            esac
            ;;
        # The version of PyPy's package is not that of the language; check-interpreter.py verifies it.
        *) ;;
    esac
    package=$candidate
    break
done
if [ -z "$package" ]; then
    set -- "${candidates%% *}"
    refuse "$name has no package $1$seen"
fi

case $family-$package in
    apt-pypy3) headers=pypy3-dev ;;
    apt-*) headers=$package-dev ;;
    dnf-*) headers=$package-devel ;;
    apk-*) headers=$package-dev ;;
esac
logged pkg_install "$package" "$headers" || failed "installing $package and $headers failed"

# The program is named like the package, except for free-threaded builds.
program=
for try in "$package" "python${PY_SERIES}t" "python$PY_SERIES" "$PY_KIND$PY_SERIES"; do
    if [ -x "/usr/bin/$try" ]; then
        program=/usr/bin/$try
        break
    fi
done
[ -n "$program" ] || broken "the package $package has no program in /usr/bin"

ln -s "$program" "$PY_HOME/bin/python"
ln -s "$program" "$PY_HOME/bin/python$PY_SERIES"
py_config "/usr/bin/${program##*/}-config" "/usr/bin/python$PY_SERIES-config"
echo "$package $(pkg_version "$package")" >"$PY_HOME/detail"
echo "$package" >"$PY_HOME/runtime"
