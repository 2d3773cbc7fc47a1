"""The libraries, interpreters and systems in the tables."""

from __future__ import annotations

from typing import NamedTuple

# Architectures: Debian's name and the name in wheel tags.
ARCHES = {"amd64": "x86_64", "arm64": "aarch64"}

# Suites by archive, oldest first, with the architectures to read.
SUITES = {
    "debian": {"bullseye": "amd64 arm64", "bookworm": "amd64 arm64", "trixie": "amd64 arm64", "sid": "amd64 arm64"},
    "ubuntu": {each: "amd64" for each in ("xenial", "bionic", "bionic-updates", "focal", "jammy", "noble", "questing", "resolute")},
}


class Library(NamedTuple):
    """A library: its `DT_NEEDED` name, its packages, and the prefix of its symbol versions."""

    name: str
    packages: str
    # Empty if some symbols have no version: then the package's version counts.
    prefix: str = ""
    # Its names if they depend on the architecture.
    sonames: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        return self.sonames or (self.name,)


GLIBC = (
    "libanl.so.1", "libc.so.6", "libdl.so.2", "libm.so.6", "libmvec.so.1", "libnsl.so.1", "libpthread.so.0",
    "libresolv.so.2", "librt.so.1", "libutil.so.1",
)
LIBRARIES = [
    *(Library(name, "libc6", "GLIBC") for name in GLIBC),
    Library("ld.so", "libc6", "GLIBC", ("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")),
    Library("libgcc_s.so.1", "libgcc-s1 libgcc1", "GCC"),
    Library("libstdc++.so.6", "libstdc++6", "GLIBCXX"),
    Library("libz.so.1", "zlib1g"),
    Library("libatomic.so.1", "libatomic1", "LIBATOMIC"),
    Library("libexpat.so.1", "libexpat1"),
    Library("libX11.so.6", "libx11-6"),
    Library("libXext.so.6", "libxext6"),
    Library("libXrender.so.1", "libxrender1"),
    Library("libICE.so.6", "libice6"),
    Library("libSM.so.6", "libsm6"),
    Library("libGL.so.1", "libgl1"),
    *(Library(f"lib{name}-2.0.so.0", "libglib2.0-0 libglib2.0-0t64") for name in ("glib", "gobject", "gthread")),
    Library("libc.so", "musl", "", ("libc.so", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1",
                                    "ld-musl-x86_64.so.1", "ld-musl-aarch64.so.1")),
]

# The library to which functions of glibc's other libraries moved.
HOME = "libc.so.6"

# musl 1.2.4 and later do not export `open64`, but the loader resolves it to `open`.
# Source: musl 1.2.5, `ldso/dynlink.c`, `get_lfs64`, for names of at most 16 bytes.
LFS64 = """
aio_cancel aio_error aio_fsync aio_read aio_return aio_suspend aio_write alphasort creat fallocate fgetpos fopen freopen
fseeko fsetpos fstat fstatat fstatfs fstatvfs ftello ftruncate ftw getdents getrlimit glob globfree lio_listio lockf lseek
lstat mkostemp mkostemps mkstemp mkstemps mmap nftw open openat posix_fadvise posix_fallocate pread preadv prlimit pwrite
pwritev readdir scandir sendfile setrlimit stat statfs statvfs tmpfile truncate versionsort __fxstat __fxstatat __lxstat
__xstat
""".split()

# Debian adds BSD's `fts` to musl; Alpine does not.
DEBIAN_ONLY = ("fts_children", "fts_close", "fts_open", "fts_read", "fts_set")

# Interpreters: packages of executables and of `libpython`, by suite.
PYTHON_PACKAGES = {
    "xenial": "3.5", "bionic": "3.6", "bionic-updates": "3.7", "focal": "3.8", "bullseye": "3.9", "jammy": "3.10", "bookworm": "3.11",
    "noble": "3.12", "trixie": "3.13", "questing": "3.13 3.14", "resolute": "3.14", "sid": "3.15",
}
PYPY_SUITES = ("focal", "bullseye", "jammy", "bookworm", "noble", "trixie", "resolute", "sid")


def packages(suite: str) -> list[str]:
    """The packages to read in a suite. A suite may lack some of them."""
    libraries = [] if suite.endswith("-updates") else LIBRARIES
    names = [name for library in libraries for name in library.packages.split()]
    for version in PYTHON_PACKAGES.get(suite, "").split():
        names += [f"python{version}-minimal", f"libpython{version}", f"libpython{version}t64"]
    if suite in PYPY_SUITES:
        names.append("pypy3")
    return sorted(set(names))
