"""Does an installed wheel work? smoke.py WHEEL ENVIRONMENT FOLDER [--unprivileged]

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

Runs no code of the wheel, and reads ENVIRONMENT as data: `python -I -S` starts it. smoke-worker.py runs the
checks, with the interpreter of ENVIRONMENT and, with --unprivileged, as a user without rights. It gets one request
at a time, with a random token that its answer has to repeat. So a check counts only if the process that was asked
answered after it was asked: one that ends, or that wrote its answer beforehand, fails.
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
# Seconds for one command or script, for one import or call, and the number of last lines that are printed.
TIMEOUT = 600
CHECK_TIMEOUT = 3600
LINES = 20
# Seconds that a process gets to end by itself.
PATIENCE = 60
# Bytes of output, and of an answer, that are kept: /tmp is memory, and a command may print without end.
KEPT = 1 << 16
MAX_ANSWER = 1 << 20
# Characters of what a check reports.
MAX_DETAIL = 4000


class Failed(Exception):
    """A check that failed, and why."""


def printable(text):
    return text.encode(errors="backslashreplace").decode()[:MAX_DETAIL]


class Tail(threading.Thread):
    """Reads a pipe to its end, and keeps the last bytes."""

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
        # What a command leaves running in a session of its own may keep the pipe open.
        self.join(5)
        lines = self.bytes.decode(errors="replace").splitlines()[-LINES:]
        print("".join("     | {}\n".format(line) for line in lines), end="", flush=True)
        return lines


class Place:
    """Where the package's code runs: the environment, and the user."""

    def __init__(self, environment, user):
        self.environment = environment
        self.user = user
        self.python = os.path.join(environment, "bin", "python")
        path = os.pathsep.join([os.path.join(environment, "bin"), os.environ.get("PATH", os.defpath)])
        self.variables = {name: value for name, value in os.environ.items() if not name.startswith("SMOKE_")}
        self.variables["PATH"] = path

    def start(self, command, **options):
        """Starts a command in an empty folder of its own, which is its home; returns both."""
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
        """Ends the process with all that it started."""
        try:
            os.killpg(process.pid, 9)
        except OSError:
            pass
        process.wait()
        self.user.end_all()
        shutil.rmtree(folder, ignore_errors=True)

    def run(self, command):
        """Runs a command to its end; its last lines."""
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
            raise Failed("it still ran after {} seconds".format(TIMEOUT))
        if status != 0:
            raise Failed("exit status {}: {}".format(status, lines[-1] if lines else "it printed nothing"))
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
        # As text: the file may be one that only root reads.
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

    def ask(self, timeout, **request):
        """What the process answers. Failed if it ends, or answers anything but this request."""
        token = os.urandom(16).hex()
        data = json.dumps(dict(request, token=token)).encode() + b"\n"
        try:
            os.write(self.requests, data)
        except OSError:
            # It has ended.
            pass
        line = self.read_line(time.monotonic() + timeout)
        try:
            answer = json.loads(line.decode())
            own = {key: answer[key] for key in ("token", "ok", "detail", "gil")}
            valid = isinstance(own["ok"], bool) and isinstance(own["detail"], str) and isinstance(own["gil"], bool)
        except (ValueError, KeyError, TypeError):
            valid = False
        if not valid or own["token"] != token:
            raise Failed("its process wrote an answer to another question")
        return answer

    def read_line(self, end):
        """One line; nothing that came before it is kept, since each request has one answer."""
        data = b""
        while not data.endswith(b"\n"):
            status = self.process.poll()
            is_ready = select.select([self.answers], [], [], 0.2 if status is None else 0)[0]
            part = os.read(self.answers, KEPT) if is_ready else b""
            if not part and (status is not None or is_ready):
                raise Failed("its process ended {}".format(self.how_it_ended()))
            if len(data) > MAX_ANSWER:
                raise Failed("its process wrote more than an answer")
            if time.monotonic() > end:
                raise Failed("it still ran after the time limit")
            data += part
        return data

    def how_it_ended(self):
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return "the connection"
        return "by signal {}".format(-status) if status < 0 else "with status {}".format(status)

    def end(self):
        """Ends the process; its exit status, None where it had to be killed."""
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
    """The checks of a wheel, and what came of them."""

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

    def ask(self, kind, subject, **request):
        """One check in the process of all imports and calls. A process that fails to answer is replaced."""

        def action():
            self.session = self.session or Session(self.place, self.wheel)
            try:
                answer = self.session.ask(CHECK_TIMEOUT, kind=kind, **request)
            except BaseException:
                self.end_session()
                raise
            self.gil = answer["gil"]
            if kind == "grafted" and isinstance(answer.get("library"), dict):
                self.libraries[subject] = answer["library"]
            return answer

        return self.record(kind, subject, action)

    def end_session(self):
        """Ends the process of all imports and calls; its exit status."""
        session, self.session = self.session, None
        return session.end() if session else None

    def ended(self):
        """A crash at the end of that process is one that every user sees."""

        def fail():
            raise Failed("status {} at the end of the process".format(status))

        status = self.end_session()
        if status:
            self.record("exit", "the end of the process", fail)

    def entry_point(self, point):
        """In a process of its own: a module may end it, leave threads, or close its streams."""

        def action():
            session = Session(self.place, self.wheel, quiet=True)
            try:
                return session.ask(TIMEOUT, kind="entry-point", point=[point.name, point.value, point.group])
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
            self.ask("gil", "off before any import")
        for name in imports + [name for name in calls if name not in imports]:
            imported = self.ask("import", name, module=name)
            if not imported and name in calls:
                calls[name] = []
        for name, expressions in calls.items():
            for expression in expressions:
                self.ask("call", expression, module=name, check=expression)
        for library, place in json.loads(os.environ.get("SMOKE_GRAFTED") or "{}").items():
            self.ask("grafted", library, library=library, place=place)
        self.ended()
        for point in distribution.entry_points:
            if point.group in SCRIPTS:
                self.entry_point(point)
        for command in json.loads(os.environ.get("SMOKE_COMMANDS") or "[]"):
            self.command(command)


def installed(environment):
    """The distributions that the environment's interpreter finds, by their files alone."""
    folders = {os.path.realpath(path): path for path in glob.glob(environment + "/lib*/*/site-packages")}
    own = [path for path in sys.path if path != here]
    found = importlib.metadata.distributions(path=list(folders) + own)
    return [each for each in found if each.metadata["Name"]]


def provided_interpreter():
    """What provided the interpreter says of it; nothing outside of the container of a smoke test."""
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
    # It starts while this process reads what is installed.
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
