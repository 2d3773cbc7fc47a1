"""Take the package's own files as source: take-local.py NAME TAR FOLDER"""

import hashlib
import json
import os
import shutil
import sys


def main():
    name, tar, folder = sys.argv[1:]
    if not os.path.exists(tar):
        sys.exit(
            "error: the build context `package` holds no source.tar\n\n"
            "hint: pass one with --set '*.contexts.package=FOLDER', or use SOURCE_KIND=sdist"
        )
    os.makedirs(folder, exist_ok=True)
    with open(tar, "rb") as file:
        sha256 = hashlib.sha256(file.read()).hexdigest()
    shutil.copyfile(tar, os.path.join(folder, "source.tar"))
    for part in "git.json", "git.objects":
        given = os.path.join(os.path.dirname(tar), part)
        if os.path.exists(given):
            shutil.copyfile(given, os.path.join(folder, part))
    with open(os.path.join(folder, "source.json"), "w") as out:
        json.dump({"kind": "local", "name": name, "file": "source.tar", "sha256": sha256}, out, indent=2, sort_keys=True)
        out.write("\n")


if __name__ == "__main__":
    main()
