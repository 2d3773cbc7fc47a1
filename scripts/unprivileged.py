"""Runs code of a package as a user without rights. Imported by smoke.py and test.py, which run as root.

Such a process cannot write what root owns, and cannot signal or trace a process of root.
"""

import os
import pwd
import signal
import subprocess
import time

try:
    import ctypes
except ImportError:
    # An interpreter that was compiled without libffi.
    ctypes = None

# The kernel's own number for it, where the system has no such user.
NOBODY = 65534
PR_SET_NO_NEW_PRIVS = 38
# Rounds and seconds that processes get to vanish.
ROUNDS, PAUSE = 50, 0.1


class User:
    """Who runs the package's code: `nobody`, or, where `ids` is None, the user of this process."""

    def __init__(self, ids=None):
        self.ids = ids

    @classmethod
    def nobody(cls):
        """`nobody`; this process's user where it cannot change it, as in a user namespace with one user."""
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
        """Makes this process one of the user, with no way back: programs with a set-user-ID bit give it no rights."""
        os.umask(0o022)
        if self.ids is None:
            return
        os.setgroups([])
        os.setgid(self.ids[1])
        os.setuid(self.ids[0])
        if ctypes and ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError("prctl(PR_SET_NO_NEW_PRIVS) failed")

    def start(self, command, **options):
        """Starts a command in a session of its own."""
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=self.become, **options
        )

    def own(self, path):
        """Gives a file, or a folder and all below it, to the user."""
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
            # It still writes to what it inherits.
            pass

    def folder(self, path):
        """A new folder of the user."""
        os.makedirs(path)
        self.own(path)
        return path

    def end_all(self):
        """Ends every process of the user, whatever session it is in. RuntimeError if one does not end."""
        if self.ids is None:
            return
        for _ in range(ROUNDS):
            # At once, so that none starts another one meanwhile.
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
        """The user's processes that have not ended."""
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
