"""Runs the reference tools on each wheel and caches their answers."""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import re
from pathlib import Path
from typing import Any, Callable, Optional

from corpus import row_of, sha256_of, wheels_in
from processes import Fault, last_line, note, run

AUDITWHEEL, ABI3AUDIT, CONTENTS = "auditwheel", "abi3audit", "check-wheel-contents"
TOOLS = (AUDITWHEEL, ABI3AUDIT, CONTENTS)


class Tools:
    """The reference tools and their cached answers."""

    def __init__(self, folder: Path, programs: Optional[Path]) -> None:
        self.folder = folder / ".reference"
        self.programs = programs

    def command(self, tool: str) -> list[str]:
        return [str(self.programs / tool) if self.programs else tool]

    def version(self, tool: str) -> str:
        """The version of an installed tool, else the newest version with cached answers."""
        try:
            text = run([*self.command(tool), "--version"]).stdout
        except Fault:
            text = ""
        found = re.search(r"\d+(\.\d+)+", text)
        if found:
            return found.group()
        kept = [path.name[len(tool) + 1 :] for path in self.folder.glob(f"{tool}-[0-9]*")]
        if not kept:
            raise Fault(f"`{tool}` is not installed (set --tools) and has no cached answers")
        return max(kept, key=lambda text: [int(part) for part in text.split(".")])

    def cache(self, tool: str, version: str, sha256: str) -> Path:
        return self.folder / f"{tool}-{version}" / f"{sha256}.json"


def run_auditwheel(tools: Tools, wheel: Path) -> dict[str, Any]:
    """The tag that `auditwheel show` prints, and the CPU time of that run."""
    result = run([*tools.command(AUDITWHEEL), "show", str(wheel)])
    # auditwheel wraps the text.
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


def run_abi3audit(tools: Tools, wheel: Path) -> dict[str, Any]:
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


def run_contents(tools: Tools, wheel: Path) -> dict[str, Any]:
    result = run([*tools.command(CONTENTS), "--no-config", str(wheel)])
    codes = sorted(set(re.findall(r"\.whl: (W\d+):", result.stdout)))
    answer: dict[str, Any] = {"codes": codes, "cpu": round(result.cpu, 3)}
    if result.status and not codes:
        answer["error"] = last_line(result.stderr)
    return answer


RUN: dict[str, Callable[[Tools, Path], dict[str, Any]]] = {
    AUDITWHEEL: run_auditwheel,
    ABI3AUDIT: run_abi3audit,
    CONTENTS: run_contents,
}


def concerns(tool: str, wheel: Path) -> bool:
    """Returns whether the tool supports the tags of a wheel."""
    abi, platform = row_of(wheel)[1].split("-")[1:]
    if tool == AUDITWHEEL:
        return platform != "any"
    return tool != ABI3AUDIT or "abi3" in abi.split(".")


def reference(args: argparse.Namespace) -> int:
    """Run every reference tool on the wheels without a cached answer."""
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
    answer = {"wheel": wheel.name, **RUN[tool](tools, wheel)}
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
    scratch.rename(path)


def digests_of(folder: Path, wheels: list[Path]) -> dict[str, str]:
    """SHA-256 by file name. The hashes of unchanged files come from a cache."""
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
    """The version of a tool, and its cached answers by the wheel's file name."""
    version = tools.version(tool)
    wheels = wheels_in(folder)
    digests, found = digests_of(folder, wheels), {}
    for wheel in wheels:
        path = tools.cache(tool, version, digests[wheel.name])
        if concerns(tool, wheel) and path.is_file():
            found[wheel.name] = json.loads(path.read_text(encoding="utf-8"))
    return version, found
