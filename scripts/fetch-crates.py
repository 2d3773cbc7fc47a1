"""Fetches the crates of a source by the hashes of its Cargo.lock files: fetch-crates.py SOURCE FOLDER

Writes the crates to FOLDER/vendor/NAME-VERSION, cargo's configuration for them to FOLDER/config.toml, and the list to
FOLDER/requirements-crates.json. Fetches nothing if the source's own .cargo/config.toml replaces the default registry: the
source then contains its crates. If the source has a Cargo.toml and no lock, cargo resolves, and FOLDER/locks.tar
contains the lock.
SOURCE is a copy. This script removes .cargo and rust-toolchain from it, because they can name programs to run.

Requires the pinned pip on sys.path for its TOML parser.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile

from pip._vendor import tomli

PROGRAMS = (".cargo", "rust-toolchain", "rust-toolchain.toml")
# Folders that contain no crates of the package.
LEFT_OUT = ("target", "node_modules", ".git")


def read_toml(path):
    with open(path, "rb") as file:
        try:
            return tomli.load(file)
        except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
            sys.exit("error: cannot read `{}`: {}".format(path, error))


def strip(source):
    """Removes the source's settings for cargo.

    Returns whether they replace the default registry, and the folders of locks and of manifests, top first.
    """
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
        if "Cargo.toml" in files:
            manifests.append(folder)
            # cargo ignores a lock without a manifest.
            locks += [folder] if "Cargo.lock" in files else []
    return is_vendored, sorted(locks, key=depth), sorted(manifests, key=depth)


def depth(path):
    return path.count("/"), path


def cargo(folder, *arguments):
    """The output of cargo; None if it fails."""
    ran = subprocess.run(["cargo", *arguments], cwd=folder, stdout=subprocess.PIPE)
    return None if ran.returncode else ran.stdout.decode()


def locked(folder):
    """The crates of a lock that are not in the source, by name, version and source."""
    packages = read_toml(os.path.join(folder, "Cargo.lock")).get("package", [])
    return {(each["name"], each["version"], each["source"]): each for each in packages if "source" in each}


def vendor(source, locks, vendored):
    """Fetches the crates of all locks; returns them, and cargo's configuration for them."""
    packages, tables = {}, {}
    for number, folder in enumerate(locks):
        found = locked(folder)
        if not found:
            continue
        # Without --locked: the lock can contain members of the workspace that the source archive lacks. cargo verifies
        # each crate's hash.
        text = cargo(folder, "vendor", "--versioned-dirs", "--no-delete", vendored)
        name = os.path.join(os.path.relpath(folder, source), "Cargo.lock")
        if text is None and number:
            print("warning: skipping the crates of {}: cargo cannot fetch them".format(name))
            continue
        now = None if text is None else locked(folder)
        if now is None or not now.items() <= found.items():
            sys.exit("error: cargo cannot fetch the crates of {}\n\nhint: run `cargo vendor --locked`".format(name))
        packages.update(now)
        for table in text.split("\n\n"):
            tables[table.strip().partition("\n")[0]] = table.strip()
    return packages, "".join(table + "\n" for _, table in sorted(tables.items()))


def run(source, folder):
    is_vendored, locks, manifests = strip(source)
    os.makedirs(folder)
    packages = {}
    if manifests and not is_vendored:
        if not locks:
            print("warning: the source has no Cargo.lock: cargo resolves the newest versions")
            if cargo(manifests[0], "generate-lockfile") is None:
                sys.exit("error: cargo cannot resolve the crates of the source\n\nhint: add a Cargo.lock to the source")
            locks = manifests[:1]
            path = os.path.join(locks[0], "Cargo.lock")
            with tarfile.open(os.path.join(folder, "locks.tar"), "w") as archive:
                archive.add(path, os.path.relpath(path, source))
        packages, config = vendor(source, locks, os.path.join(folder, "vendor"))
        with open(os.path.join(folder, "config.toml"), "w") as out:
            out.write(config)
    items = []
    for (name, version, origin), package in sorted(packages.items()):
        # A crate of a git repository has only the hash of its commit.
        sha256 = package.get("checksum") or origin.rpartition("#")[2]
        items.append({"name": name, "version": version, "sha256": sha256})
    with open(os.path.join(folder, "requirements-crates.json"), "w") as out:
        json.dump(items, out, indent=2, sort_keys=True)
        out.write("\n")
    print("fetched {} crates".format(len(items)))


if __name__ == "__main__":
    run(*sys.argv[1:])
