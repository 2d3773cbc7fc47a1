"""Runs code of a package for smoke.py, which describes the checks: smoke-worker.py WHEEL REQUESTS ANSWERS

Reads requests from the file descriptor REQUESTS, one JSON object a line, and writes an answer to each to ANSWERS. An
answer repeats the random token of its request, so that code of the package cannot write it in advance.
"""

import ast
import glob
import importlib
import importlib.metadata
import json
import os
import struct
import sys
import sysconfig
import traceback
import warnings


class Skipped(Exception):
    """A check that was skipped, with the reason."""


def reason(error):
    return traceback.format_exception_only(type(error), error)[-1].strip()


def gil_is_on():
    return getattr(sys, "_is_gil_enabled", lambda: True)()


def begin_without_gil():
    if sysconfig.get_config_var("Py_GIL_DISABLED") and gil_is_on():
        setting = os.environ.get("PYTHON_GIL")
        raise RuntimeError(
            "the GIL is on before any import{}; hint: do not set `PYTHON_GIL` or `-X gil`".format(
                " (PYTHON_GIL={})".format(setting) if setting else ""
            )
        )


def keeping_gil_off(action):
    """The result of `action`. RuntimeError if it enables the GIL; the interpreter names the module in a warning."""
    if gil_is_on():
        return action()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = action()
    if not gil_is_on():
        return result
    # The second sentence describes how to disable the GIL anyway.
    messages = [str(warning.message).partition(". ")[0] for warning in caught if "global interpreter lock" in str(warning.message)]
    raise RuntimeError(
        "enabled the GIL: {}; hint: set the slot `Py_mod_gil` to `Py_MOD_GIL_NOT_USED` in the module, or remove this "
        "interpreter from `pythons` in wheels.toml".format(messages[0] if messages else "the interpreter does not name the module")
    )


def distribution_of(wheel):
    return importlib.metadata.distribution(os.path.basename(wheel).split("-")[0])


def files_of(distribution):
    return {os.path.realpath(str(distribution.locate_file(file))) for file in distribution.files or []}


def import_from(name, files):
    module = importlib.import_module(name)
    origin = getattr(module, "__file__", None)
    if origin is None or os.path.realpath(origin) not in files:
        raise ImportError("{} was imported from {}, which is not in the wheel".format(name, origin))
    return module, os.path.basename(origin)


def evaluate(check, names):
    tree = ast.parse(check.strip(), mode="exec")
    if not tree.body or not isinstance(tree.body[-1], ast.Expr):
        raise SyntaxError("the check must end with an expression")
    last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "<check>", "exec"), names)
    value = eval(compile(last, "<check>", "eval"), names)
    if not value:
        raise AssertionError("the value is {!r}".format(value))


def modules_of(distribution):
    """The modules and packages of a distribution, without namespace packages."""
    paths = [str(file).split("/") for file in distribution.files or []]
    names = [path[:-1] + [path[-1].split(".")[0]] for path in paths]
    return {".".join(name[:-1] if name[-1] == "__init__" else name) for name in names}


def missing_distribution(error, distribution):
    """The missing module of another distribution that caused `error`; None if it has another cause."""
    own = modules_of(distribution) | set(getattr(sys, "stdlib_module_names", ()))
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, ModuleNotFoundError) and error.name:
            parts = error.name.split(".")
            if not any(".".join(parts[:end]) in own for end in range(1, len(parts) + 1)):
                return error.name
        error = error.__cause__ or error.__context__
    return None


def start(point, distribution):
    """Imports the module of an entry point and looks up its object, like its script."""
    if point.extras:
        raise Skipped("it requires the extra {}".format(", ".join(point.extras)))
    module, _, attribute = point.value.partition(":")
    try:
        found = importlib.import_module(module.strip())
    except BaseException as error:
        missing = missing_distribution(error, distribution)
        extras = distribution.metadata.get_all("Provides-Extra") or []
        if missing and extras:
            reason = "`{}` is not installed, which an extra may provide ({})"
            raise Skipped(reason.format(missing, ", ".join(extras))) from error
        raise
    if not attribute.strip():
        raise AttributeError("`{}` names no object of the module".format(point.value))
    for name in attribute.strip().split("."):
        found = getattr(found, name)
    if not callable(found):
        raise TypeError("`{}` is not callable".format(point.value))


def needed(path):
    """The names in DT_NEEDED of a file; empty if it is not an ELF file."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] != b"\x7fELF":
        return []
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    start, = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)
    size, count = struct.unpack_from(order + "HH", data, 54 if wide else 42)
    # Type, offset in the file, address, size.
    form, fields = (order + "IIQQQQ", (0, 2, 3, 5)) if wide else (order + "IIIIII", (0, 1, 2, 4))
    headers = [struct.unpack_from(form, data, start + size * each) for each in range(count)]
    segments = [[header[field] for field in fields] for header in headers]
    dynamic = [(offset, length) for kind, offset, _, length in segments if kind == 2]
    names, strings, entry = [], None, struct.Struct(order + ("qQ" if wide else "iI"))
    for tag, value in entry.iter_unpack(b"".join(data[offset : offset + length] for offset, length in dynamic)):
        if tag == 0:
            break
        names += [value] if tag == 1 else []
        strings = value if tag == 5 else strings
    for kind, offset, address, length in segments:
        if kind == 1 and strings is not None and address <= strings < address + length:
            table = offset + strings - address
            return [data[table + name : data.index(b"\0", table + name)].decode() for name in names]
    return []


def mapped_files():
    """The real paths of the files that are mapped into this process."""
    with open("/proc/self/maps") as maps:
        lines = [line.split(None, 5) for line in maps]
    paths = {line[5].rstrip("\n") for line in lines if len(line) == 6}
    return {os.path.realpath(path) for path in paths if path.startswith("/") and os.path.isfile(path)}


def system_copies(library):
    """The system's copies of a library."""
    folders = ("/lib*", "/usr/lib*", "/usr/local/lib*", "/lib*/*-linux-*", "/usr/lib*/*-linux-*")
    found = {os.path.realpath(path) for folder in folders for path in glob.glob(os.path.join(folder, library))}
    return sorted(found)


def grafted_library(library, place, files):
    """How the process uses a grafted library. ImportError if files of the wheel load the system's copy."""
    mapped = mapped_files()
    own = [path for path in files if path.endswith("/" + place)]
    if not own:
        raise ImportError("{} is not installed".format(place))
    copies = system_copies(library)
    users = {path: needed(path) for path in mapped if not path.endswith("/" + place)}
    name = os.path.basename(place)
    astray = sorted(path for path in users if path in files and library in users[path])
    if astray:
        raise ImportError("{} needs {} of the system instead of {}".format(astray[0], library, place))
    if own[0] not in mapped and any(name in users[path] for path in users):
        raise ImportError("{} is needed but not loaded".format(place))
    foreign = [path for path in copies if path in mapped]
    if foreign and not any(library in users[path] for path in users):
        raise ImportError("{} is loaded in addition to {}, although nothing outside the wheel needs it".format(foreign[0], place))
    state = "loaded" if own[0] in mapped else "not loaded by these imports"
    system = "; the system has {}".format(copies[0]) if copies else "; the system has no copy"
    return {"mapped": own[0] in mapped, "system": copies, "system_mapped": bool(foreign)}, state + system


class Worker:
    """The checks of one process, and the modules that it imported."""

    def __init__(self, wheel):
        self.distribution = distribution_of(wheel)
        self.kept_files = None
        self.modules = {}
        self.names = {}

    def files(self):
        self.kept_files = self.kept_files or files_of(self.distribution)
        return self.kept_files

    def gil(self, request):
        begin_without_gil()

    def import_one(self, request):
        name = request["module"]
        self.modules[name], origin = keeping_gil_off(lambda: import_from(name, self.files()))
        return origin

    def call(self, request):
        name = request["module"]
        if name not in self.names:
            module = self.modules[name]
            self.names[name] = {"m": module, "import_module": importlib.import_module}
            own = {key: getattr(module, key) for key in ("ffi", "lib") if hasattr(module, key)}
            self.names[name].update(own)
        return keeping_gil_off(lambda: evaluate(request["check"], self.names[name]))

    def grafted(self, request):
        return grafted_library(request["library"], request["place"], self.files())

    def entry_point(self, request):
        start(importlib.metadata.EntryPoint(*request["point"]), self.distribution)

    def answer(self, request):
        checks = {
            "gil": self.gil, "import": self.import_one, "call": self.call, "grafted": self.grafted,
            "entry-point": self.entry_point,
        }
        answer = {"token": request["token"], "ok": True, "detail": ""}
        try:
            detail = checks[request["kind"]](request)
            if isinstance(detail, tuple):
                answer["library"], detail = detail
            answer["detail"] = detail or ""
        except Skipped as skipped:
            answer.update(skipped=True, detail=str(skipped))
        # Every exception is the result of the check, SystemExit included.
        except BaseException as error:
            answer.update(ok=False, detail=reason(error))
        answer["gil"] = gil_is_on()
        return answer


def main():
    wheel, requests, answers = sys.argv[1:]
    requests, answers = int(requests), int(answers)
    os.set_inheritable(requests, False)
    os.set_inheritable(answers, False)
    worker = Worker(wheel)
    with os.fdopen(requests) as lines:
        for line in lines:
            request = json.loads(line)
            data = json.dumps(worker.answer(request)).encode() + b"\n"
            while data:
                data = data[os.write(answers, data) :]
            if request["kind"] == "entry-point":
                # Do not wait for threads of the module.
                os._exit(0)


if __name__ == "__main__":
    main()
