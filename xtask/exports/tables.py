"""Merges the libraries of several systems into one table: the versions in which a library exports a symbol."""

from __future__ import annotations

import re
from typing import Iterable, NamedTuple

from elf import Definition

# A symbol that no release exports.
NEVER = "-"


class Snapshot(NamedTuple):
    """A library of one system. `version` is the library's, as a symbol version if it has any."""

    arch: str
    version: str
    definitions: list[Definition]
    # The version that introduced each symbol without a version: Debian's `.symbols`.
    introduced: dict[str, str] = {}


def order(version: str) -> tuple:
    """A sort key of versions: numbers first, then the prefix; versions without numbers come last."""
    prefix, _, rest = version.rpartition("_")
    numbers = tuple(int(each) for each in re.findall(r"\d+", rest))
    return (not re.fullmatch(r"[\d.]+", rest), numbers, prefix)


def newest(versions: Iterable[str], of: str) -> str:
    """The newest version with this prefix and a number."""
    return max((each for each in versions if re.fullmatch(re.escape(of) + r"_[\d.]+", each)), key=order)


def spans(snapshots: list[Snapshot]) -> dict[str, str]:
    """`SINCE` or `SINCE..UNTIL` for each symbol and a reference without a version. One architecture's snapshots."""
    snapshots = sorted(snapshots, key=lambda each: order(each.version))
    seen: list[dict[str, list[Definition]]] = []
    for snapshot in snapshots:
        by_name: dict[str, list[Definition]] = {}
        for each in snapshot.definitions:
            by_name.setdefault(each.name, []).append(each)
        seen.append(by_name)
    found = {}
    for name in sorted(set().union(*seen)):
        binds = [any(each.binds_unversioned() for each in by_name.get(name, [])) for by_name in seen]
        if True not in binds and name not in seen[0]:
            # Only binaries from before the symbol moved here bind it.
            continue
        first = binds.index(True) if True in binds else 0
        since = introduced(name, first, seen, snapshots)
        last = len(binds) - 1 - binds[::-1].index(True) if True in binds else -1
        found[name] = f"{since}..{snapshots[last + 1].version}" if last + 1 < len(binds) else since
    return found


def introduced(name: str, first: int, seen: list[dict[str, list[Definition]]], snapshots: list[Snapshot]) -> str:
    """The version that introduced a symbol, which binds first in snapshot `first`."""
    nodes = sorted({each.version for each in seen[first][name]}, key=order)
    if first == 0 or name in seen[first - 1]:
        # A hidden definition was the default in older versions.
        return nodes[0] or snapshots[first].introduced.get(name) or "0"
    if not nodes[0]:
        return snapshots[first].introduced.get(name) or snapshots[first].version
    # A symbol that moved here from another library keeps its old versions for existing binaries.
    before = snapshots[first - 1].version
    later = [each for each in nodes if prefix(each) != prefix(before) or order(each) > order(before)]
    return later[0] if later else snapshots[first].version


def moved(tables: dict[str, dict[str, str]], to: str) -> None:
    """Ends a symbol's range in other libraries where it begins in library `to`, if the pool has no system in between."""
    for soname, found in tables.items():
        for name, value in found.items() if soname != to else ():
            since, _, until = value.partition("..")
            there = tables.get(to, {}).get(name, NEVER).partition("..")[0]
            if until and prefix(there) == prefix(until) and order(since) < order(there) < order(until):
                found[name] = f"{since}..{there}"


def continued(by_arch: dict[str, dict[str, str]], newest_of: dict[str, str]) -> None:
    """Copies symbols that are newer than all systems of an architecture from other architectures."""
    for arch, found in by_arch.items():
        for other, theirs in by_arch.items():
            if order(newest_of[other]) > order(newest_of[arch]):
                for name, value in theirs.items():
                    since = value.partition("..")[0]
                    if name not in found and prefix(since) == prefix(newest_of[arch]) and order(since) > order(newest_of[arch]):
                        found[name] = value


def preceded(by_arch: dict[str, dict[str, str]], oldest_of: dict[str, str]) -> None:
    """Copies `SINCE` from other architectures for symbols that the oldest system of an architecture already has."""
    for arch, found in by_arch.items():
        for other, theirs in by_arch.items():
            for name, value in found.items() if order(oldest_of[other]) < order(oldest_of[arch]) else ():
                since = theirs.get(name, NEVER).partition("..")[0]
                if value.partition("..")[0] == "0" and since != NEVER and order(since) <= order(oldest_of[arch]):
                    found[name] = since + value[1:]


def prefix(version: str) -> str:
    return version.rpartition("_")[0]


def merged(by_arch: dict[str, dict[str, str]], bases: dict[str, str]) -> list[str]:
    """The lines of a table, `SYMBOL VALUE [ARCH=VALUE]...`, sorted by the bytes of the symbol."""
    lines = []
    for name in set().union(*by_arch.values()):
        values = {arch: found.get(name, NEVER) for arch, found in by_arch.items()}
        common = max(sorted(set(values.values())), key=lambda v: sum(raised(v, bases.get(a, "")) == w for a, w in values.items()))
        rest = [f" {arch}={value}" for arch, value in sorted(values.items()) if raised(common, bases.get(arch, "")) != value]
        lines.append((name.encode(), f"{name} {common}{''.join(rest)}"))
    return [line for _, line in sorted(lines)]


def raised(value: str, base: str) -> str:
    """A value with its `SINCE` raised to the first version on an architecture."""
    since, dots, until = value.partition("..")
    if base and value != NEVER and prefix(since) == prefix(base) and order(since) < order(base):
        since = base
    return since + dots + until


def base_of(found: dict[str, str], of: str) -> str:
    """The first version of the library on an architecture."""
    starts = {value.partition("..")[0] for value in found.values()}
    versions = [each for each in starts if re.fullmatch(re.escape(of) + r"_[\d.]+", each)]
    return min(versions, key=order, default="")


def since_ever(by_arch: dict[str, dict[str, str]], ever: str) -> None:
    """Sets `SINCE` to `0` for symbols of the oldest system in the pool."""
    for found in by_arch.values():
        for name, value in found.items():
            since, dots, until = value.partition("..")
            if not prefix(since) and order(since) <= order(ever):
                found[name] = "0" + dots + until
