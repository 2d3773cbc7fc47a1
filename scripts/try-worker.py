"""Loads the files of an installed wheel: try-worker.py FOLDER import|load STREAM

Writes a line of JSON for each file to STREAM: how it was loaded, whether that succeeded (null if the test cannot decide),
and the loader's message. Loads each file in a separate process.

import: imports extension modules. Only errors of the loader and crashes count: if an import fails for another reason,
such as a missing distribution, this loads the module by its path unless it was loaded before. Loads the remaining
libraries by their paths. For programs, the loader lists their libraries.

load: no interpreter accepts the wheel, so this loads modules by their paths, too, and binds all symbols (`RTLD_NOW`, like
Python). A generated library supplies the API of other interpreters: undefined symbols that begin with `Py` or `_Py`.
"""

import ctypes
import importlib
import importlib.machinery
import json
import os
import re
import signal
import struct
import subprocess
import sys

# Maximum seconds for one file.
TIMEOUT = 600
# Maximum number of attempts to find the order in which files of the wheel load.
MAX_SIBLINGS = 100
# Maximum number of symbols of another interpreter that are supplied.
MAX_SUPPLIED = 2000
# Messages of the loaders: glibc's elf/dl-load.c, elf/dl-lookup.c, elf/dl-version.c, elf/dl-reloc.c and
# sysdeps/x86/dl-prop.h; musl's ldso/dynlink.c.
LOADER = re.compile(
    "cannot open shared object file|undefined symbol|version `.*' not found|executable stack|static TLS|ELF header"
    "|wrong ELF class|file too short|cannot dynamically load|ELF load command|ELF file|CPU ISA level|failed to map segment"
    "|cannot apply additional memory|unsupported version|Error relocating|Error loading shared library|no version information"
)
MISSING = re.compile(r"(?:library )?([^\s:]+): (?:cannot open shared object file|No such file)")
UNDEFINED = re.compile(r"undefined symbol: (_?Py\w+)|: (_?Py\w+): symbol not found")


class Header:
    """The header of an ELF file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.start = file.read(64)
            self.valid = self.start[:4] == b"\x7fELF" and len(self.start) >= 52
            if not self.valid:
                return
            self.wide = self.start[4] == 2
            self.order = "<" if self.start[5] == 1 else ">"
            self.kind, self.machine = struct.unpack_from(self.order + "HH", self.start, 16)
            self.identity = (self.wide, self.order, self.machine)
            self.loader = self.interpreter(file)

    def interpreter(self, file):
        """The loader of a program (`PT_INTERP`); None for a library."""
        offset, = struct.unpack_from(self.order + ("Q" if self.wide else "I"), self.start, 32 if self.wide else 28)
        size, count = struct.unpack_from(self.order + "HH", self.start, 54 if self.wide else 42)
        for number in range(count):
            file.seek(offset + size * number)
            header = file.read(size)
            if len(header) < (40 if self.wide else 20):
                return None
            if struct.unpack_from(self.order + "I", header)[0] == 3:
                fields = struct.unpack_from(self.order + ("Q" if self.wide else "I"), header, 8 if self.wide else 4)
                length, = struct.unpack_from(self.order + ("Q" if self.wide else "I"), header, 32 if self.wide else 16)
                file.seek(fields[0])
                return file.read(min(length, 4096)).rstrip(b"\0").decode(errors="replace")
        return None


def stub(names, path):
    """Writes a shared library for this machine that exports `names`, each the address of zeros."""
    own = Header(sys.executable)
    wide, order = own.wide, own.order
    word = "Q" if wide else "I"
    # The hash table of 64-bit s390x has entries of 8 bytes (its ELF supplement).
    entry = "Q" if wide and own.machine == 22 else "I"
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in names)
    header, segment, symbol = (64, 56, 24) if wide else (52, 32, 16)
    symbols_at = header + 3 * segment
    symbols_at += -symbols_at % 16
    hash_at = symbols_at + symbol * (len(names) + 1)
    hash_at += -hash_at % 16
    count = len(names) + 1
    table = struct.pack(order + entry * (3 + count), 1, count, 1, *([0] + [*range(2, count), 0]))
    dynamic_at = hash_at + len(table)
    dynamic_at += -dynamic_at % 16
    dynamic_size = 6 * 2 * struct.calcsize(order + word)
    strings_at = dynamic_at + dynamic_size
    end = strings_at + len(strings)
    zeros_at = end + (-end % 16)
    tags = [(4, hash_at), (5, strings_at), (6, symbols_at), (10, len(strings)), (11, symbol), (0, 0)]
    dynamic = b"".join(struct.pack(order + word * 2, *pair) for pair in tags)
    symbols, at = b"\0" * symbol, 1
    for name in names:
        if wide:
            symbols += struct.pack(order + "IBBHQQ", at, 0x11, 0, 1, zeros_at, 8)
        else:
            symbols += struct.pack(order + "IIIBBH", at, zeros_at, 4, 0x11, 0, 1)
        at += len(name) + 1

    def program_header(kind, flags, offset, size, memory, align):
        if wide:
            return struct.pack(order + "IIQQQQQQ", kind, flags, offset, offset, offset, size, memory, align)
        return struct.pack(order + "IIIIIIII", kind, offset, offset, offset, size, memory, flags, align)

    headers = (
        program_header(1, 6, 0, end, zeros_at + 4096, 65536)
        + program_header(2, 6, dynamic_at, dynamic_size, dynamic_size, 8)
        + program_header(0x6474E551, 6, 0, 0, 0, 16)
    )
    flags, = struct.unpack_from(order + "I", own.start, 48 if wide else 36)
    rest = struct.pack(order + "HHI" + word * 3 + "IHHHHHH", 3, own.machine, 1, 0, header, 0, flags, header, segment, 3, 0, 0, 0)
    image = bytearray(end)
    for offset, part in (
        (0, own.start[:16] + rest), (header, headers), (symbols_at, symbols), (hash_at, table), (dynamic_at, dynamic),
        (strings_at, strings),
    ):
        image[offset : offset + len(part)] = part
    with open(path, "wb") as file:
        file.write(image)


class Wheel:
    """The files of the wheel and their results."""

    def __init__(self, folder, imports, stream):
        self.folder, self.imports, self.stream = folder, imports, stream
        self.mapped = set()
        self.supplied = []
        self.own = Header(sys.executable).identity
        self.files = self.find()
        self.names = {os.path.basename(path): path for path, _ in self.files}

    def find(self):
        """The ELF files for this machine; all ELF files if none is."""
        found = []
        for path, _, names in os.walk(self.folder):
            for name in names:
                file = os.path.join(path, name)
                header = Header(file) if os.path.isfile(file) else None
                # ET_EXEC and ET_DYN.
                if header and header.valid and header.kind in (2, 3):
                    found.append((file, header))
        found.sort(key=lambda each: each[0])
        return [each for each in found if each[1].identity == self.own] or found

    def module(self, path):
        """The dotted name by which this interpreter imports a file; None if it cannot."""
        name = os.path.relpath(path, self.folder)
        for suffix in sorted(importlib.machinery.EXTENSION_SUFFIXES, key=len, reverse=True):
            if name.endswith(suffix):
                parts = name[: -len(suffix)].split("/")
                if parts[-1] == "__init__":
                    parts.pop()
                return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else None
        return None

    def answer(self, path, how, ok, words, supplied=()):
        name = os.path.relpath(path, self.folder)
        words = words.replace(self.folder + "/", "")
        line = {"path": name, "how": how, "ok": ok, "words": words, "supplied": list(supplied)}
        self.stream.write(json.dumps(line) + "\n")
        self.stream.flush()

    def inside(self):
        """The files of the wheel that are mapped into this process."""
        with open("/proc/self/maps") as maps:
            lines = [line.rstrip("\n").split(None, 5) for line in maps]
        return sorted({line[5] for line in lines if len(line) == 6 and line[5].startswith(self.folder + "/")})

    def child(self, action):
        """Runs `action` in a separate process; returns its (ok, words), or how the process ended."""
        read, write = os.pipe()
        errors = os.open("errors", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        process = os.fork()
        if process == 0:
            os.close(read)
            os.dup2(errors, 1)
            os.dup2(errors, 2)
            # A module can block.
            signal.alarm(TIMEOUT)
            ok, words = action()
            with os.fdopen(write, "w") as stream:
                json.dump({"ok": ok, "words": words, "mapped": self.inside()}, stream)
            # Do not wait for threads, and run no exit handlers.
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as stream:
            text = stream.read()
        status = os.waitpid(process, 0)[1]
        os.lseek(errors, 0, 0)
        output = os.read(errors, 65536).decode(errors="replace").strip().splitlines()
        os.close(errors)
        if text:
            try:
                answer = json.loads(text)
                ok, words, mapped = answer["ok"], str(answer["words"]), [str(path) for path in answer["mapped"]]
            except (ValueError, KeyError, TypeError):
                return False, "code of the file wrote the result"
            if ok:
                self.mapped.update(mapped)
            return ok, words
        last = ": " + output[-1] if output else ""
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number == signal.SIGALRM:
                return None, "timed out after {} seconds".format(TIMEOUT)
            return False, "killed by signal {} ({}){}".format(number, signal.Signals(number).name, last)
        return False, "exit status {}{}".format(os.WEXITSTATUS(status), last)

    def open(self, path, first=()):
        """Loads a file by its path, after the files in `first`."""
        try:
            for each in first:
                ctypes.CDLL(each, mode=ctypes.RTLD_GLOBAL)
            ctypes.CDLL(path, mode=os.RTLD_NOW)
        except OSError as error:
            return False, str(error)
        return True, ""

    def import_module(self, name, path):
        """Imports a module. Only errors of the loader count."""
        sys.path.insert(0, self.folder)
        try:
            importlib.import_module(name)
        except BaseException as error:
            text = str(error)
            if isinstance(error, (ImportError, OSError)) and LOADER.search(text):
                return False, text
            note = "loaded; the import ended with {}: {}".format(type(error).__name__, text)
            if path in self.inside():
                return True, note
            ok, words = self.open(path)
            return ok, words or note
        return True, ""

    def load(self, path):
        """Loads a file by its path, and supplies the symbols that this interpreter lacks."""
        supplied, first = [], []
        while True:
            ok, words = self.child(lambda: self.open(path, first))
            missing = UNDEFINED.search(words or "") if ok is False and not self.imports else None
            if not missing or len(supplied) == MAX_SUPPLIED:
                break
            name = missing.group(1) or missing.group(2)
            if name in supplied:
                break
            supplied.append(name)
            library = os.path.abspath("supplied-{}.so".format(len(supplied)))
            stub(supplied, library)
            first = [library]
        if ok is False and "cannot dynamically load" in words and ".so" not in os.path.basename(path):
            ok = None
        return (*self.with_siblings(path, ok, words, first), supplied)

    def with_siblings(self, path, ok, words, first):
        """Loads missing libraries of the wheel first. If that succeeds, ok is None: the package's code may do the same."""
        before, reason = list(first), words
        for _ in range(MAX_SIBLINGS):
            missing = MISSING.search(words) if ok is False else None
            sibling = missing and self.names.get(os.path.basename(missing.group(1)))
            if not sibling or sibling == path:
                # A library outside of the wheel is missing.
                return ok, words
            if sibling in before:
                before.remove(sibling)
            before.insert(len(first), sibling)
            ok, words = self.child(lambda: self.open(path, before))
            if ok:
                return None, "{} (it loads after {} of the wheel)".format(reason, os.path.basename(sibling))
        return ok, words

    def program(self, path, loader):
        """Runs the program's loader to list its libraries."""
        if not os.path.exists(loader):
            return False, "{}: No such file or directory".format(loader)
        try:
            done = subprocess.run(
                [loader, "--list", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT,
                env=dict(os.environ, LD_BIND_NOW="1", LD_WARN="1"),
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return None, str(error)
        lines = done.stdout.decode(errors="replace").splitlines()
        bad = [line.strip() for line in lines if "not found" in line or "undefined symbol" in line or "Error " in line]
        if bad:
            return False, bad[0]
        return (True, "") if done.returncode == 0 else (False, " ".join(lines)[-500:] or "exit status {}".format(done.returncode))

    def run(self):
        libraries, programs = [], []
        for path, header in self.files:
            is_library = ".so" in os.path.basename(path)
            if header.loader and not is_library:
                programs.append((path, header.loader))
            elif header.kind == 2 and not is_library:
                # A static program loads nothing.
                continue
            elif self.imports and self.module(path):
                name = self.module(path)
                ok, words = self.child(lambda: self.import_module(name, path))
                if ok is False:
                    ok, words = self.with_siblings(path, ok, words, [])
                self.answer(path, "import " + name, ok, words)
            else:
                libraries.append(path)
        # Modules of another interpreter first: libraries that they load are not tested separately.
        libraries.sort(key=lambda path: self.module_like(path), reverse=True)
        for path in libraries:
            if path in self.mapped:
                self.answer(path, "loaded by another file", True, "")
            else:
                ok, words, supplied = self.load(path)
                self.answer(path, "dlopen", ok, words, supplied)
        for path, loader in programs:
            ok, words = self.program(path, loader)
            self.answer(path, "list", ok, words)

    def module_like(self, path):
        name = os.path.basename(path)
        return re.search(r"\.(cpython|pypy|abi3)[^/]*\.so$", name) is not None or not name.startswith("lib")


def main():
    folder, mode, stream = sys.argv[1:]
    os.set_inheritable(int(stream), False)
    with os.fdopen(int(stream), "w") as out:
        Wheel(folder, mode == "import", out).run()


if __name__ == "__main__":
    main()
