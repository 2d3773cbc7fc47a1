"""Checks the files that hosted services read.

    hosted.py schema NAME FILE...    YAML or JSON files against a schema that check-jsonschema bundles
    hosted.py renovate ROOT FILE     Renovate's custom managers against the files below ROOT that they update

Needs the packages `check-jsonschema` (its schemas alone), `fastjsonschema` and `ruamel.yaml` on PYTHONPATH.
Exit status: 0 good, 1 problems.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

SCHEMAS = "check_jsonschema/builtin_schemas/vendor"


def load(path: Path):
    from ruamel.yaml import YAML

    # YAML 1.2, in which `on` is a string; JSON is YAML.
    return YAML(typ="safe", pure=True).load(path)


def schema_problems(name: str, files: list[Path]) -> list[str]:
    import fastjsonschema

    places = [Path(folder) / SCHEMAS / f"{name}.json" for folder in sys.path]
    schema = next(place for place in places if place.is_file())
    validate = fastjsonschema.compile(json.loads(schema.read_text()), use_default=False)
    problems = []
    for file in files:
        try:
            validate(load(file))
        except fastjsonschema.JsonSchemaException as error:
            problems.append(f"{file}: {error}"[:1000])
    return problems


def pattern(text: str) -> re.Pattern[str]:
    """`text` in Python's notation of named groups."""
    return re.compile(text.replace("(?<", "(?P<"))


def renovate_problems(root: Path, file: Path) -> list[str]:
    """Pins that a custom manager names and does not find: a file, a dependency, or a further pin."""
    config = load(file)
    problems = []
    for manager in config["customManagers"]:
        about = manager["description"]
        # Renovate takes patterns between slashes as regular expressions of paths below the root.
        paths = [re.fullmatch(r"/\^(.+)\$/", it) for it in manager["managerFilePatterns"]]
        for path in paths:
            if path is None:
                problems.append(f"{about}: each of `managerFilePatterns` has to be `/^...$/`")
                continue
            target = root / path[1].replace("\\", "")
            if not target.is_file():
                problems.append(f"{about}: `{target}` is missing")
                continue
            text = target.read_text()
            found = [match for it in manager["matchStrings"] for match in pattern(it).finditer(text)]
            pins = set(re.findall(r'^(?:digest|commit)[^ ]* = "([^"]+)"', text, re.MULTILINE))
            missed = pins - {match["currentDigest"] for match in found if "currentDigest" in match.groupdict()}
            if not found:
                problems.append(f"{about}: nothing in `{target}` matches")
            elif "currentDigest" in found[0].groupdict() and missed:
                problems.append(f"{about}: `{target}` has pins that no pattern matches: {sorted(missed)}")
    return problems


def main() -> int:
    what, name, *files = sys.argv[1:]
    if what == "schema":
        problems = schema_problems(name, [Path(file) for file in files])
    else:
        problems = renovate_problems(Path(name), Path(files[0]))
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
