"""Seeds for the fuzz targets: from this repository, from extension modules of this Python, and from wheels.
Uses only small files, because large ones slow down fuzzing."""

import hashlib
import io
import json
import re
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "xtask/tests/fixtures"
CRATE = ROOT / "xtask/crates/wheel-build"
ENGINE = CRATE / "src/engine"
MISSING = CRATE / "src/pipeline/missing/output.rs"
INIT = CRATE / "src/init/cibuildwheel/tests.rs"
REPORT = TESTS / "documents-build-info.json"
MOST = 96 << 10
PER_TARGET = 300
MODULES = 24
SEPARATOR = b"\n--\n"
# The parser of a file's answers in `answer_texts`.
ANSWERS = {"doctor/docker.rs": 2, "registry.rs": 3, "setup/sources.rs": 5}

Seed = tuple[str, bytes]


def dist(name: str, digest: str, size: int) -> bytes:
    """A manifest and checksums, as input of `dist`."""
    path = "here-x86_64/" + name
    build = {"interpreter": "cp311", "job": "0", "smoke": "passed"}
    entry = {"path": path, "sha256": digest, "size": size, "kind": "wheel", "target": "here"}
    entry |= {"platform": "linux/amd64", "verdict": "pass", "builds": [build], "floor": "none"}
    manifest = json.dumps({"schema_version": 1, "files": [entry]}).encode()
    return SEPARATOR.join([manifest, f"{digest}  {name}".encode(), b"{}", b""])


def documents() -> bytes:
    """A bill of materials, a provenance and a build report, as input of `documents`."""
    name, info = "pkg-1.0-py3-none-any.whl", json.loads(REPORT.read_text())
    digest = hashlib.sha256(b"wheel").hexdigest()
    component = {"purl": "pkg:pypi/pkg@1.0", "hashes": [{"alg": "SHA-256", "content": digest}]}
    bom = {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": component}}
    roles = ("source", "base-image", "build-requirement", "crate", "interpreter", "tool")
    hashed = {"digest": {"sha256": digest}}
    inputs = [{"name": role, "annotations": {"role": role}} | hashed for role in roles]
    parameters = {"target": "here", "platform": "linux/amd64", "interpreter": "cp311"}
    definition = {"buildType": "urn:wheel-build:wheel:v1", "externalParameters": parameters}
    statement = {"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": name} | hashed]}
    statement["predicateType"] = "https://slsa.dev/provenance/v1"
    statement["predicate"] = {"buildDefinition": definition | {"resolvedDependencies": inputs}}
    info |= {"target": "here"}
    return SEPARATOR.join(json.dumps(each).encode() for each in (bom, statement, info))


def literals(path: Path) -> Iterator[str]:
    """The string literals of each test in a Rust file, as lines."""
    for test in path.read_text().split("#[test]")[1:]:
        found = re.findall(r'r#"(.*?)"#|"((?:[^"\\]|\\.)*)"', test, re.DOTALL)
        yield "\n".join(raw or re.sub(r"\\(.)", r"\1", text) for raw, text in found)


def repository() -> Iterator[Seed]:
    """Seeds from the files and tests of this repository."""
    for target in ("progress", "podman"):
        name = {"progress": "progress_tests.rs", "podman": "podman_progress.rs"}[target]
        yield from ((target, text.encode()) for text in literals(ENGINE / name))
    sources = [ENGINE / "excerpt_tests.rs", ENGINE / "headline_tests.rs", ENGINE / "failure.rs"]
    for path in [*sources, MISSING]:
        for text in literals(path):
            yield "failure", f"[wheel-builder 1/1] RUN make\nexit code: 1\n{text}".encode()
    for name, kind in ANSWERS.items():
        for text in re.findall(r'r#"(.*?)"#|"([^"\\]{20,})"', (ENGINE / name).read_text(), re.DOTALL):
            yield "answers", bytes([kind]) + "".join(text).encode()
    yield "answers", b"\0" + json.dumps({"schema_version": 2, "unprivileged": True, "interpreter": None, "checks": [
        {"kind": "import", "subject": "a", "ok": True, "detail": ""}]}).encode()
    yield "answers", b"\1numpy>=2; python_version > '3'\nsetuptools==80"
    yield "build_report", REPORT.read_bytes()
    yield "documents", documents()
    member = '[package]\nname = "xtask"\nversion = "0.1.0"\n'
    lock = (ROOT / "Cargo.lock").read_text()[:4096].rsplit("[[package]]", 1)[0]
    cargo = '[package]\nname = "a"\n[workspace]\nmembers = ["xtask"]\nexclude = ["*"]\n'
    yield "manifests", "\n--\n".join([cargo, member, lock]).encode()
    yield "manifests", (ROOT / "wheels.toml").read_bytes()
    yield "manifests", b'[project]\nname = "a"\nrequires-python = ">=3.10"\n[build-system]\n'
    for raw in re.findall(r'r#"(.*?)"#', INIT.read_text(), re.DOTALL):
        yield "manifests", f"[project]\nname = 'a'\n[tool.cibuildwheel]\n{raw}".encode()
    policy = {"name": "manylinux_2_17", "aliases": ["manylinux2014"], "priority": 80}
    policy |= {"symbol_versions": {"x86_64": {"GLIBC": ["2.17"]}}, "lib_whitelist": ["libc.so.6"]}
    yield "policy", json.dumps([policy | {"blacklist": {"libz.so.1": ["_tr_init"]}}]).encode()


def modules() -> list[Path]:
    """The smallest extension modules of this Python."""
    paths = Path(sysconfig.get_config_var("DESTSHARED") or "/").glob("*.so")
    return sorted(paths, key=lambda path: path.stat().st_size)[:MODULES]


def made() -> Iterator[Seed]:
    """Seeds from wheels with one extension module each."""
    info = "pkg-1.0.dist-info/"
    metadata = b"Metadata-Version: 2.4\nName: pkg\nVersion: 1.0\nRequires-Python: >=3.8\nRequires-Dist: a>=1; extra == 'b'\n"
    tags = ["manylinux_2_17_x86_64", "manylinux_2_36_x86_64.manylinux2014_x86_64", "musllinux_1_2_x86_64", "linux_aarch64"]
    for index, path in enumerate(modules()):
        tag = f"cp311-{'abi3' if index % 3 == 2 else 'cp311'}-{tags[index % len(tags)]}"
        wheel = f"Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
        files = {"pkg/" + path.name: path.read_bytes(), info + "METADATA": metadata, info + "WHEEL": wheel}
        files |= {info + "entry_points.txt": b"[console_scripts]\na = pkg.a:main\n", info + "sboms/a.json": b"{}"}
        files |= {"pkg/__init__.py": b"import ctypes, os\nctypes.CDLL(os.path.join(os.path.dirname(__file__), 'liba.so'))\n"}
        files |= {"pkg-1.0.data/scripts/run": b"#!python\nimport pkg\n", info + "variant.json": b'{"variants": {}}'}
        files[info + "RECORD"] = "".join(f"{name},,\n" for name in files).encode()
        yield from members(f"pkg-1.0-{tag}.whl", files)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        yield "archive", stream.getvalue()
        yield "verify", stream.getvalue()


def members(wheel: str, files: dict[str, bytes]) -> Iterator[Seed]:
    """Seeds from a wheel's name and members."""
    targets = {"METADATA": "metadata", "WHEEL": "metadata", "RECORD": "record", "entry_points.txt": "entry_points"}
    yield "wheel_name", wheel.encode()
    used = [wheel.encode()]
    for name, content in files.items():
        last = name.rsplit("/", 1)[-1]
        if ".dist-info/" in name and last in targets:
            yield targets[last], content
        elif ".so" in last:
            yield "elf", content
            yield "isa", content
            # Another version of the same file.
            yield "compare", SEPARATOR.join([content, content.replace(b"GCC", b"GCD").replace(b"Py", b"PY", 9)])
        if sum(map(len, used)) + len(content) < MOST:
            used.append(name.encode() + b"\n" + content)
    yield "audit", SEPARATOR.join(used)


def published(wheels: Path) -> Iterator[Seed]:
    """Seeds from the wheels of a folder, and from the documents beside them."""
    for path in sorted(wheels.glob("*.whl"), key=lambda path: path.stat().st_size):
        names = [path.name + ".cdx.json", path.name + ".provenance.json", "build-info.json"]
        paths = [path.with_name(name) for name in names]
        if paths[0].exists():
            yield "documents", SEPARATOR.join(path.read_bytes() if path.exists() else b"{}" for path in paths)
        content = path.read_bytes()
        yield "archive", content
        yield "verify", content
        yield "dist", dist(path.name, hashlib.sha256(content).hexdigest(), len(content))
        with zipfile.ZipFile(path) as archive:
            small = [info.filename for info in archive.infolist() if info.file_size <= MOST]
            yield from members(path.name, {name: archive.read(name) for name in small})


def write(corpus: Path, wheels: Path | None) -> None:
    """Writes the seeds into a folder for each target."""
    taken: dict[str, int] = {}
    seeds = [*repository(), *made(), ("dist", dist("pkg-1.0-py3-none-any.whl", "0" * 64, 0))]
    for target, content in [*seeds, *(published(wheels) if wheels else ())]:
        if len(content) <= MOST and taken.get(target, 0) < PER_TARGET:
            folder = corpus / target
            folder.mkdir(parents=True, exist_ok=True)
            (folder / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
            taken[target] = taken.get(target, 0) + 1
