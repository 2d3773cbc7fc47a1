#!/usr/bin/env python3
"""Writes the exports of system libraries and interpreters to the tables in `policy/data/exports/`.

    refresh.py fetch POOL --debian URI --ubuntu URI    # downloads the packages with apt, and unpacks them
    refresh.py build POOL                              # writes the tables
    refresh.py check POOL                              # fails if a table is out of date

`POOL/SUITE/ARCH/PACKAGE/` contains each unpacked package, with its control files in `DEBIAN/`. No suite has free-threaded
interpreters: `POOL/built/ARCH/VERSION/python` is one. Python 3.9, standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import elf
import tables
from libraries import ARCHES, DEBIAN_ONLY, GLIBC, HOME, LFS64, LIBRARIES, SUITES, Library, packages

DATA = Path(__file__).resolve().parent.parent / "crates/wheel-audit/src/policy/data/exports"
HEAD = "# The tables of exports. Written by `xtask/exports/refresh.py`; do not edit.\n# Sources, packages of Debian and Ubuntu:\n"
# The functions and data of an interpreter's API, without the init functions of built-in modules.
API = re.compile(r"_?Py(?!Init_)\w+")


def fetch(pool: Path, uris: dict[str, str]) -> None:
    """Downloads the packages of every suite. apt has a separate configuration for each suite, in `POOL/apt`."""
    for archive, suites in SUITES.items():
        for suite, machines in suites.items():
            environment = apt_of(pool / "apt" / suite, f"{uris[archive]} {suite}", archive, machines.split())
            subprocess.run(["apt-get", "-qq", "update"], env=environment, check=True)
            for machine in machines.split():
                for package in packages(suite):
                    fetch_package(pool / suite / machine / package, f"{package}:{machine}", environment)


def apt_of(root: Path, source: str, archive: str, machines: list[str]) -> dict[str, str]:
    """The environment variables for an apt that uses only one suite and no configuration of this system."""
    for folder in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "lists/partial", "cache/archives/partial", "dpkg"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "dpkg/status").touch()
    # Debian may lack Ubuntu's keys. No code of the packages runs.
    option = "" if archive == "debian" else "[trusted=yes] "
    parts = "main universe" if archive == "ubuntu" else "main"
    (root / "sources.list").write_text(f"deb {option}{source} {parts}\n")
    keys, listed = "/etc/apt/trusted.gpg.d", " ".join(f'"{each}";' for each in machines)
    (root / "apt.conf").write_text(
        f'Dir::Etc "{root}/etc/apt"; Dir::Etc::SourceList "{root}/sources.list"; Dir::Etc::TrustedParts "{keys}";\n'
        f'Dir::State::Lists "{root}/lists"; Dir::State::status "{root}/dpkg/status"; Dir::Cache "{root}/cache";\n'
        f'APT::Architecture "{machines[0]}"; APT::Architectures {{ {listed} }};\n'
        'APT::Sandbox::User "root"; Acquire::Languages "none"; Acquire::Retries "3";\n'
        'Acquire::Check-Valid-Until "false";\n'
    )
    return {**os.environ, "APT_CONFIG": str(root / "apt.conf")}


def fetch_package(folder: Path, package: str, environment: dict[str, str]) -> None:
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    download = ["apt-get", "-qq", "download", package]
    if subprocess.run(download, cwd=folder.parent, env=environment, stderr=subprocess.DEVNULL).returncode:
        print(f"{package}: not in {folder.parts[-3]}", file=sys.stderr)
        return
    (archive,) = folder.parent.glob("*.deb")
    subprocess.run(["dpkg-deb", "--raw-extract", archive, folder], check=True)
    archive.unlink()


def control(package: Path) -> dict[str, str]:
    text = (package / "DEBIAN/control").read_text(encoding="utf-8")
    return dict(re.findall(r"^(\w[\w-]*): (.*)", text, re.M))


def upstream(version: str) -> str:
    """`2.74.6` of `1:2.74.6-2+deb12u1`, `1.3.1` of `1:1.3.dfsg+really1.3.1-1`."""
    return re.match(r"(?:\d+:)?(?:.*\+really)?([\d.]*\d)", version)[1]


def natural(text: str) -> tuple[list[int], str]:
    """A sort key by the numbers, then by the text, so that the order is deterministic."""
    return [int(each) for each in re.findall(r"\d+", text)], text


def introduced(package: Path) -> dict[str, str]:
    """The upstream version that introduced each unversioned symbol of the package (`deb-symbols(5)`)."""
    path = package / "DEBIAN/symbols"
    rows = re.findall(r"^ (\w+)@Base (\S+)", path.read_text(encoding="utf-8"), re.M) if path.exists() else []
    return {name: upstream(version) for name, version in rows}


def shared_files(package: Path):
    """The libraries of a package that programs link or load by name."""
    for path in sorted(package.rglob("*.so*")):
        is_aside = {"gconv", "audit", "glibc-hwcaps", "python3"} & set(path.parts)
        if path.is_file() and not path.is_symlink() and not is_aside:
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


class Read:
    """The content of a pool's packages."""

    def __init__(self, pool: Path) -> None:
        self.pool = pool
        self.sources: dict[str, set[str]] = defaultdict(set)
        # The libraries of glibc that CPython's executables need: `old_scope` before libdl moved into libc, `scope` since.
        self.scopes: dict[str, set[str]] = {}

    def libraries(self) -> dict[str, dict[str, list[tables.Snapshot]]]:
        """The snapshots of each library by architecture."""
        found: dict[str, dict[str, list[tables.Snapshot]]] = defaultdict(lambda: defaultdict(list))
        by_package = defaultdict(list)
        for library in LIBRARIES:
            for package in library.packages.split():
                by_package[package].append(library)
        for package, wanted in sorted(by_package.items()):
            for folder in sorted(self.pool.glob(f"*/*/{package}")):
                arch, fields, since = ARCHES[folder.parts[-2]], control(folder), introduced(folder)
                for path in shared_files(folder):
                    read = elf.read(path)
                    for library in wanted:
                        if (read.soname or path.name) in library.names():
                            version = version_of(library, read, fields["Version"])
                            found[library.name][arch].append(tables.Snapshot(arch, version, read.definitions, since))
                            self.note(folder)
        return found

    def note(self, folder: Path) -> None:
        self.sources[folder.name].add(f"{control(folder)['Version']} ({folder.parts[-3]})")

    def pythons(self) -> dict[str, list[tables.Snapshot]]:
        """The snapshots of CPython's API, with and without the GIL (`t`)."""
        names: dict[tuple[str, str], set[str]] = defaultdict(set)
        for folder in sorted(self.pool.glob("*/*/*python3.*")):
            version = re.search(r"3\.\d+", folder.name)[0]
            for path in [*folder.glob("usr/bin/python3.*[0-9]"), *folder.glob("usr/lib/*/libpython3.*.so.1.0")]:
                names["gil", version] |= api(path)
                self.note(folder)
                if path.parent.name == "bin":
                    self.add_scope(elf.read(path).needed)
        for path in sorted(self.pool.glob("built/*/*t/python")):
            names["t", path.parent.name[:-1]] |= api(path)
            self.sources[f"python{path.parent.name}"].add("its source, with --disable-gil")
        found = defaultdict(list)
        for (build, version), symbols in sorted(names.items()):
            found[build].append(plain_snapshot(build, version, symbols))
        return found

    def add_scope(self, needed: list[str]) -> None:
        """Keeps the libraries of glibc that every executable needs."""
        key = "old_scope" if "libdl.so.2" in needed else "scope"
        self.scopes[key] = self.scopes.get(key, set(GLIBC)) & set(needed)

    def pypys(self) -> dict[str, list[tables.Snapshot]]:
        found: dict[str, set[str]] = defaultdict(set)
        for folder in sorted(self.pool.glob("*/*/pypy3")):
            for path in folder.rglob("libpypy3*-c.so"):
                if not path.is_symlink():
                    abi = re.search(r"pypy3(\d+)-abi", control(folder).get("Provides", ""))
                    version = f"3.{abi[1]}" if abi else re.search(r"3\.\d+", path.name)[0]
                    found[version] |= api(path)
                    self.note(folder)
        return {"pypy": [plain_snapshot("pypy", version, symbols) for version, symbols in sorted(found.items())]}


def api(path: Path) -> set[str]:
    return {each.name for each in elf.read(path).definitions if API.fullmatch(each.name)}


def plain_snapshot(arch: str, version: str, symbols: set[str]) -> tables.Snapshot:
    definitions = [elf.Definition(name, "", 1, False) for name in sorted(symbols)]
    return tables.Snapshot(arch, version, definitions, dict.fromkeys(symbols, version))


def version_of(library: Library, read: elf.Elf, package_version: str) -> str:
    if library.prefix == "GLIBC":
        return f"GLIBC_{upstream(package_version)}"
    if library.prefix:
        return tables.newest((each.version for each in read.definitions), library.prefix)
    return upstream(package_version)


def written(pool: Path) -> dict[str, str]:
    """The text of every table by its file name."""
    read, files, rows = Read(pool), {}, []
    snapshots = read.libraries()
    spans: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for name, by_arch in snapshots.items():
        for arch, each in by_arch.items():
            spans[arch][name] = tables.spans(each)
    for by_name in spans.values():
        tables.moved(by_name, HOME)
    for library in LIBRARIES:
        by_arch = snapshots[library.name]
        found = {arch: spans[arch][library.name] for arch in sorted(by_arch)}
        ends = {arch: max((each.version for each in taken), key=tables.order) for arch, taken in by_arch.items()}
        tables.continued(found, ends)
        tables.preceded(found, {arch: min((each.version for each in taken), key=tables.order) for arch, taken in by_arch.items()})
        if library.name == "libc.so":
            adjust_musl(found)
        if not library.prefix:
            ever = min((each.version for taken in by_arch.values() for each in taken), key=tables.order)
            tables.since_ever(found, ever)
        bases = {arch: tables.base_of(values, library.prefix) if library.prefix else "" for arch, values in found.items()}
        files[f"{library.name}.txt"] = "\n".join(tables.merged(found, bases)) + "\n"
        rows.append(row(library.name, {"sonames": library.sonames, "base": bases}))
    interpreters = []
    for name, by_build in (("cpython", read.pythons()), ("pypy", read.pypys())):
        found = {build: tables.spans(each) for build, each in by_build.items()}
        versions = {build: sorted({each.version for each in taken}, key=tables.order) for build, taken in by_build.items()}
        files[f"{name}.txt"] = "\n".join(tables.merged(found, {build: each[0] for build, each in versions.items()})) + "\n"
        interpreters.append(row(name, {"versions": versions, **(read.scopes if name == "cpython" else {})}))
    sources = [f"#   {package}: {', '.join(sorted(each, key=natural))}\n" for package, each in sorted(read.sources.items())]
    files["libraries.toml"] = (
        HEAD + "".join(sources) + "\nlibrary = [\n" + "".join(rows) + "]\ninterpreter = [\n" + "".join(interpreters) + "]\n"
    )
    return files


def adjust_musl(found: dict[str, dict[str, str]]) -> None:
    for values in found.values():
        for name in DEBIAN_ONLY:
            values.pop(name, None)
        pairs = [(f"{name}64", name) for name in LFS64 if len(name) <= 14] + [("readdir64_r", "readdir_r")]
        for alias, name in pairs:
            if name in values:
                values[alias] = values.get(alias, values[name]).partition("..")[0]


def row(name: str, fields: dict) -> str:
    """A TOML inline table."""
    parts = [f"name = {json.dumps(name)}"]
    for key, value in sorted(fields.items()):
        if isinstance(value, dict):
            value = ", ".join(f"{each} = {json.dumps(value[each])}" for each in sorted(value))
            parts.append(f"{key} = {{ {value} }}")
        elif value:
            parts.append(f"{key} = {json.dumps(sorted(value))}")
    return f"  {{ {', '.join(parts)} }},\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("fetch", "build", "check"))
    parser.add_argument("pool", type=Path, metavar="POOL")
    parser.add_argument("--debian", metavar="URI")
    parser.add_argument("--ubuntu", metavar="URI")
    arguments = parser.parse_args()
    if arguments.action == "fetch":
        fetch(arguments.pool.resolve(), {"debian": arguments.debian, "ubuntu": arguments.ubuntu})
        return 0
    files, stale = written(arguments.pool), []
    for name, text in files.items():
        path = DATA / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if arguments.action == "build":
                path.write_text(text, encoding="utf-8")
    print("\n".join(f"{name}: {'written' if arguments.action == 'build' else 'out of date'}" for name in stale))
    return 1 if stale and arguments.action == "check" else 0


if __name__ == "__main__":
    sys.exit(main())
