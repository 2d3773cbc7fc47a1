"""What a wheel requires here, one requirement a line: smoke-requirements.py WHEEL LEFT_OUT...

Without those named LEFT_OUT, of which each has to be one of them: a name that nothing requires is a
mistake, or no longer needed. Needs pip on sys.path, whose reader of requirements it uses.
"""

import email.parser
import sys
import zipfile

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name


def main():
    wheel, *names = sys.argv[1:]
    left_out = {canonicalize_name(name) for name in names}
    with zipfile.ZipFile(wheel) as archive:
        path = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.parser.Parser().parsestr(archive.read(path).decode())
    found = set()
    for line in metadata.get_all("Requires-Dist") or []:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = canonicalize_name(requirement.name)
        if name in left_out:
            found.add(name)
        else:
            print(str(requirement).split(";")[0].strip())
    if left_out - found:
        sys.exit("error: the wheel does not require {}".format(" ".join(sorted(left_out - found))))


if __name__ == "__main__":
    main()
