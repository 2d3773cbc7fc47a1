"""Runs code of a package as a user without privileges. smoke.py, test.py and try.py import it and run as root.

A process of that user cannot write files of root, or signal or trace a process of root.
"""

import os
import pwd
import signal
import subprocess
import time

try:
    import ctypes
except ImportError:
    # The interpreter was compiled without libffi.
    ctypes = None

# The kernel's id for `nobody`, if the system has no such user.
NOBODY = 65534
PR_SET_NO_NEW_PRIVS = 38
# Number of rounds, and seconds between them, to wait for the end of processes.
ROUNDS, PAUSE = 50, 0.1


class User:
    """The user that runs the package's code: `nobody`, or this process's user if `ids` is None."""

    def __init__(self, ids=None):
        self.ids = ids

    @classmethod
    def nobody(cls):
        """`nobody`; this process's user if it cannot change the user, as in a user namespace with one user."""
        try:
            entry = pwd.getpwnam("nobody")
            user = cls((entry.pw_uid, entry.pw_gid))
        except KeyError:
            user = cls((NOBODY, NOBODY))
        child = os.fork()
        if child == 0:
            try:
                user.become()
            except BaseException:
                os._exit(1)
            os._exit(0)
        return user if os.waitpid(child, 0)[1] == 0 else cls()

    def become(self):
        """Changes this process to the user, permanently: set-user-ID programs do not raise its privileges."""
        os.umask(0o022)
        if self.ids is None:
            return
        os.setgroups([])
        os.setgid(self.ids[1])
        os.setuid(self.ids[0])
        if ctypes and ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError("prctl(PR_SET_NO_NEW_PRIVS) failed")

    def start(self, command, **options):
        """Starts a command in a new session."""
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=self.become, **options
        )

    def own(self, path):
        """Makes the user the owner of a file, or of a folder and its content."""
        if self.ids is None:
            return
        os.lchown(path, *self.ids)
        for folder, folders, files in os.walk(path):
            for name in folders + files:
                os.lchown(os.path.join(folder, name), *self.ids)

    def own_stream(self, stream):
        """Lets the user open an inherited stream by its path, as in /dev/stdout."""
        try:
            if self.ids is not None:
                os.fchown(stream, *self.ids)
        except OSError:
            # The user can still write to the inherited stream.
            pass

    def folder(self, path):
        """Creates a folder of the user; returns its path."""
        os.makedirs(path)
        self.own(path)
        return path

    def end_all(self):
        """Ends every process of the user, in any session. RuntimeError if one does not end."""
        if self.ids is None:
            return
        for _ in range(ROUNDS):
            # One signal for all processes, so that none can start another one meanwhile.
            child = os.fork()
            if child == 0:
                try:
                    self.become()
                    os.kill(-1, signal.SIGKILL)
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            left = self.processes()
            if not left:
                return
            for process in left:
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(PAUSE)
        raise RuntimeError("processes of the package do not end: {}".format(left))

    def processes(self):
        """The ids of the user's running processes."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/{}/status".format(name)) as file:
                    lines = dict(line.rstrip("\n").split(":", 1) for line in file)
            except (OSError, ValueError):
                continue
            is_ended = lines["State"].strip()[0] in "ZX"
            if not is_ended and str(self.ids[0]) in lines["Uid"].split():
                found.append(int(name))
        return found
