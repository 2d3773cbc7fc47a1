"""Parses apt's sources and indexes for source-archive.sh.

apt-sources.py pins FILE SERIES  print `VERSION SHA256` for each version that is pinned for a Python series
apt-sources.py pool              print the URI of the distribution's mirror
apt-sources.py kin FOLDER        print the URIs of related distributions, from python-apt's templates
apt-sources.py suites            print deb-src lines of the mirror for this and newer suites
apt-sources.py newest PACKAGE    read `apt-cache showsrc`, print `VERSION FILE SHA256` or nothing
"""

import glob
import json
import os
import re
import sys

# Names of suites that stay the same: today's stable release becomes oldstable.
NEWER = {"debian": ["stable", "testing", "unstable"], "ubuntu": ["devel"]}


def os_release():
    fields = {}
    with open("/etc/os-release") as file:
        for line in file:
            key, _, value = line.strip().partition("=")
            fields[key] = value.strip("\"'")
    return fields


def one_line_sources(text):
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)", line.split("#")[0].strip())
        if match:
            options, uri, suite, components = match.groups()
            yield uri, [suite], components.split(), options or ""


def deb822_sources(text):
    for stanza in re.split(r"\n\s*\n", text):
        stanza = "\n".join(line for line in stanza.splitlines() if not line.startswith("#"))
        fields = {
            key.lower(): value.split()
            for key, value in re.findall(r"^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t]+.*)*)", stanza, re.M)
        }
        if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
            continue
        signed = fields.get("signed-by", [])
        # A one-line source cannot contain a key. Without the option, apt uses the distribution's key ring.
        options = "signed-by=" + ",".join(signed) if signed and signed[0].startswith("/") else ""
        for uri in fields.get("uris", []):
            yield uri, fields.get("suites", []), fields.get("components", []), options


def mirror():
    """The distribution's main archive: the source whose suite is the release itself."""
    release = os_release()
    wanted = {release.get("VERSION_CODENAME"), release.get("UBUNTU_CODENAME"), "stable", "testing", "unstable", "sid"}
    found = []
    for path in ["/etc/apt/sources.list"] + sorted(glob.glob("/etc/apt/sources.list.d/*")):
        try:
            with open(path) as file:
                text = file.read()
        except OSError:
            continue
        found += deb822_sources(text) if path.endswith(".sources") else one_line_sources(text)
    for uri, suites, components, options in found:
        for suite in suites:
            if suite in wanted and "main" in components and uri.startswith(("http:", "https:")):
                return uri.rstrip("/"), suite, options
    sys.exit("the image's apt sources name no mirror of its release")


def kin(folder):
    """Prints the mirrors of Debian and Ubuntu, from the templates of python-apt-common.

    Both distribute upstream's archives unchanged, so a file with a known hash can come from either.
    """
    own = os_release().get("ID")
    for name in ("Debian", "Ubuntu"):
        if name.lower() == own:
            continue
        try:
            with open(os.path.join(folder, name + ".info")) as file:
                stanzas = re.split(r"\n\s*\n", file.read())
        except OSError:
            continue
        uris = []
        for kind in ("deb-src", "deb"):
            for stanza in stanzas:
                if re.search("^RepositoryType: {}$".format(kind), stanza, re.M):
                    uris += re.findall(r"^BaseURI: (https?://\S+)$", stanza, re.M)
        # The first one is the development series, whose mirror is the archive itself.
        if uris:
            print(uris[0].rstrip("/"))


def newest(package):
    best = None
    for stanza in re.split(r"\n\s*\n", sys.stdin.read()):
        version = re.search(r"^Version: (\S+)", stanza, re.M)
        if not version or not re.search(r"^Package: " + re.escape(package) + "$", stanza, re.M):
            continue
        upstream = version.group(1).rpartition("-")[0]
        # Final releases only: no 3.15.0~rc1.
        if not re.fullmatch(r"[0-9.]+", upstream):
            continue
        checksums = re.search(r"^Checksums-Sha256:\s*\n((?: .*\n?)+)", stanza, re.M)
        for line in (checksums.group(1) if checksums else "").splitlines():
            sha256, _size, name = line.split()
            if name == "{}_{}.orig.tar.xz".format(package, upstream):
                key = [int(part) for part in upstream.split(".")]
                if best is None or key >= best[0]:
                    best = (key, version.group(1), name, sha256)
    if best:
        print(*best[1:])


def main():
    command = sys.argv[1]
    if command == "pins":
        with open(sys.argv[2]) as file:
            for pin in json.load(file)["sources"].get(sys.argv[3], []):
                print(pin["version"], pin["sha256"])
    elif command == "pool":
        print(mirror()[0])
    elif command == "kin":
        kin(sys.argv[2])
    elif command == "suites":
        uri, own, options = mirror()
        bracket = "[{}] ".format(options) if options else ""
        for suite in [own] + NEWER.get(os_release().get("ID"), []):
            print("deb-src {}{} {} main".format(bracket, uri, suite))
    elif command == "newest":
        newest(sys.argv[2])
    else:
        sys.exit("error: unknown command `{}`".format(command))


if __name__ == "__main__":
    main()
