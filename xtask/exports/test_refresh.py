"""Tests of the tables: `python3 -m unittest` in this folder. Some compile libraries with the C compiler."""

from __future__ import annotations

import _ctypes
import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import elf
import libraries
import refresh
import tables
from elf import Definition


def defined(name: str, version: str, index: int = 3, hidden: bool = False) -> Definition:
    return Definition(name, version, index, hidden)


def snapshot(version: str, *definitions: Definition, **introduced: str) -> tables.Snapshot:
    return tables.Snapshot("x86_64", version, list(definitions), introduced)


class Spans(unittest.TestCase):
    def test_a_symbol_begins_with_its_oldest_version(self):
        memcpy = [defined("memcpy", "G_2.2.5", 2, True), defined("memcpy", "G_2.14")]
        self.assertEqual(tables.spans([snapshot("G_2.31", *memcpy)]), {"memcpy": "G_2.2.5"})

    def test_a_symbol_ends_when_it_is_hidden(self):
        before = snapshot("G_2.31", defined("xdr", "G_2.3.4"))
        after = snapshot("G_2.35", defined("xdr", "G_2.3.4", 5, True))
        self.assertEqual(tables.spans([after, before]), {"xdr": "G_2.3.4..G_2.35"})

    def test_a_moved_symbol_begins_with_its_new_version(self):
        before = snapshot("G_2.31", defined("read", "G_2.2.5", 2))
        after = snapshot("G_2.36", *before.definitions, defined("dlopen", "G_2.2.5", 2, True), defined("dlopen", "G_2.34"))
        found = tables.spans([before, after])
        self.assertEqual(found, {"read": "G_2.2.5", "dlopen": "G_2.34"})
        there = {"dlopen": "G_2.2.5..G_2.36"}
        tables.moved({"libc": found, "libdl": there}, "libc")
        self.assertEqual(there, {"dlopen": "G_2.2.5..G_2.34"})

    def test_symbols_for_old_binaries_are_skipped(self):
        hidden = snapshot("G_2.36", defined("old", "G_2.4", 5, True))
        self.assertEqual(tables.spans([snapshot("G_2.31"), hidden]), {})

    def test_without_symbol_versions_the_packages_count(self):
        first = snapshot("2.48.0", defined("g_malloc", "", 1), g_malloc="2.12.0")
        second = snapshot("2.80.0", *first.definitions, defined("g_new", "", 1), g_new="2.70.1")
        found = {"x86_64": tables.spans([first, second])}
        self.assertEqual(found["x86_64"], {"g_malloc": "2.12.0", "g_new": "2.70.1"})
        tables.since_ever(found, "2.48.0")
        self.assertEqual(found["x86_64"], {"g_malloc": "0", "g_new": "2.70.1"})


class Machines(unittest.TestCase):
    def test_values_implied_by_a_base_are_not_repeated(self):
        found = {"x86_64": {"a": "G_2.2.5", "b": "G_2.34"}, "aarch64": {"a": "G_2.17"}}
        bases = {"x86_64": "G_2.2.5", "aarch64": "G_2.17"}
        self.assertEqual(tables.merged(found, bases), ["a G_2.2.5", "b - x86_64=G_2.34"])

    def test_missing_values_come_from_other_architectures(self):
        found = {"x86_64": {"new": "G_2.42", "own": "G_2.30"}, "aarch64": {}}
        tables.continued(found, {"x86_64": "G_2.43", "aarch64": "G_2.41"})
        self.assertEqual(found["aarch64"], {"new": "G_2.42"})
        found = {"x86_64": {"f": "1.1.24"}, "aarch64": {"f": "0"}}
        tables.preceded(found, {"x86_64": "1.1.9", "aarch64": "1.2.2"})
        self.assertEqual(found["aarch64"], {"f": "1.1.24"})

    def test_versions_compare_by_numbers(self):
        versions = ["G_2.9", "G_PRIVATE", "G_2.17", "G_2.2.5"]
        self.assertEqual(sorted(versions, key=tables.order), ["G_2.2.5", "G_2.9", "G_2.17", "G_PRIVATE"])
        self.assertEqual(refresh.upstream("1:1.3.dfsg+really1.3.1-1"), "1.3.1")
        self.assertEqual(refresh.upstream("2:2.74.6-2+deb12u1"), "2.74.6")


@unittest.skipUnless(shutil.which("cc"), "no C compiler")
class Compiled(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def compiled(self, name: str, source: str, *options: str) -> Path:
        path = self.folder / name
        (self.folder / "source.c").write_text(source)
        command = ["cc", "-shared", "-fPIC", "-nostdlib", "-o", path, self.folder / "source.c", *options]
        subprocess.run(command, check=True)
        return path


class Libraries(Compiled):
    def versioned(self, *options: str) -> Path:
        (self.folder / "map").write_text("V_1 { global: a; b; local: *; }; V_2 { global: a; c; } V_1;")
        source = """
            __asm__(".symver a_1, a@V_1"); __asm__(".symver a_2, a@@V_2");
            __asm__(".symver b_1, b@V_1"); __asm__(".symver c_1, c@V_2");
            int a_1, a_2, b_1, c_1, unseen;"""
        return self.compiled("libv.so", source, "-Wl,--version-script", self.folder / "map", "-Wl,-soname,libv.so", *options)

    def test_definitions_have_their_versions(self):
        for style in ("gnu", "sysv"):
            read = elf.read(self.versioned(f"-Wl,--hash-style={style}"))
            self.assertEqual(read.soname, "libv.so")
            found = {(each.name, each.version, each.index, each.hidden) for each in read.definitions}
            expected = {("a", "V_1", 2, True), ("a", "V_2", 3, False), ("b", "V_1", 2, True), ("c", "V_2", 3, True)}
            self.assertEqual(found, expected, style)

    def test_the_loader_agrees_which_symbols_bind(self):
        library = self.versioned()
        binds = {}
        for each in elf.read(library).definitions:
            binds[each.name] = binds.get(each.name, False) or each.binds_unversioned()
        self.assertEqual(binds, {"a": True, "b": True, "c": False})
        ctypes.CDLL(library, mode=os.RTLD_NOW | os.RTLD_GLOBAL)
        for name, expected in binds.items():
            user = self.compiled(f"{name}.so", f"extern int {name}; int *p = &{name};")
            try:
                ctypes.CDLL(user, mode=os.RTLD_NOW)
                bound = True
            except OSError as error:
                self.assertIn(f"undefined symbol: {name}", str(error))
                bound = False
            self.assertEqual(bound, expected, name)

    def test_packages_become_tables(self):
        for suite, version, function in (("one", "2.31-1", "int f;"), ("two", "2.36-1", "int f, g;")):
            package = self.folder / "pool" / suite / "amd64" / "zlib1g"
            (package / "DEBIAN").mkdir(parents=True)
            (package / "DEBIAN/control").write_text(f"Package: zlib1g\nVersion: {version}\n")
            (package / "DEBIAN/symbols").write_text("libz.so.1 zlib1g #MINVER#\n f@Base 1.1\n g@Base 2.33\n")
            self.compiled("libz.so", function, "-Wl,-soname,libz.so.1").rename(package / "libz.so")
        read = refresh.Read(self.folder / "pool")
        (library,) = read.libraries().values()
        self.assertEqual(tables.spans(library["x86_64"]), {"f": "1.1", "g": "2.33"})
        self.assertEqual(read.sources, {"zlib1g": {"2.31-1 (one)", "2.36-1 (two)"}})


class ThisSystem(Compiled):
    """Compares glibc's tables with the loader of this machine: one reference to each symbol."""

    def test_the_loader_binds_the_symbols_of_the_tables(self):
        libc, _, version = os.confstr("CS_GNU_LIBC_VERSION").partition(" ")
        if libc != "glibc" or platform.machine() not in refresh.ARCHES.values():
            self.skipTest("no table for this machine")
        expected: dict[str, bool] = {}
        for library in libraries.GLIBC:
            for line in (refresh.DATA / f"{library}.txt").read_text().splitlines():
                name, common, *others = line.split(" ")
                value = dict(each.split("=") for each in others).get(platform.machine(), common)
                since, _, until = value.partition("..")
                # Private symbols appear and disappear without a version.
                if "PRIVATE" not in value:
                    is_there = value != "-" and is_at_most(since, version) and not (until and is_at_most(until, version))
                    expected[name] = expected.get(name, False) or is_there
            try:
                ctypes.CDLL(library, mode=os.RTLD_NOW | os.RTLD_GLOBAL)
            except OSError:
                self.skipTest(f"no {library}")
        template = "q" * 200
        data = self.compiled("template.so", f"extern char {template}[]; char *p = {template};").read_bytes()
        user, wrong = self.folder / "user.so", []
        for name, binds in expected.items():
            user.unlink(missing_ok=True)
            user.write_bytes(data.replace(template.encode(), name.encode().ljust(len(template), b"\0")))
            try:
                _ctypes.dlclose(ctypes.CDLL(user, mode=os.RTLD_NOW)._handle)
                bound = True
            except OSError:
                bound = False
            if bound != binds:
                wrong.append((name, bound))
        self.assertGreater(len(expected), 3000)
        self.assertEqual(wrong, [])


def is_at_most(node: str, version: str) -> bool:
    return tables.order(node) <= tables.order(f"GLIBC_{version}")


if __name__ == "__main__":
    unittest.main()
