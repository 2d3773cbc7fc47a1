"""Write what the environment is: build-info.py FOLDER makes build-info.json and .txt

Everything that can change the bytes of a wheel and can be asked for inside the
container. A field that turns out empty fails the build: metadata that says nothing
must not look like metadata.
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


def ask(*command):
    """All that a command prints; empty when the command does not exist."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def version_of(*command):
    """The first thing in the first line that looks like a version."""
    lines = ask(*command).splitlines()
    # `gcc (Debian 12.2.0-14) 12.2.0`: what stands in parentheses is the packager's.
    match = re.search(r"\d+\.\d+[^\s,)]*", re.sub(r"\([^)]*\)", "", lines[0])) if lines else None
    return match.group(0) if match else "none"


def pip_version():
    """By its metadata: it compiles itself whenever it is started from here."""
    folders = glob.glob("/opt/toolchain/pip-*.dist-info")
    return os.path.basename(folders[0])[len("pip-") : -len(".dist-info")] if folders else "none"


def tool_hashes():
    """The programs that are no system packages, whose versions stand for their bytes."""
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
    """What package URLs say of a system. A rolling release has no version."""
    found = {"id": release.get("ID", ""), "version": release.get("VERSION_ID", ""), "packages": kind}
    return {name: value for name, value in found.items() if value}


def libc():
    # Asked first: Debian's `musl` puts a second loader on a system with glibc.
    glibc = re.search(r"^glibc (\d+\.\d+)\s*$", ask("getconf", "GNU_LIBC_VERSION"))
    loaders = glob.glob("/lib/ld-musl-*.so.1")
    if glibc or not loaders:
        return {"family": "glibc", "version": glibc.group(1) if glibc else ""}
    match = re.search(r"Version (\S+)", ask(loaders[0]))
    return {"family": "musl", "version": match.group(1) if match else ""}


def packages():
    """The kind of the system's packages, and the version of each."""
    commands = (
        ("deb", "dpkg-query", "--show", "--showformat=${Package} ${Version}\n"),
        ("rpm", "rpm", "--query", "--all", "--queryformat", "%{NAME} %{VERSION}-%{RELEASE}\n"),
    )
    for kind, *command in commands:
        output = ask(*command)
        if output:
            return kind, dict(line.split() for line in output.splitlines())
    found = {}
    for line in ask("apk", "info", "-v").splitlines():
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
            # `none` where the distribution lacks the tool.
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
    # A local source is a context of its own.
    folders = [folder for folder in ("/package", "/source") if os.path.exists(folder + "/source.json")]
    if folders:
        info["source"] = {name: value for name, value in read_json(folders[0] + "/source.json").items() if value}
        # Not in `source`: two reports of one source are of one environment, whoever judged it.
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
    # No interpreter is a fact, no tool and no package is a failure to look.
    required = ("gcc", "g++", "ld", "patchelf", "just", "uv", "pip", "python3")
    missing = [name for name in required if info["tools"][name] == "none"]
    if empty or missing or not info["packages"]:
        sys.exit("error: build metadata without a value: {}".format(" ".join(empty + missing) or "packages"))
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "build-info.json"), "w") as out:
        json.dump(info, out, indent=2, sort_keys=True)
        out.write("\n")
    with open(os.path.join(folder, "build-info.txt"), "w") as out:
        out.write("\n".join(text(info)) + "\n")


if __name__ == "__main__":
    main()
