"""Reads requirements as text, running no code: lines of files, groups, and the metadata of wheels and source archives.

Requires the pinned pip on sys.path for its parsers.
"""

import email.parser
import os
import re
import tarfile
import zipfile

from pip._internal.exceptions import CommandError
from pip._vendor import tomli
from pip._vendor.dependency_groups import resolve as resolve_groups
from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
from pip._vendor.packaging.utils import canonicalize_name
from pip._vendor.packaging.version import Version

LEGACY_BACKEND = ["setuptools >= 40.8.0"]
# Maximum size of a file of metadata, in bytes.
MAX_METADATA = 4 << 20


class Unresolved(Exception):
    """The requirements cannot be resolved; the text is the reason."""


def hashed_lines(text):
    """The lines `name==version --hash=sha256:...` of a text: [(name, version, {hash})]."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*([^\s;]+)", line)
        if match:
            hashes = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
            found.append((canonicalize_name(match.group(1)), match.group(2), hashes))
        elif line.strip() and not line.lstrip().startswith("#"):
            raise CommandError("`{}` is not a line `name==version --hash=sha256:...`".format(line.strip()))
    return found


def read(path):
    with open(path) as file:
        return file.read()


def requirement_lines(paths):
    """The requirements of files, without their hashes."""
    lines = [line for path in paths for line in read(path).replace("\\\n", " ").splitlines()]
    lines = [re.sub(r"\s+--hash=\S+", "", line).strip() for line in lines]
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def checked(line):
    """The requirement of a line. Rejects variables: resolvers would expand them, and some contain passwords."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        raise Unresolved("`{}` is not a valid requirement: {}".format(line, error)) from error
    if "$" in line:
        raise Unresolved("the requirement `{}` contains a variable".format(line))
    return requirement


def wheel_requires(path):
    """The values of Requires-Dist of a wheel."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if re.match(r"[^/]+\.dist-info/METADATA$", name)]
        if len(names) != 1 or archive.getinfo(names[0]).file_size > MAX_METADATA:
            raise Unresolved("{} has no readable metadata".format(os.path.basename(path)))
        metadata = archive.read(names[0]).decode("utf-8", "replace")
    return email.parser.Parser().parsestr(metadata, headersonly=True).get_all("Requires-Dist") or []


def group_lines(group):
    """The requirements of FILE:NAME, a group of [dependency-groups]. uv would apply the file's [tool.uv], too."""
    path, _, name = group.rpartition(":")
    try:
        return list(resolve_groups(tomli.loads(read(path)).get("dependency-groups", {}), name))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Unresolved("cannot read the group `{}` of pyproject.toml: {}".format(name, error)) from error


class Sdist:
    """The metadata of a source archive, read as text."""

    def __init__(self, path):
        self.path = path
        pyproject = self.text("pyproject.toml")
        try:
            system = tomli.loads(pyproject or "").get("build-system", {"requires": LEGACY_BACKEND})
            self.build_requires = [str(Requirement(line)) for line in system.get("requires", LEGACY_BACKEND)]
            self.metadata = email.parser.Parser().parsestr(self.text("PKG-INFO") or "")
            self.requires = [Requirement(line) for line in self.metadata.get_all("Requires-Dist") or []]
        except (tomli.TOMLDecodeError, InvalidRequirement, AttributeError, TypeError) as error:
            raise Unresolved("cannot read the metadata of {}: {}".format(os.path.basename(path), error)) from error
        dynamic = {name.lower() for name in self.metadata.get_all("Dynamic") or []}
        if "requires-dist" in dynamic or not self.metadata["Name"]:
            raise Unresolved(
                "{} has no wheel for this interpreter, and only its code defines the requirements".format(
                    os.path.basename(path)
                )
            )

    def text(self, name):
        """The text of a file in the top folder; None if it is missing."""
        if zipfile.is_zipfile(self.path):
            with zipfile.ZipFile(self.path) as archive:
                names = [each for each in archive.namelist() if each.split("/")[1:] == [name]]
                if not names:
                    return None
                with archive.open(names[0]) as file:
                    return file.read(MAX_METADATA).decode("utf-8", "replace")
        with tarfile.open(self.path) as archive:
            for member in archive:
                if [part for part in member.name.split("/") if part != "."][1:] == [name] and member.isfile():
                    return archive.extractfile(member).read(MAX_METADATA).decode("utf-8", "replace")
        return None

    def write_metadata_wheel(self, folder):
        """Writes a wheel with only metadata, for a resolver that accepts only wheels."""
        name = canonicalize_name(self.metadata["Name"]).replace("-", "_")
        stem = "{}-{}".format(name, Version(self.metadata["Version"]))
        with zipfile.ZipFile(os.path.join(folder, stem + "-py3-none-any.whl"), "w") as wheel:
            info = stem + ".dist-info/"
            lines = ["Metadata-Version: 2.1", "Name: " + name, "Version: " + self.metadata["Version"]]
            lines += ["Requires-Dist: {}".format(requirement) for requirement in self.requires]
            wheel.writestr(info + "METADATA", "\n".join(lines) + "\n")
            wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(info + "RECORD", "")
