#!/usr/bin/env python3
"""Makes seeds for the fuzz targets out of the wheels of a folder: `seeds.py WHEELS`, then
`cargo fuzz run TARGET`. Only what is small is taken, since a fuzzer learns little from large files."""

import hashlib
import sys
import zipfile
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
MOST = 96 << 10
PER_TARGET = 300


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    taken: dict[str, int] = {}

    def take(target: str, content: bytes) -> None:
        if len(content) <= MOST and taken.get(target, 0) < PER_TARGET:
            folder = CORPUS / target
            folder.mkdir(parents=True, exist_ok=True)
            (folder / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
            taken[target] = taken.get(target, 0) + 1

    for path in sorted(Path(sys.argv[1]).glob("*.whl"), key=lambda path: path.stat().st_size):
        take("wheel_name", path.name.encode())
        if path.stat().st_size <= MOST:
            take("archive", path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            parts: dict[str, bytes] = {}
            for info in archive.infolist():
                if info.file_size > MOST:
                    continue
                name = info.filename.rsplit("/", 1)[-1]
                if ".dist-info/" in info.filename and name in ("METADATA", "WHEEL", "RECORD"):
                    parts[name] = archive.read(info)
                elif ".so" in name:
                    parts["elf"] = archive.read(info)
                    take("elf", parts["elf"])
                    take("isa", parts["elf"])
            take("record", parts.get("RECORD", b""))
            take("metadata", parts.get("METADATA", b""))
            take("metadata", parts.get("WHEEL", b""))
            order = ("METADATA", "WHEEL", "RECORD", "elf")
            take("audit", b"--\n".join(parts.get(name, b"") + b"\n" for name in order))
    print(", ".join(f"{target}: {count}" for target, count in sorted(taken.items())))


if __name__ == "__main__":
    main()
