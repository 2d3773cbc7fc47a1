"""Describes the build environment: build-info.py FOLDER writes build-info.json and build-info.txt.

They record everything that can change the bytes of a wheel and is visible in the container. An empty field fails the
build.
"""

import glob
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys

import extension_sources

SCHEMA_VERSION = 1


def output_of(*command):
    """The standard output and standard error of a command; empty if the command does not exist."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def version_of(*command):
    """The first version number in the first line of the output."""
    lines = output_of(*command).splitlines()
    # `gcc (Debian 12.2.0-14) 12.2.0`: the parentheses contain the package's version.
    match = re.search(r"\d+\.\d+[^\s,)]*", re.sub(r"\([^)]*\)", "", lines[0])) if lines else None
    return match.group(0) if match else "none"


def pip_version():
    """The version in pip's metadata: starting pip would compile it."""
    folders = glob.glob("/opt/toolchain/pip-*.dist-info")
    return os.path.basename(folders[0])[len("pip-") : -len(".dist-info")] if folders else "none"


def tool_hashes():
    """The hashes of programs that are not system packages: the version of a package identifies its files."""
    hashes = {}
    for name, program in (("just", "just"), ("patchelf", "patchelf"), ("rust", "rustc"), ("uv", "uv")):
        path = os.path.realpath(shutil.which(program) or "")
        if path.startswith(("/opt/toolchain/", "/opt/rustup/")):
            with open(path, "rb") as file:
                hashes[name] = hashlib.sha256(file.read()).hexdigest()
    return hashes


def os_release():
    with open("/etc/os-release") as file:
        fields = dict(line.strip().split("=", 1) for line in file if "=" in line and not line.startswith("#"))
    return {name: value.strip("\"'") for name, value in fields.items()}


def distribution(release, kind):
    """The fields of a package URL that name the system. A rolling release has no version."""
    found = {"id": release.get("ID", ""), "version": release.get("VERSION_ID", ""), "packages": kind}
    return {name: value for name, value in found.items() if value}


def libc():
    # First: Debian's package `musl` adds a second loader to a system with glibc.
    glibc = re.search(r"^glibc (\d+\.\d+)\s*$", output_of("getconf", "GNU_LIBC_VERSION"))
    loaders = glob.glob("/lib/ld-musl-*.so.1")
    if glibc or not loaders:
        return {"family": "glibc", "version": glibc.group(1) if glibc else ""}
    match = re.search(r"Version (\S+)", output_of(loaders[0]))
    return {"family": "musl", "version": match.group(1) if match else ""}


def packages():
    """The kind of the system's packages, and the version of each."""
    commands = (
        ("deb", "dpkg-query", "--show", "--showformat=${Package} ${Version}\n"),
        ("rpm", "rpm", "--query", "--all", "--queryformat", "%{NAME} %{VERSION}-%{RELEASE}\n"),
    )
    for kind, *command in commands:
        output = output_of(*command)
        if output:
            return kind, dict(line.split() for line in output.splitlines())
    found = {}
    for line in output_of("apk", "info", "-v").splitlines():
        match = re.fullmatch(r"(.+?)-(\d[^-]*-r\d+)", line.strip())
        if match:
            found[match.group(1)] = match.group(2)
    return "apk", found


def read_json(path):
    with open(path) as file:
        return json.load(file)


def empty_fields(value, path=""):
    if value is None or value == "":
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from empty_fields(inner, "{}.{}".format(path, key) if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from empty_fields(inner, "{}[{}]".format(path, index))


def gather():
    interpreters = [read_json(path) for path in sorted(glob.glob("/opt/python/*/provider.json"))]
    release = os_release()
    kind, installed = packages()
    info = {
        "schema_version": SCHEMA_VERSION,
        "target": os.environ["TARGET_NAME"],
        "platform": os.environ["PLATFORM"],
        "machine": platform.machine(),
        "image": {
            "reference": os.environ["BASE_IMAGE"],
            "digest": os.environ["BASE_DIGEST"],
            "origin": os.environ["BASE_ORIGIN"],
        },
        "os": release.get("PRETTY_NAME", ""),
        "distribution": distribution(release, kind),
        "libc": libc(),
        "tools": {
            "gcc": version_of("gcc", "--version"),
            "g++": version_of("g++", "--version"),
            "ld": version_of("ld", "--version"),
            # `none` if the distribution lacks the tool.
            "ccache": version_of("ccache", "--version"),
            "cmake": version_of("cmake", "--version"),
            "file": version_of("file", "--version"),
            "git": version_of("git", "--version"),
            "patchelf": version_of("patchelf", "--version"),
            "just": version_of("just", "--version"),
            "uv": version_of("uv", "--version"),
            "pip": pip_version(),
            "python3": version_of("python3", "--version"),
            "rust": version_of("rustc", "--version"),
        },
        "tool_hashes": tool_hashes(),
        "interpreters": interpreters,
        "packages": installed,
    }
    # /package holds a local source, a separate build context.
    folders = [folder for folder in ("/package", "/source") if os.path.exists(folder + "/source.json")]
    if folders:
        info["source"] = {name: value for name, value in read_json(folders[0] + "/source.json").items() if value}
        # Not in `source`: reports with equal `source` describe one environment, even if this result differs.
        info["extension_sources"] = extension_sources.of_source(folders[0])
    return info


def text(info):
    yield "Target: {}".format(info["target"])
    yield "Platform: {}".format(info["platform"])
    yield "Base Image: {reference}".format(**info["image"])
    yield "Base Digest: {digest}".format(**info["image"])
    yield "Base Origin: {origin}".format(**info["image"])
    yield "OS: {}".format(info["os"])
    yield "libc: {family} {version}".format(**info["libc"])
    for tool, version in info["tools"].items():
        yield "{}: {}".format(tool, version)
    if "source" in info:
        yield "Source: {name} ({kind}), {file}, sha256 {sha256}".format(**info["source"])
        yield "Extension Sources: {}".format("; ".join(info["extension_sources"]) or "none")
    for interpreter in info["interpreters"]:
        yield "Interpreter: {id} {version}, provider {provider}: {detail}".format(**interpreter)
    yield "Packages: {}".format(len(info["packages"]))
    for name, version in sorted(info["packages"].items()):
        yield "  {} {}".format(name, version)


def main():
    folder = sys.argv[1]
    info = gather()
    empty = list(empty_fields(info))
    # An environment without interpreters is possible; one without these tools is a detection error.
    required = ("gcc", "g++", "ld", "patchelf", "just", "uv", "pip", "python3")
    missing = [name for name in required if info["tools"][name] == "none"]
    if empty or missing or not info["packages"]:
        sys.exit("error: build metadata without a value: `{}`".format("`, `".join(empty + missing) or "packages"))
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "build-info.json"), "w") as out:
        json.dump(info, out, indent=2, sort_keys=True)
        out.write("\n")
    with open(os.path.join(folder, "build-info.txt"), "w") as out:
        out.write("\n".join(text(info)) + "\n")


if __name__ == "__main__":
    main()
