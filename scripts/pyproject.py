"""Copies the pyproject.toml of a source's package into a folder: pyproject.py SOURCE_FOLDER FOLDER

SOURCE_FOLDER contains source.json and its archive (unpack.py). If the source has no such file, or a link in its place,
writes an empty one. Reads a tar archive only up to the file.
"""

import json
import os
import sys
import tarfile
import zipfile


def from_tar(archive, is_wanted):
    with tarfile.open(archive) as tar:
        for member in tar:
            if is_wanted(member.name) and member.isfile():
                return tar.extractfile(member).read()
    return b""


def from_zip(archive, is_wanted):
    with zipfile.ZipFile(archive) as bundle:
        for name in filter(is_wanted, bundle.namelist()):
            return bundle.read(name)
    return b""


def main():
    folder, destination = sys.argv[1:]
    with open(os.path.join(folder, "source.json")) as file:
        source = json.load(file)
    archive = os.path.join(folder, source["file"])
    strip = 1 if source["kind"] == "sdist" else 0
    package = (source.get("package") or "").split("/")
    wanted = [part for part in package if part not in ("", ".")] + ["pyproject.toml"]

    def is_wanted(name):
        return [part for part in name.split("/") if part not in ("", ".")][strip:] == wanted

    with open(archive, "rb") as file:
        is_zip = file.read(4) == b"PK\3\4"
    text = from_zip(archive, is_wanted) if is_zip else from_tar(archive, is_wanted)
    os.makedirs(destination, exist_ok=True)
    with open(os.path.join(destination, "pyproject.toml"), "wb") as out:
        out.write(text)


if __name__ == "__main__":
    main()
