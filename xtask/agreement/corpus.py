"""Reads, writes and downloads the list of wheels."""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from processes import Fault, last_line, note

HERE = Path(__file__).resolve().parent
WHEELS = HERE / "wheels.txt"
# Maximum number of wheels for one call of pip. Starting pip takes longer than most downloads.
PER_CALL = 12


class Row(NamedTuple):
    """A wheel of the list: pinned requirement, tags, SHA-256, and the bug report."""

    requirement: str
    tags: str
    sha256: str
    report: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.requirement, self.tags

    def selectors(self) -> list[str]:
        """pip's options that select only this wheel of the release.

        The last tag of a set is the newest one; older builds do not have it.
        """
        python, abi, platform = self.tags.split("-")
        interpreter = python.split(".")[-1]
        found = re.fullmatch(r"([a-z]+)(\d)(\d*)", interpreter)
        if not found:
            raise Fault(f"{WHEELS.name}: `{interpreter}` is not an interpreter tag")
        implementation, major, minor = found.groups()
        version = f"{major}.{minor}" if minor else "3.13"
        return [
            *("--implementation", implementation),
            *("--python-version", version),
            *("--abi", abi.split(".")[0]),
            *("--platform", platform.split(".")[-1]),
        ]


def row_of(path: Path) -> tuple[str, str]:
    """The pinned requirement and the tags of a wheel, from its file name."""
    parts = path.name[: -len(".whl")].split("-")
    if not path.name.endswith(".whl") or len(parts) not in (5, 6):
        raise Fault(f"`{path.name}` is not a valid wheel name")
    name = re.sub(r"[-_.]+", "-", parts[0]).lower()
    return f"{name}=={parts[1]}", "-".join(parts[-3:])


def read_list(path: Path = WHEELS) -> list[Row]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line and not line.startswith("#"):
            fields = line.split()
            if len(fields) not in (3, 4) or not re.fullmatch(r"sha256:[0-9a-f]{64}", fields[2]):
                want = "NAME==VERSION TAGS sha256:HEX [REPORT]"
                raise Fault(f"{path.name}, line {number}: not `{want}`")
            rows.append(Row(fields[0], fields[1], fields[2][len("sha256:") :], *fields[3:]))
    return rows


def wheels_in(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.whl"))
    if not found:
        raise Fault(f"{folder} has no wheels; download them with `fetch`")
    return found


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def freeze(args: argparse.Namespace) -> int:
    """Write the list from the wheels in a folder."""
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
    """Download the wheels of the list that the folder lacks."""
    args.folder.mkdir(parents=True, exist_ok=True)
    present = {row_of(path): path for path in args.folder.glob("*.whl")}
    missing, failed = [], []
    for row in read_list(args.list):
        path = present.get(row.key)
        if path is None:
            missing.append(row)
        elif sha256_of(path) != row.sha256:
            failed.append(f"{path.name}: the SHA-256 is not that of the list; remove the file")
    note(f"{len(present)} wheels exist, downloading {len(missing)}")
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for faults in pool.map(lambda rows: download(rows, args.folder), calls(missing)):
            failed += faults
    for line in failed:
        note(line)
    return 1 if failed else 0


def calls(rows: list[Row]) -> list[list[Row]]:
    """Groups of rows for one call of pip each: with the same tags, and each project once."""
    groups: dict[tuple[str, ...], list[list[Row]]] = {}
    for row in rows:
        project = row.requirement.partition("==")[0]
        lists = groups.setdefault(tuple(row.selectors()), [])
        for some in lists:
            if len(some) < PER_CALL and all(
                project != each.requirement.partition("==")[0] for each in some
            ):
                some.append(row)
                break
        else:
            lists.append([row])
    return [some for lists in groups.values() for some in lists]


def download(rows: list[Row], folder: Path) -> list[str]:
    """Downloads wheels with one call of pip; returns the errors.

    If that fails, for example because one of them was deleted, downloads each one separately. Only wheels with the right
    hash enter the folder.
    """
    wanted = {row.key: row for row in rows}
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        command += ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir"]
        command += [*rows[0].selectors(), "--dest", scratch, *(row.requirement for row in rows)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        for path in Path(scratch).glob("*.whl"):
            row = wanted.get(row_of(path))
            if row and sha256_of(path) == row.sha256:
                path.rename(folder / path.name)
                del wanted[row.key]
    if len(rows) > 1 and wanted:
        return [fault for row in wanted.values() for fault in download([row], folder)]
    reason = last_line(result.stderr) or "pip downloaded another wheel"
    return [f"{row.requirement} {row.tags}: {reason}" for row in wanted.values()]
