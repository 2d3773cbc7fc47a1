"""Does an installed wheel work? smoke.py WHEEL FOLDER, run by the interpreter it is for

SMOKE_IMPORTS: names of modules. Each must import, and come from the installed wheel.
SMOKE_CALLS: JSON, {"module": ["check", ...]}. A check is Python whose last statement is
an expression that must be true. It sees the module as `m`, and `ffi` and `lib` where the
module has them; checks of one module share their names, in order.

A check also fails if it switches the GIL on in an interpreter that runs without. A free-threaded
interpreter that has it on before any import proves nothing, and fails, too.

Prints a line for each check, writes FOLDER/smoke.json, and fails if one did.
"""

import ast
import importlib
import importlib.metadata
import json
import os
import platform
import sys
import sysconfig
import traceback
import warnings


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


def files_of(wheel):
    name = os.path.basename(wheel).split("-")[0]
    distribution = importlib.metadata.distribution(name)
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


def main():
    wheel, folder = sys.argv[1:]
    imports = os.environ.get("SMOKE_IMPORTS", "").split()
    calls = json.loads(os.environ.get("SMOKE_CALLS") or "{}")
    checks = []

    def record(kind, subject, action):
        try:
            detail, ok = keeping_gil_off(action) or "", True
        # Whatever a check raises is its result, SystemExit included.
        except BaseException as error:
            detail, ok = reason(error), False
        checks.append({"kind": kind, "subject": subject, "ok": ok, "detail": detail})
        first_line = subject.strip().splitlines()[-1] if subject.strip() else subject
        print("{} {} {}{}".format("ok  " if ok else "FAIL", kind, first_line, ": " + detail if detail else ""), flush=True)

    files = files_of(wheel)
    modules = {}

    def import_one(name):
        modules[name], origin = import_from(name, files)
        return origin

    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        record("gil", "off before any import", begin_without_gil)
    for name in imports + [name for name in calls if name not in imports]:
        record("import", name, lambda: import_one(name))
    for name, expressions in calls.items():
        if name not in modules:
            continue
        names = {"m": modules[name], "import_module": importlib.import_module}
        names.update({key: getattr(modules[name], key) for key in ("ffi", "lib") if hasattr(modules[name], key)})
        for expression in expressions:
            record("call", expression, lambda: evaluate(expression, names))

    failed = [check for check in checks if not check["ok"]]
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "smoke.json"), "w") as out:
        json.dump(
            {
                "schema_version": 1,
                "wheel": os.path.basename(wheel),
                "python": "{} {}".format(platform.python_implementation(), platform.python_version()),
                "gil": gil_is_on(),
                "machine": platform.machine(),
                "pip": os.environ["PIP_VERSION"],
                "packages": {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()},
                "checks": checks,
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
