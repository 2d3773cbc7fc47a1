"""Tests an installed wheel: smoke.py WHEEL ENVIRONMENT FOLDER [--unprivileged]

SMOKE_IMPORTS: names of modules. Each must import from the installed wheel.
SMOKE_CALLS: JSON, {"module": ["check", ...]}. A check is Python code; its last statement is an expression that must be
true. Its names are the module as `m`, and the module's `ffi` and `lib`. Checks of one module share their names.
SMOKE_COMMANDS: JSON, ["program --option"]. Each must exit with status 0. They run without a shell.
SMOKE_GRAFTED: JSON, {"libx.so.1": "pkg.libs/libx-1b7c5d3a.so.1"}: the grafted libraries. Files of the wheel must load
these instead of the system's copies.

Each script of the wheel's entry points must resolve to an object, in a separate process. Skips a script that requires an
extra, and, if the wheel declares extras, one whose module requires a missing distribution.

A check also fails if it enables the GIL in a free-threaded interpreter, or if the GIL is on before any import.

Prints a line for each check, writes FOLDER/smoke.json, and fails if a check failed.

This process runs no code of the wheel and reads ENVIRONMENT as data; start it with `python -I -S`. smoke-worker.py runs
the checks with the interpreter of ENVIRONMENT and, with --unprivileged, as a user without privileges. Each request has a
random token that the answer must repeat, so that code of the wheel cannot write an answer in advance.
"""

import glob
import importlib.metadata
import json
import os
import platform
import select
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
# `-I` leaves the folder of the script out.
sys.path.append(here)
import unprivileged  # noqa: E402

SCRIPTS = ("console_scripts", "gui_scripts")
# Maximum seconds for one command or script.
TIMEOUT = 600
# Maximum seconds for one import or call.
CHECK_TIMEOUT = 3600
# Maximum number of lines of a command that are printed.
LINES = 20
# Maximum seconds for a process to end by itself.
PATIENCE = 60
# Maximum size of the output that is kept, in bytes.
KEPT = 1 << 16
# Maximum size of an answer, in bytes.
MAX_ANSWER = 1 << 20
# Maximum number of characters in the detail of a check.
MAX_DETAIL = 4000


class Failed(Exception):
    """A failed check, with the reason."""


def printable(text):
    return text.encode(errors="backslashreplace").decode()[:MAX_DETAIL]


class Tail(threading.Thread):
    """Reads a pipe to its end and keeps the last bytes."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe = pipe
        self.bytes = b""

    def run(self):
        while True:
            data = os.read(self.pipe, KEPT)
            if not data:
                break
            self.bytes = (self.bytes + data)[-KEPT:]

    def show(self):
        """Prints the last lines, and returns them."""
        # A background process of the command can keep the pipe open.
        self.join(5)
        lines = self.bytes.decode(errors="replace").splitlines()[-LINES:]
        print("".join("     | {}\n".format(line) for line in lines), end="", flush=True)
        return lines


class Place:
    """The environment and the user that run the package's code."""

    def __init__(self, environment, user):
        self.environment = environment
        self.user = user
        self.python = os.path.join(environment, "bin", "python")
        path = os.pathsep.join([os.path.join(environment, "bin"), os.environ.get("PATH", os.defpath)])
        self.variables = {name: value for name, value in os.environ.items() if not name.startswith("SMOKE_")}
        self.variables["PATH"] = path

    def start(self, command, **options):
        """Starts a command in a new empty folder, its home; returns the process and the folder."""
        folder = tempfile.mkdtemp()
        os.chmod(folder, 0o755)
        self.user.own(folder)
        try:
            process = self.user.start(command, cwd=folder, env=dict(self.variables, HOME=folder), **options)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return process, folder

    def end(self, process, folder):
        """Ends the process and all processes that it started."""
        try:
            os.killpg(process.pid, 9)
        except OSError:
            pass
        process.wait()
        self.user.end_all()
        shutil.rmtree(folder, ignore_errors=True)

    def run(self, command):
        """Runs a command; returns its last lines of output."""
        read, write = os.pipe()
        self.user.own_stream(write)
        try:
            process, folder = self.start(command, stdout=write, stderr=write)
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        tail = Tail(read)
        tail.start()
        try:
            status = process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            status = None
        self.end(process, folder)
        lines = tail.show()
        if status is None:
            raise Failed("timed out after {} seconds".format(TIMEOUT))
        if status != 0:
            raise Failed("exit status {}: {}".format(status, lines[-1] if lines else "no output"))
        return lines


class Session:
    """A process of smoke-worker.py."""

    def __init__(self, place, wheel, quiet=False):
        self.place = place
        requests, self.requests = os.pipe()
        self.answers, answers = os.pipe()
        self.output = None
        streams = {}
        if quiet:
            output, stream = os.pipe()
            place.user.own_stream(stream)
            streams = {"stdout": stream, "stderr": stream}
        # Pass the code as text, because only root may be able to read the file.
        with open(os.path.join(here, "smoke-worker.py")) as file:
            code = file.read()
        command = [place.python, "-B", "-I", "-c", code, os.path.basename(wheel), str(requests), str(answers)]
        self.process, self.folder = place.start(command, pass_fds=(requests, answers), **streams)
        os.close(requests)
        os.close(answers)
        if quiet:
            os.close(stream)
            self.output = Tail(output)
            self.output.start()

    def send(self, timeout, **request):
        """Sends a request; returns the answer. Failed if the process ends or answers another request."""
        token = os.urandom(16).hex()
        data = json.dumps(dict(request, token=token)).encode() + b"\n"
        try:
            os.write(self.requests, data)
        except OSError:
            # read_line reports how the process ended.
            pass
        line = self.read_line(time.monotonic() + timeout)
        try:
            answer = json.loads(line.decode())
            own = {key: answer[key] for key in ("token", "ok", "detail", "gil")}
            valid = isinstance(own["ok"], bool) and isinstance(own["detail"], str) and isinstance(own["gil"], bool)
        except (ValueError, KeyError, TypeError):
            valid = False
        if not valid or own["token"] != token:
            raise Failed("its process wrote an answer to another request")
        return answer

    def read_line(self, end):
        """One line of the answers."""
        data = b""
        while not data.endswith(b"\n"):
            status = self.process.poll()
            is_ready = select.select([self.answers], [], [], 0.2 if status is None else 0)[0]
            part = os.read(self.answers, KEPT) if is_ready else b""
            if not part and (status is not None or is_ready):
                raise Failed("its process ended {}".format(self.how_it_ended()))
            if len(data) > MAX_ANSWER:
                raise Failed("its process wrote more than {} bytes".format(MAX_ANSWER))
            if time.monotonic() > end:
                raise Failed("timed out")
            data += part
        return data

    def how_it_ended(self):
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return "the connection without exiting"
        return "by signal {}".format(-status) if status < 0 else "with status {}".format(status)

    def end(self):
        """Ends the process; returns its exit status, None if it was killed."""
        os.close(self.requests)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = None
        self.place.end(self.process, self.folder)
        os.close(self.answers)
        if self.output:
            self.output.show()
        return status


class Checks:
    """The checks of a wheel and their results."""

    def __init__(self, place, wheel):
        self.place, self.wheel = place, wheel
        self.session = None
        self.done = []
        self.libraries = {}
        self.gil = True

    def record(self, kind, subject, action):
        check = {"kind": kind, "subject": subject, "ok": True, "detail": ""}
        word = "ok  "
        try:
            answer = action()
            check["ok"], check["detail"] = answer.get("ok", True), printable(answer["detail"])
            if kind == "entry-point" and answer.get("skipped") is True:
                word, check["skipped"] = "skip", True
        except (Failed, OSError, RuntimeError, ValueError) as error:
            text = str(error) if isinstance(error, Failed) else "{}: {}".format(type(error).__name__, error)
            check["ok"], check["detail"] = False, printable(text)
        word = word if check["ok"] else "FAIL"
        self.done.append(check)
        first_line = subject.strip().splitlines()[-1] if subject.strip() else subject
        detail = check["detail"]
        print("{} {} {}{}".format(word, kind, first_line, ": " + detail if detail else ""), flush=True)
        return check["ok"]

    def check(self, kind, subject, **request):
        """Runs a check in the process of all imports and calls. Replaces a process that does not answer."""

        def action():
            self.session = self.session or Session(self.place, self.wheel)
            try:
                answer = self.session.send(CHECK_TIMEOUT, kind=kind, **request)
            except BaseException:
                self.end_session()
                raise
            self.gil = answer["gil"]
            if kind == "grafted" and isinstance(answer.get("library"), dict):
                self.libraries[subject] = answer["library"]
            return answer

        return self.record(kind, subject, action)

    def end_session(self):
        """Ends the process of all imports and calls; returns its exit status."""
        session, self.session = self.session, None
        return session.end() if session else None

    def ended(self):
        """Records a crash at the end of that process, which every user would see."""

        def fail():
            raise Failed("the process ended with status {}".format(status))

        status = self.end_session()
        if status:
            self.record("exit", "the end of the process", fail)

    def entry_point(self, point):
        """Checks an entry point in a separate process: its module can exit, start threads, or close streams."""

        def action():
            session = Session(self.place, self.wheel, quiet=True)
            try:
                return session.send(TIMEOUT, kind="entry-point", point=[point.name, point.value, point.group])
            finally:
                session.end()

        self.record("entry-point", "{} = {}".format(point.name, point.value), action)

    def command(self, command):
        def action():
            return {"detail": "".join(self.place.run(shlex.split(command))[-1:])}

        self.record("command", command, action)

    def run(self, distribution):
        imports = os.environ.get("SMOKE_IMPORTS", "").split()
        calls = json.loads(os.environ.get("SMOKE_CALLS") or "{}")
        if sysconfig.get_config_var("Py_GIL_DISABLED"):
            self.check("gil", "off before any import")
        for name in imports + [name for name in calls if name not in imports]:
            imported = self.check("import", name, module=name)
            if not imported and name in calls:
                calls[name] = []
        for name, expressions in calls.items():
            for expression in expressions:
                self.check("call", expression, module=name, check=expression)
        for library, place in json.loads(os.environ.get("SMOKE_GRAFTED") or "{}").items():
            self.check("grafted", library, library=library, place=place)
        self.ended()
        for point in distribution.entry_points:
            if point.group in SCRIPTS:
                self.entry_point(point)
        for command in json.loads(os.environ.get("SMOKE_COMMANDS") or "[]"):
            self.command(command)


def installed(environment):
    """The distributions in the environment, read from their files."""
    folders = {os.path.realpath(path): path for path in glob.glob(environment + "/lib*/*/site-packages")}
    own = [path for path in sys.path if path != here]
    found = importlib.metadata.distributions(path=list(folders) + own)
    return [each for each in found if each.metadata["Name"]]


def provided_interpreter():
    """The content of the interpreter's provider.json; None outside of a container."""
    for path in glob.glob("/opt/python/*/provider.json"):
        with open(path) as file:
            return json.load(file)
    return None


def plain(name):
    return name.replace("-", "_").replace(".", "_").lower()


def main():
    wheel, environment, folder = sys.argv[1:4]
    user = unprivileged.User.nobody() if "--unprivileged" in sys.argv[4:] else unprivileged.User()
    user.own_stream(1)
    user.own_stream(2)
    checks = Checks(Place(environment, user), wheel)
    # Start the process now, because the next lines take a while.
    checks.session = Session(checks.place, wheel)
    distributions = installed(environment)
    name = plain(os.path.basename(wheel).split("-")[0])
    distribution = next(each for each in distributions if plain(each.metadata["Name"]) == name)
    checks.run(distribution)

    failed = [check for check in checks.done if not check["ok"]]
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "smoke.json"), "w") as out:
        json.dump(
            {
                "schema_version": 2,
                "wheel": os.path.basename(wheel),
                "unprivileged": user.ids is not None,
                "python": "{} {}".format(platform.python_implementation(), platform.python_version()),
                "gil": checks.gil,
                "interpreter": provided_interpreter(),
                "machine": platform.machine(),
                "pip": os.environ["PIP_VERSION"],
                "packages": {d.metadata["Name"]: d.version for d in distributions},
                "checks": checks.done,
                "grafted": checks.libraries,
            },
            out,
            indent=2,
            sort_keys=True,
        )
        out.write("\n")
    print("smoke test: {} checks, {} failed".format(len(checks.done), len(failed)))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
