"""Lists the requirements of a build backend (PEP 517, PEP 518).

    build-requires.py table PYPROJECT FOLDER           write FOLDER/backend.json and FOLDER/requires.txt
    build-requires.py hook BACKEND_JSON PACKAGE OUT    write the backend's additional requirements to OUT

`table` reads [build-system]; it writes nothing if the table is not valid or names files. It requires pip on sys.path
for its TOML parser. `hook` runs in the environment of the backend and calls get_requires_for_build_wheel;
CONFIG_SETTINGS has a line KEY=VALUE for each setting.
"""

import importlib
import json
import os
import re
import sys

LEGACY = "setuptools.build_meta:__legacy__"


def is_installable(system):
    """Returns whether the table conforms to PEP 518 and names no file of the source. Frontends report others."""
    if not isinstance(system, dict):
        return False

    def is_list(value):
        return isinstance(value, list) and all(isinstance(item, str) for item in value)

    # In a requirements file, a line can also be an option.
    return (
        is_list(system.get("requires"))
        and all(re.match(r"[A-Za-z0-9][^\r\n]*$", line) and "file:" not in line for line in system["requires"])
        and isinstance(system.get("build-backend", ""), str)
        and is_list(system.get("backend-path", []))
    )


def table(pyproject, folder):
    from pip._vendor import tomli

    with open(pyproject, "rb") as file:
        try:
            system = tomli.load(file).get("build-system", {"requires": ["setuptools >= 40.8.0"]})
        except tomli.TOMLDecodeError:
            return
    if not is_installable(system):
        return
    requires = system["requires"]
    backend = {"backend": system.get("build-backend", LEGACY), "path": system.get("backend-path", [])}
    with open(os.path.join(folder, "backend.json"), "w") as out:
        json.dump(backend, out)
    with open(os.path.join(folder, "requires.txt"), "w") as out:
        out.writelines(requirement + "\n" for requirement in requires)


def settings(lines):
    """The mapping of config settings; a repeated key has a list of values."""
    found = {}
    for line in filter(None, lines.splitlines()):
        key, _, value = line.partition("=")
        if key not in found:
            found[key] = value
        elif isinstance(found[key], list):
            found[key].append(value)
        else:
            found[key] = [found[key], value]
    return found


def hook(backend_json, package, out):
    with open(backend_json) as file:
        system = json.load(file)
    os.chdir(package)
    sys.path[:0] = [os.path.join(os.getcwd(), path) for path in system["path"]]
    module, _, attributes = system["backend"].partition(":")
    backend = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        backend = getattr(backend, attribute)
    function = getattr(backend, "get_requires_for_build_wheel", None)
    extra = function(settings(os.environ.get("CONFIG_SETTINGS", ""))) if function else []
    with open(out, "w") as file:
        file.writelines(requirement + "\n" for requirement in extra)


if __name__ == "__main__":
    # A backend must not import modules from the folder of this script.
    sys.path.pop(0)
    {"table": table, "hook": hook}[sys.argv[1]](*sys.argv[2:])
