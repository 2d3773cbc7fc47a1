"""Resolves requirements, and downloads the files for an interpreter by hash. Runs no code of a package.

    fetch-requirements.py PYTHON FOLDER [--requirement FILE]... [--constraint FILE]... [--pins FILE]
        [--locked LINES] [--only-binary] [--group FILE:NAME]... [--table build|test]

Adds to FOLDER the archives, versions.txt with lines `name==version`, and requirements.json, a sorted list of
{"name", "version", "file", "sha256", "url"} where `url` is absent if it contains credentials. uv resolves from wheels
only. Without --only-binary, a requirement without a wheel falls back to its source archive, whose metadata and
[build-system] are read as text. --pins is a requirements file with hashes that contains all allowed versions and files.
With --locked, lines `name==version --hash=sha256:...`, nothing is resolved.

Runs in the pinned pip, for its indexes, passwords, proxies and certificates (see fetch-sdist.py).
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

from pip._internal.cli.status_codes import SUCCESS
from pip._internal.commands.download import DownloadCommand
from pip._internal.exceptions import CommandError
from pip._internal.models.link import Link
from pip._internal.models.target_python import TargetPython
from pip._internal.network.download import Downloader
from pip._vendor import tomli
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.tags import Tag
from pip._vendor.packaging.utils import canonicalize_name, parse_wheel_filename
from pip._vendor.packaging.version import Version
from requirement_text import Sdist, Unresolved, checked, group_lines, hashed_lines, read, requirement_lines, wheel_requires
from retries import repeated

UV = "/opt/toolchain/bin/uv"
# Maximum number of source archives that one set of requirements may need.
MAX_SDISTS = 20
FACTS = """import json, sys
from pip._vendor.packaging.markers import default_environment
from pip._vendor.packaging.tags import sys_tags
tags = [[tag.interpreter, tag.abi, tag.platform] for tag in sys_tags()]
print(json.dumps({"tags": tags, "environment": default_environment(), "version": sys.version_info[:3]}))"""

# Despite --only-binary, pip compiles the archive of a direct URL.
PIP = """import sys
from pip._internal.cli.main import main
from pip._internal.distributions.sdist import SourceDistribution
from pip._internal.exceptions import InstallationError
from pip._internal.operations import prepare


def refuse(*arguments, **settings):
    raise InstallationError("a requirement has no wheel, and fetch steps do not compile")


SourceDistribution.prepare_distribution_metadata = prepare.unpack_vcs_link = refuse
sys.exit(main())"""


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


class Interpreter:
    """An interpreter: the wheels that it accepts, and the values of its markers."""

    def __init__(self, python):
        self.python = python
        facts = json.loads(subprocess.check_output([python, "-sSB", "-c", FACTS]).decode())
        self.environment = facts["environment"]
        tags = [Tag(*tag) for tag in facts["tags"]]
        self.rank = {tag: number for number, tag in enumerate(tags)}
        self.target = TargetPython(py_version_info=tuple(facts["version"]))
        self.target._valid_tags, self.target._valid_tags_set = tags, set(tags)

    def preference(self, file):
        """A sort key of a wheel, the best first; None if the interpreter does not accept it."""
        try:
            _, _, build, tags = parse_wheel_filename(file)
        except ValueError:
            return None
        ranks = [self.rank[tag] for tag in tags if tag in self.rank]
        return (min(ranks), tuple(-part if isinstance(part, int) else 0 for part in build)) if ranks else None

    def is_needed(self, requirement):
        environment = dict(self.environment, extra="")
        return requirement.marker is None or requirement.marker.evaluate(environment)


class Fetch(DownloadCommand):
    """A command of pip that runs `work` with pip's session."""

    def run(self, options, args):
        self.options, self.session = options, self.get_default_session(options)
        self.work(self)
        return SUCCESS

    def finder(self, interpreter):
        return self._build_package_finder(self.options, self.session, target_python=interpreter.target)

    def download(self, url, folder):
        link = Link(url)
        if link.is_file:
            return shutil.copy(link.file_path, folder)
        return repeated(lambda: Downloader(self.session, "off")(link, folder)[0])


class Requirements:
    """The requirements of one interpreter, fetched into one folder."""

    def __init__(self, args, fetch):
        self.args, self.fetch, self.folder = args, fetch, args.folder
        self.constraints = args.constraint
        self.interpreter = Interpreter(args.python)
        self.pins = {}
        for name, version, hashes in hashed_lines(read(args.pins) if args.pins else ""):
            self.pins.setdefault((name, Version(version)), set()).update(hashes)
        self.scratch = tempfile.mkdtemp()
        self.items = {}
        # The projects that come from a direct URL.
        self.addressed = set()

    def without_address(self, line):
        """The line with a direct URL replaced by the downloaded wheel, so that resolvers open no URL of a package."""
        requirement = checked(line)
        if not requirement.url or not self.interpreter.is_needed(requirement):
            return line
        name, path = canonicalize_name(requirement.name), self.take_address(requirement)
        self.addressed.add(name)
        extras = "[{}]".format(",".join(sorted(requirement.extras))) if requirement.extras else ""
        return "{}{} @ file://{}".format(name, extras, path)

    def take_address(self, requirement, hashes=()):
        """Downloads the wheel of a direct URL; returns its path."""
        link = Link(requirement.url)
        name, file = canonicalize_name(requirement.name), link.filename
        is_wheel = re.match(r"[A-Za-z0-9_.+!-]+\.whl$", file) and self.interpreter.preference(file) is not None
        if link.scheme not in ("http", "https") or not is_wheel or parse_wheel_filename(file)[0] != name:
            raise Unresolved("`{}` is not a wheel of {} for this interpreter".format(file, name))
        own = [link.hash] if link.hash_name == "sha256" else []
        self.add(name, str(parse_wheel_filename(file)[1]), requirement.url, set(hashes or own))
        path = os.path.join(self.folder, file)
        for line in wheel_requires(path):
            if checked(line).url:
                raise Unresolved("{} requires a direct URL: `{}`".format(file, line))
        return path

    def uv(self, arguments, metadata_wheels):
        """Resolves with uv, from wheels only; returns the packages."""
        lock = os.path.join(self.scratch, "pylock.toml")
        no_index = os.environ.get("XTASK_NO_INDEX", "").split()
        command = [UV, "pip", "compile", "--quiet", "--no-config", "--no-header", "--format", "pylock.toml"]
        command += ["--only-binary", ":all:", "--python", self.args.python, "--output-file", lock]
        command += ["--find-links", metadata_wheels] if os.listdir(metadata_wheels) else []
        ran = subprocess.run(command + no_index + arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        if ran.returncode:
            raise Unresolved(ran.stderr.decode("utf-8", "replace").strip())
        with open(lock, "rb") as file:
            packages = tomli.load(file).get("packages", [])
        os.unlink(lock)
        return packages

    def pip(self, arguments):
        """Resolves with pip, which knows PyPy's built-in distributions, and which some indexes serve, unlike uv."""
        venv, report = os.path.join(self.scratch, "venv"), os.path.join(self.scratch, "report.json")
        create = [UV, "venv", "--quiet", "--no-config", "--no-project", "--python", self.args.python, venv]
        subprocess.check_call(create)
        command = [os.path.join(venv, "bin/python"), "-c", PIP, "install", "--quiet", "--dry-run", "--report", report]
        ran = subprocess.run(command + ["--only-binary", ":all:"] + arguments, stdout=sys.stderr)
        shutil.rmtree(venv)
        if ran.returncode:
            return None
        with open(report) as file:
            found = json.load(file)["install"]
        os.unlink(report)

        def package(item):
            name, version = item["metadata"]["name"], item["metadata"]["version"]
            link = item["download_info"]
            return {"name": name, "version": version, "wheels": [{"url": link["url"], "hashes": hashes_of(link)}]}

        def hashes_of(link):
            return link.get("archive_info", {}).get("hashes", {})

        return [package(item) for item in found]

    def resolve_near(self, kept, lines):
        """Like `resolve`, with the versions in `kept`, lines `name==version`, if they fit."""
        constraints = self.constraints
        if kept.strip():
            path = os.path.join(self.scratch, "kept.txt")
            with open(path, "w") as out:
                out.write(kept)
            self.constraints = constraints + [path]
            try:
                return self.resolve(lines)
            except Unresolved:
                print("the locked versions do not fit the requirements, resolving again")
            self.constraints = constraints
        return self.resolve(lines)

    def resolve(self, lines, depth=0):
        """Resolves and fetches the requirements in `lines`."""
        lines = [self.without_address(line) for line in lines]
        listed = os.path.join(self.scratch, "requirements.txt")
        with open(listed, "w") as out:
            out.writelines(line + "\n" for line in lines)
        metadata_wheels = tempfile.mkdtemp(dir=self.scratch)
        constraints = [word for path in self.constraints for word in ("--constraint", path)]
        if self.args.pins:
            pins = os.path.join(self.scratch, "pins.txt")
            with open(pins, "w") as out:
                out.writelines("{}=={}\n".format(*pin) for pin in self.pins)
            constraints += ["--constraint", pins]
        arguments = ["--requirement", listed] + constraints
        sdists = []
        try:
            packages = self.uv([listed] + constraints, metadata_wheels)
        except Unresolved as error:
            packages = None
            if not self.args.only_binary and depth < 2:
                sdists = self.sdists(lines, metadata_wheels)
            if sdists:
                packages = self.uv([listed] + constraints, metadata_wheels)
            else:
                print("{}\nuv cannot resolve the requirements, falling back to pip".format(error), file=sys.stderr)
                packages = self.pip(arguments)
            if packages is None:
                raise Unresolved("cannot resolve the requirements from wheels") from error
        names = {canonicalize_name(sdist.metadata["Name"]) for sdist in sdists} | self.addressed
        for package in packages:
            if canonicalize_name(package["name"]) not in names:
                self.take(package)
        for sdist in sdists:
            self.take_sdist(sdist)
            print("{}: no wheel, falling back to the source archive".format(os.path.basename(sdist.path)))
            self.resolve(sdist.build_requires, depth + 1)

    def sdists(self, lines, metadata_wheels):
        """The source archives of the requirements without a wheel."""
        finder, found, seen = self.fetch.finder(self.interpreter), [], set()
        pending = [Requirement(line) for line in lines]
        while pending and len(found) < MAX_SDISTS:
            requirement = pending.pop(0)
            name = canonicalize_name(requirement.name)
            if name in seen or requirement.url or not self.interpreter.is_needed(requirement):
                continue
            seen.add(name)
            specifier = requirement.specifier
            for pinned, version in self.pins:
                if pinned == name:
                    specifier &= "=={}".format(version)
            best = finder.find_best_candidate(name, specifier)
            if not best.applicable_candidates or any(each.link.is_wheel for each in best.applicable_candidates):
                continue
            link = best.best_candidate.link
            sdist = Sdist(self.fetch.download(link.url, self.scratch))
            sdist.url, sdist.hash = link.url, link.hash if link.hash_name == "sha256" else None
            if canonicalize_name(sdist.metadata["Name"]) != name:
                raise Unresolved("{} is not an archive of {}".format(os.path.basename(sdist.path), name))
            sdist.write_metadata_wheel(metadata_wheels)
            found.append(sdist)
            pending += sdist.requires
        return found

    def take(self, package):
        """Downloads the best file of a resolved package."""
        name, version = canonicalize_name(package["name"]), package.get("version", "")
        if not version or "vcs" in package or "directory" in package or "archive" in package:
            raise Unresolved("{} is not a release on an index".format(name))
        wheels = []
        for wheel in package.get("wheels", []):
            location = wheel.get("url") or wheel.get("path")
            file = urllib.parse.unquote(os.path.basename(urllib.parse.urlsplit(location).path))
            preference = self.interpreter.preference(file)
            if preference is not None:
                wheels.append((preference, location, wheel.get("hashes", {}).get("sha256")))
        pins = self.pinned(name, version)
        wheels = [wheel for wheel in wheels if not pins or wheel[2] is None or wheel[2] in pins]
        if not wheels:
            raise CommandError("no wheel of {}=={} has a hash in {}".format(name, version, self.args.pins))
        _, location, sha256 = min(wheels, key=lambda wheel: wheel[0])
        self.add(name, version, location, pins or ({sha256} if sha256 else set()))

    def pinned(self, name, version):
        """The hashes in --pins; empty without that option."""
        if not self.args.pins:
            return set()
        hashes = self.pins.get((name, Version(version)))
        if not hashes:
            raise CommandError(
                "the build requires {0}=={1}, which {2} does not pin\nhint: add {0} with its hashes to {2}".format(
                    name, version, os.path.basename(self.args.pins)
                )
            )
        return hashes

    def take_sdist(self, sdist):
        name, version = canonicalize_name(sdist.metadata["Name"]), sdist.metadata["Version"]
        self.add(name, version, sdist.path, self.pinned(name, version) or ({sdist.hash} if sdist.hash else set()))
        self.items[os.path.basename(sdist.path)].update(url_of(sdist.url))

    def locked(self, lines, requirements):
        """Downloads exactly the files of the locked `lines`; direct URLs come from `requirements`."""
        finder, found = self.fetch.finder(self.interpreter), hashed_lines(lines)
        needed = [each for each in map(checked, requirements) if self.interpreter.is_needed(each)]
        self.refuse_outdated({name: version for name, version, _ in found}, needed)
        addresses = {canonicalize_name(each.name): each for each in needed if each.url}
        for name, version, hashes in found:
            if not hashes:
                raise CommandError("the lock has no hash of {}=={}".format(name, version))
            if name in addresses:
                self.take_address(addresses[name], hashes)
                continue
            links = [each.link for each in finder.find_all_candidates(name) if each.version == Version(version)]
            fitting = [link for link in links if link.hash in hashes or link.hash is None]
            fitting.sort(key=lambda link: (link.hash is None, self.interpreter.preference(link.filename) or (1 << 30,)))
            if not fitting:
                raise CommandError(
                    "the index has no file of {}=={} with a locked hash\n"
                    "hint: `cargo xtask lock --upgrade={}` locks a file of the index".format(name, version, name)
                )
            self.add(name, version, fitting[0].url, hashes)

    def refuse_outdated(self, versions, needed):
        """Fails if the package's requirements changed since it was locked."""
        for requirement in needed:
            version = versions.get(canonicalize_name(requirement.name))
            # PyPy contains some distributions.
            is_built_in = version is None and self.interpreter.environment["implementation_name"] == "pypy"
            if not is_built_in and (version is None or not requirement.specifier.contains(version, prereleases=True)):
                raise CommandError(
                    "the package requires `{}`, but the lock contains {}\nhint: run `cargo xtask lock`".format(
                        requirement, "no version" if version is None else version
                    )
                )

    def add(self, name, version, location, hashes):
        """Downloads or copies a file, and verifies its hash."""
        is_file = "://" not in location
        path = shutil.copy(location, self.folder) if is_file else self.fetch.download(location, self.folder)
        sha256 = sha256_of(path)
        if hashes and sha256 not in hashes:
            os.unlink(path)
            raise CommandError(
                "the sha256 of {} does not match\n  expected {}\n  fetched  {}".format(
                    os.path.basename(path), " or ".join(sorted(hashes)), sha256
                )
            )
        os.chmod(path, 0o644)
        file = os.path.basename(path)
        self.items[file] = {"name": name, "version": version, "file": file, "sha256": sha256}
        self.items[file].update({} if is_file else url_of(location))


def url_of(url):
    """The URL for an item; empty if it may contain a secret."""
    parts = urllib.parse.urlsplit(url)
    # The fragment is the hash. Some indexes have keys in the query.
    is_public = parts.scheme in ("http", "https") and "@" not in parts.netloc and not parts.query
    return {"url": urllib.parse.urlunsplit(parts[:3] + ("", ""))} if is_public else {}


def write_items(folder, items):
    path = os.path.join(folder, "requirements.json")
    known = json.loads(read(path)) if os.path.exists(path) else []
    files = {item["file"]: item for item in known}
    files.update(items)
    listed = sorted(files.values(), key=lambda item: (item["name"], item["version"], item["file"]))
    with open(path, "w") as out:
        json.dump(listed, out, indent=2, sort_keys=True)
        out.write("\n")
    with open(os.path.join(folder, "versions.txt"), "w") as out:
        out.writelines("{name}=={version}\n".format(**item) for item in listed)


def work(args):
    def run(fetch):
        requirements = Requirements(args, fetch)
        try:
            lines = requirement_lines(args.requirement)
            lines += [line for group in args.group for line in group_lines(group)]
            if "--hash=" in args.locked:
                requirements.locked(args.locked, lines)
            elif lines:
                requirements.resolve_near(args.locked, lines)
        except Unresolved as error:
            hint = "pin versions that have wheels, or set `network = true` in [{}] of wheels.toml".format(args.table)
            if args.only_binary:
                hint = "list versions that have wheels for this interpreter and system in `requires` of [test]"
            raise CommandError("{}\nhint: {}".format(error, hint)) from error
        finally:
            shutil.rmtree(requirements.scratch, ignore_errors=True)
        write_items(args.folder, requirements.items)
        print("fetched {} files".format(len(requirements.items)))

    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("python")
    parser.add_argument("folder")
    parser.add_argument("--requirement", action="append", default=[])
    parser.add_argument("--constraint", action="append", default=[])
    parser.add_argument("--group", action="append", default=[])
    parser.add_argument("--pins")
    parser.add_argument("--locked", default="")
    parser.add_argument("--only-binary", action="store_true")
    parser.add_argument("--table", default="build", choices=["build", "test"])
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    fetch = Fetch("fetch", "Fetch the files of requirements.")
    fetch.work = work(args)
    status = fetch.main(["--progress-bar", "off", "--dest", args.folder])
    if status != SUCCESS:
        sys.exit(status)


if __name__ == "__main__":
    main()
