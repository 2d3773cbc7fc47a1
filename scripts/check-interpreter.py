"""Verifies the interpreter that runs it: check-interpreter.py ID PROVIDER HOME

Compares the implementation, version and build of the interpreter with ID, checks the modules and headers that builds
and installations require, and writes HOME/provider.json. The last line of stderr is the error; it begins with
"provides " if the provider has only another interpreter. For example, a free-threaded build in place of a default one
would produce wheels with the wrong tag.
"""

import fnmatch
import hashlib
import importlib
import json
import os
import platform
import sys
import sysconfig

NEEDED = ("bz2", "ctypes", "hashlib", "lzma", "sqlite3", "ssl", "venv", "zlib")


def main():
    python_id, provider, home = sys.argv[1:]
    kind = {"cp": "cpython", "pp": "pypy", "gp": "graalpy"}[python_id[:2]]
    series = python_id[2:].rstrip("t")
    free_threaded = python_id.endswith("t")

    # Not `platform`, which has another name for GraalPy.
    if sys.implementation.name != kind:
        sys.exit("provides {} instead of {}".format(sys.implementation.name, kind))
    if "{}{}".format(*sys.version_info[:2]) != series:
        sys.exit("provides Python {}".format(platform.python_version()))
    is_free = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    if is_free != free_threaded:
        sys.exit("provides a build {} the GIL".format("without" if is_free else "with"))

    suffix = sysconfig.get_config_var("EXT_SUFFIX") or ""
    # GraalPy's suffix begins with the number of its release.
    soabi = {"cpython": "cpython-" + python_id[2:], "pypy": "pypy" + series, "graalpy": "graalpy[0-9]*-" + series}[kind]
    if not fnmatch.fnmatchcase(suffix, "." + soabi + "-*"):
        sys.exit("the extension suffix is `{}` instead of `.{}-*`".format(suffix, soabi))

    for module in NEEDED:
        try:
            importlib.import_module(module)
        except ImportError as error:
            sys.exit("module {} does not work: {}".format(module, error))
    header = os.path.join(sysconfig.get_path("include"), "Python.h")
    if not os.path.exists(header):
        sys.exit("{} is missing".format(header))

    def line(name):
        with open(os.path.join(home, name)) as file:
            return file.read().strip()

    # The archive's hash if the provider has one: compiling the same archive can produce different bytes.
    if os.path.exists(os.path.join(home, "sha256")):
        sha256 = line("sha256")
    else:
        with open(os.path.realpath(sys.executable), "rb") as program:
            sha256 = hashlib.sha256(program.read()).hexdigest()

    with open(os.path.join(home, "provider.json"), "w") as out:
        json.dump(
            {
                "id": python_id,
                "provider": provider,
                "version": platform.python_version(),
                "sha256": sha256,
                "detail": line("detail"),
                "runtime_packages": line("runtime").split(),
            },
            out,
            indent=2,
            sort_keys=True,
        )
        out.write("\n")


if __name__ == "__main__":
    main()
