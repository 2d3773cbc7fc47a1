"""Grafts the libraries that a wheel requires into it: repair.py INPUT OUTPUT

INPUT contains one wheel. Writes the repaired wheel to OUTPUT under the same name, and OUTPUT/repair.json. That lists for
each grafted library its file in the wheel, the file it was copied from, and the system package of that file. Requires
auditwheel on sys.path. SOURCE_DATE_EPOCH is the time of the archive's members.

REPAIR_PLATFORM: the platform tag of the target. Grafts every library that the newest policy up to this tag does not
allow as external. Does not verify the tag of the result: the audit does.
REPAIR_EXCLUDE: patterns of library names that are not grafted, separated by blanks.
REPAIR_STRIP: `1` strips the extensions and the grafted libraries.
BUILD_ENV: KEY=VALUE lines, of which LD_LIBRARY_PATH is used.
"""

import functools
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import zlib
from importlib import metadata
from pathlib import Path

from auditwheel import repair, sboms, wheel_abi
from auditwheel._vendor import whichprovides
from auditwheel.architecture import Architecture
from auditwheel.error import AuditwheelError, NonPlatformWheelError
from auditwheel.lddtree import LIBPYTHON_RE
from auditwheel.libc import Libc
from auditwheel.patcher import ElfPatcher
from auditwheel.policy import _POLICY_JSON_MAP as POLICY_FILES
from auditwheel.policy import WheelPolicies

TAG = re.compile(r"(manylinux|musllinux)_(\d+)_(\d+)_(.+)$")


def version(tag):
    match = TAG.match(tag)
    return (int(match.group(2)), int(match.group(3))) if match else (0, 0)


def policy_for(policies, wanted):
    """The newest policy up to the tag `wanted`: auditwheel does not have a policy for each libc version."""
    known = [policy for policy in policies if policy != policies.linux and version(policy.name) <= version(wanted)]
    if not known:
        sys.exit("error: auditwheel has no policy for {}".format(wanted))
    return max(known, key=lambda policy: version(policy.name))


def with_musl_policy(wanted):
    """WheelPolicies with the newest policy up to the tag `wanted`. The original fails on a newer musl than it knows."""
    names = [policy["name"] for policy in json.loads(POLICY_FILES[Libc.MUSL].read_text())]
    known = [name for name in names if (0, 0) < version(name + "_any") <= version(wanted)]
    if not known:
        sys.exit("error: auditwheel has no policy for {}".format(wanted))
    newest = max(known, key=lambda name: version(name + "_any"))
    return functools.partial(WheelPolicies, musl_policy=newest)


def owners(paths):
    """The package of each file, in the format of auditwheel's SBOM.

    On systems with a merged /usr, a package can list a file in /lib whose resolved path is in /usr/lib.
    """
    found = whichprovides.whichprovides([str(path) for path in paths])
    providers = [each for each in whichprovides._package_providers() if hasattr(each, "whichprovides1")]
    for path in map(str, paths):
        alias = path[len("/usr") :] if path.startswith("/usr/lib") else None
        for provider in providers:
            if path not in found and alias and provider.is_available():
                owner = provider.whichprovides1(alias)
                if owner:
                    found[path] = owner
    return found


def library_path(lines):
    values = [line.partition("=")[2] for line in lines.splitlines() if line.startswith("LD_LIBRARY_PATH=")]
    return values[-1] if values else None


def repaired(wheel, output, wanted, exclude, strip):
    """Writes the repaired wheel; returns a list of (soname, path in the wheel, source path), and the missing sonames."""
    kind, arch = TAG.match(wanted).group(1, 4)
    libc = Libc.GLIBC if kind == "manylinux" else Libc.MUSL
    if libc is Libc.MUSL:
        wheel_abi.WheelPolicies = with_musl_policy(wanted)
    abi = wheel_abi.analyze_wheel_abi(
        libc, Architecture(arch), wheel, frozenset(exclude), disable_isa_ext_check=True, allow_graft=True,
        requested_policy_base_name="_".join(wanted.split("_")[:3]),
    )
    policy = policy_for(abi.policies, wanted)
    needed = [
        (soname, path)
        for references in abi.full_external_refs.values()
        for soname, path in references[policy.name].libs.items()
        # auditwheel removes libpython from the needed libraries.
        if not LIBPYTHON_RE.match(soname)
    ]
    # A library that the container lacks may come from another wheel or a driver: the audit decides.
    missing = sorted({soname for soname, path in needed if path is None})
    for references in abi.full_external_refs.values():
        libraries = references[policy.name].libs
        for soname in set(libraries).intersection(missing):
            del libraries[soname]
    sonames = {str(path): soname for soname, path in needed if path is not None}
    grafted = {}
    copylib = repair.copylib

    def copy(source, folder, patcher):
        name, place = copylib(source, folder, patcher)
        grafted[str(source)] = place.as_posix()
        return name, place

    repair.copylib = copy
    sboms.whichprovides = owners
    repair.repair_wheel(
        abi, wheel, abis=[policy.name], lib_sdir=".libs", out_dir=output, update_tags=False,
        patcher=ElfPatcher.get_patcher("patchelf", policy.name), strip=strip,
        zip_compression_level=zlib.Z_DEFAULT_COMPRESSION,
    )
    return sorted((sonames[source], place, source) for source, place in grafted.items()), missing


def main():
    folder, output = map(Path, sys.argv[1:])
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        sys.exit("error: the build context `wheel` must contain exactly one .whl")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    search = library_path(os.environ.get("BUILD_ENV", ""))
    if search is not None:
        os.environ["AUDITWHEEL_LD_LIBRARY_PATH"] = search
    output.mkdir(parents=True, exist_ok=True)
    environment = {name: os.environ.get("REPAIR_" + name, "") for name in ("PLATFORM", "EXCLUDE", "STRIP")}
    try:
        grafts, missing = repaired(
            wheels[0], output, environment["PLATFORM"], environment["EXCLUDE"].split(), environment["STRIP"] == "1"
        )
    except NonPlatformWheelError as error:
        print("nothing to repair: {}".format(error.message))
        grafts, missing = [], []
    except (AuditwheelError, LookupError, RuntimeError, ValueError) as error:
        sys.exit("error: auditwheel: {}".format(error))
    if not (output / wheels[0].name).exists():
        shutil.copyfile(wheels[0], output / wheels[0].name)
    packages = owners([source for _, _, source in grafts]) if grafts else {}
    report = []
    for soname, place, source in grafts:
        entry = {"library": soname, "file": place, "from": source}
        if source in packages:
            entry.update(package=packages[source].package_name, version=packages[source].package_version)
        report.append(entry)
        owner = "{package} {version}".format(**entry) if source in packages else "no package"
        print("grafted {} from {} ({})".format(place, source, owner))
    patchelf = subprocess.run(["patchelf", "--version"], stdout=subprocess.PIPE, check=True).stdout.decode().split()[-1]
    with open(output / "repair.json", "w") as out:
        versions = {"auditwheel": metadata.version("auditwheel"), "patchelf": patchelf}
        json.dump(dict(versions, grafted=report, missing=missing), out, indent=2)
        out.write("\n")


if __name__ == "__main__":
    main()
