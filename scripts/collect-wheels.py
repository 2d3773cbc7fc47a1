"""Copies the wheels of the requested interpreters: collect-wheels.py BUILT DESTINATION ID...

Prints the interpreters of each wheel, skips other wheels with a note, and fails if an interpreter has no wheel. It
accepts every platform tag: the audit checks tags.
"""

import glob
import os
import re
import shutil
import sys


def serves(python_tags, abi_tags, python_id):
    """Returns whether installers accept one of the tags for `python_id` (cp311, cp314t, pp311, gp312).

    Must match `Interpreter::accepts`; a test compares both with `packaging`.
    """
    return any(accepts(python_id, python, abi) for python in python_tags for abi in abi_tags)


def accepts(python_id, python, abi):
    series = python_id.rstrip("t")
    threaded = python_id.endswith("t")
    implementation, version = series[:2], series[2:]
    minor = int(series[3:])
    pypy = implementation == "pp"
    if pypy:
        own = abi.startswith("pypy{}_pp".format(version))
    elif implementation == "gp":
        # Tags of GraalPy have no short name.
        series = "graalpy" + version
        own = re.match(r"graalpy[0-9]+_{}_".format(version), abi)
    else:
        own = abi == python_id
    if python == series and (own or abi == "none"):
        return True
    tag = re.match(r"(py|cp)3(0|[1-9][0-9]*)$", python)
    earlier = int(tag.group(2)) if tag and int(tag.group(2)) <= minor else None
    if abi == "none":
        return python == "py3" or (pypy and python == "pp3") or (python[:2] == "py" and earlier is not None)
    # Later versions accept the stable ABI. Free-threaded builds have their own.
    stable = "abi3t" if threaded else "abi3"
    return implementation == "cp" and abi == stable and python[:2] == "cp" and earlier is not None and earlier >= 2


def main():
    built, destination, *ids = sys.argv[1:]
    os.makedirs(destination, exist_ok=True)
    missing = set(ids)
    for path in sorted(glob.glob(os.path.join(built, "*.whl"))):
        name = os.path.basename(path)
        parts = name[: -len(".whl")].split("-")
        if len(parts) not in (5, 6):
            sys.exit("error: `{}` is not a valid wheel name".format(name))
        served = [i for i in ids if serves(parts[-3].split("."), parts[-2].split("."), i)]
        if served:
            print("wheel: {} for {}".format(name, " ".join(served)))
            shutil.copyfile(path, os.path.join(destination, name))
            missing -= set(served)
        else:
            print("note: skipping {}, which fits no requested interpreter".format(name))
    if missing:
        sys.exit("error: the build produced no wheel for {}".format(" ".join(i for i in ids if i in missing)))


if __name__ == "__main__":
    main()
