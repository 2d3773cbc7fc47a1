"""Unpack a source archive: unpack.py SOURCE_FOLDER DESTINATION

SOURCE_FOLDER holds source.json and the archive it names. A source archive of the
index has one folder at its top, which is left out; a local one is taken as it is.
Whatever would land outside of DESTINATION is refused, here and not by tarfile's
filters: Python 3.11.2 of Debian 12 and 3.9 of EL 9 may not have them.
"""

import json
import os
import shutil
import stat
import sys
import tarfile
import zipfile


def refuse(name, why):
    sys.exit("error: refusing to unpack `{}`: {}".format(name, why))


def inside(name):
    """The parts of a harmless relative path."""
    if name.startswith("/") or "\\" in name or "\0" in name:
        refuse(name, "not a relative path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        refuse(name, "leads out of the archive")
    return parts


def link_target(parts, name, target):
    """A symbolic link may point anywhere below the top, and nowhere else."""
    if target.startswith("/"):
        refuse(name, "link to the absolute path `{}`".format(target))
    depth = len(parts) - 1
    for part in target.split("/"):
        if part == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            refuse(name, "link out of the archive to `{}`".format(target))


# Folders that are known to be none but themselves; what is one never becomes a link.
known = set()


def make_folder(path, name):
    """The folder `path` below the destination, for the entry `name`."""
    if path in known:
        return
    # A link that an earlier entry made must not carry this one elsewhere.
    if os.path.realpath(path) != path:
        refuse(name, "would be written through a link")
    os.makedirs(path, exist_ok=True)
    known.add(path)


def write(destination, parts, data, mode):
    path = os.path.join(destination, *parts)
    parent = os.path.dirname(path)
    make_folder(parent, "/".join(parts))
    if os.path.islink(path):
        refuse("/".join(parts), "would be written through a link")
    with open(path, "wb") as out:
        shutil.copyfileobj(data, out)
    os.chmod(path, 0o755 if mode & 0o111 else 0o644)
    return path


def unpack_tar(archive, destination, strip):
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = inside(member.name)[strip:]
            if not parts:
                continue
            path = os.path.join(destination, *parts)
            if member.isdir():
                make_folder(path, member.name)
            elif member.issym():
                link_target(parts, member.name, member.linkname)
                make_folder(os.path.dirname(path), member.name)
                os.symlink(member.linkname, path)
            elif member.isfile() or member.islnk():
                if member.islnk():
                    inside(member.linkname)
                data = tar.extractfile(member)
                if data is None:
                    refuse(member.name, "link to nothing")
                written = write(destination, parts, data, member.mode)
                os.utime(written, (member.mtime, member.mtime))
            else:
                refuse(member.name, "neither file, folder nor link")


def unpack_zip(archive, destination, strip):
    with zipfile.ZipFile(archive) as bundle:
        for member in bundle.infolist():
            parts = inside(member.filename)[strip:]
            if not parts or member.is_dir():
                continue
            mode = member.external_attr >> 16
            if stat.S_ISLNK(mode):
                refuse(member.filename, "link in a zip archive")
            with bundle.open(member) as data:
                write(destination, parts, data, mode)


def main():
    folder, destination = sys.argv[1:]
    with open(os.path.join(folder, "source.json")) as file:
        source = json.load(file)
    archive = os.path.join(folder, source["file"])
    strip = 1 if source["kind"] == "sdist" else 0
    os.makedirs(destination, exist_ok=True)
    destination = os.path.realpath(destination)
    # Not `is_zipfile`, which takes a tar file that ends with a wheel for that wheel.
    with open(archive, "rb") as file:
        is_zip = file.read(4) == b"PK\3\4"
    if is_zip:
        unpack_zip(archive, destination, strip)
    else:
        unpack_tar(archive, destination, strip)


if __name__ == "__main__":
    main()
