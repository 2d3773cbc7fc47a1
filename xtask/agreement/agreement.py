#!/usr/bin/env python3
"""Holds the verdicts of `cargo xtask verify` against the reference tools of the Python field.

`README.md` beside this file says how to run it and how to read what it prints.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
from pathlib import Path
from typing import Callable

from compare import Page, compare
from corpus import fetch, freeze, wheels_in
from processes import Fault, Run, last_line, note, run
from reference import AUDITWHEEL, TOOLS, Tools, answers, concerns, reference

# What it costs


def speed(args: argparse.Namespace) -> int:
    """Prints the CPU seconds of auditwheel, of our commands and of what only reads."""
    wheels, tools = wheels_in(args.folder), Tools(args.folder, args.tools)
    asked = [wheel for wheel in wheels if concerns(AUDITWHEEL, wheel)]
    size = sum(wheel.stat().st_size for wheel in wheels)
    rows: list[tuple[str, list[Run]]] = []
    for kind, templates in (("only reads", args.baseline), ("ours", args.ours)):
        for template in templates:
            rows.append((f"{kind}: `{template}`", measure(template, args.folder, args.times)))
    if args.cached:
        version, theirs = answers(tools, AUDITWHEEL, args.folder)
        asked = [wheel for wheel in asked if wheel.name in theirs]
        total, how = sum(each["cpu"] for each in theirs.values()), "kept from an earlier run"
    else:
        version, total, how = tools.version(AUDITWHEEL), 0.0, "this run"
        for number, wheel in enumerate(asked, 1):
            total += run([*tools.command(AUDITWHEEL), "show", str(wheel)]).cpu
            if number % 50 == 0:
                note(f"auditwheel: {number} of {len(asked)} wheels")
    page = Page([])
    page.line(f"{len(wheels)} wheels, {size / 1e6:.0f} MB, {os.cpu_count()} cores.\n")
    name = f"`auditwheel show`, {version}, one process for each of {len(asked)} wheels ({how})"
    table = [(name, f"{total:.1f}", "-", "1.0", "-")]
    for name, runs in rows:
        cpu = statistics.median(each.cpu for each in runs)
        spread = f"{min(each.cpu for each in runs):.2f} to {max(each.cpu for each in runs):.2f}"
        peak = max(each.peak for each in runs) / 1024
        ratio = f"{total / cpu:.1f}" if cpu else "-"
        table.append((name, f"{cpu:.2f}", spread, ratio, f"{peak:.0f} MiB"))
    page.table(
        ("command", "CPU seconds, median", f"of {args.times} runs", "times less", "peak memory"),
        table,
    )
    print("\n".join(page.lines))
    return 0


def measure(template: str, folder: Path, times: int) -> list[Run]:
    """Runs a command over and over. Statuses 0 and 1 are good: 1 means findings."""
    command = [part.replace("{folder}", str(folder.resolve())) for part in shlex.split(template)]
    runs = []
    for _ in range(times):
        runs.append(run(command))
        if runs[-1].status not in (0, 1):
            raise Fault(f"`{shlex.join(command)}`: {last_line(runs[-1].stderr)}")
    return runs


# The command line


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, prog="agreement.py")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, does: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=does.__doc__, description=does.__doc__)
        sub.add_argument("folder", type=Path, metavar="FOLDER", help="where the wheels are")
        sub.set_defaults(does=does)
        return sub

    def with_tools(sub: argparse.ArgumentParser) -> argparse.ArgumentParser:
        sub.add_argument("--tools", type=Path, metavar="BIN", help="folder of the reference tools")
        return sub

    jobs = {"type": int, "default": 1, "metavar": "N", "help": "processes side by side"}
    command("fetch", fetch).add_argument("--jobs", **jobs)
    command("freeze", freeze)
    sub = with_tools(command("reference", reference))
    sub.add_argument("--jobs", **jobs)
    sub.add_argument("--only", action="append", choices=TOOLS, help="leave the other tools out")
    sub.add_argument("--again", action="store_true", help="ask also where there is an answer")
    sub = with_tools(command("compare", compare))
    sub.add_argument("--verdicts", type=Path, metavar="FILE", help="our report, instead of a run")
    sub.add_argument(
        "--verify",
        default="cargo run --quiet --release --package xtask -- verify --json --quiet",
        metavar="COMMAND",
        help="the command that makes our report",
    )
    sub = with_tools(command("speed", speed))
    sub.add_argument("--cached", action="store_true", help="auditwheel's time from `reference`")
    for name, what in (("--ours", "a command of ours"), ("--baseline", "one that only reads")):
        sub.add_argument(name, action="append", default=[], metavar="COMMAND", help=what)
    sub.add_argument("--times", type=int, default=3, metavar="N", help="runs of each command")
    return parser


def main() -> int:
    args = arguments().parse_args()
    try:
        return args.does(args)
    except Fault as fault:
        note(f"agreement.py: {fault}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
