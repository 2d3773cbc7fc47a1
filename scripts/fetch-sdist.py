"""Fetches one source archive from the Python index: python3 fetch-sdist.py NAME==VERSION SHA256 FOLDER

Runs in the pinned pip (PYTHONPATH=/opt/toolchain), so that pip.conf, PIP_* variables, netrc, proxies and the CA bundle
apply as for `pip install`. Not `pip download`: that runs the build backend of the archive to list its requirements.
pip's internals are not a public interface, but pip is pinned by hash.
"""

import calendar
import hashlib
import json
import os
import shutil
import sys
import tarfile
import zipfile

from pip._internal.cli.status_codes import SUCCESS
from pip._internal.commands.download import DownloadCommand
from pip._internal.exceptions import CommandError
from pip._internal.network.download import Downloader
from pip._internal.req.constructors import install_req_from_line
from pip._vendor.packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from pip._vendor.packaging.version import InvalidVersion, Version
from retries import repeated


class FetchCommand(DownloadCommand):
    def run(self, options, args):
        session = self.get_default_session(options)
        self.fetched = repeated(lambda: self.fetch(args[0], options, session))
        return SUCCESS

    def fetch(self, text, options, session):
        requirement = install_req_from_line(text)
        # A finder caches its results.
        finder = self._build_package_finder(options=options, session=session, ignore_requires_python=True)
        # An exact version matches even if it is yanked.
        candidate = finder.find_requirement(requirement, upgrade=False)
        if candidate is None or candidate.link.is_wheel:
            raise CommandError("the index has no source archive of {}".format(text))
        return Downloader(session, options.progress_bar)(candidate.link, options.download_dir)[0]


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def is_archive_of(file, name, version):
    """Returns whether the file name of a source archive matches the requested name and version."""
    for suffix in (".tar.bz2", ".tar.xz", ".tgz"):
        if file.endswith(suffix):
            file = file[: -len(suffix)] + ".tar.gz"
    # `name-1.0-1` is version 1.0-1 of `name`, but parses as version 1 of `name-1.0`.
    if canonicalize_name(file[: -len(".tar.gz")]) == canonicalize_name("{}-{}".format(name, version)):
        return True
    try:
        own_name, own_version = parse_sdist_filename(file)
        return own_name == canonicalize_name(name) and own_version == Version(version)
    except (InvalidSdistFilename, InvalidVersion):
        # File names from before PEP 625 have no fixed form. The hash matches anyway.
        return True


def date_of(path):
    """The time of the newest file in an archive, in seconds since 1970: the date of the source."""
    with open(path, "rb") as file:
        is_zip = file.read(4) == b"PK\3\4"
    try:
        if is_zip:
            with zipfile.ZipFile(path) as bundle:
                times = [calendar.timegm(member.date_time + (0, 0, 0)) for member in bundle.infolist()]
        else:
            with tarfile.open(path) as tar:
                times = [int(member.mtime) for member in tar]
    except (OSError, EOFError, ValueError, tarfile.TarError, zipfile.BadZipFile):
        # Invalid dates, or an invalid archive, which the step that unpacks it reports.
        times = []
    # The range of dates in a zip archive, which begins in 1980.
    return min(max(times + [315532800]), 4354819198)


def from_cache(kept, expected, folder):
    """Copies the archive from the cache, where another target stored it; None if the cache lacks it."""
    for name in os.listdir(kept) if os.path.isdir(kept) else []:
        path = os.path.join(kept, name)
        if sha256_of(path) == expected:
            print("{} is in the cache".format(name))
            return shutil.copyfile(path, os.path.join(folder, name))
    return None


def fetched(requirement, folder):
    """Fetches the archive from the index; returns its path."""
    command = FetchCommand("fetch", "Fetch one source archive.")
    status = command.main(
        ["--no-deps", "--no-binary", ":all:", "--progress-bar", "off", "--dest", folder, requirement]
    )
    if status != SUCCESS:
        sys.exit("error: cannot fetch {}".format(requirement))
    return command.fetched


def main():
    requirement, expected, folder = sys.argv[1:]
    name, separator, version = requirement.partition("==")
    if not separator or not version or "*" in version:
        sys.exit("error: `{}` is not a requirement `name==version`".format(requirement))
    os.makedirs(folder, exist_ok=True)

    kept = os.path.join(os.environ["XTASK_CACHE"], "sdist", expected)
    path = from_cache(kept, expected, folder)
    if path is None:
        path = fetched(requirement, folder)
        sha256 = sha256_of(path)
        if sha256 != expected:
            os.unlink(path)
            sys.exit(
                "error: the sha256 of {} does not match\n"
                "  expected {}\n  fetched  {}".format(os.path.basename(path), expected, sha256)
            )
        # Atomic, because a step can be stopped at any moment.
        os.makedirs(kept, exist_ok=True)
        shutil.copyfile(path, kept + ".part")
        os.replace(kept + ".part", os.path.join(kept, os.path.basename(path)))
    if not is_archive_of(os.path.basename(path), name, version):
        sys.exit(
            "error: the sha256 belongs to {}, not to {}\n\n"
            "hint: change `sdist` and `sha256` of [source] in wheels.toml together".format(
                os.path.basename(path), requirement
            )
        )
    with open(os.path.join(folder, "source.json"), "w") as out:
        json.dump(
            {
                "kind": "sdist",
                "name": requirement,
                "file": os.path.basename(path),
                "sha256": expected,
                "date": date_of(path),
            },
            out,
            indent=2,
            sort_keys=True,
        )
        out.write("\n")


if __name__ == "__main__":
    main()
