"""Decides whether native programs can replace emulated ones, and writes their wrappers.

    accelerate.py wheel          compile a wheel: the output must be identical to the byte
    accelerate.py interpreter    compile an interpreter that only builds and tests wheels
    accelerate.py packages       run apt and the programs that dpkg starts

Exits with 0 if native programs can be used, else with 10 and a reason. For a wheel or an interpreter, the emulated
compiler driver then finds them through COMPILER_PATH=$XTASK_ACCELERATE. For packages, the standard output is
configuration for apt. Every failure falls back to emulation.

The emulated driver reads the options, chooses the search paths, and starts cc1, as and ld. It finds ours first, in a
folder named after its machine and version, which no other compiler searches. See docs/design/acceleration.md.

Runs in the native Python of /xtask-native (lay_out.py): the target's own, 3.6 or later.
"""

import filecmp
import os
import subprocess
import sys
import threading

NATIVE = "/xtask-native"
FOLDER = os.environ.get("XTASK_ACCELERATE", "/tmp/xtask-accelerate")
# Compiler options of the samples.
SAMPLE_OPTIONS = ["-O3", "-g", "-fPIC", "-fstack-protector-strong"]
# Exit status of a fallback to emulation.
REFUSED = 10


class Refused(Exception):
    """The reason for a fallback to emulation."""


def run(*command, native=False, cwd=None):
    """Runs a command, with the native programs if `native`. Raises Refused if it fails."""
    env = dict(os.environ, COMPILER_PATH=FOLDER) if native else None
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=env,
        cwd=cwd,
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        raise Refused(f"`{' '.join(command)}` fails: {lines[-1]}")
    return done


def output(*command):
    """The standard output of a command. Raises Refused if it fails."""
    return run(*command).stdout.strip()


def installed(name):
    """The path of a program; None if PATH has none."""
    for folder in os.get_exec_path():
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def version(program):
    """The first line of a program's version without its name: `(Debian 14.2.0-19) 14.2.0`."""
    return output(program, "--version").splitlines()[0].partition(" ")[2]


def read_facts():
    """The facts that lay_out.py wrote about the native programs."""
    with open(NATIVE + "/facts") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file)


def compare_versions(kind, facts):
    """Requires the container's versions: for a wheel, including the distribution's patches."""
    if not installed("gcc"):
        raise Refused("the target has no gcc")
    machine = output("gcc", "-dumpmachine")
    if machine != facts["machine"]:
        raise Refused(f"its gcc is for {machine}, the native one for {facts['machine']}")
    if output("gcc", "-dumpfullversion") != facts["release"]:
        raise Refused(f"its compiler is {version('gcc')}, the native one {facts['compiler']}")
    if kind == "interpreter":
        return
    for program, name in [("gcc", "compiler"), ("as", "assembler"), ("ld", "linker")]:
        own = version(program)
        if own != facts[name]:
            raise Refused(f"its {name} is {own}, the native one {facts[name]}")


def searched(language, native=False):
    """The folders that the compiler searches for headers, in order."""
    lines = run("gcc", "-x", language, "-E", "-v", "/dev/null", native=native).stderr.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("#include <"))
    end = next(at for at, line in enumerate(lines) if line.startswith("End of search"))
    return [line.split()[0] for line in lines[start + 1 : end]]


def write_wrapper(path, template, **values):
    """Writes a wrapper from a script beside this file, replacing each @name@."""
    with open(os.path.join(NATIVE, template)) as file:
        text = file.read()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o755)


def lay_out():
    """Writes the programs that the emulated driver starts; returns their folder."""
    cc1 = output("gcc", "-print-prog-name=cc1")
    tools = os.path.join(FOLDER, *os.path.dirname(cc1).split("/")[-2:])
    os.makedirs(tools)
    for name in ["as", "lto1"]:
        os.symlink(NATIVE + "/compiler/" + name, os.path.join(tools, name))
    for name, language in [("cc1", "c"), ("cc1plus", "c++")]:
        own = output("gcc", "-print-prog-name=" + name)
        # Without a C++ compiler, the driver prints the bare name.
        if not os.path.isabs(own):
            continue
        folders = searched(language)
        flags = " ".join(["-nostdinc"] + ["-isystem " + folder for folder in folders])
        native = NATIVE + "/compiler/" + name
        write_wrapper(os.path.join(tools, name), "cc1.sh", own=own, native=native, flags=flags)
        if searched(language, native=True) != folders:
            raise Refused(f"the native compiler for {language} searches other folders")
    linker = installed(output("gcc", "-print-prog-name=ld"))
    write_wrapper(os.path.join(tools, "ld"), "ld.sh", own=linker, folder=FOLDER)
    return tools


def compare_sample(source):
    """Requires that native and emulated programs compile a sample to the same bytes."""
    name = os.path.basename(source)
    # Debug information contains the working directory.
    emulated, native = (os.path.join(FOLDER, f"{name}-{who}") for who in ["emulated", "native"])
    for folder in [emulated, native]:
        os.mkdir(folder)
        made = {"native": folder == native, "cwd": FOLDER}
        run("gcc", *SAMPLE_OPTIONS, "-c", source, "-o", folder + "/sample.o", **made)
        run("gcc", "-shared", folder + "/sample.o", "-o", folder + "/sample.so", **made)
    for file in ["sample.o", "sample.so"]:
        if not filecmp.cmp(os.path.join(emulated, file), os.path.join(native, file), shallow=False):
            raise Refused(f"the native programs make another {file} of {name}")


def compare_samples():
    """Compares both samples in parallel: the emulated compilers take many seconds."""
    failures = []

    def compare(source):
        try:
            compare_sample(source)
        except Exception as error:  # an uncaught exception would count as a success
            failures.append(error)

    sources = [NATIVE + "/sample.c"] + ([NATIVE + "/sample.cc"] if installed("g++") else [])
    threads = [threading.Thread(target=compare, args=[source]) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise Refused(str(failures[0]))


def lay_out_driver(tools, facts):
    """Writes FOLDER/bin/gcc, the native driver, if it links the same program as the emulated one.

    configure starts the compiler about a thousand times; the native driver halves its time.
    """
    os.mkdir(FOLDER + "/bin")
    source = FOLDER + "/main.c"
    with open(source, "w") as file:
        file.write("int main(void) { return 0; }\n")
    driver = FOLDER + "/bin/gcc"
    write_wrapper(
        driver,
        "gcc.sh",
        own=installed("gcc"),
        machine=facts["machine"],
        tools=tools,
        runtime=os.path.dirname(output("gcc", "-print-libgcc-file-name")),
        start=os.path.realpath(os.path.dirname(output("gcc", "-print-file-name=crt1.o"))),
    )
    # This also tests the compiler, the assembler and the linker.
    run("gcc", "-O2", source, "-lm", "-o", FOLDER + "/main-emulated", native=True)
    os.symlink(NATIVE + "/compiler/collect2", tools + "/collect2")
    try:
        run(driver, "-O2", source, "-lm", "-o", FOLDER + "/main-native", native=True)
        same = filecmp.cmp(FOLDER + "/main-emulated", FOLDER + "/main-native", shallow=False)
    except (Refused, OSError):
        same = False
    if not same:
        os.remove(driver)
        os.remove(tools + "/collect2")


def accelerate(kind):
    """Prepares native programs for a wheel or an interpreter. Raises Refused if they differ."""
    output("rm", "-rf", FOLDER)
    os.makedirs(FOLDER)
    facts = read_facts()
    compare_versions(kind, facts)
    tools = lay_out()
    if kind == "wheel":
        compare_samples()
    else:
        lay_out_driver(tools, facts)
    # For the metadata of an interpreter.
    with open(FOLDER + "/compiler", "w") as file:
        file.write(f"{facts['platform']} gcc {facts['compiler']}\n")
    print(f"xtask: accelerated: native {facts['platform']} programs compile this {kind}")


def configure_packages():
    """Prints apt's configuration. The programs share files, so all versions must match."""
    command = ["dpkg-query", "--show", "--showformat=${Package} ${Version},", "apt", "dpkg", "tar"]
    own, native = output(*command), read_facts()["packages"]
    if own != native:
        raise Refused(f"its packages are {own}, the native ones {native}")
    architecture = output("dpkg", "--print-architecture")
    # The native apt would use its own architecture.
    print(f'APT::Architecture "{architecture}";')
    print("#clear APT::Architectures;")
    for name in [architecture, *output("dpkg", "--print-foreign-architectures").split()]:
        print(f'APT::Architectures:: "{name}";')


def main(kind):
    """Returns the exit status."""
    try:
        if kind == "packages":
            configure_packages()
        else:
            accelerate(kind)
    except Exception as error:  # every error falls back to emulation
        reason = str(error) if isinstance(error, Refused) else repr(error)
        if kind == "packages":
            print(f"apt runs under emulation: {reason}", file=sys.stderr)
        else:
            print(f"xtask: not accelerated, this {kind} is compiled under emulation: {reason}")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
