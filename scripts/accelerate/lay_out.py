"""Copies programs of the build platform into /native for emulated containers.

    lay_out.py TRIPLE PLATFORM        aarch64-linux-gnu linux/amd64

Runs in the target's image for the build platform (stage.sh). The result:

    compiler/   the cross compiler's programs, by the names that an emulated gcc starts
    bin/        small programs that scripts, configure and make start thousands of times
    packages/   replacements for apt-get and for the programs that dpkg and the scripts of packages start
    python/     the Python that runs accelerate.py and the fetch scripts
    lib/, ld    the shared libraries and the loader of these programs
    facts       KEY=VALUE lines that accelerate.py compares
    reason      instead of all these: why acceleration is not available

Emulated containers lack the loader and the libraries, and copies must not replace their own files. So each
program is edited to find both in /xtask-native, the mount point of /native.

Runs in the target's own Python, 3.6 or later.
"""

import glob
import os
import sys

from accelerate import Refused, installed, output, version

NATIVE = "/native"
MOUNTED = "/xtask-native"
HERE = os.path.dirname(os.path.abspath(__file__))
# Programs whose output does not depend on the machine, as that of uname does.
SMALL = """awk basename cat chmod cmp comm cp cut dash date diff dirname echo env expr false find grep head
    install join ln ls make mkdir mktemp mv nproc paste printf readlink rm rmdir sed sleep sort tail tee test touch
    tr true uniq wc xargs""".split()
PACKAGES = ["apt-get", "apt-cache", "dpkg-deb", "dpkg-split", "tar"]
# Files of this folder that emulated containers read.
OWN = ["accelerate.py", "cc1.sh", "gcc.sh", "ld.sh", "sample.c", "sample.cc"]


def copy(source, target):
    """Copies a file, following links."""
    output("cp", "-L", source, target)


def replaced(data, old, new):
    """`data` with the first `old` replaced by the path `new`, padded with slashes to the same length.

    No offset changes. Tools that rewrite ELF files broke large ones.
    """
    at = data.find(old)
    folder, slash, name = new.rpartition(b"/")
    missing = len(old) - len(new)
    if at < 0 or missing < 0:
        raise Refused(f"{old.decode()} cannot be replaced by {new.decode()}")
    new = folder + slash * (missing + 1) + name
    return data[:at] + new + data[at + len(old) :]


def edit(path, old, new):
    """Replaces a path in a file."""
    with open(path, "r+b") as file:
        data = replaced(file.read(), old.encode(), new.encode())
        file.seek(0)
        file.write(data)


def write_dpkg(path):
    """Writes the replacement for dpkg, for the series of this Python."""
    with open(os.path.join(HERE, "dpkg.sh")) as source, open(path, "w") as target:
        series = f"{sys.version_info[0]}.{sys.version_info[1]}"
        target.write(source.read().replace("@series@", series))
    os.chmod(path, 0o755)


def copy_programs(triple):
    """Copies all programs; returns the paths of the dynamically linked ones."""
    for folder in ["bin", "compiler", "lib", "packages", "python/bin", "python/lib"]:
        os.makedirs(os.path.join(NATIVE, folder))
    sources = {}
    for name in ["cc1", "cc1plus", "collect2", "lto1"]:
        sources["compiler/" + name] = output(triple + "-gcc", "-print-prog-name=" + name)
    for name in ["as", "gcc", "ld"]:
        sources["compiler/" + name] = installed(triple + "-" + name)
    for name in SMALL:
        sources["bin/" + name] = installed(name)
    for name in PACKAGES:
        sources["packages/" + name] = installed(name)
    sources["python/bin/python3"] = sys.executable
    programs = []
    for name, source in sources.items():
        if source:
            programs.append(os.path.join(NATIVE, name))
            copy(source, programs[-1])
    os.symlink("dash", NATIVE + "/bin/sh")
    for name in os.listdir(NATIVE + "/bin"):
        # Scripts of packages test for make, which the target may lack.
        if name != "make":
            os.symlink("../bin/" + name, NATIVE + "/packages/" + name)
    for name in ["py3compile", "pypy3compile"]:
        os.symlink("../bin/true", NATIVE + "/packages/" + name)
    write_dpkg(NATIVE + "/packages/dpkg")
    library = os.path.dirname(os.__file__)
    output("cp", "-a", library, NATIVE + "/python/lib/")
    copy(output(triple + "-gcc", "-print-file-name=liblto_plugin.so"), NATIVE + "/compiler/")
    return programs


def copy_libraries(programs):
    """Copies the libraries of the programs; returns the path of the loader and the name of the C library's folder."""
    libraries, loader = set(), None
    modules = glob.glob(NATIVE + "/python/lib/python3*/lib-dynload/*.so")
    for line in output("ldd", NATIVE + "/compiler/liblto_plugin.so", *modules, *programs).splitlines():
        words = line.split()
        if len(words) > 2 and words[1] == "=>" and words[2].startswith("/"):
            libraries.add(words[2])
        elif len(words) == 2 and words[0].startswith("/") and words[1].startswith("("):
            loader = words[0]
    folder = next(os.path.dirname(path) for path in libraries if path.endswith("/libc.so.6"))
    # glibc before 2.34 loads these with dlopen to look up users and hosts.
    libraries |= {folder + name for name in ["/libnss_dns.so.2", "/libnss_files.so.2", "/libresolv.so.2"]}
    for path in sorted(libraries):
        if os.path.exists(path):
            copy(path, NATIVE + "/lib/")
    copy(loader, NATIVE + "/ld")
    return loader, os.path.basename(folder)


def relocate(programs, loader, machine):
    """Edits the programs to find their loader, and the loader to find libraries, in the mounted folder."""
    for program in programs:
        edit(program, loader, MOUNTED + "/ld")
    for folder in ["/usr/lib/", "/lib/"]:
        edit(NATIVE + "/ld", folder + machine + "/", MOUNTED + "/lib/")
    # Test the programs in the place where containers mount them.
    os.symlink(NATIVE, MOUNTED)
    try:
        for name in ["compiler/gcc", "compiler/as", "bin/sed", "packages/apt-get", "packages/dpkg-deb", "packages/tar"]:
            output(os.path.join(MOUNTED, name), "--version")
        output(MOUNTED + "/python/bin/python3", "-ISB", "-c", "import ssl, subprocess")
    finally:
        os.remove(MOUNTED)


def facts(triple, platform):
    """The facts that accelerate.py compares with the emulated container."""
    packages = output("dpkg-query", "--show", "--showformat=${Package} ${Version},", "apt", "dpkg", "tar")
    return {
        "compiler": version(triple + "-gcc"),
        "release": output(triple + "-gcc", "-dumpfullversion"),
        "assembler": version(triple + "-as"),
        "linker": version(triple + "-ld"),
        "machine": output(triple + "-gcc", "-dumpmachine"),
        "packages": packages,
        "platform": platform,
    }


def main(triple, platform):
    """Fills /native; on an error, writes /native/reason."""
    # Only the distribution's programs.
    os.environ["PATH"] = "/usr/bin:/bin"
    try:
        programs = copy_programs(triple)
        relocate(programs, *copy_libraries(programs))
        for name in OWN:
            copy(os.path.join(HERE, name), NATIVE + "/")
        with open(NATIVE + "/facts", "w") as file:
            for key, value in facts(triple, platform).items():
                file.write(f"{key}={value}\n")
                print(f"{key}: {value}")
    except Exception as error:  # every error falls back to emulation
        with open(NATIVE + "/reason", "w") as file:
            file.write(f"{error}\n")
        print(error)


if __name__ == "__main__":
    main(*sys.argv[1:])
