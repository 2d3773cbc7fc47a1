"""Pick the wheels that were asked for: collect-wheels.py BUILT DESTINATION ID...

Says which wheel serves which interpreter, drops the others with a note, and fails when
an interpreter has none. Whether a wheel keeps its promises is not decided here: one for
any platform is passed on as it is, and the audit judges it.
"""

import glob
import os
import re
import shutil
import sys


def serves(python_tags, abi_tags, python_id):
    series = python_id.rstrip("t")
    minor = int(series[3:])
    for python in python_tags:
        for abi in abi_tags:
            if python == series and (abi == python_id or (abi.startswith("pypy") and series.startswith("pp"))):
                return True
            if abi == "none" and (python == series or re.fullmatch(r"py3|py2\.py3", python)):
                return True
            # The stable ABI reaches upwards, and not to free-threaded builds.
            stable = re.fullmatch(r"cp3(\d+)", python)
            if abi == "abi3" and stable and python_id == series and series.startswith("cp"):
                if int(stable.group(1)) <= minor:
                    return True
    return False


def main():
    built, destination, *ids = sys.argv[1:]
    os.makedirs(destination, exist_ok=True)
    missing = set(ids)
    for path in sorted(glob.glob(os.path.join(built, "*.whl"))):
        name = os.path.basename(path)
        parts = name[: -len(".whl")].split("-")
        if len(parts) not in (5, 6):
            sys.exit("error: `{}` is no name of a wheel".format(name))
        served = [i for i in ids if serves(parts[-3].split("."), parts[-2].split("."), i)]
        if served:
            print("wheel: {} for {}".format(name, " ".join(served)))
            shutil.copyfile(path, os.path.join(destination, name))
            missing -= set(served)
        else:
            print("note: {} was built but not asked for, dropped".format(name))
    if missing:
        sys.exit("error: the build gave no wheel for {}".format(" ".join(i for i in ids if i in missing)))


if __name__ == "__main__":
    main()
