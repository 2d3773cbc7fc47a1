"""Runs programs and measures their cost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, Optional


class Fault(Exception):
    """An error of the user; its text is the whole message."""


class Run(NamedTuple):
    """A finished process."""

    status: int
    stdout: str
    stderr: str
    cpu: float
    """User and system CPU seconds of the process and its children."""
    peak: int
    """Largest resident set in KiB."""


def run(command: list[str], cwd: Optional[Path] = None) -> Run:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            child = subprocess.Popen(command, stdout=out, stderr=err, cwd=cwd)
        except OSError as error:
            raise Fault(f"cannot run `{command[0]}`: {error.strerror}") from error
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    cpu = usage.ru_utime + usage.ru_stime
    return Run(child.returncode, texts[0], texts[1], cpu, usage.ru_maxrss)


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
