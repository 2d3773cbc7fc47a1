"""Rejects interpreters that a source archive excludes: python3 requires-python.py FOLDER ID...

FOLDER contains the archive and source.json. Requires the pinned pip (PYTHONPATH=/opt/toolchain). Runs in parallel with
the stage that provides the interpreters, so that the build fails before they are compiled. Skips an archive that it
cannot read: the build backend reports the error.
"""

import email
import json
import os
import sys
import tarfile
import zipfile

from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet

LARGEST = 1 << 20


def pkg_info(path):
    """The text of PKG-INFO at the top of a source archive; empty if there is none."""
    with open(path, "rb") as file:
        is_zip = file.read(4) == b"PK\3\4"
    if is_zip:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.count("/") == 1 and name.endswith("/PKG-INFO"):
                    with archive.open(name) as file:
                        return file.read(LARGEST).decode("utf-8", "replace")
        return ""
    with tarfile.open(path) as archive:
        for member in archive:
            name = member.name[2:] if member.name.startswith("./") else member.name
            if member.isfile() and name.count("/") == 1 and name.endswith("/PKG-INFO"):
                return archive.extractfile(member).read(LARGEST).decode("utf-8", "replace")
    return ""


def excluded(requires, ids):
    """The interpreters without an allowed release after the first one: `<=3.11` allows only 3.11.0."""
    allowed = SpecifierSet(requires)
    for id in ids:
        series = "3." + id[3:].rstrip("t")
        # Must match `allows_builds` of wheel/interpreter.rs.
        if not any(allowed.contains("{}.{}".format(series, micro)) for micro in range(1, 40)):
            yield id


def main():
    folder, ids = sys.argv[1], sys.argv[2:]
    with open(os.path.join(folder, "source.json")) as file:
        name = json.load(file)["file"]
    try:
        requires = email.message_from_string(pkg_info(os.path.join(folder, name)))["Requires-Python"]
        refused = list(excluded(requires, ids)) if requires else []
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, InvalidSpecifier, ValueError) as error:
        print("note: cannot read Requires-Python of {}: {}".format(name, error))
        return
    if refused:
        sys.exit(
            "error: `{}` is excluded by the package: `Requires-Python: {}` in {}\n\n"
            "hint: remove `{}` from `pythons` in wheels.toml, or choose others with `--python`".format(
                "`, `".join(refused), ascii(requires)[1:-1], name, "`, `".join(refused)
            )
        )


if __name__ == "__main__":
    main()
