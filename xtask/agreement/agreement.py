#!/usr/bin/env python3
"""Compares the verdicts of `cargo xtask verify` with those of Python's reference tools. See README.md."""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Callable

from compare import Page, compare
from corpus import WHEELS, fetch, freeze, wheels_in
from processes import Fault, Run, last_line, note, run
from reference import AUDITWHEEL, TOOLS, Tools, answers, concerns, reference

def speed(args: argparse.Namespace) -> int:
    """Print the CPU seconds of auditwheel, of our commands, and of commands that only read."""
    tools, wheels = Tools(args.folder, args.tools), wheels_in(args.folder)
    if not args.sample:
        return measure(args, tools, args.folder, wheels)
    with tempfile.TemporaryDirectory(dir=args.folder, prefix=".sample-") as scratch:
        # Spread evenly over the names, so that the sample is always the same.
        step = max(len(wheels) / args.sample, 1)
        wheels = [wheels[int(index * step)] for index in range(min(args.sample, len(wheels)))]
        for wheel in wheels:
            os.link(wheel, Path(scratch) / wheel.name)
        return measure(args, tools, Path(scratch), wheels)


def measure(args: argparse.Namespace, tools: Tools, folder: Path, wheels: list[Path]) -> int:
    """Runs the commands in turns, so that other load on the machine affects all alike."""
    commands = [("only reads", each) for each in args.baseline]
    commands += [("ours", each) for each in args.ours]
    runs: dict[tuple[str, str], list[Run]] = {command: [] for command in commands}
    relevant = [wheel for wheel in wheels if concerns(AUDITWHEEL, wheel)]
    if args.cached:
        version, theirs = answers(tools, AUDITWHEEL, args.folder)
        relevant = [wheel for wheel in relevant if wheel.name in theirs]
        total, how = sum(theirs[wheel.name]["cpu"] for wheel in relevant), "cached by `reference`"
    else:
        version, total, how = tools.version(AUDITWHEEL), 0.0, "this run"
    for turn in range(args.times):
        note(f"turn {turn + 1} of {args.times}")
        for command in commands:
            runs[command].append(once(command[1], folder))
        if not args.cached:
            for wheel in relevant[turn :: args.times]:
                total += run([*tools.command(AUDITWHEEL), "show", str(wheel)]).cpu
    limit = min((median(runs[each]) for each in commands if each[0] == "only reads"), default=0.0)
    size = sum(wheel.stat().st_size for wheel in wheels)
    page = Page([])
    page.line(f"{len(wheels)} wheels, {size / 1e6:.0f} MB, {os.cpu_count()} cores.\n")
    name = f"`auditwheel show`, {version}, one process for each of {len(relevant)} wheels ({how})"
    table = [(name, f"{total:.1f}", "-", "1.0", "-", "-")]
    for kind, template in commands:
        each = runs[kind, template]
        cpu = median(each)
        spread = f"{min(one.cpu for one in each):.2f} to {max(one.cpu for one in each):.2f}"
        peak = max(one.peak for one in each) / 1024
        ratios = (quotient(total, cpu, 1), quotient(cpu, limit, 2))
        table.append((f"{kind}: `{template}`", f"{cpu:.2f}", spread, *ratios, f"{peak:.0f} MiB"))
    head = ("command", "CPU seconds, median", f"of {args.times} runs", "times less", "of reading")
    page.table((*head, "peak memory"), table)
    print("\n".join(page.lines))
    return 0


def quotient(dividend: float, divisor: float, digits: int) -> str:
    return f"{dividend / divisor:.{digits}f}" if divisor else "-"


def median(runs: list[Run]) -> float:
    return statistics.median(each.cpu for each in runs)


def once(template: str, folder: Path) -> Run:
    """Runs a command. Status 1 means findings; others are errors."""
    command = [part.replace("{folder}", str(folder.resolve())) for part in shlex.split(template)]
    result = run(command)
    if result.status not in (0, 1):
        raise Fault(f"`{shlex.join(command)}`: {last_line(result.stderr)}")
    return result


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, prog="agreement.py")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, does: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=does.__doc__, description=does.__doc__)
        sub.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the wheels")
        sub.set_defaults(does=does)
        return sub

    def with_tools(sub: argparse.ArgumentParser) -> argparse.ArgumentParser:
        sub.add_argument("--tools", type=Path, metavar="BIN", help="folder of the reference tools")
        return sub

    jobs = {"type": int, "default": 1, "metavar": "N", "help": "number of parallel processes"}
    sub = command("fetch", fetch)
    sub.add_argument("--jobs", **jobs)
    sub.add_argument("--list", type=Path, default=WHEELS, metavar="FILE", help="list of wheels")
    command("freeze", freeze)
    sub = with_tools(command("reference", reference))
    sub.add_argument("--jobs", **jobs)
    sub.add_argument("--only", action="append", choices=TOOLS, help="run only this tool")
    sub.add_argument("--again", action="store_true", help="ignore cached answers")
    sub = with_tools(command("compare", compare))
    sub.add_argument("--verdicts", type=Path, metavar="FILE", help="read our report instead of running a command")
    sub.add_argument(
        "--verify",
        default="cargo run --quiet --release --package wheel-audit -- verify --json --quiet",
        metavar="COMMAND",
        help="command that prints our report",
    )
    sub = with_tools(command("speed", speed))
    sub.add_argument("--cached", action="store_true", help="use auditwheel's time from `reference`")
    for name, what in (("--ours", "measure this command of ours"), ("--baseline", "measure this command, which only reads")):
        sub.add_argument(name, action="append", default=[], metavar="COMMAND", help=what)
    sub.add_argument("--sample", type=int, metavar="N", help="measure only N wheels")
    sub.add_argument("--times", type=int, default=3, metavar="N", help="number of runs of each command")
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
