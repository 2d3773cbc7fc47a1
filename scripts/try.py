"""Tests which wheels install and load on this system: try.py WHEELS WORK OUTPUT

WHEELS contains a folder for each wheel. uv installs each wheel without its requirements, with the first interpreter that
accepts it: the system's, or one of /opt/try-pythons. try-worker.py then imports its extension modules and loads its
other libraries. If no interpreter accepts the wheel, uv installs an empty wheel with the same platform tags, to test
whether the system accepts these. The system's Python then loads the unpacked files.

Writes OUTPUT/try.json. This process runs as root and runs no code of a wheel. try-worker.py does, as a user without
privileges, in a separate process for each wheel: code of a wheel can forge only the results of that wheel.
"""

import glob
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile

here = os.path.dirname(os.path.abspath(__file__))
# `-I` leaves the folder of the script out.
sys.path.append(here)
import unprivileged  # noqa: E402

UV = "/opt/try/bin/uv"
# uv's messages about a wheel whose tags do not match the interpreter or the system.
INCOMPATIBLE = "incompatible with the current platform"
INSTALLED_ON = "The wheel is compatible with "
# Maximum seconds for all files of a wheel. Hundreds of modules take minutes under emulation.
TIMEOUT = 3600
# Maximum number of characters of a tool's message.
MAX_WORDS = 1000
# Maximum size of a worker's report, in bytes.
MAX_REPORT = 4 << 20


def words(text):
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return " ".join(text.split()).encode(errors="backslashreplace").decode()[:MAX_WORDS]


def install(wheel, python, target):
    """Installs a wheel; returns uv's error, None if it succeeds."""
    environment = dict(os.environ, UV_CACHE_DIR="/tmp/uv-cache", NO_COLOR="1", HOME="/tmp")
    command = [
        UV, "pip", "install", "--quiet", "--no-config", "--offline", "--no-index", "--no-deps", "--link-mode", "copy",
        "--python", python, "--target", target, wheel,
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    if done.returncode == 0:
        return None
    text = words(done.stdout.decode(errors="replace"))
    # For tags, the hint has the details. The other text contains a path of this container.
    return text.split("hint: ")[-1] if INCOMPATIBLE in text else text.replace(wheel.strip("/"), os.path.basename(wheel))


def probe(wheel, python, folder):
    """Returns whether an installer accepts the platform tags of a wheel (True, False or None), and its message."""
    tags = os.path.basename(wheel)[: -len(".whl")].split("-")[-1]
    path = os.path.join(folder, "probe-0-py3-none-{}.whl".format(tags))
    info = "probe-0.dist-info/"
    lines = "".join("Tag: py3-none-{}\n".format(tag) for tag in tags.split("."))
    files = {
        info + "METADATA": "Metadata-Version: 2.1\nName: probe\nVersion: 0\n",
        info + "WHEEL": "Wheel-Version: 1.0\nGenerator: xtask\nRoot-Is-Purelib: false\n" + lines,
    }
    files[info + "RECORD"] = "".join(name + ",,\n" for name in list(files) + [info + "RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    refusal = install(path, python, os.path.join(folder, "probe"))
    if refusal is None:
        return True, ""
    return (False if refusal.startswith(INSTALLED_ON) else None), refusal


def unpack(wheel, target):
    """Unpacks a wheel into the layout of an installer."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    for folder in glob.glob(os.path.join(glob.escape(target), "*.data", "*")):
        to = target if os.path.basename(folder) in ("purelib", "platlib", "data") else os.path.join(target, "bin")
        for path, _, names in os.walk(folder):
            into = os.path.normpath(os.path.join(to, os.path.relpath(path, folder)))
            os.makedirs(into, exist_ok=True)
            for name in names:
                shutil.move(os.path.join(path, name), os.path.join(into, name))


def readable(target):
    """Lets the user of the worker read every file."""
    for path, folders, files in os.walk(target):
        for name in folders:
            os.chmod(os.path.join(path, name), 0o755)
        for name in files:
            if not os.path.islink(os.path.join(path, name)):
                os.chmod(os.path.join(path, name), 0o755)


def load(user, python, target, imports, work):
    """The results of try-worker.py, one for each file."""
    home = user.folder(os.path.join(work, "home"))
    read, write = os.pipe()
    with open(os.path.join(here, "try-worker.py")) as file:
        code = file.read()
    command = [python, "-B", "-I", "-c", code, target, "import" if imports else "load", str(write)]
    variables = {name: os.environ[name] for name in ("PATH", "QEMU_CPU", "LANG") if name in os.environ}
    process = user.start(command, pass_fds=(write,), cwd=home, env=dict(variables, HOME=home, TMPDIR=home))
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        data = stream.read(MAX_REPORT)
    try:
        status = process.wait(TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        status = "timeout"
    user.end_all()
    results = []
    for line in data.decode(errors="replace").splitlines():
        result = json.loads(line)
        results.append({
            "path": str(result["path"]), "how": str(result["how"]), "ok": result["ok"] if result["ok"] is None else bool(result["ok"]),
            "words": words(str(result["words"])), "supplied": [str(name) for name in result["supplied"]],
        })
    if status != 0:
        raise RuntimeError("the process that loads the files ended with {}".format(status))
    return results


def try_wheel(user, wheel, pythons, work):
    target = os.path.join(work, "site")
    os.makedirs(target)
    report = {"installs": True, "installer": "", "interpreter": None, "files": [], "problem": ""}
    python, refusals = None, []
    for each in pythons:
        refusal = install(wheel, each, target)
        if refusal is None:
            python = each
            break
        refusals.append(refusal)
    try:
        if python is None:
            report["installs"], report["installer"] = probe(wheel, pythons[0], work)
            report["installer"] = report["installer"] or refusals[0]
            unpack(wheel, target)
        else:
            command = [python, "-I", "-S", "-c", "import platform as p; print(p.python_implementation(), p.python_version())"]
            report["interpreter"] = subprocess.check_output(command).decode().strip()
        readable(target)
        report["files"] = load(user, python or pythons[0], target, python is not None, work)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        report["problem"] = words("{}: {}".format(type(error).__name__, error))
    return report


def main():
    wheels, work, output = sys.argv[1:]
    user = unprivileged.User.nobody()
    pythons = [os.path.realpath(sys.executable)]
    for path in sorted(glob.glob("/opt/try-pythons/*/bin/python3")):
        # A short name is a link to the folder of a full one.
        if not os.path.islink(os.path.dirname(os.path.dirname(path))):
            pythons.append(path)
    reports = {}
    for wheel in sorted(glob.glob(os.path.join(glob.escape(wheels), "*", "*.whl"))):
        number = os.path.basename(os.path.dirname(wheel))
        folder = os.path.join(work, number)
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        report = reports[number] = try_wheel(user, wheel, pythons, folder)
        shutil.rmtree(folder, ignore_errors=True)
        loads = all(file["ok"] for file in report["files"])
        print(os.path.basename(wheel), report["installs"], loads, report["problem"], flush=True)
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(output)
    with open(os.path.join(output, "try.json"), "w") as file:
        json.dump(
            {
                "schema_version": 1,
                "libc": " ".join(platform.libc_ver()),
                "python": platform.python_version(),
                "unprivileged": user.ids is not None,
                "wheels": reports,
            },
            file,
        )


if __name__ == "__main__":
    main()
