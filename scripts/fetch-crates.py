"""Fetch the crates of a source by the hashes of its Cargo.lock files: fetch-crates.py SOURCE FOLDER

FOLDER gets vendor/NAME-VERSION, config.toml, which has cargo read them, and requirements-crates.json. A source whose
own .cargo/config.toml replaces crates.io has its crates itself: nothing is fetched. Where it has a Cargo.toml and no
lock, cargo resolves, and the result is in locks.tar. Crates of git repositories are fetched by `cargo vendor`.
SOURCE is a copy that this script changes: cargo reads neither .cargo nor rust-toolchain of it, which may name programs.

Runs inside the pinned pip, for its proxies, passwords and certificates (see fetch-sdist.py).
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor

from pip._internal.cli.status_codes import SUCCESS
from pip._internal.commands.download import DownloadCommand
from pip._internal.exceptions import CommandError
from pip._vendor import tomli
from retries import repeated

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
CRATES_IO_INDEX = "sparse+https://index.crates.io/"
PROGRAMS = (".cargo", "rust-toolchain", "rust-toolchain.toml")
# Folders that hold no crates of the package.
LEFT_OUT = ("target", "node_modules", ".git")
THREADS = 8


def read_toml(path):
    with open(path, "rb") as file:
        try:
            return tomli.load(file)
        except tomli.TOMLDecodeError as error:
            raise CommandError("{} cannot be read: {}".format(path, error)) from error


def strip(source):
    """Removes what cargo would obey; whether the source replaces crates.io by itself."""
    is_vendored, locks, manifests = False, [], []
    for folder, folders, files in os.walk(source):
        for name in ("config", "config.toml"):
            path = os.path.join(folder, ".cargo", name)
            if os.path.isfile(path) and "crates-io" in read_toml(path).get("source", {}):
                is_vendored = True
        for name in PROGRAMS:
            path = os.path.join(folder, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.unlink(path)
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT + PROGRAMS)
        locks += [os.path.join(folder, "Cargo.lock")] if "Cargo.lock" in files else []
        manifests += [os.path.join(folder, "Cargo.toml")] if "Cargo.toml" in files else []
    return is_vendored, locks, manifests


def cargo(folder, *arguments):
    ran = subprocess.run(["cargo", *arguments], cwd=folder, stdout=subprocess.PIPE)
    if ran.returncode:
        raise CommandError("`cargo {}` failed with status {}".format(arguments[0], ran.returncode))
    return ran.stdout.decode()


class Registry:
    """Where the crates of a source of Cargo.lock come from."""

    def __init__(self, name, fetch):
        self.fetch, self.headers = fetch, {}
        index, settings = CRATES_IO_INDEX if name == CRATES_IO else name, fetch.settings
        wanted = {"crates-io"} if name == CRATES_IO else {
            key for key, value in settings.get("source", {}).items() if value.get("registry") == name
        }
        while wanted:
            replaced = settings.get("source", {}).get(wanted.pop(), {})
            index = replaced.get("registry", index)
            wanted = {replaced["replace-with"]} if "replace-with" in replaced else set()
            index = settings.get("registries", {}).get(min(wanted, default=""), {}).get("index", index)
        if not index.startswith("sparse+"):
            raise CommandError("{} is an index in git\nhint: use its sparse index".format(index))
        for key, value in settings.get("registries", {}).items():
            token = os.environ.get("CARGO_REGISTRIES_{}_TOKEN".format(key.upper().replace("-", "_")))
            if value.get("index") == index and token:
                self.headers = {"Authorization": token}
        self.download = json.loads(self.get(index[len("sparse+") :].rstrip("/") + "/config.json"))["dl"]

    def get(self, url):
        def once():
            response = self.fetch.session.get(url, headers=self.headers)
            response.raise_for_status()
            return response.content

        return repeated(once)

    def crate(self, package):
        name, version, sha256 = package["name"], package["version"], package["checksum"]
        kept = os.path.join(os.environ["XTASK_CACHE"], "crates", sha256)
        if os.path.exists(kept):
            with open(kept, "rb") as file:
                data = file.read()
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
        data = self.get(url_of(self.download, name, version, sha256))
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise CommandError(
                "crate {} {} has another hash\n  expected sha256 {}\n  fetched  sha256 {}".format(
                    name, version, sha256, found
                )
            )
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        part = "{}.{}.part".format(kept, os.getpid())
        with open(part, "wb") as out:
            out.write(data)
        os.replace(part, kept)
        return data


def url_of(template, name, version, sha256):
    """The address of a crate, by `dl` of the registry's config.json."""
    lower = name.lower()
    prefix = {1: "1", 2: "2", 3: "3/" + name[:1]}.get(len(name), "{}/{}".format(name[:2], name[2:4]))
    marks = {"crate": name, "version": version, "prefix": prefix, "sha256-checksum": sha256}
    marks["lowerprefix"] = {1: "1", 2: "2", 3: "3/" + lower[:1]}.get(len(name), "{}/{}".format(lower[:2], lower[2:4]))
    filled = re.sub(r"\{([a-z0-9-]+)\}", lambda mark: marks.get(mark.group(1), mark.group(0)), template)
    return filled if filled != template else "{}/{}/{}/download".format(template.rstrip("/"), name, version)


def unpack(data, vendor, package):
    top = "{}-{}".format(package["name"], package["version"])
    if not re.fullmatch(r"[A-Za-z0-9_.+-]+", top):
        raise CommandError("Cargo.lock names the crate `{}`".format(top))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            parts = member.name.split("/")
            if parts[0] != top or ".." in parts or not (member.isfile() or member.isdir()):
                continue
            path = os.path.join(vendor, *parts)
            if member.isdir():
                os.makedirs(path, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as out:
                shutil.copyfileobj(archive.extractfile(member), out)
            os.chmod(path, 0o755 if member.mode & 0o100 else 0o644)
    with open(os.path.join(vendor, top, ".cargo-checksum.json"), "w") as out:
        json.dump({"files": {}, "package": package["checksum"]}, out)


def vendor(fetch, packages, folder):
    """Fetches crates of registries, and writes what has cargo read them."""
    registries = {name: Registry(name, fetch) for name in sorted({package["source"] for package in packages})}
    with ThreadPoolExecutor(THREADS) as pool:
        crates = list(pool.map(lambda package: registries[package["source"]].crate(package), packages))
    for package, data in zip(packages, crates):
        unpack(data, os.path.join(folder, "vendor"), package)
    lines = ['[source.vendored-sources]\ndirectory = "/crates/vendor"\n']
    for name in registries:
        if name == CRATES_IO:
            lines.append('[source.crates-io]\nreplace-with = "vendored-sources"\n')
        else:
            url = name[len("registry+") :] if name.startswith("registry+") else name
            lines.append('[source."{0}"]\nregistry = "{0}"\nreplace-with = "vendored-sources"\n'.format(url))
    return "".join(lines)


def locked(locks):
    """The crates of all locks that come from elsewhere, each once, sorted."""
    packages = {}
    for lock in locks:
        for package in read_toml(lock).get("package", []):
            if "source" in package:
                packages[(package["name"], package["version"], package["source"])] = package
    return [packages[key] for key in sorted(packages)]


def run(fetch, source, folder):
    is_vendored, locks, manifests = strip(source)
    os.makedirs(folder)
    items = []
    if manifests and not is_vendored:
        if not locks:
            print("warning: the source has no Cargo.lock: its crates are those that cargo chooses today")
            top = min(manifests, key=lambda path: (path.count("/"), path))
            cargo(os.path.dirname(top), "generate-lockfile")
            locks = [os.path.join(os.path.dirname(top), "Cargo.lock")]
            with tarfile.open(os.path.join(folder, "locks.tar"), "w") as archive:
                archive.add(locks[0], os.path.relpath(locks[0], source))
        packages = locked(locks)
        if any(not re.fullmatch(r"[0-9a-f]{64}", package.get("checksum", "")) for package in packages):
            # Of a git repository, which has no hash but that of its commit.
            places = [os.path.dirname(lock) for lock in locks]
            further = [word for place in places[1:] for word in ("--sync", os.path.join(place, "Cargo.toml"))]
            text = cargo(places[0], "vendor", "--locked", "--versioned-dirs", *further, os.path.join(folder, "vendor"))
        else:
            text = vendor(fetch, packages, folder)
        with open(os.path.join(folder, "config.toml"), "w") as out:
            out.write(text)
        for package in packages:
            sha256 = package.get("checksum") or package["source"].rpartition("#")[2]
            items.append({"name": package["name"], "version": package["version"], "sha256": sha256})
    with open(os.path.join(folder, "requirements-crates.json"), "w") as out:
        json.dump(items, out, indent=2, sort_keys=True)
        out.write("\n")
    print("fetched {} crates".format(len(items)))


class Fetch(DownloadCommand):
    settings = {}

    def run(self, options, args):
        self.session = self.get_default_session(options)
        config = os.path.join(os.environ["CARGO_HOME"], "config.toml")
        self.settings = read_toml(config) if os.path.exists(config) else {}
        run(self, *args)
        return SUCCESS


def main():
    status = Fetch("fetch", "Fetch crates.").main(sys.argv[1:])
    if status != SUCCESS:
        sys.exit(status)


if __name__ == "__main__":
    main()
