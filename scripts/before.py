"""Copies the files that a command created or changed from one container into others.

before.py pack BEGIN ARCHIVE: packs every file that changed after the file BEGIN, and the unpacked source in XTASK_WORK.
before.py unpack ARCHIVE: unpacks them, and updates the loader's cache of libraries.

The lists of installed packages are excluded: each container keeps its own, to which an interpreter adds packages.
Files that the command deleted outside of the source reappear.
"""

import os
import stat
import subprocess
import sys
import tarfile

# Caches, package lists and logs. /before contains the archive itself.
LEFT_OUT = (
    "/before /etc/ld.so.cache /lib/apk /proc /root/.cache /run /sys /tmp /usr/lib/sysimage /var/cache "
    "/var/lib/apt /var/lib/dnf /var/lib/dpkg /var/lib/rpm /var/log /var/tmp /xtask"
).split()


def changed(begin, work):
    """The paths that changed since `begin`, and those of the source. A folder precedes its content."""
    source = (work + "/source", work + "/git")
    start = os.lstat(begin).st_ctime_ns
    device = os.lstat("/").st_dev
    pending = ["/"]
    while pending:
        folder = pending.pop()
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            about = entry.stat(follow_symlinks=False)
            in_work = entry.path.startswith(work + "/")
            in_source = in_work and entry.path.startswith(source)
            if about.st_dev != device or entry.path in LEFT_OUT or in_work and not in_source:
                continue
            if (in_source or about.st_ctime_ns > start) and not stat.S_ISSOCK(about.st_mode):
                yield entry.path
            if stat.S_ISDIR(about.st_mode):
                pending.append(entry.path)


def pack(begin, archive):
    count = 0
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as out:
        for path in changed(begin, os.environ["XTASK_WORK"]):
            out.add(path, recursive=False)
            count += 1
    print("before: packed {} files and folders, {} bytes".format(count, os.path.getsize(archive)))


def unpack(archive):
    with tarfile.open(archive) as source:
        # The archive is our own.
        if hasattr(tarfile, "fully_trusted_filter"):
            source.extraction_filter = tarfile.fully_trusted_filter
        source.extractall("/")
    try:
        subprocess.run(["ldconfig"], check=False)
    except FileNotFoundError:
        # musl's loader has no cache.
        pass


if __name__ == "__main__":
    pack(*sys.argv[2:]) if sys.argv[1] == "pack" else unpack(sys.argv[2])
