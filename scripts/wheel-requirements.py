"""Prints a wheel's requirements for this interpreter, one a line: wheel-requirements.py WHEEL [--extra NAME...] [--ignore NAME...]

--extra adds the requirements of these extras. --ignore removes these projects, and fails if the wheel does not require
one of them. Requires pip on sys.path for its parser.
"""

import argparse
import email.parser
import sys
import zipfile

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name


def metadata_of(wheel):
    with zipfile.ZipFile(wheel) as archive:
        path = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.parser.Parser().parsestr(archive.read(path).decode())


def requirements_of(metadata, extras):
    """The requirements of a project with these extras. An extra can require other extras of the project."""
    own = canonicalize_name(metadata["Name"])
    every = [Requirement(line) for line in metadata.get_all("Requires-Dist") or []]
    wanted, found = {""} | extras, []
    for requirement in every * (len(every) + 1 if extras else 1):
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in wanted):
            continue
        if canonicalize_name(requirement.name) == own:
            wanted |= {canonicalize_name(extra) for extra in requirement.extras}
        elif requirement not in found:
            found.append(requirement)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wheel")
    parser.add_argument("--extra", nargs="*", default=[])
    parser.add_argument("--ignore", nargs="*", default=[])
    args = parser.parse_args()
    metadata = metadata_of(args.wheel)
    extras = {canonicalize_name(name) for name in args.extra}
    provided = {canonicalize_name(name) for name in metadata.get_all("Provides-Extra") or []}
    if extras - provided:
        sys.exit(
            "error: the wheel has no extra `{}` (it has: {})".format(
                "`, `".join(sorted(extras - provided)), ", ".join(sorted(provided)) or "none"
            )
        )
    ignored = {canonicalize_name(name) for name in args.ignore}
    found = requirements_of(metadata, extras)
    unused = ignored - {canonicalize_name(requirement.name) for requirement in found}
    if unused:
        sys.exit("error: the wheel does not require {}".format(" ".join(sorted(unused))))
    for requirement in found:
        if canonicalize_name(requirement.name) not in ignored:
            print(str(requirement).split(";")[0].strip())


if __name__ == "__main__":
    main()
