#!/usr/bin/env python3
"""Measures the cost of builds as ratios between two builds, one after the other.

    cargo build && xtask/agreement/builds.py [interpreters] [targets] [arm64] [distro] [nothing]

Requires the engine, and emulation for `arm64` and `distro`. Does not measure base images, toolchains and the source.
Repeats every step from the interpreters on. Processor seconds are those of the engine's containers: run no other build
meanwhile. Wall times mean little on a busy machine.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
COUNTERS = {  # cgroup v1 and v2: units per second
    Path("/sys/fs/cgroup/cpuacct/docker/cpuacct.usage"): 1e9,
    Path("/sys/fs/cgroup/docker/cpu.stat"): 1e6,
}


def processor_seconds():
    for path, units in COUNTERS.items():
        if path.exists():
            return int(re.search(r"\d+", path.read_text())[0]) / units
    sys.exit("no counter of the engine's processor time: " + ", ".join(map(str, COUNTERS)))


class Workspace:
    """A temporary workspace with two targets."""

    def __init__(self, folder, pythons):
        self.root = Path(folder) / "repo"
        self.root.mkdir(parents=True)
        toml = (REPOSITORY / "wheels.toml").read_text()
        for target, own in pythons.items():
            line = f'name = "{target}"\n'
            toml = toml.replace(line, f"{line}pythons = {json.dumps(own)}\n")
        (self.root / "wheels.toml").write_text(toml)
        # The scripts of all steps from the interpreters on. If only the first one changed and its result did not, the
        # smoke test would stay cached.
        steps = ("interpreter.sh", "build.sh", "smoke-system.sh", "smoke.sh")
        own = self.root / "xtask/assets/scripts"
        own.mkdir(parents=True)
        self.scripts = {own / name: (REPOSITORY / "scripts" / name).read_text() for name in steps}

    def call(self, *words):
        """Runs xtask; returns wall and processor seconds."""
        environment = os.environ | {"CARGO_MANIFEST_DIR": str(self.root / "xtask")}
        command = [REPOSITORY / "target/debug/xtask", *words]
        before, began = processor_seconds(), time.monotonic()
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True)
        wall, cpu = time.monotonic() - began, processor_seconds() - before
        if done.returncode != 0:
            sys.exit(f"{' '.join(words)}:\n{done.stdout}{done.stderr}")
        print(f"  {wall:7.1f} s, {cpu:7.1f} processor seconds: {' '.join(words)}", flush=True)
        return wall, cpu

    def invalidate(self):
        """Changes the scripts of all steps from the interpreters on."""
        for path, text in self.scripts.items():
            path.write_text(f"{text}# {time.time_ns()}\n")

    def compiling(self, slug):
        """The seconds for configuring and compiling the interpreter."""
        text = (self.root / f"target/xtask/logs/{slug}.log").read_text()
        return sum(map(int, re.search(r"configured in (\d+) s, compiled and installed in (\d+) s", text).groups()))


def interpreters(w):
    pythons = ["cp311", "cp313", "cp314", "cp314t"]
    w.call("wheels", "debian:12", "linux/amd64", "--python", "cp311")
    w.invalidate()
    wall, cpu = w.call("wheels", "debian:12", "linux/amd64", "--python", ",".join(pythons))
    w.invalidate()
    each = [w.call("wheels", "debian:12", "linux/amd64", "--python", it) for it in pythons]
    print(f"four interpreters: {cpu / sum(c for _, c in each):.2f} of the processor time of one by one")
    print(f"four interpreters: {wall / (cpu / os.cpu_count()):.2f} of processor time / cores")


def targets(w):
    words = ["debian:12", "debian:13"]
    w.call("wheels", *words, "linux/amd64")
    w.invalidate()
    wall, _ = w.call("wheels", *words, "linux/amd64")
    w.invalidate()
    each = [w.call("wheels", word, "linux/amd64") for word in words]
    print(f"two targets: {wall / sum(seconds for seconds, _ in each):.2f} of one after the other")


def on_both(w, *words):
    """The wall and processor seconds of both platforms."""
    w.call("wheels", "debian:13", "--python", "cp313")
    w.invalidate()
    return [w.call("wheels", "debian:13", platform, *words) for platform in ("linux/amd64", "linux/arm64")]


def arm64(w):
    native, foreign = on_both(w, "--python", "cp314")
    ratio = w.compiling("debian13-arm64-cp314") / w.compiling("debian13-amd64-cp314")
    print(f"arm64, CPython compiled: {ratio:.2f} of amd64")
    print(f"arm64, the job with it: {foreign[0] / native[0]:.2f} of amd64, {foreign[1] / native[1]:.2f} in processor time")


def distro(w):
    native, foreign = on_both(w, "--python", "cp313")
    print(f"arm64, the distribution's interpreter: {foreign[0] / native[0]:.2f} of amd64, "
          f"{foreign[1] / native[1]:.2f} in processor time")


def nothing(w):
    w.call("wheels", "debian:12", "debian:13", "linux/amd64")
    wall, _ = w.call("wheels", "debian:12", "debian:13", "linux/amd64")
    print(f"nothing changed: {wall:.2f} s")


def main():
    known = {f.__name__: f for f in (interpreters, targets, arm64, distro, nothing)}
    for name in sys.argv[1:] or known:
        with tempfile.TemporaryDirectory() as folder:
            known[name](Workspace(folder, {"debian12": ["cp311"], "debian13": ["cp313"]}))


main()
