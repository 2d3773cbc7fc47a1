"""Does an installed wheel work? smoke.py WHEEL FOLDER, run by the interpreter it is for

smoke.py --entry-point JSON is what it starts itself for one of them.

SMOKE_IMPORTS: names of modules. Each must import, and come from the installed wheel.
SMOKE_CALLS: JSON, {"module": ["check", ...]}. A check is Python whose last statement is
an expression that must be true. It sees the module as `m`, and `ffi` and `lib` where the
module has them; checks of one module share their names, in order.
SMOKE_COMMANDS: JSON, ["program --option"]. Each must end with status 0; no shell reads it.

Each script of the wheel's entry points must lead to an object, in a process of its own. One that
requires an extra is skipped, and so is one whose module lacks another distribution, if the wheel
declares extras.

SMOKE_GRAFTED: JSON, {"libx.so.1": "pkg.libs/libx-1b7c5d3a.so.1"}: libraries that were put into the wheel. What of
the wheel is loaded must use these, and not the copies that the system may have.

A check also fails if it switches the GIL on in an interpreter that runs without. A free-threaded
interpreter that has it on before any import proves nothing, and fails, too.

Prints a line for each check, writes FOLDER/smoke.json, and fails if one did.
"""

import ast
import glob
import importlib
import importlib.metadata
import json
import os
import platform
import shlex
import signal
import struct
import subprocess
import sys
import sysconfig
import tempfile
import threading
import traceback
import warnings

SCRIPTS = ("console_scripts", "gui_scripts")
# Seconds for one command or script, and the number of its last lines that are printed.
TIMEOUT = 600
LINES = 20
# Bytes of output that are kept: /tmp is memory, and a command may print without end.
KEPT = 1 << 16


class Skipped(Exception):
    """A check that was not made, and why."""


class Failed(Exception):
    """A check that failed in another process, and why."""


def reason(error):
    return traceback.format_exception_only(type(error), error)[-1].strip()


def gil_is_on():
    return getattr(sys, "_is_gil_enabled", lambda: True)()


def begin_without_gil():
    if sysconfig.get_config_var("Py_GIL_DISABLED") and gil_is_on():
        asked = os.environ.get("PYTHON_GIL")
        raise RuntimeError(
            "the GIL is on before any import{}; hint: do not set `PYTHON_GIL` or `-X gil`".format(
                " (PYTHON_GIL={})".format(asked) if asked else ""
            )
        )


def keeping_gil_off(action):
    """What `action` returns, unless it switches the GIL on; the interpreter then names the module in a warning."""
    if gil_is_on():
        return action()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = action()
    if not gil_is_on():
        return result
    # Its second sentence is about how to run without the GIL all the same.
    said = [str(warning.message).partition(". ")[0] for warning in caught if "global interpreter lock" in str(warning.message)]
    raise RuntimeError(
        "switched the GIL on: {}; hint: set the slot `Py_mod_gil` to `Py_MOD_GIL_NOT_USED` in the module, or take this "
        "interpreter out of `pythons`".format(said[0] if said else "the interpreter does not say which module did")
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
        raise SyntaxError("a check ends in an expression")
    last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "<check>", "exec"), names)
    value = eval(compile(last, "<check>", "eval"), names)
    if not value:
        raise AssertionError("the value is {!r}".format(value))


def modules_of(distribution):
    """The modules and packages of a distribution, without folders that others may extend (`namespace packages`)."""
    paths = [str(file).split("/") for file in distribution.files or []]
    names = [path[:-1] + [path[-1].split(".")[0]] for path in paths]
    return {".".join(name[:-1] if name[-1] == "__init__" else name) for name in names}


def missing_distribution(error, distribution):
    """The module of another distribution whose absence led to `error`; None if it has another cause."""
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
    """Imports the module of an entry point and looks up its object, as its script does."""
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
    """The names in DT_NEEDED of an ELF file; none where it is no such file."""
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
    """The files that this process has in its memory, by their real paths."""
    with open("/proc/self/maps") as maps:
        lines = [line.split(None, 5) for line in maps]
    paths = {line[5].rstrip("\n") for line in lines if len(line) == 6}
    return {os.path.realpath(path) for path in paths if path.startswith("/") and os.path.isfile(path)}


def system_copies(library):
    """Where the system has a library."""
    folders = ("/lib*", "/usr/lib*", "/usr/local/lib*", "/lib*/*-linux-*", "/usr/lib*/*-linux-*")
    found = {os.path.realpath(path) for folder in folders for path in glob.glob(os.path.join(folder, library))}
    return sorted(found)


def grafted_library(library, place, files):
    """How the process uses a library that was put into the wheel; an error if files of the wheel use another."""
    mapped = mapped_files()
    own = [path for path in files if path.endswith("/" + place)]
    if not own:
        raise ImportError("{} is not installed".format(place))
    copies = system_copies(library)
    users = {path: needed(path) for path in mapped if not path.endswith("/" + place)}
    name = os.path.basename(place)
    astray = sorted(path for path in users if path in files and library in users[path])
    if astray:
        raise ImportError("{} needs {} of the system and not {}".format(astray[0], library, place))
    if own[0] not in mapped and any(name in users[path] for path in users):
        raise ImportError("{} is needed and not loaded".format(place))
    foreign = [path for path in copies if path in mapped]
    if foreign and not any(library in users[path] for path in users):
        raise ImportError("{} is loaded beside {}, and nothing outside of the wheel needs it".format(foreign[0], place))
    state = "loaded" if own[0] in mapped else "not loaded by these imports"
    system = "; the system has {}".format(copies[0]) if copies else "; the system has none"
    return {"mapped": own[0] in mapped, "system": copies, "system_mapped": bool(foreign)}, state + system


class Tail(threading.Thread):
    """Reads a pipe to its end, and keeps the last bytes."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe = pipe
        self.bytes = b""

    def run(self):
        while True:
            data = os.read(self.pipe.fileno(), KEPT)
            if not data:
                break
            self.bytes = (self.bytes + data)[-KEPT:]

    def lines(self):
        # What a command leaves running in a session of its own keeps the pipe open.
        self.join(5)
        return self.bytes.decode(errors="replace").splitlines()[-LINES:]


def run(command):
    """Runs a command with the environment's programs first on PATH, in an empty folder; its last lines."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
    environment = dict(os.environ, PATH=path)
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )
        tail = Tail(process.stdout)
        tail.start()
        try:
            status = process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:
            pass
        process.wait()
        lines = tail.lines()
    print("".join("     | {}\n".format(line) for line in lines), end="", flush=True)
    if status is None:
        raise RuntimeError("it still ran after {} seconds".format(TIMEOUT))
    if status != 0:
        raise RuntimeError("exit status {}: {}".format(status, lines[-1] if lines else "it printed nothing"))
    return lines


def start_apart(point, wheel, path):
    """Starts an entry point in a process of its own: a module may end it, leave threads, or close its streams."""
    with tempfile.TemporaryDirectory() as folder:
        result = os.path.join(folder, "result.json")
        asked = {"wheel": wheel, "point": [point.name, point.value, point.group], "path": path, "result": result}
        error = None
        try:
            run([sys.executable, "-B", "-I", os.path.abspath(__file__), "--entry-point", json.dumps(asked)])
        except RuntimeError as failed:
            error = failed
        try:
            with open(result) as file:
                outcome = json.load(file)
        except (OSError, ValueError):
            raise error or RuntimeError("its module ends the process")
    if "skipped" in outcome:
        raise Skipped(outcome["skipped"])
    if "failed" in outcome:
        raise Failed(outcome["failed"])


def entry_point_main(asked):
    sys.path[:] = asked["path"]
    outcome = {}
    try:
        start(importlib.metadata.EntryPoint(*asked["point"]), distribution_of(asked["wheel"]))
    except Skipped as skipped:
        outcome["skipped"] = str(skipped)
    except BaseException as error:
        outcome["failed"] = reason(error)
    with open(asked["result"], "w") as file:
        json.dump(outcome, file)
    # Threads that the module started do not keep it here.
    os._exit(0)


def provided_interpreter():
    """What provided the interpreter says of it; nothing outside of the container of a smoke test."""
    for path in glob.glob("/opt/python/*/provider.json"):
        with open(path) as file:
            return json.load(file)
    return None


def main():
    if sys.argv[1] == "--entry-point":
        entry_point_main(json.loads(sys.argv[2]))
    wheel, folder = sys.argv[1:]
    imports = os.environ.get("SMOKE_IMPORTS", "").split()
    calls = json.loads(os.environ.get("SMOKE_CALLS") or "{}")
    commands = json.loads(os.environ.get("SMOKE_COMMANDS") or "[]")
    checks = []

    def record(kind, subject, action):
        check = {"kind": kind, "subject": subject, "ok": True}
        word = "ok  "
        try:
            check["detail"] = action() or ""
        except Skipped as skipped:
            word, check["skipped"], check["detail"] = "skip", True, str(skipped)
        except Failed as failed:
            word, check["ok"], check["detail"] = "FAIL", False, str(failed)
        # Whatever a check raises is its result, SystemExit included.
        except BaseException as error:
            word, check["ok"], check["detail"] = "FAIL", False, reason(error)
        checks.append(check)
        first_line = subject.strip().splitlines()[-1] if subject.strip() else subject
        detail = check["detail"]
        print("{} {} {}{}".format(word, kind, first_line, ": " + detail if detail else ""), flush=True)

    # As it is before any module of the wheel changes it.
    path = list(sys.path)
    distribution = distribution_of(wheel)
    files = files_of(distribution)
    modules = {}

    def import_one(name):
        modules[name], origin = import_from(name, files)
        return origin

    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        record("gil", "off before any import", begin_without_gil)
    for name in imports + [name for name in calls if name not in imports]:
        record("import", name, lambda: keeping_gil_off(lambda: import_one(name)))
    for name, expressions in calls.items():
        if name not in modules:
            continue
        names = {"m": modules[name], "import_module": importlib.import_module}
        names.update({key: getattr(modules[name], key) for key in ("ffi", "lib") if hasattr(modules[name], key)})
        for expression in expressions:
            record("call", expression, lambda: keeping_gil_off(lambda: evaluate(expression, names)))
    libraries = {}

    def check_library(library, place):
        libraries[library], detail = grafted_library(library, place, files)
        return detail

    for library, place in json.loads(os.environ.get("SMOKE_GRAFTED") or "{}").items():
        record("grafted", library, lambda: check_library(library, place))
    for point in distribution.entry_points:
        if point.group in SCRIPTS:
            record("entry-point", "{} = {}".format(point.name, point.value), lambda: start_apart(point, wheel, path))
    for command in commands:
        record("command", command, lambda: "".join(run(shlex.split(command))[-1:]))

    failed = [check for check in checks if not check["ok"]]
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "smoke.json"), "w") as out:
        json.dump(
            {
                "schema_version": 1,
                "wheel": os.path.basename(wheel),
                "python": "{} {}".format(platform.python_implementation(), platform.python_version()),
                "gil": gil_is_on(),
                "interpreter": provided_interpreter(),
                "machine": platform.machine(),
                "pip": os.environ["PIP_VERSION"],
                "packages": {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()},
                "checks": checks,
                "grafted": libraries,
            },
            out,
            indent=2,
            sort_keys=True,
        )
        out.write("\n")
    print("smoke test: {} checks, {} failed".format(len(checks), len(failed)))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
