#!/bin/sh
# Repairs the wheel of the build context `wheel`, with a Python that auditwheel supports.
set -eu
here=$(dirname "$0")

if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
    # The date of the build. Otherwise auditwheel writes the current time into the archive.
    SOURCE_DATE_EPOCH=$(sed -n 's/.*"source_date_epoch": *\([0-9][0-9]*\).*/\1/p' /wheels/recipe.json)
fi
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1580601600}"

# The system's Python first: it starts fastest under emulation.
for python in python3 /opt/python/*/bin/python; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        # The order of sets changes the bytes that patchelf writes.
        export PYTHONHASHSEED=0 PYTHONPATH=/opt/auditwheel
        exec "$python" "$here/repair.py" /wheel /repaired
    fi
done
echo "error: auditwheel requires Python 3.10 or later; the target has $(python3 --version 2>&1) and ${PYTHONS:-}" >&2
exit 1
