#!/usr/bin/env python3
"""Writes `missing/packages.toml`, the system packages for hints, from `packages.txt` and Debian's indexes. Also verifies
the Debian packages in the audit's `system-libraries.toml`.

    refresh.py [--check] CONTENTS...

`--check` writes nothing and fails if the file is out of date. `CONTENTS` are the files `Contents-amd64` and
`Contents-all` of a Debian suite, unpacked or as `.gz`. Python 3.9, standard library only.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "crates/wheel-build/src/pipeline/missing/packages.toml"
LIBRARIES = HERE.parent / "crates/wheel-audit/src/policy/data/system-libraries.toml"
HEAD = """\
# System packages by what a build misses. Written by `xtask/system-packages/refresh.py`; do not edit.
# Source: the Contents indexes of Debian 12 (apt, headers, libraries, modules, programs); dnf and apk names by hand.

package = [
"""
# Maximum number of names of one kind for a package. The shortest ones are kept.
MOST = 20
TRIPLET = "x86_64-linux-gnu"
INCLUDE = re.compile(rf"usr/include/(?:{TRIPLET}/)?(.+)")
LIBRARY = re.compile(rf"usr/lib/(?:{TRIPLET}/)?(?:[^/]+/)?lib([^/]+)\.(?:so|a)")
MODULE = re.compile(r"usr/(?:lib|share)/(?:.+/)?pkgconfig/([^/]+)\.pc|usr/lib/.+/([^/]+)\.pc")
SHARED = re.compile(rf"(?:usr/)?lib/{TRIPLET}/([^/]+\.so\.[^/]+)")
PROGRAM = re.compile(r"usr/bin/([^/]+)")


def wanted() -> dict[str, tuple[list[str], str]]:
    """The rows of `packages.txt` by the package with the files, and their apt name."""
    rows = {}
    for line in (HERE / "packages.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            apt, *others = line.split()
            name, _, contents = apt.partition("=")
            rows[contents or name] = (others, name)
    return rows


def library_packages() -> dict[str, str]:
    """The Debian package of each soname in the audit's table; empty if it has none."""
    rows = re.findall(r'soname = "([^"]+)"(?:, debian = "([^"]+)")?', LIBRARIES.read_text(encoding="utf-8"))
    return dict(rows)


def files_of(packages: set[str], indexes: list[str]) -> tuple[dict[str, list[str]], dict[str, set[str]]]:
    """The files of each package, and the packages of each shared library."""
    files, libraries = defaultdict(list), defaultdict(set)
    for index in indexes:
        opener = gzip.open if index.endswith(".gz") else open
        with opener(index, "rt", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                path, _, owners = line.rstrip().rpartition(" ")
                path = path.strip()
                shared = SHARED.fullmatch(path)
                for owner in owners.split(","):
                    name = owner.rpartition("/")[2]
                    if name in packages:
                        files[name].append(path)
                    if shared:
                        libraries[shared[1]].add(name)
    return files, libraries


def headers_of(paths: list[str]) -> tuple[set[str], set[str]]:
    """Headers as sources include them: relative to the system's folder, and to a folder that pkg-config adds."""
    found, below = set(), set()
    for path in paths:
        include = INCLUDE.fullmatch(path)
        if include:
            found.add(include[1])
            folder, _, rest = include[1].partition("/")
            if rest and not rest.startswith("."):
                below.add(rest)
    return found, below if len({each.partition("/")[0] for each in below}) <= 60 else set()


def shortest_prefixes(headers: dict[str, set[str]]) -> dict[str, list[str]]:
    """Each package's headers, cut after the first folder that is unique to the package."""
    owners = defaultdict(set)
    for package, names in headers.items():
        for name in names:
            parts = name.split("/")
            for depth in range(1, len(parts) + 1):
                owners["/".join(parts[:depth])].add(package)

    def cut(name: str) -> str:
        parts = name.split("/")
        for depth in range(1, len(parts)):
            if len(owners["/".join(parts[:depth])]) == 1:
                return "/".join(parts[:depth]) + "/"
        return name

    return {
        package: sorted({cut(name) for name in names if len(owners[name]) == 1})
        for package, names in headers.items()
    }


def names(paths: list[str], pattern: re.Pattern[str]) -> list[str]:
    found = (pattern.fullmatch(path) for path in paths)
    return sorted({next(filter(None, each.groups())) for each in found if each})


def main(arguments: list[str]) -> int:
    is_check = "--check" in arguments
    indexes = [each for each in arguments if each != "--check"]
    rows = wanted()
    files, libraries = files_of(set(rows), indexes)
    missing = sorted(set(rows) - set(files))
    wrong = {
        soname: libraries[soname]
        for soname, package in library_packages().items()
        if package not in (libraries[soname] or {""})
    }
    headers = {package: headers_of(files[package]) for package in rows}
    # `#include <yaml.h>` means libyaml, not `yaml-cpp/yaml.h`.
    direct = set().union(*(found for found, _ in headers.values()))
    prefixes = shortest_prefixes({name: found | (below - direct) for name, (found, below) in headers.items()})
    lines = []
    for package, ((dnf, apk, *aliases), apt) in sorted(rows.items(), key=lambda row: row[1][1]):
        entry = {"apt": apt, "dnf": dnf, "apk": apk}
        extra = [each for each in aliases if each.endswith(".h")]
        kinds = {
            "headers": prefixes[package] + extra,
            "libraries": names(files[package], LIBRARY),
            "modules": names(files[package], MODULE),
            "programs": names(files[package], PROGRAM),
            "names": [each for each in aliases if each not in extra],
        }
        text = [f"{key} = {json.dumps(value)}" for key, value in entry.items() if value != "-"]
        for key, value in kinds.items():
            kept = sorted(sorted(value, key=lambda each: (len(each), each))[:MOST])
            text += [f"{key} = {json.dumps(kept)}"] if kept else []
        lines.append("  { " + ", ".join(text) + " },\n")
    text = HEAD + "".join(lines) + "]\n"
    is_stale = is_check and DATA.read_text(encoding="utf-8") != text
    if is_stale:
        print(f"{DATA.name} is out of date: run refresh.py without --check", file=sys.stderr)
    elif not is_check:
        DATA.parent.mkdir(exist_ok=True)
        DATA.write_text(text, encoding="utf-8")
    for package in missing:
        print(f"{package}: not in the indexes", file=sys.stderr)
    for soname, packages in wrong.items():
        print(f"{LIBRARIES.name}: {soname} is in {', '.join(sorted(packages)) or 'no package'}", file=sys.stderr)
    return 1 if missing or wrong or is_stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
