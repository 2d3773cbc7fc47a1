#!/bin/sh
# Repairs the one wheel of the build context `wheel` with a Python that auditwheel supports.
set -eu
here=$(dirname "$0")

# The system's own Python first: no interpreter starts faster under emulation.
for python in python3 /opt/python/*/bin/python; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        # The order of sets reaches the bytes that patchelf writes.
        export PYTHONHASHSEED=0 PYTHONPATH=/opt/auditwheel
        exec "$python" "$here/repair.py" /wheel /repaired
    fi
done
echo "error: auditwheel needs Python 3.10 or later; the target has $(python3 --version 2>&1) and PYTHONS=${PYTHONS:-}" >&2
exit 1
