"""The list of wheels: what is in it, and how it gets onto this machine."""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, Optional

from processes import Fault, last_line, note

HERE = Path(__file__).resolve().parent
WHEELS = HERE / "wheels.txt"


class Row(NamedTuple):
    """A wheel of the list: what to ask pip for, and what has to come."""

    requirement: str
    tags: str
    sha256: str

    @property
    def key(self) -> tuple[str, str]:
        return self.requirement, self.tags

    def selectors(self) -> list[str]:
        """pip's options that select this wheel and no other of the release: of a set of tags
        the last is the newest, and older builds do not have it."""
        python, abi, platform = self.tags.split("-")
        interpreter = python.split(".")[-1]
        found = re.fullmatch(r"([a-z]+)(\d)(\d*)", interpreter)
        if not found:
            raise Fault(f"{WHEELS.name}: `{interpreter}` is no interpreter tag")
        implementation, major, minor = found.groups()
        version = f"{major}.{minor}" if minor else "3.13"
        return [
            *("--implementation", implementation),
            *("--python-version", version),
            *("--abi", abi.split(".")[0]),
            *("--platform", platform.split(".")[-1]),
        ]


def row_of(path: Path) -> tuple[str, str]:
    """Pinned requirement and tags of a wheel, from its file name."""
    parts = path.name[: -len(".whl")].split("-")
    if not path.name.endswith(".whl") or len(parts) not in (5, 6):
        raise Fault(f"`{path.name}` is no name of a wheel")
    name = re.sub(r"[-_.]+", "-", parts[0]).lower()
    return f"{name}=={parts[1]}", "-".join(parts[-3:])


def read_list(path: Path = WHEELS) -> list[Row]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line and not line.startswith("#"):
            fields = line.split()
            if len(fields) != 3 or not re.fullmatch(r"sha256:[0-9a-f]{64}", fields[2]):
                raise Fault(f"{path.name}, line {number}: not `NAME==VERSION TAGS sha256:HEX`")
            rows.append(Row(fields[0], fields[1], fields[2][len("sha256:") :]))
    return rows


def wheels_in(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.whl"))
    if not found:
        raise Fault(f"there is no wheel in {folder}; `fetch` gets them")
    return found


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def freeze(args: argparse.Namespace) -> int:
    """Writes the list from the wheels that are in a folder."""
    lines = []
    for path in wheels_in(args.folder):
        requirement, tags = row_of(path)
        lines.append(f"{requirement} {tags} sha256:{sha256_of(path)}\n")
    head = (
        "# The wheels that are compared: pinned requirement, tags, SHA-256 of the file.\n"
        "# Written by `agreement.py freeze`; do not edit.\n"
    )
    WHEELS.write_text(head + "".join(sorted(lines)), encoding="utf-8")
    note(f"{len(lines)} wheels in {WHEELS.name}")
    return 0


def fetch(args: argparse.Namespace) -> int:
    """Downloads what the list names and the folder lacks."""
    args.folder.mkdir(parents=True, exist_ok=True)
    present = {row_of(path): path for path in args.folder.glob("*.whl")}
    missing, failed = [], []
    for row in read_list():
        path = present.get(row.key)
        if path is None:
            missing.append(row)
        elif sha256_of(path) != row.sha256:
            failed.append(f"{path.name}: has another SHA-256 than the list says; remove it")
    note(f"{len(present)} wheels are there, {len(missing)} are to be fetched")
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for row, error in pool.map(lambda row: (row, download(row, args.folder)), missing):
            if error:
                failed.append(f"{row.requirement} {row.tags}: {error}")
    for line in failed:
        note(line)
    return 1 if failed else 0


def download(row: Row, folder: Path) -> Optional[str]:
    """Fetches one wheel; returns what went wrong. Nothing unchecked gets into the folder."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        command += ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir"]
        command += [*row.selectors(), "--dest", scratch, row.requirement]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            return last_line(result.stderr) or f"pip ended with status {result.returncode}"
        for path in Path(scratch).glob("*.whl"):
            if sha256_of(path) != row.sha256:
                return f"pip brought `{path.name}`, whose SHA-256 is not that of the list"
            path.rename(folder / path.name)
            return None
    return "pip brought no wheel"
