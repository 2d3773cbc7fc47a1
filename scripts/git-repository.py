"""Creates the small git repositories of a local source: git-repository.py SOURCE_FOLDER TREE STORE

SOURCE_FOLDER contains git.json and git.objects of a source from git. TREE is the unpacked source. For a build backend,
git reports the same version, commit and files as in the user's clone:

- HEAD, its history and its tags are the user's objects. The repository has no remotes, no other branches, and no files
  of earlier commits.
- The source may lack files of HEAD, such as excluded ones. `git replace` replaces the tree of HEAD by that of the
  source: HEAD keeps its id, and git reports no missing files.
- Attributes disable conversions (line endings, filters such as LFS): the files of the source are those of HEAD.
- The objects are in STORE, so that copies of TREE stay small.

Names are bytes; in git.json each byte is one character (latin-1).
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zlib

KINDS = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}
CONFIG = """\
[core]
\trepositoryFormatVersion = {version}
\tbare = false
\tfileMode = true
\tsymlinks = true
\tautocrlf = false
\t# A copy keeps the times of the files, but not their inodes.
\tcheckStat = minimal
\ttrustCtime = false
\tabbrev = {abbrev}
[diff]
\t# Rename detection reads files, and those of earlier commits are missing.
\trenames = false
[gc]
\tauto = 0
"""
ATTRIBUTES = "* -text -eol -filter -ident !working-tree-encoding\n"


def raw(name):
    return name.encode("latin-1")


class Repository:
    """One repository below the tree: its entry in git.json and its folder."""

    def __init__(self, facts, tree):
        self.facts = facts
        self.top = os.path.join(os.fsencode(tree), raw(facts["prefix"]))
        self.folder = os.path.join(self.top, b".git")
        # Independent of the environment: the build calls git with its own later.
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        nowhere = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}
        self.env = dict(env, LC_ALL="C", GIT_NO_REPLACE_OBJECTS="1", **nowhere)

    def git(self, *args, data=b"", stdin=None):
        command = ["git", "-c", "core.compression=1", "-c", "init.defaultBranch=main", *args]
        source = {"stdin": stdin} if stdin else {"input": data}
        ran = subprocess.run(command, stdout=subprocess.PIPE, cwd=self.top, env=self.env, **source)
        if ran.returncode != 0:
            shown = " ".join(os.fsdecode(arg) for arg in command)
            sys.exit("error: `{}` failed in `{}`".format(shown, os.fsdecode(self.top)))
        return ran.stdout

    def write(self, name, data):
        path = os.path.join(self.folder, os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(data)

    def index(self, *entries):
        """Adds (mode, id, path) to the index; mode 0 removes the path."""
        lines = [b"%s %s\t%s\0" % (mode.encode(), name.encode(), raw(path)) for mode, name, path in entries]
        self.git("update-index", "-z", "--index-info", data=b"".join(lines))

    def add(self, paths):
        """Adds files of the tree to the index, with their contents and times."""
        self.git("update-index", "-z", "--add", "--stdin", data=b"".join(raw(path) + b"\0" for path in paths))

    def make(self, objects, store):
        facts = self.facts
        os.makedirs(self.top, exist_ok=True)
        sha256 = facts["format"] == "sha256"
        self.git("init", "--quiet", "--template=", *(["--object-format=sha256"] if sha256 else []))
        extension = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
        self.write("config", (CONFIG.format(version=int(sha256), abbrev=facts["abbrev"]) + extension).encode())
        self.write("info/attributes", ATTRIBUTES.encode())
        tags = (b"%s refs/tags/%s\n" % (id.encode(), raw(name)) for name, id in facts["tags"])
        self.write("packed-refs", b"".join(tags))
        if facts["shallow"]:
            self.write("shallow", "".join(id + "\n" for id in facts["shallow"]).encode())
        self.unpack(objects)
        self.head()
        self.files()
        os.makedirs(store)
        os.rename(os.path.join(self.folder, b"objects"), os.path.join(store, "objects"))
        self.write("objects/info/alternates", os.fsencode(os.path.join(store, "objects")) + b"\n")
        os.makedirs(os.path.join(self.folder, b"objects/pack"))

    def unpack(self, objects):
        """Writes the next objects of git.objects as a pack."""
        path = os.path.join(self.folder, b"received.pack")
        digest = hashlib.new(self.facts["format"])
        with open(path, "wb") as pack:
            def put(data):
                pack.write(data)
                digest.update(data)

            put(b"PACK" + (2).to_bytes(4, "big") + self.facts["objects"].to_bytes(4, "big"))
            for _ in range(self.facts["objects"]):
                name, kind, *size = objects.readline().split()
                if not size:
                    sys.exit("error: the clone lacks the object {}\n\nhint: run `git fsck`".format(name.decode()))
                content = objects.read(int(size[0]) + 1)[:-1]
                put(pack_header(KINDS[kind], len(content)) + zlib.compress(content, 1))
            pack.write(digest.digest())
        with open(path, "rb") as pack:
            self.git("index-pack", "--stdin", stdin=pack)
        os.unlink(path)

    def head(self):
        head, branch = self.facts["head"], self.facts["branch"]
        if branch is None:
            self.write("HEAD", head.encode() + b"\n")
        else:
            self.write("HEAD", b"ref: refs/heads/" + raw(branch) + b"\n")
            self.write(b"refs/heads/" + raw(branch), head.encode() + b"\n")

    def files(self):
        """Writes HEAD's tree, without the files that the source lacks, then the user's index."""
        facts, head = self.facts, self.facts["head"]
        changed, modules = facts["changed"], facts["modules"]
        for path, _ in modules:
            os.makedirs(os.path.join(self.top, raw(path)), exist_ok=True)
        self.add(facts["files"])
        in_head = [(*entry["head"], entry["path"]) for entry in changed if entry["head"]]
        self.index(*in_head, *(("160000", id, path) for path, id in modules))
        tree = b"tree " + self.git("write-tree")
        commit = self.git("cat-file", "commit", head)
        if not commit.startswith(tree):
            sent = tree + commit[len(tree):]
            new = self.git("hash-object", "-t", "commit", "-w", "--stdin", data=sent)
            self.git("update-ref", "refs/replace/" + head, new.decode().strip())
        self.index(*(("0", "0" * len(head), entry["path"]) for entry in changed if not entry["index"]))
        self.add(entry["path"] for entry in changed if entry["index"] and not entry["head"])


def pack_header(kind, size):
    """The type and the size of an object in a pack."""
    byte, size = kind << 4 | size & 15, size >> 4
    header = bytearray()
    while size:
        header.append(byte | 128)
        byte, size = size & 127, size >> 7
    header.append(byte)
    return bytes(header)


def main():
    folder, tree, store = sys.argv[1:]
    description = os.path.join(folder, "git.json")
    if not os.path.exists(description):
        return
    if shutil.which("git") is None:
        # Without git, a backend can fall back to another version and another list of files.
        sys.exit(
            "error: the source comes from a git repository, and the base image has no git\n\n"
            "hint: add git to the image, or set `git = false` in [source] of wheels.toml"
        )
    with open(description, encoding="utf-8") as file:
        repositories = json.load(file)["repositories"]
    with open(os.path.join(folder, "git.objects"), "rb") as objects:
        for number, facts in enumerate(repositories):
            Repository(facts, tree).make(objects, os.path.join(store, str(number)))


if __name__ == "__main__":
    main()
