"""What a build backend requires (PEP 517, PEP 518).

    build-requires.py table PYPROJECT FOLDER           FOLDER/backend.json and FOLDER/requires.txt, if it can
    build-requires.py pinned RESOLVED REQUIREMENTS     the requirements of a file that a resolution chose
    build-requires.py hook BACKEND_JSON PACKAGE OUT    what the backend asks for beside them

`table` reads [build-system], with pip on sys.path, whose reader of TOML it uses. `pinned` prints the entries of
REQUIREMENTS, with their hashes, that RESOLVED (`uv pip compile`) names. `hook` runs in the environment of the
backend and calls get_requires_for_build_wheel; CONFIG_SETTINGS has a line KEY=VALUE for each setting.
"""

import importlib
import json
import os
import re
import sys

LEGACY = "setuptools.build_meta:__legacy__"


def is_installable(system):
    """Whether the table is as PEP 518 wants it, and needs no file of the source. The frontend reports others."""
    if not isinstance(system, dict):
        return False

    def is_list(value):
        return isinstance(value, list) and all(isinstance(item, str) for item in value)

    # A line of a file of requirements could be an option.
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


def normalized(requirement):
    name = re.match(r"\s*([A-Za-z0-9._-]*)", requirement).group(1)
    return re.sub(r"[-_.]+", "-", name).lower()


def entries(path):
    """The requirements of a file, each on one line."""
    with open(path) as file:
        lines = file.read().replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith(("#", "-"))]


def pinned(resolved, requirements):
    known = {}
    for entry in entries(requirements):
        known.setdefault(normalized(entry), []).append(entry)
    for entry in entries(resolved):
        # One without a pin is passed on: the installation then reports that its hash is missing.
        print("\n".join(known.get(normalized(entry), [entry])))


def settings(lines):
    """The mapping of config settings; a key that occurs more than once has a list."""
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
    # The folder of this script is no place for a backend's modules.
    sys.path.pop(0)
    {"table": table, "pinned": pinned, "hook": hook}[sys.argv[1]](*sys.argv[2:])
