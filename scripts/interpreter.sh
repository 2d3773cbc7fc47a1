#!/bin/sh
# Provides each interpreter of PYTHONS as /opt/python/<id>/bin/python, from the first of PROVIDERS that has it. If one
# is missing, fails after the last one and reports the reasons of every provider.
#
# A provider is a script provider-NAME.sh. Its variables: PY_ID, PY_KIND (cpython, pypy, graalpy), PY_SERIES (3.14),
# PY_THREADING (gil, free), and the folder PY_HOME. It creates PY_HOME/bin/python, and the one-line files PY_HOME/detail,
# PY_HOME/runtime and, if it has a hash of the download, PY_HOME/sha256.
# On a failure, it writes one line to PY_REASON and exits:
# - with 1 if it does not have the interpreter: the next provider follows
# - with 3 if its host is unreachable: the next provider follows, and the report contains the reason
# - else with another status: the build fails, because another provider would silently provide another interpreter.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

refuse() {
    echo "$1" >"$PY_REASON"
}

# parse ID: sets PY_KIND, PY_SERIES, PY_THREADING.
parse() {
    PY_THREADING=gil
    case $1 in
        cp3[0-9]*) PY_KIND=cpython ;;
        pp3[0-9]*) PY_KIND=pypy ;;
        gp3[0-9]*) PY_KIND=graalpy ;;
        *) return 1 ;;
    esac
    digits=${1#?p3}
    case $1 in
        cp*t)
            PY_THREADING=free
            digits=${digits%t}
            ;;
    esac
    case $digits in
        '' | *[!0-9]*) return 1 ;;
    esac
    PY_SERIES=3.$digits
}

# attempt PROVIDER: runs one provider and verifies its interpreter.
attempt() {
    rm -rf "$PY_HOME"
    mkdir -p "$PY_HOME/bin"
    if [ ! -f "$here/provider-$1.sh" ]; then
        refuse "unknown provider; the providers are image, distro, managed and source"
        return 2
    fi
    sh "$here/provider-$1.sh" || return
    "$PY_HOME/bin/python" -B "$here/check-interpreter.py" "$PY_ID" "$1" "$PY_HOME" 2>"$PY_REASON.check" || {
        cat "$PY_REASON.check" >&2
        # A provider with another interpreter does not have this one; an interpreter that does not work is an error.
        checked=2
        grep -q '^provides ' "$PY_REASON.check" && checked=1
        reason=$(tail -n 1 "$PY_REASON.check")
        refuse "${reason:-the interpreter does not run}"
        return "$checked"
    }
    rm -f "$PY_HOME/detail" "$PY_HOME/runtime" "$PY_HOME/sha256"
}

mkdir -p /opt/python
missing=0
export PY_ID PY_KIND PY_SERIES PY_THREADING PY_HOME PY_REASON
PY_REASON=/tmp/reason
: >/tmp/report
: >/tmp/unreached

for PY_ID in ${PYTHONS:-}; do
    if ! parse "$PY_ID"; then
        echo "error: \`$PY_ID\` is not an interpreter such as cp313, cp314t, pp311 or gp312" >>/tmp/report
        missing=1
        continue
    fi
    PY_HOME=/opt/python/$PY_ID
    provided=
    : >/tmp/answers
    : >/tmp/passed
    for provider in ${PROVIDERS:-image distro managed source}; do
        echo "$PY_ID: trying provider $provider"
        rm -f "$PY_REASON"
        status=0
        attempt "$provider" || status=$?
        if [ "$status" = 0 ]; then
            provided=$provider
            break
        fi
        if [ ! -s "$PY_REASON" ]; then
            refuse "failed without a reason"
            status=2
        fi
        echo "  $provider: $(head -n 1 "$PY_REASON")" | tee -a /tmp/answers
        if [ "$status" = 3 ]; then
            echo "$provider is unreachable: $(head -n 1 "$PY_REASON")" >>/tmp/passed
        elif [ "$status" != 1 ]; then
            echo "  $provider failed: skipping the other providers" | tee -a /tmp/answers
            break
        fi
    done
    if [ -n "$provided" ]; then
        echo "$PY_ID: provided by $provided"
        sed "s#^#xtask: $PY_ID: from provider $provided, #" /tmp/passed >>/tmp/unreached
    else
        rm -rf "$PY_HOME"
        missing=1
        {
            echo "error: no provider has $PY_ID:"
            cat /tmp/answers
        } >>/tmp/report
    fi
done

cat /tmp/unreached
cat /tmp/report >&2
exit "$missing"
