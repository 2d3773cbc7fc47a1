"""Runs `cargo xtask reproduce` for packages of `packages.toml`: reproduce.py XTASK FOLDER [NAME...]

Creates a workspace in FOLDER for each package and stores its report as `reproduce.json`. Skips packages with a report.
Prints a table. The exit status is 0 if at least three of four wheels are identical.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from adoption import JOBS, configuration, packages

JOB = "debian12-amd64"
# At least one of each build backend and language, and none that takes minutes.
NAMES = """
    wrapt simplejson multidict mmh3 cymem propcache httptools hiredis xxhash bitarray setproctitle pyyaml cffi
    zope-interface cmarkgfm quadprog jellyfish bluetooth-data-tools pybase64 ada-url
""".split()


def reproduce(xtask: Path, folder: Path, package: dict[str, Any]) -> dict[str, Any]:
    """The report of a package's job."""
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "reproduce.json"
    if not report.exists():
        (folder / "wheels.toml").write_text(configuration(package), encoding="utf-8")
        environment = {**os.environ, "CARGO_MANIFEST_DIR": str(folder)}
        command = ["nice", str(xtask), "reproduce", *JOBS[JOB], "--json"]
        with (folder / "reproduce.log").open("w") as log:
            run = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, check=False)
        job = json.loads(run.stdout)["jobs"][0] if run.stdout.startswith(b"{") else {"outcome": "failed"}
        if job["outcome"] == "failed":
            return job
        report.write_text(json.dumps(job, indent=1) + "\n", encoding="utf-8")
    return json.loads(report.read_text(encoding="utf-8"))


def cause(job: dict[str, Any]) -> str:
    """The distinct causes of differences, or the message of a failure."""
    own = [each for each in job.get("differences", []) if not each.get("follows")]
    return ", ".join(sorted({each["cause"] for each in own})) or job.get("message", "").split("\n")[0]


def main() -> int:
    xtask, folder, *names = sys.argv[1:]
    chosen = [package for package in packages() if package["name"] in (names or NAMES)]
    identical = 0
    print("| package | backend | outcome | cause |\n|---|---|---|---|", flush=True)
    for package in chosen:
        job = reproduce(Path(xtask).resolve(), Path(folder).resolve() / package["name"], package)
        identical += job["outcome"] == "identical"
        row = [f"{package['name']} {package['version']}", package["backend"], job["outcome"], cause(job)]
        print("| " + " | ".join(row) + " |", flush=True)
    print(f"\n{identical} of {len(chosen)} identical")
    return 0 if identical * 4 >= len(chosen) * 3 else 1


if __name__ == "__main__":
    sys.exit(main())
