#!/usr/bin/env python3
"""Creates seeds for the fuzz targets from the wheels of a folder and from this repository:
`seeds.py WHEELS CORPUS`. Uses only small files, because large ones slow down fuzzing."""

import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "xtask/crates/wheel-build/src/engine"
MISSING = ROOT / "xtask/crates/wheel-build/src/pipeline/missing/output.rs"
REPORT = ROOT / "xtask/tests/fixtures/documents-build-info.json"
MOST = 96 << 10
PER_TARGET = 300
PARTS = ("METADATA", "WHEEL", "RECORD", "entry_points.txt")


def dist(name: str, digest: str, size: int) -> bytes:
    """A manifest and checksums, as input of `dist`."""
    path = "here-x86_64/" + name
    build = {"interpreter": "cp311", "job": "0", "smoke": "passed"}
    entry = {"path": path, "sha256": digest, "size": size, "kind": "wheel", "target": "here"}
    entry |= {"platform": "linux/amd64", "verdict": "pass", "builds": [build], "floor": "none"}
    manifest = json.dumps({"schema_version": 1, "files": [entry]}).encode()
    return b"\n--\n".join([manifest, f"{digest}  {name}".encode(), b"{}", b""])


def documents(wheel: Path) -> bytes:
    """The documents of a wheel in `dist/`, as input of `documents`."""
    names = [wheel.name + ".cdx.json", wheel.name + ".provenance.json", "build-info.json"]
    paths = [wheel.with_name(name) for name in names]
    return b"\n--\n".join(path.read_bytes() if path.exists() else b"{}" for path in paths)


def literals(path: Path) -> Iterator[str]:
    """The string literals of each test in a Rust file, as lines."""
    for test in path.read_text().split("#[test]")[1:]:
        found = re.findall(r'r#"(.*?)"#|"((?:[^"\\]|\\.)*)"', test, re.DOTALL)
        yield "\n".join(raw or re.sub(r"\\(.)", r"\1", text) for raw, text in found)


def repository() -> Iterator[tuple[str, bytes]]:
    """Targets and seeds from the files and tests of this repository."""
    for target in ("progress", "podman"):
        name = {"progress": "progress_tests.rs", "podman": "podman_progress.rs"}[target]
        yield from ((target, text.encode()) for text in literals(ENGINE / name))
    sources = [ENGINE / "excerpt_tests.rs", ENGINE / "headline_tests.rs", ENGINE / "failure.rs"]
    for path in [*sources, MISSING]:
        for text in literals(path):
            yield "failure", f"[wheel-builder 1/1] RUN make\nexit code: 1\n{text}".encode()
    yield "build_report", REPORT.read_bytes()
    member = '[package]\nname = "xtask"\nversion = "0.1.0"\n'
    lock = (ROOT / "Cargo.lock").read_text()[:4096].rsplit("[[package]]", 1)[0]
    cargo = '[package]\nname = "a"\n[workspace]\nmembers = ["xtask"]\nexclude = ["*"]\n'
    yield "manifests", "\n--\n".join([cargo, member, lock]).encode()
    yield "manifests", (ROOT / "wheels.toml").read_bytes()
    yield "manifests", b'[project]\nname = "a"\nrequires-python = ">=3.10"\n[build-system]\n'
    policy = {"name": "manylinux_2_17", "aliases": ["manylinux2014"], "priority": 80}
    policy |= {"symbol_versions": {"x86_64": {"GLIBC": ["2.17"]}}, "lib_whitelist": ["libc.so.6"]}
    yield "policy", json.dumps([policy | {"blacklist": {"libz.so.1": ["_tr_init"]}}]).encode()


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    corpus = Path(sys.argv[2])
    taken: dict[str, int] = {}

    def take(target: str, content: bytes) -> None:
        if len(content) <= MOST and taken.get(target, 0) < PER_TARGET:
            folder = corpus / target
            folder.mkdir(parents=True, exist_ok=True)
            (folder / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
            taken[target] = taken.get(target, 0) + 1

    for target, content in repository():
        take(target, content)
    former = b""
    for path in sorted(Path(sys.argv[1]).glob("*.whl"), key=lambda path: path.stat().st_size):
        take("wheel_name", path.name.encode())
        take("documents", documents(path))
        if path.stat().st_size <= MOST:
            take("archive", path.read_bytes())
            take("verify", path.read_bytes())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        take("dist", dist(path.name, digest, path.stat().st_size))
        with zipfile.ZipFile(path) as archive:
            parts: dict[str, bytes] = {}
            for info in archive.infolist():
                if info.file_size > MOST:
                    continue
                name = info.filename.rsplit("/", 1)[-1]
                if ".dist-info/" in info.filename and name in PARTS:
                    parts[name] = archive.read(info)
                elif ".so" in name:
                    parts["elf"] = archive.read(info)
                    take("elf", parts["elf"])
                    take("compare", b"\n--\n".join([former, parts["elf"]]))
                    former = parts["elf"]
                    take("isa", parts["elf"])
            take("record", parts.get("RECORD", b""))
            take("metadata", parts.get("METADATA", b""))
            take("metadata", parts.get("WHEEL", b""))
            take("entry_points", parts.get("entry_points.txt", b""))
            order = ("METADATA", "WHEEL", "RECORD", "elf")
            take("audit", b"--\n".join(parts.get(name, b"") + b"\n" for name in order))
    print(", ".join(f"{target}: {count}" for target, count in sorted(taken.items())))


if __name__ == "__main__":
    main()
