#!/bin/sh
# Provides each interpreter of PYTHONS as /opt/python/<id>/bin/python, from the first
# of PROVIDERS that has it. Tries all that were asked for; then fails if one is missing
# and says for each what every provider answered.
#
# A provider is a script provider-NAME.sh, called with the id in PY_ID, PY_KIND
# (cpython, pypy, graalpy), PY_SERIES (3.14), PY_THREADING (gil, free), and the folder PY_HOME. It
# leaves PY_HOME/bin/python and, as one line each, PY_HOME/detail, PY_HOME/runtime and, where it has a hash of
# what it fetched, PY_HOME/sha256;
# or it leaves one line in PY_REASON and fails: with 1 where it does not have the interpreter, and the
# next provider is asked; with 3 where nobody reaches its host, and the next provider is asked and the
# reason reported in the end; with another status where it is broken, which is an error, because another
# provider would give another interpreter without a word.
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

# attempt PROVIDER: one provider, and the proof that it gave what was asked for.
attempt() {
    rm -rf "$PY_HOME"
    mkdir -p "$PY_HOME/bin"
    if [ ! -f "$here/provider-$1.sh" ]; then
        refuse "unknown provider, known are image, distro, managed, source"
        return 2
    fi
    sh "$here/provider-$1.sh" || return
    "$PY_HOME/bin/python" -B "$here/check-interpreter.py" "$PY_ID" "$1" "$PY_HOME" 2>"$PY_REASON.check" || {
        cat "$PY_REASON.check" >&2
        # Another interpreter than the one asked for is none; one that does not work is broken.
        checked=2
        grep -q '^gave ' "$PY_REASON.check" && checked=1
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
        echo "error: \`$PY_ID\` is no interpreter, say cp313, cp314t, pp311 or gp312" >>/tmp/report
        missing=1
        continue
    fi
    PY_HOME=/opt/python/$PY_ID
    provided=
    : >/tmp/answers
    : >/tmp/passed
    for provider in ${PROVIDERS:-image distro managed source}; do
        echo "$PY_ID: asking provider $provider"
        rm -f "$PY_REASON"
        status=0
        attempt "$provider" || status=$?
        if [ "$status" = 0 ]; then
            provided=$provider
            break
        fi
        if [ ! -s "$PY_REASON" ]; then
            refuse "failed without a word"
            status=2
        fi
        echo "  $provider: $(head -n 1 "$PY_REASON")" | tee -a /tmp/answers
        if [ "$status" = 3 ]; then
            echo "$provider cannot be reached: $(head -n 1 "$PY_REASON")" >>/tmp/passed
        elif [ "$status" != 1 ]; then
            echo "  $provider failed, so no other provider is asked" | tee -a /tmp/answers
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
            echo "error: no provider gives $PY_ID:"
            cat /tmp/answers
        } >>/tmp/report
    fi
done

cat /tmp/unreached
cat /tmp/report >&2
exit "$missing"
