"""Reads the exports of an ELF file: its dynamic symbols with their versions.

Source: the ELF gABI; symbol versions as in the LSB, "Symbol Versioning".
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

PT_LOAD, PT_DYNAMIC = 1, 2
DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_SONAME, DT_GNU_HASH = 1, 4, 5, 6, 14, 0x6FFFFEF5
DT_VERSYM, DT_VERDEF, DT_VERDEFNUM = 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD
SHN_UNDEF = 0
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS, STT_GNU_IFUNC = 0, 1, 2, 5, 6, 10
# Symbol types that the loader binds: `ALLOWED_STT` of glibc's `elf/dl-lookup.c`.
BINDABLE = {STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS, STT_GNU_IFUNC}
# Index of the first version that a library defines. References without a version bind up to this index, even if hidden.
BASE_INDEX = 2


class Definition(NamedTuple):
    """One definition of a symbol. `version` is empty if it has none."""

    name: str
    version: str
    index: int
    hidden: bool

    def binds_unversioned(self) -> bool:
        """Returns whether a reference without a version binds to this definition (`check_match` of `elf/dl-lookup.c`)."""
        return self.index <= BASE_INDEX or not self.hidden


class Elf(NamedTuple):
    soname: str
    needed: list[str]
    definitions: list[Definition]


def read(path: Path) -> Elf:
    """The dynamic symbols that an ELF file defines, with its `DT_SONAME` and `DT_NEEDED`."""
    return _Reader(path.read_bytes()).read()


class _Reader:
    def __init__(self, data: bytes) -> None:
        if data[:4] != b"\x7fELF":
            raise ValueError("not an ELF file")
        self.data = data
        self.is_64 = data[4] == 2
        self.order = "<" if data[5] == 1 else ">"

    def unpack(self, form: str, offset: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + form, self.data, offset)

    def segments(self) -> list[tuple[int, int, int, int]]:
        """Type, file offset, address and file size of each segment."""
        if self.is_64:
            start, (size, count) = self.unpack("Q", 32)[0], self.unpack("HH", 54)
        else:
            start, (size, count) = self.unpack("I", 28)[0], self.unpack("HH", 42)
        found = []
        for at in range(start, start + size * count, size):
            if self.is_64:
                kind, _, offset, address, _, length = self.unpack("IIQQQQ", at)
            else:
                kind, offset, address, _, length = self.unpack("IIIII", at)
            found.append((kind, offset, address, length))
        return found

    def read(self) -> Elf:
        segments = self.segments()
        loads = [each for each in segments if each[0] == PT_LOAD]

        def offset_of(address: int) -> int:
            for _, offset, start, length in loads:
                if start <= address < start + length:
                    return address - start + offset
            raise ValueError(f"no segment contains the address {address:#x}")

        dynamic, needed = {}, []
        for kind, offset, _, length in segments:
            if kind == PT_DYNAMIC:
                form, width = ("QQ", 16) if self.is_64 else ("II", 8)
                for at in range(offset, offset + length, width):
                    tag, value = self.unpack(form, at)
                    if tag == 0:
                        break
                    dynamic[tag] = value
                    if tag == DT_NEEDED:
                        needed.append(value)
        strings = offset_of(dynamic[DT_STRTAB])

        def text(at: int) -> str:
            start = strings + at
            return self.data[start : self.data.index(b"\0", start)].decode()

        versions = self.versions(offset_of(dynamic[DT_VERDEF]), dynamic[DT_VERDEFNUM], text) if DT_VERDEF in dynamic else {}
        versym = offset_of(dynamic[DT_VERSYM]) if DT_VERSYM in dynamic else None
        symbols, found = offset_of(dynamic[DT_SYMTAB]), []
        for number in range(1, self.symbol_count(dynamic, offset_of)):
            if self.is_64:
                name, info, other, section, value, _ = self.unpack("IBBHQQ", symbols + 24 * number)
            else:
                name, value, _, info, other, section = self.unpack("IIIBBH", symbols + 16 * number)
            # References do not bind to local, undefined, hidden and unallocated symbols.
            if section == SHN_UNDEF or info >> 4 == 0 or other & 3 in (1, 2) or info & 15 not in BINDABLE:
                continue
            if value == 0 and section != 0xFFF1 and info & 15 != STT_TLS:
                continue
            raw = self.unpack("H", versym + 2 * number)[0] if versym is not None else 1
            index = raw & 0x7FFF
            version = versions.get(index, "") if index >= BASE_INDEX else ""
            if text(name) != version:
                found.append(Definition(text(name), version, index, bool(raw & 0x8000)))
        soname = text(dynamic[DT_SONAME]) if DT_SONAME in dynamic else ""
        return Elf(soname, [text(each) for each in needed], found)

    def versions(self, at: int, count: int, text) -> dict[int, str]:
        found = {}
        for _ in range(count):
            _, _, index, _, _, names, following = self.unpack("HHHHIII", at)
            found[index] = text(self.unpack("I", at + names)[0])
            at += following
        return found

    def symbol_count(self, dynamic: dict[int, int], offset_of) -> int:
        if DT_HASH in dynamic:
            at = offset_of(dynamic[DT_HASH])
            # 64-bit words on s390x and Alpha.
            wide = self.is_64 and self.unpack("H", 18)[0] in (22, 0x9026)
            return self.unpack("QQ" if wide else "II", at)[1]
        at = offset_of(dynamic[DT_GNU_HASH])
        count, first, bloom, _ = self.unpack("IIII", at)
        buckets = at + 16 + bloom * (8 if self.is_64 else 4)
        chains = buckets + 4 * count
        last = max(self.unpack(f"{count}I", buckets), default=0)
        if last < first:
            return first
        while not self.unpack("I", chains + 4 * (last - first))[0] & 1:
            last += 1
        return last + 1
