"""Unpacks a source archive: unpack.py SOURCE_FOLDER DESTINATION

SOURCE_FOLDER contains source.json and its archive. Strips the top folder of a source archive from the index; an archive
of a local source has none. Rejects every path outside of DESTINATION. tarfile's filters would do that, too, but the
Python of Debian 12 (3.11.2) and EL 9 (3.9) may lack them.
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
    """The parts of a relative path inside of the archive; exits for any other path."""
    if name.startswith("/") or "\\" in name or "\0" in name:
        refuse(name, "not a relative path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        refuse(name, "leads out of the archive")
    return parts


def link_target(parts, name, target):
    """Exits if a symbolic link points outside of the archive."""
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


# Folders that are not reached through a link. An entry cannot replace a folder by a link.
known = set()


def make_folder(path, name):
    """The folder `path` below the destination, for the entry `name`."""
    if path in known:
        return
    # An earlier entry can be a link.
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
    # Not `is_zipfile`, which also accepts a tar file that ends with a wheel.
    with open(archive, "rb") as file:
        is_zip = file.read(4) == b"PK\3\4"
    if is_zip:
        unpack_zip(archive, destination, strip)
    else:
        unpack_tar(archive, destination, strip)


if __name__ == "__main__":
    main()
