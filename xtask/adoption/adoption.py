#!/usr/bin/env python3
"""Builds published source archives with `cargo xtask wheels`, and writes docs/adoption.md from the results.

`run` builds the packages of `packages.toml` and stores the outcomes in `results.json`; `table` writes the page.
Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results.json"
PAGE = ROOT / "docs" / "adoption.md"
TARGETS = """\
[[target]]
name = "debian12"
image = "debian:12"
family = "apt"
glibc = "2.36"
platforms = ["linux/amd64", "linux/arm64"]
bootstrap = { tool = "mmdebstrap", suite = "bookworm" }

[[target]]
name = "debian13"
image = "debian:13"
family = "apt"
glibc = "2.41"
platforms = ["linux/amd64", "linux/arm64"]
pythons = ["cp313"]
bootstrap = { tool = "mmdebstrap", suite = "trixie" }
"""
# The jobs of a package, by their names in `run --job` and in the table.
JOBS = {
    "debian12-amd64": ["debian:12", "linux/amd64"],
    "debian12-arm64": ["debian:12", "linux/arm64"],
    "debian13-amd64": ["debian:13", "linux/amd64"],
}


def configuration(package: dict[str, Any]) -> str:
    """The text of `wheels.toml` for `package`."""
    source = f'[source]\nsdist = "{package["name"]}=={package["version"]}"\nsha256 = "{package["sha256"]}"\n'
    build = '[build]\npythons = ["cp311"]\n' + package.get("build", "")
    check = '[check]\nlike = "index"\n' + package.get("check", "")
    return "\n".join([source, build, check, package.get("tables", ""), TARGETS])


def packages() -> list[dict[str, Any]]:
    with (HERE / "packages.toml").open("rb") as file:
        return tomllib.load(file)["package"]


def results() -> dict[str, Any]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def build(xtask: Path, folder: Path, package: dict[str, Any], job: str) -> dict[str, Any]:
    """Runs one job and returns its row of the results."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wheels.toml").write_text(configuration(package), encoding="utf-8")
    command = [str(xtask), "wheels", *JOBS[job], "--json", "--force"]
    with (folder / f"{job}.log").open("w") as log:
        environment = {**os.environ, "CARGO_MANIFEST_DIR": str(folder)}
        run = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, check=False
        )
    row: dict[str, Any] = {"config": configuration(package), "outcome": "failed"}
    if not run.stdout.lstrip().startswith("{"):
        lines = (folder / f"{job}.log").read_text(encoding="utf-8").strip().splitlines()
        return {**row, "message": lines[-1] if lines else f"exit status {run.returncode}"}
    report = json.loads(run.stdout)["jobs"][0]
    row |= {"outcome": report["outcome"], "seconds": round(report["seconds"])}
    if report["outcome"] == "failed":
        return row | {key: report[key] for key in ("message", "hint") if report.get(key)}
    row |= wheel_facts(folder, job, report)
    return row


def wheel_facts(folder: Path, job: str, report: dict[str, Any]) -> dict[str, Any]:
    """The size and findings of the wheel, and the size of the published wheel."""
    wheel = report["wheel"]
    warnings = [f"{each['code']} {each['path']}" for each in report["findings"]["warnings"]]
    facts = {"wheel": Path(wheel["path"]).name, "size": wheel["size"], "warnings": warnings}
    work = folder / "target" / "xtask" / "jobs" / f"{job}-{report['interpreter']}" / "published"
    for published in work.glob("*.whl"):
        facts |= {"published": published.name, "published_size": published.stat().st_size}
    return facts


def run(args: argparse.Namespace) -> int:
    """Builds each package without a result for its current configuration."""
    failed = 0
    for package in packages():
        if args.names and package["name"] not in args.names:
            continue
        if args.job not in package.get("jobs", ["debian12-amd64"]):
            continue
        known = results().get(package["name"], {}).get(args.job, {})
        done = known.get("config") == configuration(package) and known.get("outcome") != "failed"
        if done and not args.again:
            continue
        row = build(args.xtask.resolve(), args.folder.resolve() / package["name"], package, args.job)
        # Read again, because another run can have written meanwhile.
        all_results = results()
        all_results.setdefault(package["name"], {})[args.job] = row
        RESULTS.write_text(json.dumps(all_results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        failed += row["outcome"] == "failed"
        print(package["name"], args.job, row["outcome"], row.get("seconds"), row.get("message", ""), flush=True)
    return 1 if failed else 0


def kilobytes(size: int) -> str:
    return f"{size / 1000:,.0f} kB"


def outcome(rows: dict[str, Any], job: str) -> str:
    """The cell of one job: its seconds if it passed."""
    row = rows.get(job)
    if row is None:
        return ""
    return "**failed**" if row["outcome"] == "failed" else f"{row['seconds']} s"


def settings(package: dict[str, Any]) -> str:
    """The cell of the settings: `wheels.toml` without source, interpreters and targets."""
    text = [package.get(key, "").strip() for key in ("build", "check", "tables")]
    lines = [line for part in text for line in part.splitlines()]
    return "<br>".join(f"`{line}`" for line in lines if line.strip()) or "nothing"


def line(package: dict[str, Any], rows: dict[str, Any]) -> str:
    first = rows.get("debian12-amd64", {})
    ours, theirs = first.get("size"), first.get("published_size")
    ratio = f"{ours / theirs:.2f}" if ours and theirs else "none published" if ours else ""
    cells = [f"{package['name']} {package['version']}", package["backend"]]
    cells += [outcome(rows, job) for job in JOBS]
    cells += [kilobytes(ours) if ours else "", ratio, settings(package)]
    return "| " + " | ".join(cells) + " |"


def remarks(package: dict[str, Any], rows: dict[str, Any]) -> list[str]:
    """The note of one package, its failures and its first warnings."""
    failed = [row["message"] for row in rows.values() if row["outcome"] == "failed"]
    found = [f"It fails with `` {' '.join(message.split())} ``" for message in failed]
    found += sorted({f"`{each}`" for row in rows.values() for each in row.get("warnings", [])})
    text = "; ".join(found[:3] + ([f"{len(found) - 3} more"] if len(found) > 3 else []))
    text = " ".join(part for part in (package.get("note", ""), text) if part)
    return [f"- **{package['name']}**: {text}"] if text else []


def table(args: argparse.Namespace) -> int:
    """Writes the page, or with `--check` fails if it is out of date."""
    known = results()
    rows = [(package, known[package["name"]]) for package in packages() if package["name"] in known]
    open_ones = [package["name"] for package in packages() if package["name"] not in known]
    passed = {job: sum(has.get(job, {}).get("outcome", "failed") != "failed" for _, has in rows) for job in JOBS}
    counts = ", ".join(
        f"{count} of {sum(job in has for _, has in rows)} on {job}"
        for job, count in passed.items()
    )
    page = (HERE / "page.md").read_text(encoding="utf-8")
    page = page.replace("COUNTS", counts)
    page = page.replace("OPEN", f" No result yet: {', '.join(open_ones)}." if open_ones else "")
    page = page.replace("ROWS", "\n".join(line(*each) for each in rows))
    page = page.replace("REMARKS", "\n".join(text for each in rows for text in remarks(*each)))
    if args.check:
        return int(PAGE.read_text(encoding="utf-8") != page)
    PAGE.write_text(page, encoding="utf-8")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    runs = commands.add_parser("run", help="build packages without a result for their configuration")
    runs.add_argument("folder", type=Path, help="folder for the builds, one below it for each package")
    runs.add_argument("names", nargs="*", help="packages [default: all]")
    runs.add_argument("--xtask", type=Path, default=ROOT / "target" / "debug" / "xtask")
    runs.add_argument("--job", choices=JOBS, default="debian12-amd64")
    runs.add_argument("--again", action="store_true", help="repeat jobs that passed")
    runs.set_defaults(run=run)
    writes = commands.add_parser("table", help="write docs/adoption.md from results.json")
    writes.add_argument("--check", action="store_true", help="fail if the page is out of date")
    writes.set_defaults(run=table)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
