#!/usr/bin/env python3
"""Builds the fuzz targets with a stable compiler and runs each for some seconds, then prints a table.

The exit status is 1 if a target does not compile, crashes, takes more than 5 seconds for an input, or uses more than
512 MB. Corpora and the inputs of crashes are in FOLDER."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import seeds

FUZZ = Path(__file__).resolve().parent
HOST = f"{os.uname().machine}-unknown-linux-gnu"
# Flags of cargo-fuzz, without the sanitizer, which needs a nightly compiler. The code has no `unsafe`.
COVERAGE = ["level=4", "inline-8bit-counters", "pc-table", "trace-compares"]
FLAGS = ["--cfg fuzzing -Cpasses=sancov-module"]
FLAGS += [f"-Cllvm-args=-sanitizer-coverage-{each}" for each in COVERAGE]
FLAGS += ["-Cdebug-assertions -Ccodegen-units=1"]
LAST = re.compile(r"#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)")


def build(folder: Path) -> Path:
    """Compiles all targets, with the versions of the program's own dependencies."""
    shutil.copy(FUZZ.parents[1] / "Cargo.lock", FUZZ / "Cargo.lock")
    target = folder / "target"
    environment = os.environ | {"RUSTFLAGS": " ".join(FLAGS), "CARGO_TARGET_DIR": str(target)}
    command = ["cargo", "build", "--release", "--target", HOST]
    subprocess.run(command, cwd=FUZZ, env=environment, check=True)
    return target / HOST / "release"


def run(program: Path, folder: Path, args: argparse.Namespace) -> bool:
    """Runs one target and prints its line of the table."""
    corpus, found = folder / "corpus" / program.name, folder / "artifacts" / program.name
    for each in (corpus, found):
        each.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={args.seconds}", f"-artifact_prefix={found}/", "-timeout=5"]
    options += ["-rss_limit_mb=512", "-report_slow_units=2", "-print_final_stats=1"]
    command = [program, *options, corpus]
    # Each input may write files. A file system on a disk makes that up to 40 times as slow.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory) as scratch:
        environment = os.environ | {"TMPDIR": scratch}
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
    lines = LAST.findall(done.stderr)
    executions, *coverage = lines[-1] if lines else ("0", "-", "-", "-")
    result = "ok" if done.returncode == 0 else f"exit status {done.returncode}, see {found}"
    columns = [f"{each:>9}" for each in (executions, *coverage)]
    print(f"{program.name:<14}", *columns, " " + result, flush=True)
    if done.returncode != 0:
        print(done.stderr[-4000:], file=sys.stderr)
    return done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for corpora, crashes and programs")
    parser.add_argument("target", nargs="*", help="[default: all]")
    parser.add_argument("--seconds", type=int, default=60, help="for each target [default: 60]")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels, for more seeds")
    args = parser.parse_args()
    folder = args.folder.resolve()
    seeds.write(folder / "corpus", args.wheels)
    programs = build(folder)
    names = args.target or sorted(path.stem for path in FUZZ.glob("fuzz_targets/*.rs"))
    print(f"{'target':<14}", *(f"{each:>9}" for each in ("runs", "edges", "features", "corpus")))
    good = [run(programs / name, folder, args) for name in names]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
