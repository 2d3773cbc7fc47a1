"""Run by an interpreter that a provider gave: is it what was asked for?

check-interpreter.py ID PROVIDER HOME

Compares what the interpreter says of itself with the request, checks that it can do
what building and installing need, and writes HOME/provider.json. The last line of
stderr says what is wrong, and begins with "gave " where it is another interpreter. A
provider's word is not enough: a free-threaded build in the place of an ordinary one
gives wheels that carry the wrong tag.
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

    # Not that of `platform`, which has other words for GraalPy.
    if sys.implementation.name != kind:
        sys.exit("gave {}, wanted {}".format(sys.implementation.name, kind))
    if "{}{}".format(*sys.version_info[:2]) != series:
        sys.exit("gave Python {}".format(platform.python_version()))
    is_free = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    if is_free != free_threaded:
        sys.exit("gave a {} build".format("free-threaded" if is_free else "build with the GIL, no free-threaded"))

    suffix = sysconfig.get_config_var("EXT_SUFFIX") or ""
    # GraalPy's begins with the number of its release.
    soabi = {"cpython": "cpython-" + python_id[2:], "pypy": "pypy" + series, "graalpy": "graalpy[0-9]*-" + series}[kind]
    if not fnmatch.fnmatchcase(suffix, "." + soabi + "-*"):
        sys.exit("extension suffix is {}, wanted .{}-*".format(suffix or "empty", soabi))

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

    # That of the archive where a provider knows it: what is compiled of it need not be the same bytes.
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
