#!/usr/bin/env python3
"""Holds the verdicts of `cargo xtask verify` against the reference tools of the Python field.

`README.md` beside this file says how to run it and how to read what it prints.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple, Optional

HERE = Path(__file__).resolve().parent
WHEELS = HERE / "wheels.txt"
KNOWN = HERE / "known.txt"
AUDITWHEEL, ABI3AUDIT, CONTENTS = "auditwheel", "abi3audit", "check-wheel-contents"
TOOLS = (AUDITWHEEL, ABI3AUDIT, CONTENTS)

# What a check of check-wheel-contents is about, and the rules of ours, by name, that say the same. Its
# other checks are about the layout of a package and have none.
SHARED_CHECKS = {
    "W001": ("compiled bytecode", r"bytecode|pyc"),
    "W004": ("module where none can be imported", r"importable"),
    "W005": ("common name at the top", r"common-name|toplevel"),
    "W008": ("nothing in the wheel", r"empty"),
}
ABI3_RULES = r"abi3|stable"


class Fault(Exception):
    """Something that the caller has to mend; its text is the whole message."""


# The list of wheels


class Row(NamedTuple):
    """A wheel of the list: what to ask pip for, and what has to come."""

    requirement: str
    tags: str
    sha256: str

    @property
    def key(self) -> tuple[str, str]:
        return self.requirement, self.tags

    def selectors(self) -> list[str]:
        """pip's options that select this wheel and no other of the release."""
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
            *("--platform", platform.split(".")[0]),
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


# Processes and what they cost


class Run(NamedTuple):
    """An ended process."""

    status: int
    stdout: str
    stderr: str
    cpu: float
    """User and system CPU seconds, of the process and of those that it waited for."""
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


# What the reference tools say


class Tools:
    """The reference tools, and what they said before."""

    def __init__(self, folder: Path, programs: Optional[Path]) -> None:
        self.folder = folder / ".reference"
        self.programs = programs

    def command(self, tool: str) -> list[str]:
        return [str(self.programs / tool) if self.programs else tool]

    def version(self, tool: str) -> str:
        """The version of an installed tool; else the newest that has left answers."""
        try:
            text = run([*self.command(tool), "--version"]).stdout
        except Fault:
            text = ""
        found = re.search(r"\d+(\.\d+)+", text)
        if found:
            return found.group()
        kept = [path.name[len(tool) + 1 :] for path in self.folder.glob(f"{tool}-[0-9]*")]
        if not kept:
            raise Fault(f"`{tool}` is not installed (--tools says where) and has left no answers")
        return max(kept, key=lambda text: [int(part) for part in text.split(".")])

    def cache(self, tool: str, version: str, sha256: str) -> Path:
        return self.folder / f"{tool}-{version}" / f"{sha256}.json"


def ask_auditwheel(tools: Tools, wheel: Path) -> dict[str, Any]:
    """The tag that `auditwheel show` prints, from the very run whose time is taken."""
    result = run([*tools.command(AUDITWHEEL), "show", str(wheel)])
    # The text is wrapped, never inside a word.
    text = " ".join(result.stdout.split())
    tag = re.search(r'is consistent with the following platform tag: "([^"]+)"', text)
    answer: dict[str, Any] = {"tag": tag.group(1) if tag else None, "cpu": round(result.cpu, 3)}
    if "unsupported ISA extensions" in text:
        answer["isa"] = re.findall(r"ELF file .* requires '(\S+)' instruction", result.stderr)
    symbols = re.search(r'This constrains the platform tag to "([^"]+)"', text)
    if symbols:
        answer["symbols"] = symbols.group(1)
    if not tag:
        kind = "crash" if "Traceback" in result.stderr else "refused"
        answer[kind] = last_line(result.stderr) or last_line(result.stdout)
    return answer


def ask_abi3audit(tools: Tools, wheel: Path) -> dict[str, Any]:
    result = run([*tools.command(ABI3AUDIT), "--strict", "--report", str(wheel)])
    answer: dict[str, Any] = {"status": result.status, "cpu": round(result.cpu, 3)}
    try:
        [spec] = json.loads(result.stdout)["specs"].values() if result.stdout.strip() else [{}]
    except ValueError:
        spec = {}
    if not spec and result.status:
        answer["error"] = last_line(result.stderr)
    objects = [(each["name"], each["result"]) for each in spec.get("wheel", [])]
    answer["objects"] = [
        {
            "name": name,
            "baseline": each["baseline"],
            "computed": each["computed"],
            "not_abi3": sorted(each["non_abi3_symbols"]),
            "future": sorted(each["future_abi3_objects"]),
        }
        for name, each in objects
    ]
    return answer


def ask_contents(tools: Tools, wheel: Path) -> dict[str, Any]:
    result = run([*tools.command(CONTENTS), "--no-config", str(wheel)])
    codes = sorted(set(re.findall(r"\.whl: (W\d+):", result.stdout)))
    answer: dict[str, Any] = {"codes": codes, "cpu": round(result.cpu, 3)}
    if result.status and not codes:
        answer["error"] = last_line(result.stderr)
    return answer


ASK: dict[str, Callable[[Tools, Path], dict[str, Any]]] = {
    AUDITWHEEL: ask_auditwheel,
    ABI3AUDIT: ask_abi3audit,
    CONTENTS: ask_contents,
}


def concerns(tool: str, wheel: Path) -> bool:
    """Is the tool for wheels with such tags?"""
    abi, platform = row_of(wheel)[1].split("-")[1:]
    if tool == AUDITWHEEL:
        return platform != "any"
    return tool != ABI3AUDIT or "abi3" in abi.split(".")


def reference(args: argparse.Namespace) -> int:
    """Runs every reference tool over the wheels that it has not judged yet."""
    tools = Tools(args.folder, args.tools)
    wheels = wheels_in(args.folder)
    digests = digests_of(args.folder, wheels)
    for tool in args.only or TOOLS:
        version = tools.version(tool)
        todo = []
        for wheel in wheels:
            answer = tools.cache(tool, version, digests[wheel.name])
            if concerns(tool, wheel) and (args.again or not answer.is_file()):
                todo.append((wheel, answer))
        note(f"{tool} {version}: {len(todo)} wheels to go")
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            list(pool.map(lambda each: keep(tools, tool, *each), todo))
    return 0


def keep(tools: Tools, tool: str, wheel: Path, path: Path) -> None:
    answer = {"wheel": wheel.name, **ASK[tool](tools, wheel)}
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
    scratch.rename(path)


def digests_of(folder: Path, wheels: list[Path]) -> dict[str, str]:
    """SHA-256 by file name; those of files that have not changed since are not computed again."""
    store = folder / ".reference" / "digests.json"
    try:
        known = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    digests = {}
    for wheel in wheels:
        status = wheel.stat()
        stamp = f"{status.st_size} {status.st_mtime_ns}"
        digest = known.get(wheel.name, {})
        if digest.get("stamp") != stamp:
            digest = {"stamp": stamp, "sha256": sha256_of(wheel)}
        known[wheel.name] = digest
        digests[wheel.name] = digest["sha256"]
    store.parent.mkdir(parents=True, exist_ok=True)
    store.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return digests


def answers(tools: Tools, tool: str, folder: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    """Version of a tool and its kept answers by the wheel's file name."""
    version = tools.version(tool)
    wheels = wheels_in(folder)
    digests, found = digests_of(folder, wheels), {}
    for wheel in wheels:
        path = tools.cache(tool, version, digests[wheel.name])
        if concerns(tool, wheel) and path.is_file():
            found[wheel.name] = json.loads(path.read_text(encoding="utf-8"))
    return version, found


# What we say


class Known(NamedTuple):
    """A difference that was looked into: what it concerns, in which wheels, and why."""

    what: str
    wheels: str
    reason: str


def read_known(path: Path = KNOWN) -> list[Known]:
    known = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line and not line.startswith("#"):
            fields = line.split(maxsplit=2)
            if len(fields) != 3:
                raise Fault(f"{path.name}, line {number}: not `WHAT WHEELS REASON`")
            known.append(Known(*fields))
    return known


def reason_for(known: list[Known], what: str, wheel: str) -> Optional[str]:
    fitting = (each for each in known if each.what == what and fnmatchcase(wheel, each.wheels))
    return next((each.reason for each in fitting), None)


def our_verdicts(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Our report by the wheel's file name: from a file, or from a run of the command."""
    if args.verdicts:
        text = args.verdicts.read_text(encoding="utf-8")
    else:
        command = [*shlex.split(args.verify), str(args.folder.resolve())]
        result = run(command, cwd=HERE)
        if result.status not in (0, 1):
            raise Fault(f"`{shlex.join(command)}`: {last_line(result.stderr)}")
        text = result.stdout
    try:
        report = json.loads(text)
    except ValueError as error:
        raise Fault(f"our report is no JSON: {error}") from error
    if report.get("schema_version") != 1:
        raise Fault(f"our report has schema version {report.get('schema_version')}, not 1")
    return {Path(wheel["file"]).name: wheel for wheel in report["wheels"]}


def compare(args: argparse.Namespace) -> int:
    """Prints where we and the reference tools agree, and each place where we do not."""
    known, tools = read_known(), Tools(args.folder, args.tools)
    ours = our_verdicts(args)
    names = [wheel.name for wheel in wheels_in(args.folder)]
    missing = [name for name in names if name not in ours]
    page = Page(known)
    page.line(f"{len(names)} wheels, {len(names) - len(missing)} of them in our report.")
    for name in missing:
        page.open(f"`{name}` is not in our report")
    compare_tags(page, ours, *answers(tools, AUDITWHEEL, args.folder))
    compare_abi3(page, ours, *answers(tools, ABI3AUDIT, args.folder))
    compare_contents(page, ours, *answers(tools, CONTENTS, args.folder))
    list_errors(page, ours)
    page.head("Without a reason")
    page.line("\n".join(f"- {each}" for each in page.unexplained) or "Nothing.")
    print("\n".join(page.lines))
    return 1 if page.unexplained else 0


class Page:
    """What is printed, and what nobody has looked into yet."""

    def __init__(self, known: list[Known]) -> None:
        self.known = known
        self.lines: list[str] = []
        self.unexplained: list[str] = []

    def head(self, text: str) -> None:
        self.lines += ["", f"## {text}", ""]

    def line(self, text: str) -> None:
        self.lines.append(text)

    def open(self, text: str) -> None:
        self.unexplained.append(text)

    def table(self, head: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        head = list(head)
        rows = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
        if rows:
            self.lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
            self.lines += [f"| {' | '.join(row)} |" for row in rows] + [""]

    def reason(self, what: str, wheel: str, otherwise: str = "") -> str:
        """Why it is so; without a reason it is noted as open."""
        reason = reason_for(self.known, what, wheel) or otherwise
        if not reason:
            self.open(f"`{what}` of `{wheel}`")
        return reason or "**unknown**"


def compare_tags(
    page: Page, ours: dict[str, Any], version: str, theirs: dict[str, dict[str, Any]]
) -> None:
    page.head(f"Overall tag, auditwheel {version}")
    asked = [name for name in ours if concerns(AUDITWHEEL, Path(name))]
    equal, differing, silent = 0, [], []
    for name in asked:
        answer, own = theirs.get(name), ours[name].get("overall_tag", "none")
        if answer is None:
            page.open(f"auditwheel was not asked about `{name}`; run `reference`")
        elif answer["tag"] is None:
            kind = "crash" if "crash" in answer else "refused"
            reason = page.reason(kind, name)
            silent.append((f"`{name}`", kind, f"`{answer[kind]}`", own, reason))
        elif answer["tag"] == own:
            equal += 1
        else:
            differing.append((f"`{name}`", answer["tag"], own, page.reason("tag", name)))
    cpu = sum(answer["cpu"] for answer in theirs.values())
    count = equal + len(differing)
    page.table(
        ("wheels with a platform tag", "number"),
        [
            ("all", len(asked)),
            ("auditwheel names a tag", count),
            ("the same tag as ours", f"{equal} ({percent(equal, count)})"),
            ("another tag than ours", len(differing)),
            ("auditwheel crashes", sum(row[1] == "crash" for row in silent)),
            ("auditwheel refuses", sum(row[1] == "refused" for row in silent)),
            ("CPU seconds of `auditwheel show`", f"{cpu:.1f}"),
        ],
    )
    page.table(("wheel", "auditwheel", "ours", "reason"), differing)
    page.table(("wheel", "auditwheel", "its last line", "ours", "reason"), silent)


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


def rules_like(wheel: dict[str, Any], pattern: str) -> list[str]:
    """Codes of our findings on a wheel whose rule's name matches."""
    findings = wheel.get("findings", [])
    return sorted({each["code"] for each in findings if re.search(pattern, each.get("rule", ""))})


def compare_abi3(
    page: Page, ours: dict[str, Any], version: str, theirs: dict[str, dict[str, Any]]
) -> None:
    page.head(f"Stable interface, abi3audit {version}")
    both = only_theirs = only_ours = neither = 0
    rows = []
    for name, answer in theirs.items():
        if name not in ours:
            continue
        said = abi3_complaint(answer)
        own = ", ".join(rules_like(ours[name], ABI3_RULES))
        both += bool(said and own)
        neither += not said and not own
        only_theirs += bool(said and not own)
        only_ours += bool(own and not said)
        if bool(said) != bool(own):
            reason = page.reason("abi3", name)
            rows.append((f"`{name}`", said or "good", own or "good", reason))
    page.table(
        ("wheels with the ABI tag abi3", "number"),
        [
            ("all", len(theirs)),
            ("good for both", neither),
            ("bad for both", both),
            ("bad for abi3audit alone", only_theirs),
            ("bad for us alone", only_ours),
        ],
    )
    page.table(("wheel", "abi3audit", "ours", "reason"), rows)


def abi3_complaint(answer: dict[str, Any]) -> str:
    """What abi3audit finds wrong; empty if nothing."""
    if answer.get("error"):
        return f"`{answer['error']}`"
    parts = []
    for each in answer["objects"]:
        if each["not_abi3"]:
            parts.append(f"{each['name']}: {len(each['not_abi3'])} symbols of no abi3")
        if version_of(each["computed"]) > version_of(each["baseline"]):
            parts.append(f"{each['name']}: needs {each['computed']}, says {each['baseline']}")
    more = f" and {len(parts) - 2} more" if len(parts) > 2 else ""
    return "; ".join(parts[:2]) + more


def version_of(text: str) -> list[int]:
    return [int(part) for part in text.split(".")]


def compare_contents(
    page: Page, ours: dict[str, Any], version: str, theirs: dict[str, dict[str, Any]]
) -> None:
    page.head(f"Contents, check-wheel-contents {version}")
    rows = []
    for code in sorted({code for answer in theirs.values() for code in answer["codes"]}):
        about, pattern = SHARED_CHECKS.get(code, ("", ""))
        said = {name for name, answer in theirs.items() if code in answer["codes"]}
        if not pattern:
            rows.append((code, len(said), "-", "-", "no rule of ours is about that"))
            continue
        own = {name for name, wheel in ours.items() if rules_like(wheel, pattern)}
        if not own:
            rows.append((f"{code}, {about}", len(said), 0, 0, "no finding of ours is about that"))
            continue
        rows.append((f"{code}, {about}", len(said), len(said & own), len(own - said), ""))
        for name in sorted(said ^ own):
            page.reason(code, name)
    page.table(("check", "wheels", "found by us too", "by us alone", "note"), rows)
    failed = [(f"`{name}`", f"`{each['error']}`") for name, each in theirs.items() if "error" in each]
    page.table(("wheel", "check-wheel-contents could not read it"), failed)


def list_errors(page: Page, ours: dict[str, Any]) -> None:
    page.head("Our errors on these published wheels")
    rows = []
    for name in sorted(ours):
        errors: dict[str, list[dict[str, Any]]] = {}
        for each in ours[name].get("findings", []):
            if each["severity"] == "error":
                errors.setdefault(each["code"], []).append(each)
        for code, found in sorted(errors.items()):
            first = found[0]
            text = f"`{first['path']}` {first['message']}"
            rows.append((f"`{name}`", code, len(found), text, page.reason(code, name)))
    clean = sum(wheel.get("verdict") == "pass" for wheel in ours.values())
    page.line(f"{clean} of {len(ours)} wheels pass.\n")
    page.table(("wheel", "code", "findings", "the first", "reason"), rows)


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
