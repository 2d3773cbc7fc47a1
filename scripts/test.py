"""Runs the package tests: test.py unpack PROJECT | package PROJECT | run FOLDER RESULTS

unpack: unpacks the source into the folder PROJECT.
package: prints the folder of the package in PROJECT.
run: copies TEST_SOURCES, one path a line, from FOLDER/project to FOLDER/run, and runs TEST_COMMAND there with `sh -ec`.
The command has the variables TEST_ENV, one KEY=VALUE a line, and /xtask-venv/bin first on PATH. In the command and the
values, {project} is the source, {package} the folder of the package, and {wheel} the path of the wheel. The command
runs as a user without privileges, who owns FOLDER. Writes its status to RESULTS/test.json, and exits with it.
"""

import glob
import json
import os
import shutil
import subprocess
import sys

VENV = "/xtask-venv"


def source():
    """The folder with source.json. A local source is the build context `package`."""
    return next((folder for folder in ("/package", "/source") if os.path.exists(folder + "/source.json")), None) or sys.exit(
        "error: the build context `package` has no source.json"
    )


def lines(name):
    return [line for line in os.environ.pop(name, "").splitlines() if line.strip()]


def package_in(project):
    with open(os.path.join(source(), "source.json")) as file:
        folder = json.load(file).get("package")
    return os.path.join(project, folder) if folder else project


def copy_sources(project, folder, paths):
    """Copies files and folders, so that tests do not import the modules of the source."""
    for path in paths:
        origin, copy = os.path.join(project, path), os.path.normpath(os.path.join(folder, path))
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        if os.path.isdir(origin):
            shutil.copytree(origin, copy, symlinks=True, dirs_exist_ok=True)
        elif os.path.lexists(origin):
            shutil.copy2(origin, copy, follow_symlinks=False)
        else:
            sys.exit("error: the source has no `{}` (`[test] sources` in wheels.toml)".format(path))


def wheel_for(folder):
    """The path of the wheel; of a copy if others cannot read it."""
    path = glob.glob("/wheel/*.whl")[0]
    if os.stat(path).st_mode & 0o004:
        return path
    os.makedirs(folder)
    return shutil.copyfile(path, os.path.join(folder, os.path.basename(path)))


def run(folder, results):
    # `-I` leaves the folder of the script out.
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import unprivileged

    project, work, temporary, home = (os.path.join(folder, name) for name in ("project", "run", "tmp", "home"))
    for path in (work, temporary, home):
        os.makedirs(path)
    copy_sources(project, work, lines("TEST_SOURCES"))
    wheel = wheel_for(os.path.join(folder, "wheel"))
    places = {"project": project, "package": package_in(project), "wheel": wheel}

    def filled(text):
        for name, path in places.items():
            text = text.replace("{" + name + "}", path)
        return text

    path = os.path.join(VENV, "bin") + os.pathsep + os.environ.get("PATH", os.defpath)
    # Tests can write large files, and /tmp is in memory.
    environment = dict(os.environ, PATH=path, VIRTUAL_ENV=VENV, TMPDIR=temporary, HOME=home)
    environment.update(filled(line).split("=", 1) for line in lines("TEST_ENV"))
    command = filled(environment.pop("TEST_COMMAND"))
    print("$ " + command, flush=True)
    user = unprivileged.User.nobody()
    user.own(folder)
    user.own_stream(1)
    user.own_stream(2)
    process = user.start(["/bin/sh", "-ec", command], cwd=work, env=environment)
    status = process.wait()
    # A background process could change the results.
    user.end_all()
    os.makedirs(results)
    with open(os.path.join(results, "test.json"), "w") as file:
        json.dump({"schema_version": 2, "status": status, "unprivileged": user.ids is not None}, file)
    sys.exit(status if status >= 0 else 128 - status)


def main():
    action, folder = sys.argv[1:3]
    if action == "unpack":
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        unpack = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unpack.py")
        sys.exit(subprocess.call([sys.executable, "-I", "-S", "-B", unpack, source(), folder]))
    elif action == "package":
        print(package_in(folder))
    else:
        run(folder, sys.argv[3])


if __name__ == "__main__":
    main()
