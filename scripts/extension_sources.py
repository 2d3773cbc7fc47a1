"""Detects from its files whether a source archive builds an extension module. Runs no code of the archive.

`evidence` is a pure function. C files are no evidence, because tests, documents and vendored code contain them, too:
only the configuration of the build is.
"""

import io
import json
import os
import re
import tarfile
import tokenize
import zipfile

# Files in the top folder that configure a build.
TEXTS = ("pyproject.toml", "setup.py", "build.py", "hatch_build.py")
LARGEST_TEXT = 1 << 20
# Folders that the package's build does not compile, with an optional `_` before and `s` after the name.
ASIDE = (
    *("test", "testing", "testdata", "fixture", "benchmark", "bench", "doc", "example", "sample", "demo"),
    *("vendor", "vendored", "third_party", "third-party", "thirdparty", "3rdparty", "extern", "external", "subproject"),
)
COMPILED = (".c", ".cc", ".cpp", ".cxx", ".f", ".f90", ".pyx", ".rs")
# Build backends that compile, and their source or configuration files.
BACKENDS = (
    ("maturin", ("Cargo.toml",)),
    ("scikit_build_core", ("CMakeLists.txt",)),
    ("mesonpy", COMPILED),
    ("py_build_cmake", ("CMakeLists.txt",)),
)
# `ext_modules = X`, `ext_modules=X`, `kwargs["ext_modules"] = X` and `"ext_modules": X`, if X is not empty.
ASSIGNED = re.compile(
    r"\b(ext_modules|cffi_modules|rust_extensions)[\"']?[ \t]{0,9}\]?[ \t]{0,9}(?:=(?!=)|:)"
    r"(?!\s*(?:\[\s*\]|\(\s*\)|None\b|[\"']{2}))"
)
# A key or a table of pyproject.toml, at the start of a line.
CONFIGURED = re.compile(
    r"^[ \t]*(?:\[\[?[^\]\n]*\b(ext[-_]modules|cffi[-_]modules)\b[^\]\n]*\]\]?|(ext[-_]modules|cffi[-_]modules)\s*=(?!\s*\[\s*\]))",
    re.MULTILINE,
)
# A Hatch hook that compiles, and the settings of a hook for a wheel with extension modules.
HATCH_HOOK = re.compile(r"^[ \t]*\[tool\.hatch\.build\.(?:targets\.wheel\.)?hooks\.(cython|mypyc|cmake|scikit-build)\b", re.MULTILINE)
HATCH_NOT_PURE = re.compile(r"[\"'](?:pure_python[\"']\s*\]?\s*[=:]\s*False|infer_tag[\"']\s*\]?\s*[=:]\s*True)\b")


def without_comments(name, text):
    """The text without comments and, in Python, without multi-line strings.

    If the text is not valid Python, removes only the lines that are comments.
    """
    lines = text.splitlines()
    if name.endswith(".py"):
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        except (tokenize.TokenError, SyntaxError):
            tokens = []
        for token in reversed(tokens):
            (first, start), (last, end) = token.start, token.end
            if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and token.string[-3:] in ('"""', "'''")):
                lines[first - 1 : last] = [lines[first - 1][:start] + lines[last - 1][end:]]
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def is_aside(path):
    folders = [folder.lower().strip("_") for folder in path.split("/")[:-1]]
    return any(folder in ASIDE or folder.rstrip("s") in ASIDE for folder in folders)


def evidence(names, texts):
    """The evidence that the archive builds an extension, as lines for people; empty if there is none.

    names: the paths of the archive's files, relative to its top folder.
    texts: the content of each file of TEXTS.
    """
    names = sorted(name for name in names if not is_aside(name))
    texts = {name: without_comments(name, text) for name, text in texts.items()}
    project = texts.get("pyproject.toml", "")
    found = []
    backend = re.search(r"^[ \t]*build-backend\s*=\s*[\"']([\w.:-]+)", project, re.MULTILINE)
    backend = backend.group(1) if backend else ""
    for name, files in BACKENDS:
        if backend.split(".")[0] == name:
            # Suffixes begin with a dot; the others are whole names.
            own = [path for path in names if path.split("/")[-1].endswith(files)]
            found += ["pyproject.toml: build-backend {}, with {}".format(backend, path) for path in own[:1]]
    key = CONFIGURED.search(project)
    if key:
        found.append("pyproject.toml: {}".format(key.group(1) or key.group(2)))
    hook = HATCH_HOOK.search(project)
    if hook:
        found.append("pyproject.toml: hook {}".format(hook.group(1)))
    if "tool.hatch." in project and HATCH_NOT_PURE.search(texts.get("hatch_build.py", "")):
        found.append("hatch_build.py: a wheel that is not pure")
    # `build.py` is a build script for Poetry only.
    scripts = ["setup.py"] + (["build.py"] if backend.startswith("poetry") else [])
    for script in scripts:
        assigned = ASSIGNED.search(texts.get(script, ""))
        if assigned:
            found.append("{}: {}".format(script, assigned.group(1)))
    found += [path for path in names if path.endswith(".pyx")][:1]
    return found


def members(archive):
    """The name of each regular file of an archive, with a function that reads its start."""
    with open(archive, "rb") as file:
        is_zip = file.read(4) == b"PK\3\4"
    if is_zip:
        with zipfile.ZipFile(archive) as bundle:
            for entry in bundle.infolist():
                if not entry.is_dir():
                    yield entry.filename, lambda entry=entry: bundle.open(entry).read(LARGEST_TEXT)
        return
    with tarfile.open(archive) as tar:
        for entry in tar:
            if entry.isfile():
                yield entry.name, lambda entry=entry: tar.extractfile(entry).read(LARGEST_TEXT)


def of_source(folder):
    """`evidence` of the archive that FOLDER/source.json names."""
    with open(os.path.join(folder, "source.json")) as file:
        source = json.load(file)
    # Like unpack.py.
    strip = 1 if source["kind"] == "sdist" else 0
    package = [part for part in source.get("package", "").split("/") if part]
    names, texts = [], {}
    for name, read in members(os.path.join(folder, source["file"])):
        parts = [part for part in name.split("/") if part not in ("", ".")][strip:]
        path = "/".join(parts[len(package) :])
        if parts[: len(package)] != package or not path:
            continue
        names.append(path)
        if path in TEXTS:
            texts[path] = read().decode("utf-8", "replace")
    return evidence(names, texts)
