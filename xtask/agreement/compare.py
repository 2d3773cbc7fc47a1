"""Compares our verdicts with those of the reference tools."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Iterable, NamedTuple, Optional

from corpus import HERE, wheels_in
from processes import Fault, last_line, run
from reference import ABI3AUDIT, AUDITWHEEL, CONTENTS, Tools, answers, concerns

KNOWN = HERE / "known.txt"

# Subjects of check-wheel-contents' checks, and patterns of the names of our corresponding rules. Its other checks
# concern the layout of a package; we have no such rules.
SHARED_CHECKS = {
    "W001": ("compiled bytecode", r"bytecode|pyc"),
    "W004": ("module where none can be imported", r"importable"),
    "W005": ("common name at the top", r"common-name|toplevel"),
    "W008": ("nothing in the wheel", r"empty"),
}
ABI3_RULES = r"abi3|stable"


class Known(NamedTuple):
    """An explained difference: its kind, the pattern of wheels, and the reason."""

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
    """Our report by the wheel's file name, from a file or from a run of the command."""
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
        raise Fault(f"our report is not valid JSON: {error}") from error
    if report.get("schema_version") != 1:
        raise Fault(f"our report has schema version {report.get('schema_version')}, not 1")
    return {Path(wheel["file"]).name: wheel for wheel in report["wheels"]}


def compare(args: argparse.Namespace) -> int:
    """Print how often we agree with the reference tools, and each difference."""
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
    """The printed page, and the differences without a reason."""

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
        """The reason of a difference. Records a difference without one."""
        reason = reason_for(self.known, what, wheel) or otherwise
        if not reason:
            self.open(f"`{what}` of `{wheel}`")
        return reason or "**unknown**"


def compare_tags(
    page: Page, ours: dict[str, Any], version: str, theirs: dict[str, dict[str, Any]]
) -> None:
    page.head(f"Overall tag, auditwheel {version}")
    relevant = [name for name in ours if concerns(AUDITWHEEL, Path(name))]
    equal, differing, silent = 0, [], []
    for name in relevant:
        answer, own = theirs.get(name), ours[name].get("overall_tag", "none")
        if answer is None:
            page.open(f"auditwheel has no answer for `{name}`; run `reference`")
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
            ("all", len(relevant)),
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
    """The codes of our findings on a wheel whose rule name matches `pattern`."""
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
        complaint = abi3_complaint(answer)
        own = ", ".join(rules_like(ours[name], ABI3_RULES))
        both += bool(complaint and own)
        neither += not complaint and not own
        only_theirs += bool(complaint and not own)
        only_ours += bool(own and not complaint)
        if bool(complaint) != bool(own):
            reason = page.reason("abi3", name)
            rows.append((f"`{name}`", complaint or "good", own or "good", reason))
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
    """The findings of abi3audit; empty if there are none."""
    if answer.get("error"):
        return f"`{answer['error']}`"
    parts = []
    for each in answer["objects"]:
        if each["not_abi3"]:
            parts.append(f"{each['name']}: {len(each['not_abi3'])} symbols are not in abi3")
        if version_of(each["computed"]) > version_of(each["baseline"]):
            parts.append(f"{each['name']}: requires {each['computed']}, declares {each['baseline']}")
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
        reported = {name for name, answer in theirs.items() if code in answer["codes"]}
        if not pattern:
            rows.append((code, len(reported), "-", "-", "we have no such rule"))
            continue
        own = {name for name, wheel in ours.items() if rules_like(wheel, pattern)}
        if not own:
            rows.append((f"{code}, {about}", len(reported), 0, 0, "we have no such finding"))
            continue
        rows.append((f"{code}, {about}", len(reported), len(reported & own), len(own - reported), ""))
        for name in sorted(reported ^ own):
            page.reason(code, name)
    page.table(("check", "wheels", "found by us too", "by us alone", "note"), rows)
    failed = [(f"`{name}`", f"`{each['error']}`") for name, each in theirs.items() if "error" in each]
    page.table(("wheel", "error of check-wheel-contents"), failed)


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
